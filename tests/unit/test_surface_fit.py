"""Six expiries from one snapshot as one surface."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.pricing import Smile, Surface, fit_surface, greeks, price, smile, svi
from exchange.surface import Surface as Ssvi

TRUTH = Ssvi(rho=-0.35, long_vol=0.16)
YEARS = np.array([4, 11, 18, 39, 67, 102]) / 365
FORWARD = 25_000.0


def quotes(years: float, width: float, *, tick: float = 0.05) -> Smile:
    """SSVI's own option prices, rounded to the tick, as a market would quote them."""
    strike = np.arange(round(FORWARD * (1 - width) / 50) * 50, FORWARD * (1 + width), 50.0)
    strike, kind = np.tile(strike, 2), np.repeat([1.0, -1.0], strike.size)
    theta = TRUTH.theta(np.full(strike.size, 0.11), np.full(strike.size, years))
    vol = np.sqrt(TRUTH.total_variance(np.log(strike / FORWARD), theta) / years)
    value = np.asarray(price(kind, FORWARD, strike, years, vol, 1.0))
    vega = greeks(kind, FORWARD, strike, years, vol, 1.0).vega
    moved = (np.round(value / tick) * tick - value) / (100 * np.maximum(vega, 1e-9))
    vol = np.where(value > 4 * tick, vol + moved, np.nan)
    return smile(kind, strike, vol, vega, np.full(strike.size, 2 * tick), forward=FORWARD, years=years)


def fitted() -> tuple[list[Smile], Surface]:
    smiles = [quotes(years, 0.03 + 0.04 * i) for i, years in enumerate(YEARS)]
    return smiles, fit_surface(smiles[::-1])


def test_a_surface_without_arbitrage_comes_back_and_is_left_alone() -> None:
    smiles, surface = fitted()

    assert surface.years == pytest.approx(YEARS)
    for one, slice_ in zip(smiles, surface.slices, strict=True):
        assert (slice_.quotes, slice_.repaired) == (one.k.size, False)
        assert slice_.rmse < 0.002
        assert slice_.lifted < 1e-9
        assert np.median(np.abs(surface.vol(one.k, one.years) - one.vol)) < 0.001


def test_between_expiries_variance_is_linear_and_outside_the_vol_holds() -> None:
    _, surface = fitted()
    k = np.array([-0.02, 0.0, 0.03])
    half = 0.5 * (YEARS[1] + YEARS[2])
    near, far = (surface.total_variance(k, YEARS[i]) for i in (1, 2))

    assert surface.total_variance(k, half) == pytest.approx(0.5 * (near + far))
    assert surface.vol(k, YEARS[0] / 2) == pytest.approx(surface.vol(k, YEARS[0]))
    assert surface.vol(k, 3.0) == pytest.approx(surface.vol(k, YEARS[-1]))
    assert np.isnan(surface.vol(k, 0.0)).all()
    assert surface.vol(np.zeros((2, 1)), YEARS[:3]).shape == (2, 3)
    assert surface.forward(half) == pytest.approx(FORWARD)


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(1e-4, 1.0), st.floats(0.0, 0.5))
def test_total_variance_never_falls_with_time(k: float, years: float, more: float) -> None:
    _, surface = SURFACE
    assert surface.total_variance(k, years + more) >= surface.total_variance(k, years) * (1 - 1e-12)


SURFACE = fitted()


def crossing() -> Surface:
    """The second expiry quoted far below the first: calendar arbitrage where both are quoted."""
    k = np.linspace(-0.06, 0.06, 25)
    first = Smile(0.02, FORWARD, k, 0.2 + 10 * k**2, np.full(25, 0.001))
    second = Smile(0.04, FORWARD, k, np.full(25, 0.10), np.full(25, 0.001))
    return fit_surface([first, second])


def test_calendar_arbitrage_is_lifted_and_said() -> None:
    surface = crossing()
    k = np.linspace(-0.1, 0.1, 101)

    assert (surface.total_variance(k, 0.04) >= surface.total_variance(k, 0.02) - 1e-15).all()
    assert surface.slices[0].lifted == 0
    assert surface.slices[1].lifted == pytest.approx(0.236 * math.sqrt(0.5) - 0.1, abs=0.001)  # at the wings


def test_what_is_lifted_has_still_no_butterfly() -> None:
    surface = crossing()
    strike = np.exp(np.linspace(-0.06, 0.06, 401) * 0.999)
    call = np.asarray(price(1, 1.0, strike, 0.04, surface.vol(np.log(strike), 0.04), 1.0))

    assert (np.diff(np.diff(call) / np.diff(strike)) >= -1e-9).all()  # convex in the strike


