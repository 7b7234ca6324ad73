"""The risk supervisor: marks from chains, the ledger replayed, margins that are estimates."""

import datetime as dt
import inspect
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.risk.risk import RiskActor, RiskConfig
from core.errors import LedgerDown, StaleDataError
from core.orders.positions import market_date
from core.records import Chain, Fill, Order
from core.risk.book import RiskBook, with_marks
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.duplicate import Duplicate
from core.risk.limits.limits import OF_ORDERS, LimitsConfig
from core.risk.marks import Mark
from core.schemas import CONTRACTS, EXPIRIES
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import INDEX, LOT, NOON, SECOND, SYMBOL, HandClock, ListBus, intent

EXPIRY = dt.date(2025, 9, 11)
BLANKS = {pa.string(): "", pa.float64(): math.nan}


def chain(*, bid: int = 34_900, ask: int = 35_100, at_ns: int = NOON, iv: float = 0.12) -> Chain:
    def row(schema: pa.Schema, **known: object) -> pa.RecordBatch:
        blank = {f.name: BLANKS.get(f.type, 0) for f in schema}
        return pa.RecordBatch.from_pylist([blank | {"index": INDEX, "expiry": EXPIRY} | known], schema=schema)

    contract = row(
        CONTRACTS,
        symbol=SYMBOL,
        kind=3,
        strike_paise=8_050_000,
        exchange_ns=at_ns,
        bid_paise=bid,
        ask_paise=ask,
        last_paise=35_000,
        prev_close_paise=34_000,
        iv=iv,
    )
    expiry = row(EXPIRIES, as_of_ns=at_ns, lot=LOT, years=6 / 365, discount=0.999, forward=80_600.0)
    return Chain(contracts=contract, expiries=expiry)


class Desk:
    def __init__(self, limits: LimitsConfig | None = None) -> None:
        self.clock, self.ledger = HandClock(), MemoryLedger()
        limits = limits or LimitsConfig()
        # The clock stands still between two orders of a test.
        self.config = RiskConfig(limits=limits.model_copy(update={"duplicate": Duplicate(window_ms=0)}))
        self.restart()

    def restart(self) -> RiskActor:
        self.risk = RiskActor(self.config, bus=ListBus(), clock=self.clock, ledger=self.ledger)
        self.risk.open()
        return self.risk

    def journal(self, tag: str, *, fill: int = 0, **changes: object) -> Fill | None:
        """What the order manager writes before risk hears of it."""
        made = intent(tag, created_ns=self.clock.now, **changes)
        self.ledger.table[tag] = Order(intent=made, state="OPEN")
        if not fill:
            return None
        trade = Fill(trade_id=f"{tag}-1", tag=tag, strategy=made.strategy, index=INDEX, symbol=SYMBOL, side=made.side,
                     quantity=made.quantity, price_paise=fill, at_ns=self.clock.now)  # fmt: skip
        self.ledger.trades.append(trade)
        return trade


def refused(desk: Desk, *args: object, **changes: object) -> list[str]:
    return [refusal.limit for refusal in desk.risk.check(intent(*args, **changes)).refusals]


def test_before_the_first_chain_entries_are_stale_and_afterwards_pass() -> None:
    desk = Desk()
    before = refused(desk, "A")
    desk.risk.on_marks(chain())

    assert (before, refused(desk, "B")) == (["stale_quote"], [])
    assert [event.subject for kind, event in desk.ledger.events if kind == "risk"] == ["A"]


def test_when_the_feed_stalls_entries_are_refused_and_exits_pass() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A"))
    desk.risk.book(desk.journal("A", fill=35_000))
    desk.clock.sleep(60)

    assert refused(desk, "B") == ["stale_quote"]
    assert refused(desk, "X", side="SELL", purpose="exit") == []


def test_after_a_restart_it_counts_what_the_ledger_holds() -> None:
    desk = Desk()
    for number in range(3):
        desk.journal(f"O{number}", fill=35_000)
    risk = desk.restart()
    risk.on_marks(chain())
    used = {use.limit: use.used for use in risk.limits()}

    assert refused(desk, "NEXT") == ["trades_per_day"]
    assert (used["position"], used["trades_per_day"]) == (3, 3)


def test_a_fill_of_an_order_it_does_not_know_is_looked_up_in_the_ledger() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.journal("IN", fill=35_000)
    trade = desk.journal("OUT", fill=33_000, side="SELL", purpose="exit", reason="stop")
    desk.risk.book(trade)
    desk.risk.book(trade)
    used = {use.limit: use.used for use in desk.risk.limits()}

    assert (used["position"], used["consecutive_stops"], used["trades_per_day"]) == (0, 1, 1)


def test_an_order_that_died_unfilled_gives_its_trade_back() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    for number in range(3):
        desk.risk.check(intent(f"O{number}"))
    full = refused(desk, "X")
    desk.risk.release("O1")

    assert (full, refused(desk, "Y")) == (["trades_per_day"], [])


def test_the_days_loss_is_reported_once_when_it_reaches_the_limit() -> None:
    desk = Desk(LimitsConfig(daily_loss=DailyLoss(max_loss_paise=100_000)))
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A", quantity=5 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=5 * LOT))
    desk.risk.on_marks(chain(bid=33_000, ask=33_100))
    desk.risk.on_marks(chain(bid=33_000, ask=33_100))

    assert [event.kind for _, event in desk.ledger.events] == ["limit", "warning"]
    assert [(said.severity, said.message) for said in desk.risk.alerts()] == [
        ("alarm", desk.ledger.events[0][1].message)
    ]
    assert refused(desk, "B", limit_paise=33_100) == ["daily_loss"]


