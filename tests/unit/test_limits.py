"""The limits: each says no with its numbers, exits that reduce pass, a verdict names every limit that refused."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.market import to_ns
from core.records import Fill, Intent, Order
from core.risk.book import (
    RiskBook,
    at,
    day_net_paise,
    held,
    trades,
    with_end,
    with_fill,
    with_intent,
    with_marks,
    working,
)
from core.risk.limits.consecutive_stops import ConsecutiveStops
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.duplicate import Duplicate
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.market_hours import MarketHours
from core.risk.limits.order_size import OrderSize
from core.risk.limits.position import PositionSize
from core.risk.limits.stale_quote import StaleQuote
from core.risk.limits.trades_per_day import TradesPerDay
from core.risk.marks import Mark
from core.risk.replay import replay
from core.risk.verdict import in_words, verdict
from tests.fakes_orders import INDEX, IST, LOT, NOON, SECOND, SYMBOL, intent

NEXT_DAY = to_ns(dt.datetime(2025, 9, 8, 12, 0, tzinfo=IST))


def fill_of(order: Intent, price: int, *, number: int = 1, quantity: int = 0, at_ns: int = 0) -> Fill:
    return Fill(
        trade_id=f"{order.tag}-{number}",
        tag=order.tag,
        strategy=order.strategy,
        index=order.index,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity or order.quantity,
        price_paise=price,
        at_ns=at_ns or order.created_ns,
    )


def fresh(price: int = 35_000) -> RiskBook:
    return with_marks(at(RiskBook(), NOON), {SYMBOL: Mark(last_paise=price, at_ns=NOON, prev_close_paise=34_000)})


def done(book: RiskBook, order: Intent, price: int) -> RiskBook:
    order = msgspec.structs.replace(order, created_ns=order.created_ns or book.now_ns)
    return with_fill(with_intent(book, order), fill_of(order, price))


def round_trip(book: RiskBook, name: str, reason: str, sell: int = 35_000) -> RiskBook:
    book = done(book, intent(f"{name}IN"), 35_000)
    return done(book, intent(f"{name}OUT", side="SELL", purpose="exit", reason=reason), sell)


SOON = LimitsConfig(duplicate=Duplicate(window_ms=0))  # the clock of these tests stands still between two orders


def names(book: RiskBook, order: Intent, limits: LimitsConfig = SOON) -> list[str]:
    return [refusal.limit for refusal in verdict(limits.all(), order, book).refusals]


def test_an_ordinary_entry_passes_every_limit() -> None:
    assert names(fresh(), intent()) == []


def test_order_size_in_lots() -> None:
    limit = OrderSize(max_lots=5)

    assert limit.check(intent(quantity=5 * LOT), fresh()) is None
    refusal = limit.check(intent(quantity=6 * LOT), fresh())
    assert (refusal.allowed, refusal.asked) == ("5 lots", "6 lots")
    assert limit.use(with_intent(fresh(), intent(quantity=3 * LOT))).used == 3


def test_position_counts_what_is_working() -> None:
    limit, book = PositionSize(max_lots=3), done(fresh(), intent("A", quantity=2 * LOT), 35_000)

    assert limit.check(intent("B"), book) is None
    book = with_intent(book, intent("B"))
    assert limit.check(intent("C"), book).asked == "4 lots"
    assert limit.check(intent("C"), with_end(book, "B")) is None
    assert limit.check(intent("S", side="SELL", quantity=5 * LOT), book) is None
    assert limit.use(book).used == 2


def test_daily_loss_is_marked_to_market_and_net_of_charges() -> None:
    limit = DailyLoss(max_loss_paise=100_000)
    book = done(fresh(), intent(quantity=5 * LOT), 35_000)
    before = with_marks(book, {SYMBOL: Mark(last_paise=34_050, at_ns=NOON)})  # −₹950 and ₹38 of charges
    beyond = with_marks(book, {SYMBOL: Mark(last_paise=34_020, at_ns=NOON)})  # −₹980: only the charges pass the limit

    assert limit.check(intent("B"), before) is None
    assert limit.check(intent("B"), beyond).allowed == "₹1,000.00"
    assert 1_000 < limit.use(beyond).used < 1_030
    assert limit.use(fresh()).used == 0


def test_a_stop_that_filled_on_another_day_is_none_of_this_one() -> None:
    """Its fill is told late: the position is closed by it, the day's stops in a row begin with the day."""
    book = at(done(fresh(), intent("IN"), 35_000), NEXT_DAY)
    counted = {}
    for filled_ns in (NOON + SECOND, NEXT_DAY):
        out = intent("OUT", side="SELL", purpose="exit", reason="stop", created_ns=filled_ns)
        after = with_fill(with_intent(book, out), fill_of(out, 34_000))
        counted[filled_ns] = dict(after.stops)
        assert held(after, SYMBOL) == 0

    assert counted == {NOON + SECOND: {}, NEXT_DAY: {"s": 1}}


