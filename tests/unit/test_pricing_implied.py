"""Implied vol: exact to rounding over everything that trades, and no bad row touches a good one."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import Reason, greeks, implied_vol, price, rows
from tests import exact

GOOD = (1.0, 5.0, 100.0, 100.0, 0.1, 1.0)
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(("make", "count"), [(exact.chain, 400), (exact.near, 700), (exact.wide, 900)])
def test_it_is_the_exact_inverse_of_the_double_price(make: object, count: int) -> None:
    """Error ≤ max(1e-12, 4 ulp(price)/vega), in and out of the money; a price with room to both sides has a vol."""
    table: exact.Rows = make(count)  # type: ignore[operator]
    with mp.workdps(exact.DIGITS):
        premium = np.array([float(exact.price(*row)) for row in zip(*table, strict=True)])
        found = implied_vol(table.kind, premium, *table[1:4], table.discount)
        checked = 0
        for i, (kind, F, K, T, vol, D) in enumerate(zip(*table, strict=True)):
            above, below = exact.room(kind, premium[i], F, K, D)
            ulp = np.spacing(premium[i])
            if found.reason[i] != Reason.OK:
                assert min(above, below) <= 4 * ulp / D, (i, Reason(found.reason[i]), kind, F, K, T, vol, D)
                continue
            if min(above, below) <= 0:  # rounding of price/discount alone decides; any vol meets the price
                continue
            truth = exact.implied_vol(kind, premium[i], F, K, T, D, vol)
            allowed = max(1e-12, 4 * ulp / float(exact.vega(F, K, T, truth, D)))
            assert abs(mp.mpf(float(found.vol[i])) - truth) <= allowed, (i, kind, F, K, T, vol, D)
            checked += 1

    assert checked > 0.4 * count


@pytest.mark.parametrize("kind", [1, -1])
@pytest.mark.parametrize("vol", [0.01, 0.12, 0.8, 3.0])
@pytest.mark.parametrize("years", [exact.HOUR, 1 / 365, 0.1, 3.0])
def test_it_converges_at_and_beside_the_money(kind: int, vol: float, years: float) -> None:
    """There an asymptotic guess fails silently: 0 and ± steps of a tick from the forward, to both sides."""
    steps = np.concatenate([[0.0], np.geomspace(1e-12, 2, 60) * vol * math.sqrt(years)])
    strike = 25_000 * np.exp(np.concatenate([-steps, steps]))
    premium = price(kind, 25_000.0, strike, years, vol, 1.0)
    found = implied_vol(kind, premium, 25_000.0, strike, years, 1.0)
    vega = 100 * greeks(kind, 25_000.0, strike, years, vol, 1.0).vega

    assert (found.reason == Reason.OK).all()
    assert (np.abs(found.vol - vol) <= np.maximum(1e-12, 8 * np.spacing(premium) / vega)).all()


def test_what_the_lanes_cannot_solve_is_solved_alone() -> None:
    """Prices of 1e-310 are subnormal numbers: they go to the scalar solver and still have a vol that meets them."""
    premium = np.array([3e-310, 5e-318, 1e-300, 2.0])
    found = implied_vol(1, premium, 100.0, 150.0, 0.05, 1.0)

    assert (found.reason == Reason.OK).all()
    assert (np.diff(found.vol[[1, 0, 2, 3]]) > 0).all()
    with mp.workdps(exact.DIGITS):
        for vol, wanted in zip(found.vol, premium, strict=True):
            assert abs(exact.price(1, 100, 150, 0.05, vol, 1) / mp.mpf(float(wanted)) - 1) < 1e-11


GARBAGE = [
    ((1, NAN, 100, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, INF, 100, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, -INF, 100, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((NAN, 5, 100, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, 5, NAN, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, 5, INF, 100, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, 5, 100, INF, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, 5, 100, NAN, 0.1, 1), Reason.NOT_A_NUMBER),
    ((1, 5, 100, 100, NAN, 1), Reason.NOT_A_NUMBER),
    ((1, 5, 100, 100, INF, 1), Reason.NOT_A_NUMBER),
    ((1, 5, 100, 100, 0.1, NAN), Reason.NOT_A_NUMBER),
    ((1, 5, 100, 100, 0, 1), Reason.NO_TIME),
    ((1, 5, 100, 100, -0.1, 1), Reason.NO_TIME),
    ((1, 5, 0, 100, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((1, 5, -100, 100, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((1, 5, 100, 0, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((1, 5, 100, -1, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((1, 5, 100, 100, 0.1, 0), Reason.OUT_OF_DOMAIN),
    ((1, 5, 100, 100, 0.1, -1), Reason.OUT_OF_DOMAIN),
    ((0, 5, 100, 100, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((2, 5, 100, 100, 0.1, 1), Reason.OUT_OF_DOMAIN),
    ((1, 0, 100, 110, 0.1, 1), Reason.BELOW_INTRINSIC),
    ((1, -3, 100, 110, 0.1, 1), Reason.BELOW_INTRINSIC),
    ((1, 10, 110, 100, 0.1, 1), Reason.BELOW_INTRINSIC),
    ((1, 9.95, 110, 100, 0.1, 1), Reason.BELOW_INTRINSIC),  # a tick below, as 1 % of a real chain
    ((-1, 9.95, 100, 110, 0.1, 1), Reason.BELOW_INTRINSIC),
    ((1, 100, 100, 90, 0.1, 1), Reason.ABOVE_MAXIMUM),
    ((-1, 90, 100, 90, 0.1, 1), Reason.ABOVE_MAXIMUM),
    ((-1, 91, 100, 90, 0.1, 1), Reason.ABOVE_MAXIMUM),
    ((1, 1.3051728203930285e-07, 25_000, 25_000, 0.01, 1), Reason.NOT_CONVERGED),  # 5e-12 of the forward
]


@pytest.mark.parametrize(("row", "reason"), GARBAGE)
def test_a_bad_row_is_nan_with_its_reason(row: tuple[float, ...], reason: Reason) -> None:
    found = implied_vol(*np.array([GOOD, row, GOOD], float).T)
    alone = implied_vol(*GOOD)

    assert found.reason.tolist() == [Reason.OK, reason, Reason.OK]
    assert math.isnan(found.vol[1])
    assert found.vol[0] == found.vol[2] == alone.vol
    assert implied_vol(*row).reason == reason


ANY = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, NAN, INF, -INF, 5e-324, 1e308]), st.floats())
ROW = st.one_of(st.tuples(*[ANY] * 6), st.sampled_from([row for row, _ in GARBAGE]))


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_no_bad_row_changes_a_bit_of_a_good_one(bad: list[tuple[float, ...]], seed: int) -> None:
    table = exact.near(300, seed)
    good = np.array([table.kind, price(*table), *table[1:4], table.discount])
    alone = implied_vol(*good)
    places = np.random.default_rng(seed).integers(0, 301, len(bad))
    mixed = implied_vol(*np.insert(good, places, np.array(bad, float).T, axis=1))
    kept = ~np.insert(np.zeros(300, bool), places, True)

    assert np.array_equal(mixed.vol[kept], alone.vol, equal_nan=True)
    assert np.array_equal(mixed.reason[kept], alone.reason)
    assert (np.isnan(mixed.vol) == (mixed.reason != Reason.OK)).all()


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 3 * rows.ROWS_PER_THREAD + 77
    table = exact.near(count)
    premium = price(*table)
    arguments = (table.kind, premium, *table[1:4], table.discount)
    monkeypatch.setattr(rows.config, "NUMBA_NUM_THREADS", 1)
    one, one_price = implied_vol(*arguments), price(*table)
    monkeypatch.setattr(rows.config, "NUMBA_NUM_THREADS", 3)
    three, three_price = implied_vol(*arguments), price(*table)

    assert np.array_equal(one.vol, three.vol, equal_nan=True)
    assert np.array_equal(one.reason, three.reason)
    assert np.array_equal(one_price, three_price)


def test_a_call_and_a_put_on_parity_have_one_vol() -> None:
    strike = np.arange(22_000.0, 28_000, 100)
    call, put = price([[1], [-1]], 25_000.0, strike, 0.1, 0.15, 0.995)
    found = implied_vol([[1], [-1]], [call, put], 25_000.0, strike, 0.1, 0.995)

    assert np.abs(found.vol - 0.15).max() < 1e-9