def test_the_days_result_is_written_once_a_market_minute() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.book(desk.journal("A", fill=35_000))
    for seconds in (1, 30, 61, 62):
        desk.clock.now = NOON + seconds * SECOND
        desk.risk.on_marks(chain(bid=35_100, ask=35_300, at_ns=desk.clock.now))
    days = desk.ledger.days

    assert [(date, gross) for date, gross, _ in days] == [("2025-09-05", LOT * 100)] * 2  # at the bid
    assert all(cost > 2_000 for _, _, cost in days)


def test_without_the_ledger_the_marks_stay_fresh() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.book(desk.journal("A", fill=35_000))
    desk.ledger.down = lambda name: True
    desk.clock.sleep(60)
    with pytest.raises(LedgerDown):
        desk.risk.on_marks(chain(at_ns=desk.clock.now))
    desk.ledger.down = lambda name: False

    assert refused(desk, "B") == []


def test_open_without_the_ledger_raises_to_be_tried_again() -> None:
    desk = Desk()
    desk.ledger.down = lambda name: True

    with pytest.raises(LedgerDown):
        desk.restart()


def test_a_bought_option_blocks_its_premium_and_a_sold_one_its_worst_scenario() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    bought = desk.risk.margin(intent(order_type="MARKET", limit_paise=0))
    sold = desk.risk.margin(intent(side="SELL"))
    notional_paise = 80_600 * LOT * 100

    assert (bought.premium_paise, bought.total_paise, bought.estimate) == (LOT * 35_100, LOT * 35_100, True)
    assert sold.exposure_paise == notional_paise * 2 // 100
    assert 0.06 * notional_paise < sold.span_paise < 0.12 * notional_paise
    assert (sold.premium_paise, sold.estimate) == (0, True)
    assert min(bought.charges_paise, sold.charges_paise) > 2_000


def test_selling_what_is_held_blocks_nothing() -> None:
    desk = Desk()
    desk.risk.on_marks(chain())
    desk.risk.book(desk.journal("A", fill=35_000))

    assert desk.risk.margin(intent(side="SELL")).total_paise == 0
    assert desk.risk.margin(intent(side="SELL", quantity=2 * LOT)).total_paise > 0


def test_a_margin_without_a_price_or_a_vol_is_refused_with_the_reason() -> None:
    desk = Desk()
    with pytest.raises(StaleDataError, match="no chain"):
        desk.risk.margin(intent())
    desk.risk.on_marks(chain(iv=math.nan))
    with pytest.raises(StaleDataError, match="implied vol"):
        desk.risk.margin(intent(side="SELL"))


def test_health_is_the_time_of_the_last_progress() -> None:
    desk = Desk()
    before = desk.risk.check_health()
    desk.clock.wall += SECOND
    desk.risk.on_marks(chain())

    assert (before, desk.risk.check_health()) == (0, desk.clock.wall)


def test_a_loss_limit_no_ledger_can_be_told_of_is_an_alarm_all_the_same_and_once() -> None:
    desk = Desk(LimitsConfig(daily_loss=DailyLoss(max_loss_paise=100_000)))
    desk.risk.on_marks(chain())
    desk.risk.check(intent("A", quantity=5 * LOT))
    desk.risk.book(desk.journal("A", fill=35_000, quantity=5 * LOT))
    desk.ledger.down = lambda name: name == "record_risk_event"
    for _ in range(3):
        with pytest.raises(LedgerDown):
            desk.risk.on_marks(chain(bid=33_000, ask=33_100))

    assert len(desk.risk.alerts()) == 1


QUOTES = st.tuples(*[st.sampled_from((0, 100, 105))] * 3, st.sampled_from((0, 1, 2)))
BOOKS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("ABC", QUOTES)), min_size=1, max_size=6)


@given(BOOKS)
def test_the_marks_are_those_of_each_contracts_latest_row_whatever_stood_still(
    books: list[dict[str, tuple[int, int, int, int]]],
) -> None:
    desk = Desk()
    one, expected = chain(), RiskBook(now_ns=NOON, day=market_date(NOON))
    for book in books:
        rows = [
            one.contracts.to_pylist()[0]
            | {"symbol": name, "bid_paise": bid, "ask_paise": ask, "last_paise": last, "exchange_ns": NOON + at}
            for name, (bid, ask, last, at) in book.items()
        ]
        desk.risk.on_marks(Chain(contracts=pa.RecordBatch.from_pylist(rows, schema=CONTRACTS), expiries=one.expiries))
        quotes = {
            name: Mark(bid_paise=bid, ask_paise=ask, last_paise=last, at_ns=NOON + at, prev_close_paise=34_000)
            for name, (bid, ask, last, at) in book.items()
        }
        expected = with_marks(expected, quotes)

    assert desk.risk._book.marks == expected.marks


@pytest.mark.parametrize("name", ["daily_los", "market_hours", ""])
def test_a_limit_that_nothing_can_pass_pulls_no_kill_switch_and_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError, match=f"of stale_quote, .*daily_loss, .*; found {name}"):
        RiskConfig(kill_on=("daily_loss", name))


def test_what_is_held_against_orders_alone_has_no_use() -> None:
    alone = {one.name for one in LimitsConfig().all() if "unused(" in inspect.getsource(type(one).use)}

    assert alone == OF_ORDERS