def test_an_expiry_gives_way_where_it_is_not_quoted() -> None:
    """The near expiry's steep wings, quoted to ±2 %, would cross the far one at −20 %, where only that is quoted."""
    near_k, far_k = np.linspace(-0.02, 0.02, 21), np.linspace(-0.25, 0.15, 41)
    near = Smile(0.01, FORWARD, near_k, 0.10 + 3 * np.abs(near_k), np.full(21, 0.001))
    far = Smile(0.02, FORWARD, far_k, 0.15 - 0.2 * far_k, np.full(41, 0.001))
    surface = fit_surface([near, far])

    assert float(svi.total_variance(surface.params[0], np.array(-0.2))) > surface.total_variance(-0.2, 0.02)
    assert surface.slices[1].lifted < 1e-9
    assert surface.vol(-0.2, 0.02) == pytest.approx(0.19, abs=0.002)
    assert surface.total_variance(-0.2, 0.01) <= surface.total_variance(-0.2, 0.02)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.02, 0.3), st.floats(0.05, 0.5), st.floats(-1, 1)), min_size=2, max_size=5))
def test_a_surface_has_no_jump_in_the_strike_whatever_crosses(expiries: list[tuple[float, float, float]]) -> None:
    smiles = []
    for i, (width, level, tilt) in enumerate(expiries):
        k = np.linspace(-width, width, 15)
        smiles.append(Smile(0.02 * (i + 1), FORWARD, k, level * (1 + tilt * k), np.full(15, 0.002)))
    surface = fit_surface(smiles)
    ends = np.array([end for one in surface.slices for end in (one.low, one.high)])
    for years in surface.years:
        left, right = (surface.total_variance(ends + step, years) for step in (-1e-9, 1e-9))
        assert left == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("side", [1, -1])
def test_a_wing_that_runs_to_zero_beyond_the_quotes_is_repaired_near_them(side: int) -> None:
    """Total variance linear in k, 0.0025 at one end: below zero in the checked quarter beyond it."""
    k = np.sort(side * np.linspace(-0.25, 0.15, 60))
    one = Smile(0.05, FORWARD, k, np.sqrt((0.01 + side * 0.03 * k) / 0.05), np.full(60, 0.001))
    surface = fit_surface([one])

    assert surface.slices[0].repaired
    assert surface.slices[0].rmse < 0.0002
    assert svi.butterfly(surface.params[0], np.linspace(k[0] - 0.1, k[-1] + 0.1, 2001)).min() >= 0


def test_a_butterfly_in_the_quotes_is_repaired_and_said() -> None:
    k = np.linspace(-1.5, 1.5, 61)
    vogt = np.array([-0.0410, 0.1331, 0.3060, 0.3586, 0.4153])
    surface = fit_surface([Smile(1.0, 100.0, k, np.sqrt(svi.total_variance(vogt, k)), np.full(61, 0.002))])

    assert surface.slices[0].repaired
    assert 0.0001 < surface.slices[0].rmse < 0.02
    assert svi.butterfly(surface.params[0], np.linspace(-1.5, 1.5, 2001)).min() >= 0


def dense(params: np.ndarray, low: float, high: float) -> np.ndarray:
    """Points from low to high: evenly spaced, and ever closer to the vertex and to the bottom of the slice."""
    near, m, sigma = np.sinh(np.linspace(-15, 15, 2001)), params[3], params[4]
    k = np.concatenate([np.linspace(low, high, 400), m + sigma * near, svi.bottom(params) + 1e-3 * sigma * near])
    return np.asarray(k[(k >= low) & (k <= high)])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_butterfly_is_between_the_turns_and_the_ends(seed: int) -> None:
    """A slice lifted until 401 points see none: in about every tenth case one is left between them."""
    b, rho, m, log_sigma, low, wide = np.random.default_rng(seed).uniform(
        [0.0, -1.0, -1.5, -8.0, -2.0, 0.01], [2.0, 1.0, 1.5, 0.0, 2.0, 3.0]
    )
    high = low + wide
    params, seen = np.array([0.0, b, rho, m, math.exp(log_sigma)]), np.linspace(low, high, 401)
    bottom = -b * params[4] * math.sqrt(1 - rho * rho)
    folding, kept = -18.0, 3.0  # natural logarithm of the least total variance
    for _ in range(40):
        params[0] = bottom + math.exp(0.5 * (folding + kept))
        none = svi.butterfly(params, seen).min() >= 0
        folding, kept = (folding, 0.5 * (folding + kept)) if none else (0.5 * (folding + kept), kept)
    params[0] = bottom + math.exp(kept)
    turns = svi.turns(params, low, high)

    assert ((turns > low) & (turns < high)).all()
    if (svi.butterfly(params, dense(params, low, high)) < -1e-6).any():
        assert (svi.butterfly(params, np.concatenate([turns, [low, high]])) < 0).any()


