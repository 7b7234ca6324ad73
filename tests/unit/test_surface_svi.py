"""One smile: the fit, and what it does with a butterfly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import price, svi

K = np.linspace(-0.15, 0.15, 61)
# Axel Vogt's slice, which allows a butterfly, and its neighbour that does not: J. Gatheral & A. Jacquier,
# "Arbitrage-free SVI volatility surfaces", 2014, examples 3.1 and 5.1, the latter in the jump-wing parameters.
VOGT = np.array([-0.0410, 0.1331, 0.3060, 0.3586, 0.4153])
REPAIRED_JW = (0.01742625, -0.1752111, 0.6997381, 0.8564763, 0.0116249)
WIDE = np.linspace(-1.5, 1.5, 61)


def raw_of_jump_wings(v: float, psi: float, p: float, c: float, v_least: float) -> np.ndarray:
    """The paper's lemma 3.2 at one year."""
    root = math.sqrt(v)
    b = root * (c + p) / 2
    rho = 1 - p * root / b
    beta = rho - 2 * psi * root / b
    alpha = math.copysign(math.sqrt(1 / beta**2 - 1), beta)
    side = math.copysign(1.0, alpha)
    m = (v - v_least) / (b * (-rho + side * math.sqrt(1 + alpha**2) - alpha * math.sqrt(1 - rho**2)))
    sigma = alpha * m
    return np.array([v_least - b * sigma * math.sqrt(1 - rho**2), b, rho, m, sigma])


slices = st.tuples(
    st.floats(1e-4, 0.02), st.floats(1e-3, 0.15), st.floats(-0.8, 0.8), st.floats(-0.05, 0.05), st.floats(0.02, 0.2)
)


@settings(max_examples=60, deadline=None)
@given(slices)
def test_a_slice_is_found_again_from_its_own_variances(true: tuple[float, ...]) -> None:
    w = svi.total_variance(np.array(true), K)
    found = svi.fit(K, w, np.ones(K.size))

    assert np.abs(svi.total_variance(found, K) / w - 1).max() < 2e-3


@settings(max_examples=30, deadline=None)
@given(slices, st.integers(0, 2**32 - 1))
def test_the_fit_is_no_worse_than_the_truth_behind_noisy_quotes(true: tuple[float, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    exact = svi.total_variance(np.array(true), K)
    w = exact * (1 + 0.02 * rng.standard_normal(K.size))
    weight = rng.uniform(0.1, 1.0, K.size)
    found = svi.total_variance(svi.fit(K, w, weight), K)

    assert weight @ (found - w) ** 2 <= 1.02 * (weight @ (exact - w) ** 2)


def test_a_fit_ends_inside_its_bounds_where_they_bind() -> None:
    """A nearly flat slice behind noise: the best m lies beyond the bound, and is not just cut off there."""
    rng = np.random.default_rng(173)
    exact = svi.total_variance(np.array([0.0001, 0.001, 0.0, 0.0, 0.1875]), K)
    w, weight = exact * (1 + 0.02 * rng.standard_normal(K.size)), rng.uniform(0.1, 1.0, K.size)
    params = svi.fit(K, w, weight)

    assert weight @ (svi.total_variance(params, K) - w) ** 2 <= weight @ (exact - w) ** 2
    assert abs(params[3]) <= 0.45 + 1e-12


def test_a_heavier_quote_is_met_more_closely() -> None:
    w = svi.total_variance(np.array([0.004, 0.05, -0.3, 0.0, 0.08]), K)
    w[30] *= 1.2
    misses = []
    for heavy in (1.0, 100.0):
        weight = np.ones(K.size)
        weight[30] = heavy
        misses.append(abs(svi.total_variance(svi.fit(K, w, weight), K)[30] - w[30]))
    assert misses[1] < 0.5 * misses[0]


def test_the_wings_stay_within_lees_bound() -> None:
    steep = 0.01 + 3.5 * np.abs(K)  # no vols make this
    _, b, rho, _, _ = svi.fit(K, steep, np.ones(K.size))
    assert b * (1 + abs(rho)) <= 2 + 1e-12


def test_g_is_the_density_of_the_prices_it_makes() -> None:
    """g = 0.5·√(2πw)·e^{d₂²/2}·… : compared with the second difference of call prices, Breeden and Litzenberger's."""
    k, h = np.linspace(-0.12, 0.12, 9), 1e-4
    params = np.array([0.004, 0.08, -0.5, 0.01, 0.05])

    def call(strike: np.ndarray) -> np.ndarray:
        w = svi.total_variance(params, np.log(strike))
        return np.asarray(price(1, 1.0, strike, 1.0, np.sqrt(w), 1.0))

    strike = np.exp(k)
    density = (call(strike + h) - 2 * call(strike) + call(strike - h)) / h**2
    w = svi.total_variance(params, k)
    d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
    expected = svi.butterfly(params, k) * np.exp(-0.5 * d2**2) / np.sqrt(2 * np.pi * w) / strike
    assert density == pytest.approx(expected, rel=1e-4)


def test_vogts_butterfly_is_seen_and_repaired_nearer_than_the_papers_own_repair() -> None:
    w, ones, fine = svi.total_variance(VOGT, WIDE), np.ones(WIDE.size), np.linspace(-1.5, 1.5, 3001)
    found = svi.fit(WIDE, w, ones)
    assert found == pytest.approx(VOGT, rel=1e-4)
    assert svi.butterfly(found, fine).min() < -0.03

    repaired = svi.refit(WIDE, w, ones, found, np.linspace(-1.5, 1.5, 81))
    papers = raw_of_jump_wings(*REPAIRED_JW)
    ours, theirs = (float(np.sqrt(np.mean((svi.total_variance(p, WIDE) - w) ** 2))) for p in (repaired, papers))
    print(f"root mean square of total variance: repaired {ours:.5f}, the paper's {theirs:.5f}, level {w.mean():.4f}")
    assert svi.butterfly(papers, fine).min() > 0
    assert svi.butterfly(repaired, fine).min() > 0
    assert ours < theirs


def test_total_variance_that_is_not_positive_is_a_butterfly() -> None:
    assert svi.butterfly(np.array([-1.0, 0.1, 0.0, 0.0, 0.1]), np.array([0.0]))[0] == -math.inf


def test_four_quotes_are_no_smile() -> None:
    with pytest.raises(ValueError, match="needs 5 quotes, was 4"):
        svi.fit(K[:4], K[:4] ** 2 + 0.01, np.ones(4))
