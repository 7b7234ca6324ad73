"""Value at risk: closed forms, properties, QuantLib, and a year of NIFTY."""

import csv
import doctest
import gzip
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 the short name of its own documents
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, StaleDataError
from core.risk import var
from core.risk.span_legs import Leg
from core.risk.var import covariance_of, historical_var, monte_carlo_var, parametric_var, tail
from core.risk.var_book import Positions, pnl, positions, value
from tests.fakes_risk import LOT, leg, market

CALL, PUT, WING, FUTURE, FAR = (
    "NIFTY26JUL24400CE", "NIFTY26JUL24400PE", "NIFTY26JUL25200CE", "NIFTY26JULFUT", "NIFTY26AUG24000PE",
)  # fmt: skip
ALL = (CALL, PUT, WING, FUTURE, FAR)
SIGMA = 0.01
DAILY = np.array([[SIGMA**2]])
CLOSES = Path(__file__).parents[3] / "shared/data/market/daily/volatility_2012_2026.csv.gz"


def book(*legs: Leg) -> Positions:
    return positions(legs, market(*ALL))


def history(days: int = 500, seed: int = 7) -> np.ndarray:
    return SIGMA * np.random.default_rng(seed).standard_t(5, (days, 1))


def test_a_future_agrees_with_the_closed_forms() -> None:
    """A lognormal forward: VaR = F·q·(1 − e^{−zσ}); its first order is z·σ·F·q, and ES = F·q·σ·φ(z)/(1 − c)."""
    future = book(leg(FUTURE, 1))
    worth, normal = LOT * float(future.forward[0]), NormalDist()
    for confidence in (0.95, 0.99):
        z = normal.inv_cdf(confidence)
        first = parametric_var(future, DAILY, method="delta-normal", confidence=confidence)
        drawn = monte_carlo_var(future, DAILY, seed=1, paths=400_000, confidence=confidence)
        exact = worth * -math.expm1(-z * SIGMA)
        # E[1 − e^x | x < −zσ] of a normal x
        short = worth * (1 - math.exp(SIGMA**2 / 2) * normal.cdf(-z - SIGMA) / (1 - confidence))

        assert first.var == pytest.approx(worth * z * SIGMA, rel=1e-12)
        assert first.shortfall == pytest.approx(worth * SIGMA * normal.pdf(z) / (1 - confidence), rel=1e-12)
        assert drawn.var == pytest.approx(exact, rel=0.01)
        assert drawn.shortfall == pytest.approx(short, rel=0.01)


def test_a_history_of_one_linear_leg_is_its_own_order_statistic() -> None:
    moves = history(100)
    future = book(leg(FUTURE, -2))
    losses = np.sort(2 * LOT * future.forward[0] * np.expm1(moves[:, 0]))[::-1]
    found = historical_var(future, moves, confidence=0.95)

    assert found.var == pytest.approx(losses[5], rel=1e-12)
    assert found.shortfall == pytest.approx(losses[:5].mean(), rel=1e-12)
    assert (found.method, found.states, found.estimate) == ("historical", 100, True)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=300), st.floats(0.5, 0.94), st.floats(0.001, 0.05))
def test_shortfall_is_at_least_var_and_both_grow_with_confidence(
    profits: list[float], confidence: float, more: float
) -> None:
    low, high = tail(profits, confidence), tail(profits, min(0.95, confidence + more))

    assert low[1] >= low[0]
    assert high[0] >= low[0]
    assert high[1] >= low[1] - 1e-9 * max(1.0, abs(low[1]))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(ALL), st.integers(-3, 3)), min_size=1, max_size=6), st.integers(2, 5))
def test_every_method_scales_with_quantity_and_keeps_its_order(lots: list[tuple[str, int]], times: int) -> None:
    one, many = (book(*(leg(s, n * factor) for s, n in lots)) for factor in (1, times))
    if not one.legs:
        return
    moves = history(200)
    for run in (
        lambda held, c: historical_var(held, moves, confidence=c),
        lambda held, c: monte_carlo_var(held, DAILY, seed=3, paths=2_000, confidence=c),
        lambda held, c: parametric_var(held, DAILY, confidence=c),
        lambda held, c: parametric_var(held, DAILY, method="delta-normal", confidence=c),
    ):
        small, large, sure = run(one, 0.95), run(many, 0.95), run(one, 0.99)

        assert large.var == pytest.approx(times * small.var, rel=1e-9, abs=1e-3)
        assert large.shortfall == pytest.approx(times * small.shortfall, rel=1e-9, abs=1e-3)
        assert small.shortfall >= small.var
        assert sure.var >= small.var