# Repaired on 81 points, its g was −0.002 between two of 401.
BETWEEN = [
    (0.0, 2.292510916116103), (0.0, 0.799750920946916), (1.0, 1.0), (1.0, 1.0), (0.75, 0.5),
    (0.7516448233488529, 1.25), (0.2531702117426504, 0.07243610785359945), (0.35479029394786776, 1.2424010200411548),
]  # fmt: skip
# Repaired, its σ was beyond all floats.
RUNAWAY = [
    (0.0, 2.0), (0.0, 1.91015625), (0.0, 0.5421255466392254), (1.220703125, 1.5), (-1.5, 0.18181736503962367),
    (-0.32948931796324166, 0.01),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@example(BETWEEN, 0.015625)
@example(RUNAWAY, 1.0)
@given(
    st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(0.01, 3.0)), min_size=5, max_size=40),
    st.floats(1e-6, 2.0),
)
def test_no_quotes_however_wild_leave_a_butterfly_or_a_variance_below_zero(
    quoted: list[tuple[float, float]], years: float
) -> None:
    k, vol = np.array(quoted).T
    surface = fit_surface([Smile(years, 100.0, k, vol, np.full(k.size, 0.01))])
    seen = dense(surface.params[0], k.min(), k.max())

    assert np.isfinite(surface.params).all()
    assert svi.butterfly(surface.params[0], seen).min() > -1e-6  # of rounding
    assert (surface.total_variance(seen, years) > 0).all()


def test_thin_and_settled_expiries_are_left_out_and_nothing_at_all_is_refused() -> None:
    thin = Smile(0.05, FORWARD, np.zeros(4), np.full(4, 0.1), np.full(4, 0.01))
    settled = quotes(YEARS[0], 0.03)._replace(years=0.0)
    assert fit_surface([thin, quotes(YEARS[1], 0.05), settled]).years == pytest.approx(YEARS[1:2])
    with pytest.raises(InputError, match="none of 2 expiries"):
        fit_surface([thin, settled])


FINE = Smile(0.05, FORWARD, np.linspace(-0.1, 0.1, 9), np.full(9, 0.15), np.full(9, 0.001))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"k": np.append(FINE.k[:8], math.nan)}, "smile of 0.05 years: k of quote 8 is nan"),
        ({"vol": np.append(0.0, FINE.vol[1:])}, "vol of quote 0 is 0.0"),
        ({"doubt": np.append(FINE.doubt[:8], math.inf)}, "doubt of quote 8 is inf"),
        ({"doubt": FINE.doubt[:8]}, "doubt has 8 entries, k has 9"),
        ({"forward": 0.0}, "expected a forward above 0, was 0.0"),
        ({"forward": math.nan}, "expected a forward above 0, was nan"),
        ({"years": 0.1}, "two smiles have 0.1 years left"),
    ],
)
def test_a_smile_that_would_poison_the_surface_is_refused_by_its_field(bad: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_surface([FINE._replace(**bad), FINE._replace(years=0.1)])


def test_a_fit_sees_quotes_out_of_the_money_with_a_spread_and_their_doubt() -> None:
    nan = math.nan
    one = smile(
        np.array([1.0, 1.0, 1.0, -1.0, -1.0]), np.array([90.0, 110.0, 120.0, 90.0, 80.0]),
        np.array([0.2, 0.21, nan, 0.23, 0.24]), np.array([0.1, 0.2, 0.1, 0.4, 0.1]),
        np.array([1.0, 1.0, 1.0, 0.01, nan]), forward=100.0, years=0.1,
    )  # fmt: skip
    assert one.k == pytest.approx(np.log([1.1, 0.9]))
    assert one.vol.tolist() == [0.21, 0.23]
    assert one.doubt == pytest.approx([0.5 / 20, 0.025 / 40])  # half the spread, at least half a tick, over vega
