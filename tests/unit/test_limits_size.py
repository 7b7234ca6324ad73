"""Layers 3 and 4: how much, how often, and is it paid for. Each limit below, at and above its border."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Funds
from core.risk.book import RiskBook, at, with_end, with_intent, with_marks
from core.risk.case import case_of
from core.risk.funds import Account
from core.risk.limits.concentration import Concentration
from core.risk.limits.duplicate import Duplicate
from core.risk.limits.exposure import Exposure
from core.risk.limits.margin import Margin
from core.risk.limits.market_share import MarketShare
from core.risk.limits.order_rate import OrderRate
from core.risk.limits.position import PositionSize
from core.risk.limits.premium import Premium
from core.risk.limits.valuation import Valuation
from core.risk.margin_portfolio import portfolio_margin
from core.risk.span import SpanModel
from core.rupees import rupees
from tests.fakes_risk import leg, market
from tests.world_risk import (
    BANK,
    CALL,
    FAR_WING,
    LATER,
    PUT,
    SECOND,
    SYMBOLS,
    WING,
    holding,
    lots,
    order,
    passes,
    price,
    trade,
    valued,
    working,
)


def funded(book: RiskBook, cash_paise: int, *, collateral: int = 0, broker: int | None = None) -> RiskBook:
    said = None if broker is None else Funds(available_paise=broker, used_paise=0, at_ns=book.now_ns)
    account = Account(cash_paise=cash_paise, collateral_paise=collateral, broker=said)
    return msgspec.structs.replace(book, account=account)


def traded(book: RiskBook, volume: int, oi: int) -> RiskBook:
    return with_marks(book, {CALL: msgspec.structs.replace(book.marks[CALL], volume=volume, oi=oi)})


def test_exposure_is_the_premium_that_is_paid_and_may_still_be() -> None:
    book = valued()
    one = lots(1) * price(book, CALL)
    limit = Exposure(max_paise=3 * one)
    held, resting = holding({CALL: 2}, book), working(holding({CALL: 1}, book), CALL, 1)

    assert passes(limit, order(book, CALL, 3), book)
    assert not passes(limit, order(book, CALL, 4), book)
    assert passes(limit, order(book, CALL, 1), held)
    assert limit.check(order(book, CALL, 2), held).asked == rupees(4 * one)
    assert passes(limit, order(book, CALL, 1), resting)
    assert not passes(limit, order(book, CALL, 2), resting)
    assert limit.use(resting).used == pytest.approx(2 * one / 100)


def test_a_short_is_exposed_by_the_margin_it_blocks_and_a_wing_lowers_it() -> None:
    known = market(*SYMBOLS)
    alone = portfolio_margin([leg(CALL, -1)], SpanModel(market=known)).terms.blocked_paise
    book = valued()
    spread = holding({WING: 1}, book)

    assert case_of(order(book, CALL, -1), book).margin_after.blocked_paise == pytest.approx(
        alone, rel=1e-5
    )  # marks are whole paise
    assert alone > 10_000_000
    assert not passes(Exposure(), order(book, CALL, -1), book)
    asked = case_of(order(book, CALL, -1), book).margin_after.blocked_paise
    assert passes(Exposure(max_paise=asked), order(book, CALL, -1), book)
    assert not passes(Exposure(max_paise=asked - 1), order(book, CALL, -1), book)
    assert passes(Exposure(), order(book, CALL, -1), spread)
    naked = holding({CALL: -1}, book)
    assert passes(Exposure(), order(book, WING, 1, purpose="hedge"), naked)  # above it and falling
    assert not passes(Exposure(), order(book, FAR_WING, -1), naked)


def test_concentration_is_judged_once_the_book_is_large_enough() -> None:
    limit = Concentration(max_share=0.6, from_paise=10_000_000)
    small, large = holding({CALL: 1}), holding({CALL: 4, LATER: 3})

    assert passes(limit, order(small, CALL, 1), small)
    assert passes(limit, order(large, PUT, 1), large)
    refusal = limit.check(order(large, CALL, 9), large)
    assert (refusal.limit, refusal.allowed) == ("concentration", "60% of the book")
    assert limit.use(small).used == 0
    assert 0.4 < limit.use(large).used < 0.6


def test_concentration_at_its_border() -> None:
    book = holding({CALL: 1, PUT: 1})
    here = lots(1) * price(book, CALL)
    mids = [lots(1) * book.marks[name].mid_paise for name in (CALL, PUT)]
    share = (mids[0] + here) / (sum(mids) + here)

    assert passes(Concentration(max_share=share, from_paise=0), order(book, CALL, 1), book)
    assert not passes(Concentration(max_share=share - 1e-6, from_paise=0), order(book, CALL, 1), book)


def test_an_order_may_be_a_tenth_of_the_volume_and_a_position_a_twentieth_of_the_interest() -> None:
    limit = MarketShare()
    assert passes(limit, order(valued(), CALL, 10), traded(valued(), volume=lots(100), oi=lots(200)))
    thin = traded(valued(), volume=lots(99), oi=lots(200))
    assert "of volume" in limit.check(order(thin, CALL, 10), thin).asked
    small = traded(valued(), volume=lots(1_000), oi=lots(199))
    assert "of open interest" in limit.check(order(small, CALL, 10), small).asked
    held = holding({CALL: 5}, traded(valued(), volume=lots(1_000), oi=lots(199)))
    assert not passes(limit, order(held, CALL, 5), held)
    assert limit.use(held).used == pytest.approx(5 / 199)


def test_a_few_lots_are_no_market_and_an_unknown_market_none_to_compare_with() -> None:
    thin, unknown = traded(valued(), volume=1, oi=1), traded(valued(), volume=0, oi=0)

    assert passes(MarketShare(), order(thin, CALL, 5), thin)
    assert not passes(MarketShare(), order(thin, CALL, 6), thin)
    assert passes(MarketShare(), order(unknown, CALL, 40), unknown)


def test_so_many_orders_a_second_and_a_minute_of_one_strategy() -> None:
    limit, book = OrderRate(max_per_second=2, max_per_minute=3), valued()
    for number in range(2):
        assert passes(limit, order(book, CALL, 1), book)
        book = working(book, CALL, 1, tag=f"A{number}")
    third = order(book, CALL, 1)

    assert limit.check(third, book).allowed == "2 orders a second"
    assert passes(limit, order(book, CALL, 1, strategy="other"), book)
    assert passes(limit, third, at(book, book.now_ns + SECOND))
    later = with_intent(at(book, book.now_ns + SECOND), msgspec.structs.replace(third, created_ns=book.now_ns + SECOND))
    assert limit.check(third, at(later, later.now_ns + SECOND)).allowed == "3 orders a minute"
    assert passes(limit, third, at(later, later.now_ns + 60 * SECOND))
    assert limit.use(later).used == 3


def test_exits_are_no_orders_to_be_counted() -> None:
    book = working(holding({CALL: 2}), CALL, -1, purpose="exit")

    assert OrderRate().use(book).used == 0


def test_the_same_order_twice_within_two_seconds_is_a_duplicate() -> None:
    limit, book = Duplicate(window_ms=2_000), working(valued(), CALL, 1, tag="FIRST")
    again = order(book, CALL, 1, tag="SECOND")

    assert "as FIRST" in limit.check(again, book).why
    assert not passes(limit, again, at(book, book.now_ns + 2 * SECOND - 1))
    assert passes(limit, again, at(book, book.now_ns + 2 * SECOND))
    for other in ({"strategy": "t"}, {"limit_paise": 5}, {"quantity": lots(2)}, {"side": "SELL"}, {"tag": "FIRST"}):
        assert passes(limit, msgspec.structs.replace(again, **other), book)
    assert passes(limit, order(book, PUT, 1), book)


def test_slices_of_a_plan_are_no_duplicates_nor_is_an_order_after_one_that_died() -> None:
    book = working(valued(), CALL, 1, tag="FIRST", plan="P1")

    assert passes(Duplicate(), order(book, CALL, 1, plan="P1"), book)
    assert not passes(Duplicate(), order(book, CALL, 1, plan="P2"), book)
    assert not passes(Duplicate(), order(book, CALL, 1), book)
    assert passes(Duplicate(), order(book, CALL, 1), with_end(book, "FIRST"))


def test_a_purchase_needs_its_premium_in_cash_to_the_paisa() -> None:
    book = valued()
    need = lots(2) * price(book, CALL)

    for limit in (Margin(), Premium()):
        assert passes(limit, order(book, CALL, 2), funded(book, need))
        assert not passes(limit, order(book, CALL, 2), funded(book, need - 1))
    short_of_cash = funded(book, need - 1, collateral=need)
    assert passes(Margin(), order(book, CALL, 2), short_of_cash)
    assert Premium().check(order(book, CALL, 2), short_of_cash).asked == rupees(need)
    assert passes(Premium(), order(book, CALL, -2), funded(book, 0))


def test_what_was_bought_is_paid_and_what_is_working_will_be() -> None:
    book = valued()
    one = lots(1) * price(book, CALL)
    bought = holding({CALL: 1}, funded(book, 3 * one))  # and charges

    assert passes(Margin(), order(book, CALL, 1), bought)
    assert not passes(Margin(), order(book, CALL, 2), bought)
    resting = working(funded(book, 3 * one), CALL, 2)
    assert passes(Margin(), order(book, CALL, 1), resting)
    assert not passes(Premium(), order(book, CALL, 2), resting)
    assert Premium().use(resting).used == pytest.approx(2 * one / 100)


def test_a_sale_needs_the_margin_it_adds() -> None:
    book = valued()
    need = case_of(order(book, CALL, -1), book).margin_after.blocked_paise

    assert passes(Margin(), order(book, CALL, -1), funded(book, need))
    assert not passes(Margin(), order(book, CALL, -1), funded(book, need - 1))
    assert passes(Margin(), order(book, CALL, -1), funded(book, 0, collateral=need))
    assert not passes(Margin(max_share=0.5), order(book, CALL, -1), funded(book, 2 * need - 10))
    short = holding({CALL: -1}, funded(book, 0))
    assert passes(Margin(), order(book, WING, 1), funded(short, 0)) is (  # the wing frees more than it costs
        case_of(order(book, WING, 1), short).margin_after.blocked_paise + lots(1) * price(book, WING)
        <= case_of(order(book, WING, 1), short).margin_before.blocked_paise
    )


def test_where_the_broker_has_less_free_the_broker_decides() -> None:
    book = valued()
    need = lots(1) * price(book, CALL)

    assert passes(Margin(), order(book, CALL, 1), funded(book, 10 * need, broker=need))
    refusal = Margin().check(order(book, CALL, 1), funded(book, 10 * need, broker=need - 1))
    assert "the broker says" in refusal.why


def test_no_entry_on_top_of_shorts_that_nobody_can_value() -> None:
    book = valued(CALL, WING)
    short, long = holding({CALL: -1}, book), holding({CALL: 1}, book)
    blind = msgspec.structs.replace(short, values={})

    assert passes(Valuation(), order(book, WING, 1), short)
    assert "cannot be valued" in Valuation().check(order(book, WING, 1), blind).why
    assert passes(Valuation(), order(book, WING, 1), msgspec.structs.replace(long, values={}))
    assert not passes(Valuation(), order(book, WING, -1), msgspec.structs.replace(long, values={}))
    for limit in (Exposure(), Margin()):
        assert passes(limit, order(book, WING, 1), blind)  # one name is enough


NAMES = st.sampled_from((CALL, WING, FAR_WING, PUT, BANK))
HELD = st.dictionaries(NAMES, st.integers(-3, 3), max_size=3)
LIMITS = st.sampled_from(
    [PositionSize(max_lots=3), Exposure(max_paise=20_000_000), Margin(), Exposure(), Margin(max_share=0.4)]
)


@given(HELD, NAMES, st.sampled_from((1, -1)), st.integers(1, 6), LIMITS)
def test_what_is_refused_of_n_lots_is_refused_of_one_more(
    held: dict[str, int], name: str, sign: int, number: int, limit: PositionSize | Exposure | Margin
) -> None:
    book = holding({symbol: units for symbol, units in held.items() if units}, BASE)

    if not passes(limit, order(book, name, sign * number), book):
        assert not passes(limit, order(book, name, sign * (number + 1)), book)


BASE = valued()


def test_a_fill_told_twice_costs_once() -> None:
    book = valued()
    fill = trade(book, CALL, 1)
    once = holding({}, book)

    assert fill.quantity == lots(1)
    assert Margin().use(once).allowed == 1_000_000
