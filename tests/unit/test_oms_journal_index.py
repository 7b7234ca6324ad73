"""The journal's indexes say what a walk over everything would, whatever was called and whatever the ledger did."""

import datetime as dt
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.oms import closing
from actors.oms.gate import key_of
from actors.oms.journal import Journal
from core.errors import InputError, LedgerDown
from core.market import to_ns
from core.orders.order_index import day_of
from core.orders.plans import Bracket, ExitRules
from core.orders.positions import market_date
from core.records import LIVE, Fill, Order, OrderEvent, Refusal, Settled, Terms, Verdict
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import DAY, INDEX, LOT, SECOND, SYMBOL, HandClock, intent, ticks
from tests.world_oms import World, leave

PUT = SYMBOL.replace("80500", "80000")
NO = Verdict(refusals=(Refusal(limit="exposure", allowed="1", asked="2", why="too much"),))
TAGS, STATES = ("A", "B", "C", "D"), ("UNKNOWN", "OPEN", "COMPLETE", "CANCELLED", "REJECTED")
calls = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "intend",
                "refuse",
                "learn",
                "note",
                "modifying",
                "fill",
                "settle",
                "replay",
                "night",
                "down",
                "lost",
                "up",
            )
        ),
        st.integers(0, 3),
        st.integers(0, 4),
    ),
    max_size=40,
)


class Life:
    """A journal on a ledger that comes and goes, through several days."""

    def __init__(self) -> None:
        self.ledger, self.clock = MemoryLedger(), HandClock()
        self.journal = Journal(self.ledger, self.clock)
        self.journal.take_epoch()

    def call(self, what: str, which: int, how: int) -> None:
        self.clock.sleep(1)
        tag, known = TAGS[which], TAGS[which] in self.journal.orders
        match what:
            case "intend" | "refuse" if not known and tag not in self.ledger.table:
                made = intent(
                    tag, plan=("", "P1", "P2")[how % 3], symbol=(SYMBOL, PUT)[how % 2],
                    side=("BUY", "SELL")[which % 2], created_ns=self.clock.now_ns(), quantity=2 * LOT,
                )  # fmt: skip
                self.journal.intend(made) if what == "intend" else self.journal.refuse(made, NO)
            case "learn" if known:
                self.journal.learn(OrderEvent(tag=tag, state=STATES[how], at_ns=self.clock.now_ns()))
            case "note" if known:
                self.journal.note(tag, f"words {how}")
            case "modifying" if known:
                self.journal.modifying(tag, Terms(order_type="LIMIT", limit_paise=100 + how))
            case "fill" if known:
                self.journal.fill(self.trade(tag, how))
            case "settle":
                self.journal.settle(self.settled((SYMBOL, PUT)[how % 2]))
            case "replay" | "up":
                self.ledger.down = self.ledger.lost = lambda name: False
                self.journal.replay()
            case "night":
                self.clock.sleep(86_400)
            case "down" | "lost":
                setattr(self.ledger, what, lambda name: True)

    def trade(self, tag: str, how: int) -> Fill:
        """Half of the order; one of the day before where it is told late."""
        order = self.journal.orders[tag].intent
        at_ns = self.clock.now_ns() - (86_400 * SECOND if how == 4 else 0)
        return Fill(
            trade_id=f"{tag}-{how % 3}", tag=tag, strategy="", index=INDEX, symbol=order.symbol, side=order.side,
            quantity=LOT, price_paise=35_000, at_ns=at_ns,
        )  # fmt: skip

    def settled(self, symbol: str) -> Settled:
        return Settled(
            symbol=symbol, index=INDEX, close_paise=8_045_000, value_paise=5_000, source="published",
            at_ns=self.clock.now_ns(),
        )  # fmt: skip

    def days(self) -> list[dt.date]:
        first = to_ns(dt.datetime.combine(DAY - dt.timedelta(days=2), dt.time(12), dt.UTC))
        last = self.clock.now_ns() + 86_400 * SECOND
        return [market_date(at_ns) for at_ns in range(first, last, 86_400 * SECOND)]

    def check_recent(self, every: list[Order], late: set[str], recent: list[str]) -> None:
        """Oldest first; what lives and is of the day; of each book that holds or has traded all, of no other any."""
        assert recent == [one.intent.tag for one in every if one.intent.tag in recent]
        asked = late | {one.intent.tag for one in every if one.state in LIVE}
        traded = {key_of(one.intent) for one in every if one.intent.tag in asked and one.filled_quantity}
        whole = traded | set(self.journal.open_books())
        assert set(recent) == asked | {one.intent.tag for one in every if key_of(one.intent) in whole}

    def check(self) -> None:
        journal = self.journal
        every = list(journal.orders.values())
        assert journal.live() == [one for one in every if one.state in LIVE]
        for plan in ("P1", "P2", "P3"):
            assert dict(journal.of_plan(plan)) == {o.intent.tag: o for o in every if o.intent.plan == plan}
        for day in self.days():
            tags = {one.intent.tag: one for one in journal.of_day(day)}
            assert tags == {one.intent.tag: one for one in every if day_of(one) == day}
            trades = [fill for fill in journal.trades.values() if market_date(fill.at_ns) == day]
            assert sorted(journal.trades_of(day), key=str) == sorted(trades, key=str)
            rows = [row.id for row in journal.settled.values() if market_date(row.at_ns) == day]
            assert sorted(journal.counted(day)) == sorted([*(fill.trade_id for fill in trades), *rows])
            late = {one.intent.tag for one in every if day_of(one) >= day}
            self.check_recent(every, late, [one.intent.tag for one in journal.recent(day)])
        books = journal.books
        assert journal.open_books() == {key: book for key, book in books.books.items() if book.quantity}
        assert journal.open_nets() == {key: book for key, book in books.nets.items() if book.quantity}


