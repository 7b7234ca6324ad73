"""Prices, vols and Greeks against mpmath, the plain reference, a textbook and each other."""

# ruff: noqa: PLR0917 the six arguments of Black-76

import doctest
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import (
    Reason,
    black76,
    forward,
    greeks,
    higher_greeks,
    implied,
    implied_vol,
    price,
    reference,
    signatures,
    warm,
    years,
)

KINDS = st.sampled_from([1, -1])
FORWARDS = st.floats(100, 100_000)
MONEYNESS = st.floats(-1, 1)  # ln(K/F)
YEARS = st.floats(1 / 8760, 3)
VOLS = st.floats(0.01, 3)
DISCOUNTS = st.floats(0.7, 1.0)


def exact(kind: int, F: float, K: float, T: float, vol: float, D: float) -> mpmath.mpf:
    F, K, T, vol, D = map(mpmath.mpf, (F, K, T, vol, D))
    total = vol * mpmath.sqrt(T)
    d1 = mpmath.log(F / K) / total + total / 2
    return D * kind * (F * mpmath.ncdf(kind * d1) - K * mpmath.ncdf(kind * (d1 - total)))


def random_rows(count: int, seed: int = 3) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    T = np.exp(rng.uniform(math.log(1 / 8760), math.log(3), count))
    total = np.exp(rng.uniform(math.log(0.01), math.log(1.5), count))
    F = rng.uniform(1000, 90_000, count)
    K = F * np.exp(rng.uniform(-4, 4, count) * np.minimum(total, 0.5))
    return rng.choice([1.0, -1.0], count), F, K, T, total / np.sqrt(T), np.exp(-0.06 * T)


def test_hulls_example_of_an_option_on_a_future_comes_out() -> None:
    """Hull, Options, Futures, and Other Derivatives, 9th ed., ch. 18, the put on crude-oil futures."""
    assert price(-1, 20.0, 20.0, 4 / 12, 0.25, math.exp(-0.09 * 4 / 12)) == pytest.approx(1.12, abs=0.005)


def test_price_agrees_with_fifty_digits() -> None:
    rows = random_rows(60)
    with mpmath.workdps(50):
        truth = np.array([float(exact(*row)) for row in zip(*rows, strict=True)])

    assert np.allclose(price(*rows), truth, rtol=1e-12, atol=1e-13 * rows[1].max())


def test_vol_of_the_exact_price_is_the_vol() -> None:
    kind, F, K, T, vol, D = random_rows(300)
    kind = np.where(K > F, 1.0, -1.0)  # in the money the double price itself has lost the digits
    with mpmath.workdps(50):
        premium = np.array([float(exact(*row)) for row in zip(kind, F, K, T, vol, D, strict=True)])
    found = implied_vol(kind, premium, F, K, T, D)
    vega = greeks(kind, F, K, T, vol, D).vega * 100

    assert (found.reason == Reason.OK).all()
    assert (np.abs(found.vol - vol) <= np.maximum(1e-12 * np.maximum(vol, 1), 4 * np.spacing(premium) / vega)).all()


def exact_greeks(kind: int, F: float, K: float, T: float, vol: float, D: float) -> tuple[mpmath.mpf, ...]:
    rate = -mpmath.log(D) / mpmath.mpf(T)
    return (
        mpmath.diff(lambda x: exact(kind, x, K, T, vol, D), F),
        mpmath.diff(lambda x: exact(kind, x, K, T, vol, D), F, 2),
        -mpmath.diff(lambda x: exact(kind, F, K, x, vol, mpmath.exp(-rate * x)), T) / 365,
        mpmath.diff(lambda x: exact(kind, F, K, T, x, D), vol) / 100,
        mpmath.diff(lambda x: exact(kind, F, K, T, vol, mpmath.exp(-x * T)), rate) / 100,
    )


def test_greeks_agree_with_exact_derivatives() -> None:
    rows = random_rows(12)
    found = greeks(*rows)
    for i, row in enumerate(zip(*rows, strict=True)):
        with mpmath.workdps(50):
            truth = [float(number) for number in exact_greeks(*row)]
        for name, number in zip(found._fields, truth, strict=True):
            scale = row[1] if name in {"theta", "vega", "rho"} else 1.0
            assert getattr(found, name)[i] == pytest.approx(number, rel=1e-11, abs=1e-13 * scale), name