def test_the_default_daily_loss_is_25_000_rupees() -> None:
    assert DailyLoss().max_loss_paise == 2_500_000


def test_trades_are_entries_that_filled_or_may_still_fill_per_strategy() -> None:
    book = done(fresh(), intent("A"), 35_000)
    book = with_intent(book, intent("B"))
    book = with_end(with_intent(book, intent("C")), "C")
    book = with_intent(book, intent("H", purpose="hedge"))
    limit = TradesPerDay(max_trades=2)

    assert trades(book, "s") == 2
    assert limit.check(intent("D"), book).limit == "trades_per_day"
    assert limit.check(intent("D", purpose="hedge"), book) is None
    assert limit.check(intent("D", strategy="other"), book) is None
    assert limit.check(intent("D", strategy="manual"), book) is None
    assert (limit.use(book).used, limit.use(book).allowed) == (2, 2)


@pytest.mark.parametrize(
    ("hour", "minute", "passes"), [(9, 14, False), (9, 15, True), (12, 0, True), (15, 29, True), (18, 0, False)]
)
def test_market_hours_are_the_session_at_market_time(hour: int, minute: int, passes: bool) -> None:  # noqa: FBT001
    book = at(RiskBook(), to_ns(dt.datetime(2025, 9, 5, hour, minute, tzinfo=IST)))
    refusal = MarketHours().check(intent(), book)

    assert (refusal is None) == passes
    assert refusal is None or "BSE" in refusal.why


def test_market_hours_of_a_day_no_calendar_knows_are_closed() -> None:
    book = at(RiskBook(), to_ns(dt.datetime(2095, 9, 5, 12, 0, tzinfo=IST)))

    assert "unknown" in MarketHours().check(intent(), book).asked


def test_a_stale_or_missing_quote_refuses() -> None:
    limit, book = StaleQuote(max_age_ms=10_000), fresh()

    assert limit.check(intent(), at(book, NOON + 10 * SECOND)) is None
    assert "11.0 s old" in limit.check(intent(), at(book, NOON + 11 * SECOND)).why
    assert limit.check(intent(), at(RiskBook(), NOON)).asked == "no quote"
    assert limit.use(at(done(book, intent(), 35_000), NOON + 2 * SECOND)).used == 2_000


def test_two_stops_in_a_row_halt_the_strategy_for_the_day() -> None:
    limit = ConsecutiveStops()
    once = round_trip(fresh(), "A", "stop")
    twice = round_trip(once, "B", "stop")
    between = round_trip(round_trip(once, "B", "target"), "C", "stop")

    assert limit.check(intent("Z"), once) is None
    assert limit.check(intent("Z"), twice).limit == "consecutive_stops"
    assert limit.check(intent("Z", strategy="other"), twice) is None
    assert limit.check(intent("Z"), between) is None
    assert limit.check(intent("Z"), at(twice, NEXT_DAY)) is None
    assert limit.use(twice).used == 2


def test_a_stop_that_fills_in_parts_is_one_stop() -> None:
    book = done(fresh(), intent("A", quantity=2 * LOT), 35_000)
    leave = intent("X", side="SELL", purpose="exit", reason="stop", quantity=2 * LOT, created_ns=NOON)
    book = with_intent(book, leave)
    for number in (1, 2):
        book = with_fill(book, fill_of(leave, 33_000, number=number, quantity=LOT))

    assert book.stops == {"s": 1}