@settings(max_examples=120, deadline=None)
@given(calls)
def test_after_any_calls_and_any_failures_the_indexes_are_what_a_walk_over_everything_gives(
    said: list[tuple[str, int, int]],
) -> None:
    life = Life()
    for what, which, how in said:
        try:
            life.call(what, which, how)
        except (LedgerDown, InputError):
            assert what != "replay"
        life.check()


def test_an_order_of_yesterday_that_is_heard_of_today_is_of_today() -> None:
    life = Life()
    life.journal.intend(intent("A", variety="amo", created_ns=life.clock.now_ns()))
    yesterday = market_date(life.clock.now_ns())
    life.clock.sleep(86_400)
    life.journal.learn(OrderEvent(tag="A", state="OPEN", at_ns=life.clock.now_ns()))
    today = market_date(life.clock.now_ns())
    assert [[one.intent.tag for one in life.journal.of_day(day)] for day in (yesterday, today)] == [[], ["A"]]
    assert life.journal.live() == [msgspec.structs.replace(life.journal.orders["A"])]


class Unwalked(dict[str, Order]):
    """Orders that may be looked up, and not walked."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("somebody walks every order of the account's life")

    values = items = __iter__  # type: ignore[assignment]


def test_no_quote_no_timer_and_no_order_walks_the_life_of_the_account() -> None:
    world = World()
    world.long()
    world.oms.submit(leave("X"))
    plan = Bracket(
        plan_id="P1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), symbol=SYMBOL, side="BUY",
        quantity=LOT, limit_paise=35_100, exit=ExitRules(stop_paise=32_000),
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.later(1)
    journal = world.oms._journal
    journal._orders.all = Unwalked(journal._orders.all)
    for _ in range(20):
        world.clock.sleep(20)
        world.oms.on_ticks(ticks(bids=[(35_000, 500)], asks=[(35_100, 500)], at_ns=world.clock.now_ns()))
        world.oms.on_timer()
    world.oms.submit(intent("NEW"))
    world.oms.modify("NEW", Terms(order_type="LIMIT", limit_paise=34_000))
    world.broker.fill("NEW", LOT, 34_000)
    world.later(1)
    world.oms.cancel("X")
    world.oms.kill("drill", "asha", square_off=True)
    world.later(1)
    assert journal.orders["X"].state == "CANCELLED"
    assert {one.intent.tag for one in world.oms.orders()} >= {"LONG", "X", "NEW"}


def test_of_earlier_days_the_orders_of_what_is_held_or_trades_are_told_and_all_that_are_asked_for() -> None:
    world = World()

    def trade(tag: str, **changes: object) -> None:
        world.oms.submit(intent(tag, **changes))
        world.broker.fill(tag, LOT, 35_000)
        world.later()

    def told() -> list[str]:
        return [one.intent.tag for one in world.oms.orders()]

    trade("LONG")
    trade("GONE", symbol=PUT)
    trade("BACK", symbol=PUT, side="SELL", purpose="exit")
    assert told() == ["LONG", "GONE", "BACK"]
    world.clock.sleep(3 * 86_400)
    assert told() == ["LONG"], "on Monday: a strategy that asks now finds what it holds"
    assert {one.symbol: one.quantity for one in world.oms.positions()} == {SYMBOL: LOT, PUT: 0}, (
        "of the last day traded"
    )
    trade("OUT", side="SELL", purpose="exit")
    assert told() == ["LONG", "OUT"], "they add up to nothing held"
    assert [(one.symbol, one.quantity) for one in world.oms.positions()] == [(SYMBOL, 0)]
    world.clock.sleep(86_400)
    assert told() == []
    assert [one.intent.tag for one in world.oms.all_orders()] == ["LONG", "GONE", "BACK", "OUT"]
    assert world.oms.order("GONE") == world.oms.all_orders()[1]


def test_to_exit_everything_looks_at_what_is_held_and_at_no_position_of_earlier_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, looked = World(), list[object]()
    for symbol in (SYMBOL, PUT):
        world.oms.submit(intent(f"IN{symbol}"[-20:], symbol=symbol))
        world.broker.fill(f"IN{symbol}"[-20:], LOT, 35_000)
        world.later()
    world.oms.submit(intent("OUT", symbol=PUT, side="SELL", purpose="exit"))
    world.broker.fill("OUT", LOT, 35_000)
    world.later()
    whole = closing.leaving
    monkeypatch.setattr(closing, "leaving", lambda live, key, **more: looked.append(key) or whole(live, key, **more))
    (sold,) = world.oms.exit_all("the end")
    assert (sold.intent.symbol, looked) == (SYMBOL, [key_of(sold.intent)])