def test_the_readable_reference_says_the_same() -> None:
    rows = random_rows(200)

    assert np.allclose(price(*rows), reference.price(*rows), rtol=1e-12, atol=1e-9)
    for ours, plain in zip(greeks(*rows), reference.greeks(*rows), strict=True):
        assert np.allclose(ours, plain, rtol=1e-10, atol=1e-12)
    kind, F, K, T, vol, D = rows
    kind = np.where(K > F, 1.0, -1.0)
    premium = price(kind, F, K, T, vol, D)
    plain = reference.implied_vol(kind, premium, F, K, T, D)
    known = np.isfinite(plain)
    error = np.abs(plain - implied_vol(kind, premium, F, K, T, D).vol)[known]
    vega = greeks(kind, F, K, T, vol, D).vega[known] * 100
    assert known.sum() > 150
    assert (error * vega <= 1e-8 * F[known]).all()  # the plain form sees prices, not their logarithms


def test_a_settled_option_is_worth_its_intrinsic_value_and_nothing_explodes() -> None:
    assert price([1, -1], 105.0, 100.0, 0.0, 0.2, 1.0).tolist() == [5.0, 0.0]
    found = greeks([1, -1], 105.0, 100.0, 0.0, 0.2, 1.0)
    assert found.delta.tolist() == [1.0, 0.0]
    assert found.theta.tolist() == found.gamma.tolist() == found.vega.tolist() == [0.0, 0.0]


def test_shapes_broadcast_and_scalars_give_scalars() -> None:
    surface = price(1, 100.0, np.array([[90.0], [100.0]]), 0.1, np.array([0.1, 0.2, 0.3]), 1.0)

    assert surface.shape == (2, 3)
    assert np.ndim(price(1, 100, 100, 0.1, 0.2, 1)) == 0
    with pytest.raises(ValueError, match="broadcast"):
        price(1, np.ones(2), np.ones(3), 0.1, 0.2, 1)


def test_nothing_compiles_after_warm() -> None:
    before = warm()
    frozen = np.array([100.0, 101.0])
    frozen.flags.writeable = False
    price(np.array([1, -1], np.int8), frozen, [90, 100], np.float32(0.1), 0.2, 1)
    implied_vol(np.array([1, -1], np.int64), frozen[::-1] / 10, frozen, np.asfortranarray([[100.0], [90.0]]), 0.1, 1)
    greeks([], [], [], [], [], [])
    higher_greeks(1, 100, [90, 100], 0.1, 0.2, 1)

    assert signatures() == before
    assert set(before.values()) == {1}


@settings(max_examples=150, deadline=None)
@given(KINDS, FORWARDS, MONEYNESS, YEARS, VOLS, DISCOUNTS)
def test_price_to_vol_to_price(kind: int, F: float, x: float, T: float, vol: float, D: float) -> None:
    K = F * math.exp(x)
    premium = price(kind, F, K, T, vol, D)
    found = implied_vol(kind, premium, F, K, T, D)
    if found.reason != Reason.OK:  # rounding has eaten the time value, or infinite vol is indistinguishable
        assert found.reason in {Reason.BELOW_INTRINSIC, Reason.ABOVE_MAXIMUM}
        otm = min(premium - D * max(kind * (F - K), 0), D * (F if kind > 0 else K) - premium)
        assert otm <= 1e-13 * max(F, K)
        return
    assert price(kind, F, K, T, found.vol, D) == pytest.approx(premium, rel=1e-12, abs=2e-14 * max(F, K))


@settings(max_examples=100, deadline=None)
@given(FORWARDS, MONEYNESS, YEARS, VOLS, DISCOUNTS)
def test_put_call_parity(F: float, x: float, T: float, vol: float, D: float) -> None:
    K = F * math.exp(x)
    call, put = price([1, -1], F, K, T, vol, D)

    assert call - put == pytest.approx(D * (F - K), abs=1e-13 * max(F, K))


@settings(max_examples=100, deadline=None)
@given(KINDS, FORWARDS, MONEYNESS, YEARS, VOLS, st.floats(0.001, 0.5))
def test_price_never_falls_when_vol_rises(kind: int, F: float, x: float, T: float, vol: float, more: float) -> None:
    K = F * math.exp(x)
    low, high = price(kind, F, K, T, np.array([vol, vol + more]), 1.0)

    assert high >= low - 1e-13 * max(F, K)


@pytest.mark.parametrize("module", [black76, implied, forward, years])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]

    assert tried > 0
    assert failed == 0
