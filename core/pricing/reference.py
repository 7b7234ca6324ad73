"""The same mathematics as plain numpy, to be read and to be tested against; the desk runs the kernels.

Bad rows are NaN here too, without a reason.
"""

# ruff: noqa: PLR0917 the six arguments of Black-76, in the order every formula here has them

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def normal_cdf(x: ArrayLike) -> Floats:
    erfc = np.vectorize(math.erfc, otypes=[float])
    return np.asarray(0.5 * erfc(-np.asarray(x, float) / math.sqrt(2)))


def normal_pdf(x: ArrayLike) -> Floats:
    return np.asarray(np.exp(-0.5 * np.asarray(x) ** 2) / math.sqrt(2 * math.pi))


def price(kind: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, discount: Floats) -> Floats:
    total = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / total + total / 2
    d2 = d1 - total
    return np.asarray(discount * kind * (forward * normal_cdf(kind * d1) - strike * normal_cdf(kind * d2)))


def greeks(
    kind: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, discount: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Delta, gamma, theta per calendar day, vega per 0.01, rho per 0.01 at a held forward; years and vol > 0."""
    total = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / total + total / 2
    value = price(kind, forward, strike, years, vol, discount)
    rate = -np.log(discount) / years
    delta = kind * discount * normal_cdf(kind * d1)
    gamma = discount * normal_pdf(d1) / (forward * total)
    vega = discount * forward * normal_pdf(d1) * np.sqrt(years)
    theta = rate * value - vega * vol / (2 * years)
    rho = -years * value
    return delta, gamma, theta / 365, vega / 100, rho / 100


def implied_vol(
    kind: Floats, value: Floats, forward: Floats, strike: Floats, years: Floats, discount: Floats
) -> Floats:
    """Newton on the price, halving a bracket of 1e-6…50 where it leaves it; NaN where the bracket has no answer."""
    low, high = np.full_like(value, 1e-6), np.full_like(value, 50.0)
    root = np.sqrt(years)
    inside = (price(kind, forward, strike, years, low, discount) < value) & (
        value < price(kind, forward, strike, years, high, discount)
    )
    vol = np.sqrt(2 * np.abs(np.log(forward / strike)) / years + 1e-8)  # the inflexion: from there Newton converges
    for _ in range(100):
        miss = price(kind, forward, strike, years, vol, discount) - value
        low, high = np.where(miss < 0, vol, low), np.where(miss < 0, high, vol)
        d1 = np.log(forward / strike) / (vol * root) + vol * root / 2
        step = miss / np.maximum(discount * forward * normal_pdf(d1) * root, 1e-300)
        trial = vol - step
        vol = np.where((trial > low) & (trial < high), trial, (low + high) / 2)
        if not (inside & (np.abs(step) > 1e-9)).any():
            break
    return np.where(inside, vol, np.nan)
