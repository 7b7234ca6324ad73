"""What is held past its expiry is settled once, on the day it expired, whatever dies; a day counts its own result."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.oms.settle import ASK_NS, ASKS
from actors.risk.risk import RiskActor, RiskConfig
from core.errors import InputError
from core.market import SettlementPrice, SettlementSource, exercise_charges, parse_symbol, to_ns
from core.orders.expiry import end_of, settled_at
from core.orders.positions import fold, settle
from core.records import Fill, Intent, Order, Settled
from core.risk.book import RiskBook, at, day_net_paise, with_fill, with_intent, with_marks, with_settled
from core.risk.limits.limits import LimitsConfig
from core.risk.marks import Mark
from core.risk.replay import replay
from core.risk.verdict import verdict
from core.schemas import BARS, TICKS
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import INDEX, IST, LOT, SECOND, SYMBOL, ListBus, intent, ticks
from tests.world_oms import World

EXPIRY = dt.date(2025, 9, 11)
CALL = "SENSEX2591180500CE"


def ist(day: dt.date, time: str) -> int:
    return to_ns(dt.datetime.combine(day, dt.time.fromisoformat(time), IST))


END = ist(EXPIRY, "15:30")


def settled(paise: int = 8_045_000, symbol: str = SYMBOL) -> Settled:
    return settled_at(parse_symbol(symbol), SettlementPrice(paise, SettlementSource.MEAN))


def bought(lots: int = 1, price: int = 35_000, *, side: str = "BUY", at_ns: int = 0, tag: str = "A") -> Fill:
    order = intent(tag, side=side, quantity=lots * LOT)
    return Fill(
        trade_id=f"{tag}-1", tag=tag, strategy="s", index=INDEX, symbol=SYMBOL, side=side, quantity=order.quantity,
        price_paise=price, at_ns=at_ns or ist(EXPIRY, "12:00"),
    )  # fmt: skip


def half_hour(level: int, *, seconds: int = 60, many: int = 0, symbol: str = INDEX) -> pa.RecordBatch:
    """Bars of the index over 15:00 to 15:30, each at `level`."""
    start, rows = ist(EXPIRY, "15:00"), []
    for number in range(many or 1800 // seconds):
        prices = dict.fromkeys(("open_paise", "high_paise", "low_paise", "close_paise"), level)
        rows.append(
            {"index": INDEX, "symbol": symbol, "kind": 0, "expiry": None, "strike_paise": 0, "volume": 0, "oi": 0,
             "start_ns": start + number * seconds * SECOND, "seconds": seconds, **prices}
        )  # fmt: skip
    return pa.RecordBatch.from_pylist(rows, schema=BARS)


def index_tick(day: dt.date, prev_close: int) -> pa.RecordBatch:
    row = ticks(at_ns=ist(day, "09:16")).to_pylist()[0]
    row |= {"symbol": INDEX, "kind": 0, "expiry": None, "strike_paise": 0, "prev_close_paise": prev_close}
    return pa.RecordBatch.from_pylist([row], schema=TICKS)


def test_an_option_settles_at_its_intrinsic_value_and_a_long_bears_the_tax() -> None:
    long, short = fold([bought(2)])[SYMBOL], fold([bought(2, side="SELL")])[SYMBOL]
    paid, owed = settle(long, settled()), settle(short, settled())
    tax = exercise_charges(INDEX, 2 * LOT, 5_000, EXPIRY).total

    assert tax == Decimal(2 * LOT * 50) * Decimal("0.00125")
    assert (paid.quantity, paid.realised_paise) == (0, 2 * LOT * (5_000 - 35_000))
    assert (owed.quantity, owed.realised_paise) == (0, 2 * LOT * (35_000 - 5_000))
    assert paid.charges_rupees - long.charges_rupees == tax
    assert owed.charges_rupees == short.charges_rupees


def test_worthless_is_settled_too_and_costs_nothing() -> None:
    long = fold([bought()])[SYMBOL]
    gone = settle(long, settled(8_060_000))

    assert (gone.quantity, gone.realised_paise, gone.charges_rupees) == (0, -LOT * 35_000, long.charges_rupees)
    assert settled(8_060_000, CALL).value_paise == 10_000
    assert settled(8_045_000, CALL).value_paise == 0


ROWS = st.lists(
    st.tuples(st.sampled_from(("BUY", "SELL")), st.integers(1, 9), st.integers(1, 20_000).map(lambda n: 5 * n)),
    min_size=1,
    max_size=8,
)


@given(ROWS, st.integers(7_900_000, 8_200_000), st.integers(0, 8))
def test_money_is_conserved_whenever_the_settlement_is_learned(
    rows: list[tuple[str, int, int]], close: int, late: int
) -> None:
    fills = [bought(lots, price, side=side, tag=f"O{n}") for n, (side, lots, price) in enumerate(rows)]
    fact, cash = settled(close), sum((1 if f.side == "SELL" else -1) * f.quantity * f.price_paise for f in fills)
    held = sum((1 if f.side == "BUY" else -1) * f.quantity for f in fills)
    book = RiskBook()
    for fill in fills[:-late] if late else fills:
        book = with_fill(book, fill)
    book = with_settled(with_settled(book, fact), fact)
    for fill in fills[-late:] if late else []:  # told of after the settlement
        book = with_fill(book, fill)
    book = with_settled(book, fact)
    holding = book.holdings[SYMBOL]

    assert (holding.quantity, holding.open_cost_paise) == (0, 0)
    assert holding.realised_paise == cash + held * fact.value_paise
    assert holding == fold(fills, [fact])[SYMBOL]  # the tax on exercise is of what was truly held, too
    assert settle(holding, settled(close + 100)) == holding


def test_what_never_expires_or_is_no_option_does_not_settle() -> None:
    with pytest.raises(InputError, match="no expiry"):
        end_of(parse_symbol("NIFTY"))
    with pytest.raises(InputError, match="no option"):
        settled(symbol="NIFTY25SEPFUT")
    with pytest.raises(InputError, match="holding is of"):
        settle(fold([bought()])[SYMBOL], settled(symbol=CALL))


# -- a day counts its own result ---------------------------------------------------------------------------------


def held_over(price: int = 7_410, last: int = 10) -> RiskBook:
    """One lot bought on 5 September and marked for the last time on its expiry day."""
    fill = bought(price=price, at_ns=ist(dt.date(2025, 9, 5), "12:00"))
    book = with_fill(RiskBook(), fill)
    book = at(book, ist(EXPIRY, "12:00"))
    return with_marks(book, {SYMBOL: Mark(last_paise=last, at_ns=ist(EXPIRY, "15:29"), prev_close_paise=1_490)})


def test_yesterdays_result_does_not_count_again_today() -> None:
    book = held_over()
    days = [day_net_paise(at(book, ist(EXPIRY + dt.timedelta(days=days), "09:16"))) for days in (0, 1, 4, 20)]

    assert days == [LOT * (10 - 1_490), 0, 0, 0]


def test_a_quote_of_yesterday_in_todays_chain_counts_nothing() -> None:
    book = at(held_over(), ist(EXPIRY + dt.timedelta(days=1), "09:16"))
    again = with_marks(book, {SYMBOL: Mark(last_paise=10, at_ns=ist(EXPIRY, "15:29"), prev_close_paise=1_490)})

    assert day_net_paise(again) == 0


def test_a_row_without_a_price_keeps_the_older_mark() -> None:
    book = held_over(last=200)
    before = day_net_paise(book)
    blank = with_marks(book, {SYMBOL: Mark(last_paise=0, at_ns=ist(EXPIRY, "15:29"))})

    assert before < 0
    assert day_net_paise(blank) == before
    assert blank.marks[SYMBOL].at_ns == book.marks[SYMBOL].at_ns


def test_a_settlement_of_the_day_is_part_of_its_result_and_one_learned_later_is_not_of_the_later_day() -> None:
    fact, book = settled(8_049_000), held_over()
    same = with_settled(at(book, END), fact)
    later = with_settled(at(book, ist(dt.date(2025, 9, 12), "09:16")), fact)
    tax = settle(book.holdings[SYMBOL], fact).charges_paise - book.holdings[SYMBOL].charges_paise

    assert day_net_paise(same) == LOT * (1_000 - 1_490) - tax
    assert day_net_paise(later) == 0
    assert later.holdings == same.holdings


@pytest.mark.parametrize("told", ["sale, settlement", "settlement, sale"])
def test_a_sale_of_the_expiry_day_told_of_on_the_next_is_no_result_of_the_next(told: str) -> None:
    fact, sale = settled(8_049_000), bought(price=40_000, side="SELL", at_ns=ist(EXPIRY, "15:29"), tag="OUT")
    book = at(held_over(), ist(dt.date(2025, 9, 12), "09:16"))
    for what in told.split(", "):
        book = with_fill(book, sale) if what == "sale" else with_settled(book, fact)
    bought_before = bought(price=7_410, at_ns=ist(dt.date(2025, 9, 5), "12:00"))
    again = at(replay([], [bought_before, sale], [fact]), book.now_ns)

    assert (book.holdings, book.opening) == (again.holdings, again.opening)
    assert day_net_paise(book) == day_net_paise(again) == 0


def test_the_book_replayed_with_its_settlement_is_the_book_that_was() -> None:
    order = intent(created_ns=ist(dt.date(2025, 9, 5), "11:59"))
    fill = bought(price=7_410, at_ns=ist(dt.date(2025, 9, 5), "12:00"))
    live = with_fill(with_intent(RiskBook(), order), fill)
    live = at(with_settled(at(live, END), settled()), ist(dt.date(2025, 9, 12), "10:00"))
    again = at(replay([Order(intent=order, state="COMPLETE")], [fill], [settled()]), live.now_ns)

    assert (again.holdings, again.opening) == (live.holdings, live.opening)
    assert day_net_paise(again) == day_net_paise(live) == 0


def test_an_expired_contract_uses_no_limit() -> None:
    book = at(with_fill(RiskBook(), bought(30)), ist(dt.date(2026, 11, 20), "12:00"))
    book = with_marks(book, {SYMBOL: Mark(last_paise=10, at_ns=ist(EXPIRY, "15:29"))})
    used = {limit.name: limit.use(book).used for limit in LimitsConfig().all()}

    assert (used["position"], used["stale_quote"], used["daily_loss"]) == (0, 0, 0)


def test_no_order_of_nothing_and_no_quote_from_the_future_passes() -> None:
    now = ist(EXPIRY, "12:00")
    book = with_marks(
        at(with_fill(RiskBook(), bought()), now), {SYMBOL: Mark(last_paise=35_000, at_ns=now + 11 * SECOND)}
    )

    def names(order: Intent) -> list[str]:
        return [refusal.limit for refusal in verdict(LimitsConfig().all(), order, book).refusals]

    assert names(intent("B")) == ["stale_quote"]
    assert names(intent("X", side="SELL", purpose="exit", quantity=0)) == ["exit"]
    assert names(intent("X", side="SELL", purpose="exit", quantity=-LOT)) == ["exit"]
    assert "order_size" in names(intent("B", quantity=LOT + 1))
    assert names(intent("X", side="SELL", purpose="exit", quantity=LOT)) == []


# -- the order manager settles, once -----------------------------------------------------------------------------


def holding_world(lots: int = 2) -> World:
    """A long put, the clock at its last trade."""
    world = World()
    world.clock.now = ist(EXPIRY, "12:00")
    world.long(lots * LOT)
    world.clock.now = END
    return world


def risk_of(world: World) -> RiskActor:
    risk = RiskActor(RiskConfig(), bus=ListBus(), clock=world.clock, ledger=world.ledger)
    risk.open()
    return risk


def messages(ledger: MemoryLedger, kind: str) -> list[str]:
    return [event.message for what, event in ledger.events if what == "risk" and event.kind == kind]  # type: ignore[attr-defined]


def test_held_to_its_expiry_it_settles_at_the_mean_of_the_half_hour_and_says_so() -> None:
    world = holding_world()
    world.oms.on_bars(half_hour(8_040_000))
    world.later()
    row = world.oms.positions()[0]

    assert (row.quantity, row.realised_paise) == (0, 2 * LOT * (10_000 - 35_000))
    assert world.ledger.settlements() == [
        Settled(symbol=SYMBOL, index=INDEX, close_paise=8_040_000, value_paise=10_000,
                source="mean of 15:00-15:30", at_ns=END)
    ]  # fmt: skip
    assert (
        messages(world.ledger, "settlement")
        == world.ledger.alerts()
        == [
            "+40 of SENSEX2591180500PE expired and settled at ₹100.00 a unit: SENSEX at 80,400.00 (mean of 15:00-15:30)"
        ]
    )


def test_an_exit_listed_after_the_settlement_takes_back_the_tax_and_a_restart_changes_nothing() -> None:
    world = holding_world()
    world.clock.now = ist(EXPIRY, "15:29")
    world.oms.submit(intent("OUT", side="SELL", quantity=2 * LOT, purpose="exit"))
    world.broker.lags(True)
    world.broker.fill("OUT", 2 * LOT, 9_900)
    world.clock.now = END
    world.oms.on_bars(half_hour(8_040_000))
    world.later()
    taxed = world.oms.positions()[0]
    world.broker.lags(False)
    world.later()
    live = world.oms.positions()[0]
    world.restart()
    world.later()

    exercised = settle(fold([bought(2)])[SYMBOL], settled(8_040_000))
    sold = fold([bought(2), bought(2, 9_900, side="SELL", at_ns=ist(EXPIRY, "15:29"), tag="OUT")])[SYMBOL]
    assert (taxed.quantity, taxed.charges_paise) == (0, exercised.charges_paise)
    assert live.quantity == 0
    assert live.realised_paise == 2 * LOT * (9_900 - 35_000)
    assert live.charges_paise == sold.charges_paise
    assert world.oms.positions()[0] == live


def test_before_its_last_trade_nothing_settles() -> None:
    world = holding_world()
    world.oms.on_bars(half_hour(8_040_000))
    world.clock.now = END - SECOND - 1
    world.later()
    before = world.oms.positions()[0].quantity
    world.later()

    assert (before, world.oms.positions()[0].quantity) == (2 * LOT, 0)


@pytest.mark.parametrize("how", ["down", "lost"])
def test_whatever_dies_it_settles_once_and_everybody_agrees(how: str) -> None:
    world = holding_world()
    world.oms.on_bars(half_hour(8_040_000))
    setattr(world.ledger, how, lambda name: name == "record_settlement")
    world.later()
    state = world.oms.state()
    setattr(world.ledger, how, lambda name: False)
    world.restart()
    world.oms.on_past_bars(half_hour(8_041_000))  # another price now would be another settlement
    for _ in range(3):
        world.later()
    row, expected = world.oms.positions()[0], 10_000 if how == "lost" else 9_000
    risk = risk_of(world)
    risk.settle({}, world.oms._journal.counted())

    assert state == "HALTED"
    assert len(world.ledger.settlements()) == 1
    assert (row.quantity, row.realised_paise) == (0, 2 * LOT * (expected - 35_000))
    nets = world.oms._journal.books.nets.values()
    assert risk._book.holdings == {book.symbol: book.holding for book in nets}


def test_where_minute_bars_are_missing_the_longer_ones_settle_it() -> None:
    world = holding_world()
    world.oms.on_bars(half_hour(8_040_000, many=9))
    world.oms.on_bars(half_hour(8_041_000, seconds=180))
    world.later()

    assert [row.close_paise for row in world.ledger.settlements()] == [8_041_000]


@pytest.mark.parametrize("bars", [[], [half_hour(8_040_000, many=29)], [half_hour(8_040_000, symbol="INDIA VIX")]])
def test_without_a_price_it_stays_with_one_alarm_until_the_next_session_tells_the_close(
    bars: Sequence[pa.RecordBatch],
) -> None:
    world = holding_world()
    for batch in bars:
        world.oms.on_bars(batch)
    world.bus.sent.clear()
    world.later()
    quiet = [words for words in world.ledger.alerts() if "still in the book" in words]
    for _ in range(ASKS + 3):
        world.later(ASK_NS / SECOND)
    alarms = [words for words in world.ledger.alerts() if "still in the book" in words]
    held = world.oms.positions()[0].quantity
    world.clock.now = ist(dt.date(2025, 9, 12), "09:16")
    world.oms.on_ticks(index_tick(dt.date(2025, 9, 12), 8_042_500))
    world.later()

    assert world.bus.sent == [("refresh", INDEX)] * ASKS  # a batch of its bars may have been lost
    assert (quiet, held, len(alarms)) == ([], 2 * LOT, 1)
    assert [(row.close_paise, row.source) for row in world.ledger.settlements()] == [(8_042_500, "published close")]
    assert world.oms.positions()[0].quantity == 0


def test_bars_that_were_lost_are_given_again_and_settle_it() -> None:
    world = holding_world()
    world.oms.on_bars(half_hour(8_040_000, many=20))
    world.bus.sent.clear()
    world.later()
    asked = list(world.bus.sent)
    world.oms.on_past_bars(half_hour(8_040_000))
    world.later()

    assert asked == [("refresh", INDEX)]
    assert len(world.ledger.settlements()) == 1
    assert world.ledger.alerts() == messages(world.ledger, "settlement")


def test_the_bars_of_the_next_expiry_are_asked_for_as_often_as_those_of_the_first() -> None:
    world, following = holding_world(), dt.date(2025, 9, 18)
    for _ in range(ASKS + 3):
        world.later(ASK_NS / SECOND)
    world.clock.now = ist(dt.date(2025, 9, 12), "09:16")
    world.oms.on_ticks(index_tick(dt.date(2025, 9, 12), 8_042_500))
    world.later()
    world.clock.now = ist(following, "12:00")
    world.oms.submit(intent("NEXT", quantity=LOT, symbol="SENSEX2591880500PE"))
    world.broker.fill("NEXT", LOT, 35_000)
    world.later()
    world.bus.sent.clear()
    world.clock.now = ist(following, "15:30")
    for _ in range(ASKS + 3):
        world.later(ASK_NS / SECOND)

    assert [row.quantity for row in world.oms.positions()] == [LOT]
    assert world.bus.sent == [("refresh", INDEX)] * ASKS


def test_the_close_of_another_day_settles_nothing() -> None:
    world = holding_world()
    world.clock.now = ist(dt.date(2025, 9, 15), "09:16")
    world.oms.on_ticks(index_tick(dt.date(2025, 9, 15), 8_042_500))
    world.later()

    assert world.ledger.settlements() == []


def test_risk_hears_of_it_and_the_days_after_lose_nothing() -> None:
    """The live actor over an expiry: the loss of the last day is of that day, and entries pass again on the next."""
    world = holding_world(20)
    world.risk = risk = risk_of(world)  # type: ignore[assignment]
    world.restart()
    world.oms.on_bars(half_hour(8_049_990))
    world.later()
    world.later()
    on_expiry = {use.limit: use.used for use in risk.limits()}
    world.clock.now = ist(dt.date(2025, 9, 15), "12:00")
    after = {use.limit: use.used for use in risk.limits()}

    assert on_expiry["daily_loss"] > 20 * LOT * 349
    assert (after["daily_loss"], after["position"], after["stale_quote"]) == (0, 0, 0)
