"""The simulated smiles allow no arbitrage: neither along strikes nor along expiries, whatever today's vol is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from core.pricing import price
from exchange.levels import LEVELS
from exchange.surface import Surface, calls_and_puts

spot_vols = st.floats(0.03, 0.9)
levels = st.sampled_from(sorted(LEVELS))
K = np.linspace(-0.6, 0.6, 801)


def surface(name: str) -> Surface:
    return Surface(LEVELS[name].skew, LEVELS[name].vol)


@settings(max_examples=60, deadline=None)
@given(levels, spot_vols, st.floats(1e-5, 2.0))
def test_no_butterfly_the_density_is_never_negative(name: str, vol: float, years: float) -> None:
    """Durrleman's condition g(k) ≥ 0 (Gatheral & Jacquier 2014, equation 2.1), by central differences."""
    smile = surface(name)
    theta = smile.theta(np.array(vol), np.array(years))
    k = K * np.sqrt(theta) * 10.0
    h = k[1] - k[0]
    w = smile.total_variance(k, theta)
    first, second = (w[2:] - w[:-2]) / (2 * h), (w[2:] - 2 * w[1:-1] + w[:-2]) / h**2
    w, k = w[1:-1], k[1:-1]

    density = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2

    assert density.min() > -1e-6


@settings(max_examples=60, deadline=None)
@given(levels, spot_vols, st.floats(2e-6, 1.0), st.floats(1.0, 30.0))
def test_no_calendar_total_variance_grows_with_time_at_every_moneyness(
    name: str, vol: float, years: float, longer: float
) -> None:
    smile = surface(name)
    near, far = (smile.total_variance(K, smile.theta(np.array(vol), np.array(T))) for T in (years, years * longer))

    assert (far >= near * (1 - 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(levels, spot_vols, st.floats(1e-4, 1.0))
def test_premiums_are_monotone_and_convex_in_strike_and_those_of_black_76(name: str, vol: float, years: float) -> None:
    smile, F = surface(name), 25_000.0
    strikes = F * np.exp(np.linspace(-0.08, 0.08, 161))
    w = smile.total_variance(np.log(strikes / F), smile.theta(np.array(vol), np.array(years)))
    call, put = calls_and_puts(np.full(strikes.size, F), strikes, w, np.full(strikes.size, 0.99))

    slope = np.diff(call) / np.diff(strikes)
    assert ((slope <= 1e-9) & (slope >= -0.99 - 1e-9)).all()
    assert (np.diff(slope) >= -1e-7).all()
    np.testing.assert_allclose(call - put, 0.99 * (F - strikes), atol=1e-7)
    np.testing.assert_allclose(call, price(1, F, strikes, years, np.sqrt(w / years), 0.99), atol=2e-6)


def test_parameters_that_allow_arbitrage_are_refused() -> None:
    with pytest.raises(ConfigError, match="butterflies"):
        Surface(-0.5, 0.12, eta=1.5)
    with pytest.raises(ConfigError, match="rho"):
        Surface(-1.0, 0.12)