def test_a_hedged_book_has_less() -> None:
    naked, hedged = book(leg(CALL, -1)), book(leg(CALL, -1), leg(WING, 1))
    both = np.diag([SIGMA**2, 0.01**2])
    for covariance in (DAILY, both):
        for run in (
            lambda held, c=covariance: monte_carlo_var(held, c, seed=5, paths=20_000),
            lambda held, c=covariance: parametric_var(held, c),
        ):
            assert run(hedged).var < run(naked).var
            assert run(hedged).shortfall < run(naked).shortfall
    assert historical_var(hedged, history()).var < historical_var(naked, history()).var


def test_the_parametric_forms_agree_with_revaluation_where_moves_are_small() -> None:
    held = book(leg(FUTURE, 1), leg(CALL, -1), leg(FAR, 2))
    small = np.array([[0.001**2]])
    formula = parametric_var(held, small, method="delta-normal", confidence=0.95)
    drawn = monte_carlo_var(held, small, seed=2, paths=200_000, confidence=0.95)

    assert formula.var == pytest.approx(drawn.var, rel=0.02)
    assert formula.shortfall == pytest.approx(drawn.shortfall, rel=0.02)


def test_gamma_and_vega_enter_the_parametric_form() -> None:
    straddle = book(leg(CALL, -1), leg(PUT, -1))
    flat = parametric_var(straddle, DAILY, method="delta-normal").var
    bent = parametric_var(straddle, DAILY).var
    vols = parametric_var(straddle, np.diag([SIGMA**2, 0.01**2])).var

    assert flat < bent < vols


def test_a_longer_horizon_scales_by_its_root_and_time_costs_a_long_option() -> None:
    future, option = book(leg(FUTURE, 1)), book(leg(CALL, 1))
    one, ten = (parametric_var(future, DAILY, method="delta-normal", horizon_days=days).var for days in (1, 10))
    still, later = (historical_var(option, history(), elapsed_days=days).var for days in (0, 3))

    assert ten == pytest.approx(math.sqrt(10) * one)
    assert later > still


def test_the_seed_decides_and_thick_tails_lose_more() -> None:
    held = book(leg(CALL, -1))
    first, again, other = (monte_carlo_var(held, DAILY, seed=s, paths=50_000) for s in (1, 1, 2))
    thick = monte_carlo_var(held, DAILY, seed=1, paths=50_000, degrees=4)

    assert first == again != other
    assert first.var == pytest.approx(other.var, rel=0.05)
    assert thick.shortfall > first.shortfall
    assert thick.method == "Monte Carlo, t of 4"


def test_a_t_draw_has_the_covariance_it_was_given() -> None:
    """VaR of a future is F·q·(1 − e^{−s·t}), s = σ·√((ν − 2)/ν); t of 4 at 99 % is 3.74695 (any table of it)."""
    future = book(leg(FUTURE, 1))
    worth = LOT * float(future.forward[0])
    drawn = monte_carlo_var(future, DAILY, seed=1, paths=400_000, degrees=4)

    assert drawn.var == pytest.approx(worth * -math.expm1(-3.74695 * SIGMA * math.sqrt(0.5)), rel=0.02)


def test_drawn_vols_move_a_book_that_no_return_moves() -> None:
    """Only the vol varies: the loss of a long call at 99 % is the one at its vol less 2.326 deviations."""
    option, deviation = book(leg(CALL, 1)), 0.01
    covariance = np.diag([0.0, deviation**2])
    drawn = monte_carlo_var(option, covariance, seed=1, paths=400_000)
    exact = -float(pnl(option, [[0.0]], [[-NormalDist().inv_cdf(0.99) * deviation]])[0])

    assert drawn.var == pytest.approx(exact, rel=0.01)


