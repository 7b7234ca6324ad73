"""The same mathematics as plain numpy, to be read and to be tested against; the desk runs the kernels.

No shape is too odd and no row too bad here either, but a loop in `implied_vol` makes it a thousand times slower.
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


def implied_vol(kind: float, value: float, forward: float, strike: float, years: float, discount: float) -> float:
    """One row by bisection of the price between 1e-6 and 50; NaN where the price lies outside what they give."""

    def miss(vol: float) -> float:
        arrays = (np.array(number) for number in (kind, forward, strike, years, vol, discount))
        return float(price(*arrays)) - value

    low, high = 1e-6, 50.0
    if not miss(low) < 0 < miss(high):
        return math.nan
    for _ in range(200):
        middle = 0.5 * (low + high)
        if miss(middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