def test_the_third_trade_and_the_second_stop_are_both_named() -> None:
    book = round_trip(fresh(), "A", "target")
    book = round_trip(round_trip(book, "B", "stop"), "C", "stop")
    answer = verdict(SOON.all(), intent("D"), book)

    assert [refusal.limit for refusal in answer.refusals] == ["trades_per_day", "consecutive_stops"]
    assert "trades_per_day: s has had its 3 trades" in in_words(answer)
    assert "; consecutive_stops:" in in_words(answer)


def test_an_exit_that_reduces_passes_every_limit() -> None:
    book = round_trip(round_trip(fresh(), "A", "stop"), "B", "stop")
    book = at(done(book, intent("C", quantity=50 * LOT), 35_000), NOON + 10**13)  # closed, stale, halted, too large
    leave = intent("X", side="SELL", purpose="exit", quantity=50 * LOT)

    assert len(names(book, intent("D", quantity=50 * LOT))) >= 4
    assert names(book, leave) == []
    assert names(book, msgspec.structs.replace(leave, quantity=51 * LOT)) != []


def test_a_carried_position_counts_from_the_previous_close() -> None:
    book = done(fresh(), intent("A", quantity=LOT), 30_000)
    book = at(book, NEXT_DAY)
    book = with_marks(book, {SYMBOL: Mark(last_paise=34_500, at_ns=NEXT_DAY, prev_close_paise=34_000)})

    assert day_net_paise(book) == LOT * 500
    assert held(book, SYMBOL) == LOT


STEPS = st.lists(
    st.tuples(st.sampled_from(("BUY", "SELL")), st.integers(1, 5), st.integers(1, 20_000).map(lambda n: 5 * n)),
    max_size=10,
)


@given(STEPS)
def test_the_book_replayed_from_the_ledger_is_the_book_that_was(steps: list[tuple[str, int, int]]) -> None:
    book, orders, fills = at(RiskBook(), NOON), [], []
    for number, (side, lots, price) in enumerate(steps):
        order = intent(f"O{number}", side=side, quantity=lots * LOT, created_ns=NOON + 10 * number)
        fill = fill_of(order, price, at_ns=NOON + 10 * number + 5)
        book = with_fill(with_fill(with_intent(book, order), fill), fill)
        orders.append(Order(intent=order, state="COMPLETE", filled_quantity=order.quantity))
        fills.append(fill)
    again = replay(orders, fills)

    assert (again.holdings, again.placed, again.stops) == (book.holdings, book.placed, book.stops)
    assert day_net_paise(again) == day_net_paise(book)
    assert working(again, SYMBOL, "BUY") == 0


@given(STEPS)
def test_no_fold_changes_the_book_it_was_given(steps: list[tuple[str, int, int]]) -> None:
    book = fresh()
    kept = msgspec.structs.replace(book, holdings=dict(book.holdings), placed=dict(book.placed))
    for number, (side, lots, price) in enumerate(steps):
        done(book, intent(f"O{number}", side=side, quantity=lots * LOT), price)

    assert book == kept


def test_a_misspelt_limit_is_an_error() -> None:
    with pytest.raises(ValidationError, match="max_lot"):
        LimitsConfig.model_validate({"order_size": {"max_lot": 3}})


def test_every_limit_names_itself_and_describes_its_settings() -> None:
    limits, book = LimitsConfig().all(), fresh()
    used = [limit.use(book) for limit in limits]

    assert [use.limit for use in used] == [limit.name for limit in limits]
    assert len({limit.name for limit in limits}) == len(limits) == 28
    assert all(use.allowed > 0 and use.unit for use in used)
    assert all(field.description for limit in limits for field in type(limit).model_fields.values())
    assert list(LimitsConfig.model_fields) == [*(limit.name for limit in limits), "expiry_day", "strategies"]
    assert INDEX in SYMBOL


def test_a_stop_that_took_two_orders_is_one_stop() -> None:
    """The rest of an exit that filled in part is sold by a second one, for the same reason."""
    book = done(fresh(), intent("IN", quantity=2 * LOT, created_ns=NOON), 35_000)
    first = intent("X1", side="SELL", quantity=2 * LOT, purpose="exit", reason="stop", created_ns=NOON + 1)
    book = with_end(with_fill(with_intent(book, first), fill_of(first, 32_000, quantity=LOT)), "X1")
    second = intent("X2", side="SELL", quantity=LOT, purpose="exit", reason="stop", created_ns=NOON + 2)
    book = done(book, second, 31_900)

    assert book.stops == {"s": 1}