def test_the_parametric_form_has_the_mean_and_variance_of_its_expansion() -> None:
    """In one factor: profit s·x + b·x²/2 of a normal x; its slopes by revaluation, not by our Greeks."""
    held, step, z = book(leg(CALL, -2), leg(PUT, -2), leg(WING, 1)), 1e-3, NormalDist().inv_cdf(0.99)
    down, up = pnl(held, [[-step], [step]])
    slope, bend = (up - down) / (2 * step), (up + down) / step**2
    mean, variance = bend * SIGMA**2 / 2, slope**2 * SIGMA**2 + (bend * SIGMA**2) ** 2 / 2
    found = parametric_var(held, DAILY)
    day = float(pnl(held, [[0.0]], elapsed_years=0.001 / 365)[0]) * 1_000
    later = parametric_var(held, DAILY, elapsed_days=3)

    assert abs(mean) > 0.2 * math.sqrt(variance)
    assert found.var == pytest.approx(z * math.sqrt(variance) - mean, rel=1e-4)
    assert found.var - later.var == pytest.approx(3 * day, rel=1e-3)
    assert found.shortfall - later.shortfall == pytest.approx(3 * day, rel=1e-3)


def test_a_longer_horizon_scales_what_the_vols_did_too() -> None:
    held, moves = book(leg(CALL, -1)), history(200)
    vols = 0.5 * history(200, seed=8)
    found = historical_var(held, moves, vol_changes=vols, horizon_days=4, confidence=0.95)

    assert (found.var, found.shortfall) == tail(pnl(held, 2 * moves, 2 * vols), 0.95)


def test_a_vol_stops_at_nothing() -> None:
    held = book(leg("NIFTY26JUL24400CE", 1))
    calm = float(pnl(held, [[0.0]], [[-0.5]])[0])
    forward, discount = float(held.forward[0]), float(held.discount[0])

    assert calm == pytest.approx(LOT * discount * (forward - 24_400) - float(value(held)[0]), rel=1e-12)


def test_revaluation_agrees_with_quantlib_leg_by_leg() -> None:
    held = book(leg(CALL, -1), leg(FAR, 2), leg(FUTURE, -1))
    moves = np.array([[-0.2], [-0.03], [0.0], [0.05], [0.2]])
    shifts = np.array([[0.1], [0.02], [0.0], [-0.03], [0.3]])
    ours = pnl(held, moves, shifts, elapsed_years=5 / 365, by_leg=True)
    for i, one in enumerate(held.legs):
        F, K, T, vol, D = (float(a[i]) for a in (held.forward, held.strike, held.years, held.vol, held.discount))
        for j in range(len(moves)):
            moved, left = F * math.exp(moves[j, 0]), T - 5 / 365
            if held.kind[i] == 0:
                expected = moved - F
            else:
                kind = ql.Option.Call if held.kind[i] > 0 else ql.Option.Put
                then = ql.blackFormula(kind, K, moved, (vol + shifts[j, 0]) * math.sqrt(left), D ** (left / T))
                expected = then - ql.blackFormula(kind, K, F, vol * math.sqrt(T), D)
            assert ours[i, j] == pytest.approx(one.quantity * expected, rel=1e-9, abs=1e-6)


def test_two_indices_move_each_by_its_own_return_and_vol() -> None:
    symbols = ("BANKNIFTY26JUL57000PE", CALL, FUTURE)
    held = positions([leg(s, 1) for s in symbols], market(*symbols))
    alone = [positions([leg(s, 1) for s in group], market(*group)) for group in (symbols[:1], symbols[1:])]
    moves, shifts = np.array([[-0.05, 0.02], [0.01, -0.03]]), np.array([[0.02, -0.01], [0.0, 0.05]])
    apart = [pnl(part, moves[:, [i]], shifts[:, [i]]) for i, part in enumerate(alone)]
    joint = np.array([[1.0, 0.8], [0.8, 1.0]]) * SIGMA**2
    wide = np.block([[joint, np.zeros((2, 2))], [np.zeros((2, 2)), 1e-4 * np.eye(2)]])

    assert held.indices == ("BANKNIFTY", "NIFTY")
    assert np.allclose(pnl(held, moves, shifts), apart[0] + apart[1], rtol=1e-12)
    for covariance in (joint, wide):
        drawn = monte_carlo_var(held, covariance, seed=4, paths=100_000, confidence=0.95)
        formula = parametric_var(held, covariance, confidence=0.95)
        assert drawn.var == pytest.approx(formula.var, rel=0.15)


