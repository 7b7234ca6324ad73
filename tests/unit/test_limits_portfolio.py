"""The portfolio's limits: the day's result, Greeks, stress and VaR, of the desk and of each strategy alone."""

import datetime as dt

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.market import IST, to_ns
from core.risk.book import RiskBook, at, day_net_paise, with_fill, with_marks
from core.risk.case import Case, case_of
from core.risk.desk_verdict import desk_verdict
from core.risk.exposure import exposures
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.delta import Delta
from core.risk.limits.drawdown import Drawdown
from core.risk.limits.gamma import Gamma
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.profit_lock import ProfitLock
from core.risk.limits.stress import StressLoss
from core.risk.limits.theta import Theta
from core.risk.limits.var import ValueAtRisk
from core.risk.limits.vega import Vega
from core.risk.parts import DESK, own, with_highs
from core.risk.stress import stress_table
from core.risk.units import CELLS, ELAPSED_DAYS, GAPS, VOL_SHOCKS, Units, cell
from core.risk.var_book import positions, value
from core.rupees import rupees
from tests.fakes_risk import leg, market
from tests.world_risk import (
    BANK,
    CALL,
    LATER,
    PUT,
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

KNOWN = market(*SYMBOLS)
BASE = valued()


def moved(book: RiskBook, symbol: str, paise: int) -> RiskBook:
    """Another quote, without a spread, as a chain of now would bring it."""
    quote = msgspec.structs.replace(book.marks[symbol], bid_paise=paise, ask_paise=paise, last_paise=paise)
    return with_highs(with_marks(book, {symbol: quote}))


def earned(best: int, now: int) -> RiskBook:
    """A day whose best result was `best` and is now `now` paise a unit of one lot, before charges."""
    book = holding({CALL: 1})
    start = price(book, CALL)
    return moved(moved(book, CALL, start + best), CALL, start + now)


def test_drawdown_is_from_the_day_s_best_to_now() -> None:
    book = earned(best=10_000, now=2_000)
    down = lots(1) * 8_000

    assert book.high_paise == lots(1) * 10_000 - cost(book)
    assert passes(Drawdown(max_paise=down + 1), order(book, CALL, 1), book)
    refusal = Drawdown(max_paise=down).check(order(book, CALL, 1), book)
    assert refusal.asked == rupees(down)
    assert Drawdown().use(book).used == down / 100
    assert passes(Drawdown(max_paise=1), order(BASE, CALL, 1), BASE)


def cost(book: RiskBook) -> int:
    return sum(one.charges_paise for one in book.holdings.values())


def test_before_any_profit_a_drawdown_is_the_loss() -> None:
    book = earned(best=0, now=-5_000)

    assert book.high_paise == 0
    assert Drawdown().use(book).used == -day_net_paise(book) / 100


def test_a_profit_is_locked_at_half_of_the_day_s_best() -> None:
    book = earned(best=10_000, now=4_000)
    high, now = book.high_paise, day_net_paise(book)

    assert not passes(ProfitLock(arm_paise=high), order(book, CALL, 1), book)
    assert passes(ProfitLock(arm_paise=high + 1), order(book, CALL, 1), book)  # never armed
    assert not passes(ProfitLock(arm_paise=high, keep=now / high), order(book, CALL, 1), book)
    assert passes(ProfitLock(arm_paise=high, keep=now / high - 1e-6), order(book, CALL, 1), book)
    assert ProfitLock(arm_paise=high).use(book).used == (high - now) / 100
    assert ProfitLock(arm_paise=high + 1).use(book).used == 0


def test_a_new_day_has_no_best_result_yet() -> None:
    book = at(earned(best=10_000, now=4_000), to_ns(dt.datetime(2026, 7, 2, 12, tzinfo=IST)))

    assert (book.high_paise, book.highs) == (0, {})


@pytest.mark.parametrize(("limit", "place"), [(Delta, 0), (Gamma, 1), (Vega, 2), (Theta, 3)])
def test_a_greek_is_the_desk_s_in_rupees_after_the_order(limit: type[Delta], place: int) -> None:
    book = holding({CALL: 2, PUT: -1}, BASE)
    then = abs(exposures(positions([leg(CALL, 3), leg(PUT, -1)], KNOWN)).total[place])
    found = case_of(order(book, CALL, 1), book).greeks_after[place]

    assert found == pytest.approx(then, rel=1e-4)  # mids are whole paise
    assert passes(limit(max_rupees=found), order(book, CALL, 1), book)
    refusal = limit(max_rupees=found * 0.999).check(order(book, CALL, 1), book)
    assert refusal.limit == limit().name
    assert limit().use(book).used == pytest.approx(case_of(None, book).greeks_before[place])


def test_an_order_that_lowers_a_greek_passes_above_its_limit() -> None:
    book = holding({CALL: 5}, BASE)

    assert not passes(Delta(max_rupees=1.0), order(book, CALL, 1), book)
    assert passes(Delta(max_rupees=1.0), order(book, PUT, 1), book)


def test_what_is_working_counts_on_its_own_side() -> None:
    both = working(working(BASE, CALL, 2, tag="B"), CALL, -2, tag="S")
    one = case_of(order(BASE, CALL, 2), BASE).greeks_after[0]

    assert case_of(None, both).greeks_before[0] == pytest.approx(one)


def test_the_worst_loss_is_the_worst_cell_of_a_full_revaluation() -> None:
    book = holding({CALL: -2, WING: 1, PUT: 1}, BASE)
    legs = positions([leg(CALL, -2), leg(WING, 1), leg(PUT, 1)], KNOWN)
    tables = [stress_table(legs, gaps=GAPS, vol_shocks=VOL_SHOCKS, elapsed_days=days) for days in ELAPSED_DAYS]
    worst = min(table.worst[2] for table in tables)
    found = case_of(None, book).stress_before

    assert found.loss == pytest.approx(-worst, rel=1e-4)
    assert (found.where.gap, found.where.vol_shock) == min(tables, key=lambda table: table.worst[2]).worst[:2]


def test_every_cell_of_the_grid_has_its_place() -> None:
    cells = [cell(place) for place in range(CELLS)]
    rows = Units().table(BASE.values["NIFTY"], [CALL], dt.date(2026, 7, 1)).cells[0]
    legs = positions([leg(CALL, 1)], KNOWN)

    assert len(set(cells)) == CELLS == len(rows)
    for place in (0, 7, CELLS - 1):
        gap, shock, days = cells[place]
        table = stress_table(legs, gaps=[gap], vol_shocks=[shock], elapsed_days=days)
        assert rows[place] * lots(1) == pytest.approx(table.profits[0, 0], rel=1e-4, abs=0.5)


def test_stress_at_its_border_and_an_order_that_lowers_it() -> None:
    asked = case_of(order(BASE, CALL, -1), BASE).stress_after.loss * 100
    naked = holding({CALL: -1}, BASE)

    assert passes(StressLoss(max_loss_paise=int(asked) + 1), order(BASE, CALL, -1), BASE)
    refusal = StressLoss(max_loss_paise=int(asked)).check(order(BASE, CALL, -1), BASE)
    assert "+10.0% of the index, +10 vol points" in refusal.why
    assert passes(StressLoss(max_loss_paise=1), order(naked, WING, 1, purpose="hedge"), naked)
    assert StressLoss().use(naked).used == pytest.approx(asked / 100, rel=1e-6)


def test_indices_do_not_offset_each_other() -> None:
    one, other = holding({CALL: -1}, BASE), holding({BANK: 1}, BASE)
    both = holding({CALL: -1, BANK: 1}, BASE)

    for name in ("stress_before", "var_before"):
        apart = [getattr(case_of(None, book), name) for book in (one, other, both)]
        losses = [each.loss if name == "stress_before" else each for each in apart]
        assert losses[2] == pytest.approx(losses[0] + losses[1])


def test_a_resting_order_is_filled_where_that_loses_and_not_where_it_saves() -> None:
    naked = holding({CALL: -1}, BASE)
    alone = case_of(None, naked).stress_before.loss
    hedged, doubled = working(naked, WING, 1), working(naked, CALL, -1)

    assert case_of(None, hedged).stress_before.loss == pytest.approx(alone, rel=1e-9)
    assert case_of(None, doubled).stress_before.loss == pytest.approx(2 * alone, rel=1e-9)


def test_the_var_of_a_long_option_is_what_the_index_s_bad_day_takes() -> None:
    book = holding({CALL: 1}, BASE)
    worth = value(positions([leg(CALL, 1)], KNOWN))[0]
    found = case_of(None, book).var_before

    assert 0.3 * worth < found < worth
    asked = case_of(order(BASE, CALL, 1), BASE).var_after
    assert asked == pytest.approx(found)
    assert passes(ValueAtRisk(max_loss_paise=int(asked * 100) + 1), order(BASE, CALL, 1), BASE)
    assert not passes(ValueAtRisk(max_loss_paise=int(asked * 100)), order(BASE, CALL, 1), BASE)
    assert passes(ValueAtRisk(max_loss_paise=1), order(book, PUT, 1), book) is (
        case_of(order(book, PUT, 1), book).var_after <= found
    )


def test_each_strategy_is_marked_at_the_desk_s_side_so_that_they_add_up() -> None:
    book = holding({CALL: 2}, BASE, strategy="a")
    book = holding({CALL: -1}, book, strategy="b")
    book = with_marks(book, {CALL: msgspec.structs.replace(book.marks[CALL], bid_paise=60_000, ask_paise=61_000)})
    gross = {name: day_net_paise(own(book, name)) + cost(own(book, name)) for name in ("a", "b", DESK)}

    assert gross["a"] + gross["b"] == gross[DESK]
    assert gross["b"] == lots(1) * (price(BASE, CALL) - 60_000)  # short, and still at the bid of the desk's long


def test_a_strategy_has_limits_of_its_own_on_its_own_book() -> None:
    limits = LimitsConfig.model_validate({"strategies": {"a": {"daily_loss": {"max_loss_paise": 100_000}}}})
    book = holding({CALL: 1}, BASE, strategy="a")
    book = moved(book, CALL, price(book, CALL) - 2_000)
    winner = moved(holding({LATER: 1}, book, strategy="b"), LATER, price(book, LATER) + 5_000)

    assert day_net_paise(winner) > 0 > day_net_paise(own(winner, "a"))
    names = {
        name: [r.limit for r in desk_verdict(limits, order(winner, PUT, 1, strategy=name), winner).refusals]
        for name in ("a", "b")
    }
    assert names == {"a": ["daily_loss"], "b": []}


def test_a_limit_both_books_are_over_is_named_once() -> None:
    limits = LimitsConfig.model_validate({"daily_loss": {"max_loss_paise": 100_000}})
    book = moved(holding({CALL: 1}, BASE), CALL, price(BASE, CALL) - 2_000)

    assert [r.limit for r in desk_verdict(limits, order(book, PUT, 1), book).refusals] == ["daily_loss"]
    assert not passes(DailyLoss(max_loss_paise=100_000), order(book, PUT, 1), book)


def test_refusals_come_in_the_order_of_the_layers() -> None:
    book = holding({CALL: -1}, BASE)
    late = at(book, book.now_ns + 2 * 10**13)
    answer = desk_verdict(LimitsConfig(), order(late, CALL, -50, limit_paise=5), late)
    names = [refusal.limit for refusal in answer.refusals]

    assert names == sorted(names, key=list(LimitsConfig.model_fields).index)
    assert {"market_hours", "stale_quote", "order_size", "position", "exposure", "margin", "delta", "stress"} < set(
        names
    )


LEGS = st.dictionaries(st.sampled_from(SYMBOLS), st.integers(-3, 3).filter(bool), max_size=4)


@given(LEGS, st.sampled_from(SYMBOLS), st.integers(-3, 3).filter(bool))
def test_what_is_kept_between_orders_changes_no_figure(held: dict[str, int], name: str, number: int) -> None:
    book = holding(held, BASE)  # one memory for every example
    asked = order(book, name, number)
    kept, fresh = case_of(asked, book), Case(asked, book, Units())

    assert kept.stress_after.loss == pytest.approx(fresh.stress_after.loss, abs=1e-6)
    assert kept.var_after == pytest.approx(fresh.var_after, abs=1e-6)
    assert np.allclose(kept.greeks_after, fresh.greeks_after)
    assert (kept.margin_before, kept.margin_after) == (fresh.margin_before, fresh.margin_after)


@given(LEGS, st.sampled_from(SYMBOLS), st.integers(-3, 3).filter(bool))
def test_the_figures_after_an_order_are_those_of_the_book_once_it_has_filled(
    held: dict[str, int], name: str, number: int
) -> None:
    book = holding(held, BASE)
    asked = order(book, name, number)
    filled = with_fill(book, trade(book, name, number, strategy="filled"))
    then, now = Case(asked, book, Units()), Case(None, filled, Units())

    assert then.stress_after.loss == pytest.approx(now.stress_before.loss, abs=1e-6)
    assert then.var_after == pytest.approx(now.var_before, abs=1e-6)
    assert np.allclose(then.greeks_after, now.greeks_before)
    assert then.margin_after == now.margin_before