def test_no_move_no_profit_and_blocks_do_not_show() -> None:
    held = book(leg(CALL, -1), leg(FUTURE, 1), leg(FAR, 2))
    moves = history(70_000)
    whole = pnl(held, moves)

    assert np.allclose(pnl(held, np.zeros((3, 1))), 0.0)
    assert np.allclose(whole[40_000:40_010], pnl(held, moves[40_000:40_010]), rtol=1e-12)
    assert value(held)[1] == 0.0


def test_factors_are_refused_where_they_do_not_fit() -> None:
    held = book(leg(CALL, -1))
    with pytest.raises(InputError, match="expected \\(states, 1\\)"):
        pnl(held, np.zeros((3, 2)))
    with pytest.raises(InputError, match="no tail"):
        historical_var(held, history(50))
    with pytest.raises(InputError, match="symmetric"):
        parametric_var(held, np.array([[1.0, 0.5], [0.4, 1.0]]))
    for covariance in ([[1.0, 2.0], [2.0, 1.0]], [[-1e-4]], [[1e-4, 9e-4], [9e-4, 1e-4]]):
        with pytest.raises(InputError, match="eigenvalue"):
            monte_carlo_var(held, covariance, seed=1, paths=100)
        with pytest.raises(InputError, match="eigenvalue"):
            parametric_var(held, covariance)
    for degrees in (2, math.nan):
        with pytest.raises(InputError, match="above 2"):
            monte_carlo_var(held, DAILY, seed=1, degrees=degrees)
    for vols in (np.zeros(500), np.zeros((3, 1)), np.zeros((500, 2))):
        with pytest.raises(InputError, match="vol moves have shape"):
            historical_var(held, history(), vol_changes=vols)
    with pytest.raises(InputError, match="elapsed years"):
        pnl(held, history(), elapsed_years=[0.0, 0.0])
    with pytest.raises(InputError, match="between 0 and 1"):
        tail([1.0], 1.0)
    with pytest.raises(InputError, match="between 0 and 1"):
        parametric_var(held, DAILY, confidence=99.0)
    for run in (
        lambda **days: historical_var(held, history(), **days),
        lambda **days: monte_carlo_var(held, DAILY, seed=1, paths=200, **days),
        lambda **days: parametric_var(held, DAILY, **days),
    ):
        for horizon in (0.0, -1.0, math.nan, math.inf):
            with pytest.raises(InputError, match="longer than 0 days"):
                run(horizon_days=horizon)
        for elapsed in (-30.0, math.nan, math.inf):
            with pytest.raises(InputError, match="0 or more"):
                run(elapsed_days=elapsed)
    with pytest.raises(InputError, match="no number"):
        tail([math.nan] * 200, 0.99)
    with pytest.raises(StaleDataError):
        positions([leg("NIFTY26JUL20000PE", 1)], market(*ALL))


def test_covariances_are_about_zero_and_may_forget() -> None:
    changes = np.array([[0.01, 0.02], [-0.03, 0.01], [0.02, 0.0]])
    weights = np.array([0.25, 0.5, 1.0]) / 1.75

    assert np.allclose(covariance_of(changes), changes.T @ changes / 3)
    assert np.allclose(covariance_of(changes, decay=0.5), (changes.T * weights) @ changes)
    with pytest.raises(InputError, match="two rows"):
        covariance_of(np.array([[0.01]]))
    for decay in (0.0, -0.5, 2.0, math.nan):
        with pytest.raises(InputError, match="a decay"):
            covariance_of(changes, decay=decay)


@pytest.mark.skipif(not CLOSES.exists(), reason=f"{CLOSES} is not on this machine")
def test_over_fourteen_years_of_nifty_a_loss_beyond_var_came_as_often_as_it_should() -> None:
    """Each day's 99 % VaR of a future from the 500 days before, held against what the next day did."""
    with gzip.open(CLOSES, "rt") as lines:
        rows = [row for row in csv.DictReader(lines) if row["symbol"] == "NIFTY"]
    moves = np.array([[math.log(float(row["spot_close"]) / float(row["spot_prev"]))] for row in rows])
    held = book(leg(FUTURE, 1))
    profits = pnl(held, moves)
    tested = range(500, len(moves), 2)
    beyond = [-profits[i] > historical_var(held, moves[i - 500 : i]).var for i in tested]
    share = float(np.mean(beyond))

    print(f"{sum(beyond)} of {len(beyond)} days beyond the 99 % VaR: {share:.2%}")
    assert len(beyond) > 1_400
    assert 0.005 < share < 0.02


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(var).failed == 0
