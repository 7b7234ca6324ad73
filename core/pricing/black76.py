"""European options on a forward (Black 1976), for arrays that broadcast; scalars give scalars.

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976) 167–179, eq. 16;
Greeks by differentiation (J. Hull, Options, Futures, and Other Derivatives, ch. 18–19).
"""

# ruff: noqa: PLR0917 the six arguments of Black-76, in the order every formula here has them

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.pricing import kernels
from core.pricing.rows import columns, run

Floats = NDArray[np.float64]


class Greeks(NamedTuple):
    """Each of the broadcast shape; NaN where the inputs are outside the domain."""

    delta: Any  # per forward point, discounted
    gamma: Any  # per forward point squared, discounted
    theta: Any  # per calendar day, at an unchanged forward and rate
    vega: Any  # per 0.01 of vol
    rho: Any  # per 0.01 of rate, forward held


class HigherGreeks(NamedTuple):
    """Each of the broadcast shape; NaN where the inputs are outside the domain, 0 at no time or no vol."""

    vanna: Any  # of delta, per 0.01 of vol
    volga: Any  # of vega (per 0.01), per 0.01 of vol
    charm: Any  # of delta, per calendar day that passes, at an unchanged forward and rate
    speed: Any  # of gamma, per forward point
    zomma: Any  # of gamma, per 0.01 of vol


def price(
    kind: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, discount: ArrayLike
) -> Any:
    """Return the premium in the unit of `forward`: D·θ·(F·N(θd₁) − K·N(θd₂)).

    Args:
        kind: +1 call, −1 put (θ).
        forward: > 0.
        strike: > 0, in the unit of `forward`.
        years: to expiry, ACT/365; ≤ 0 gives intrinsic value.
        vol: per √year as a decimal, ≥ 0; 0 gives intrinsic value.
        discount: factor to the payment date, > 0 (D).

    A row outside the domain, or with a NaN, is NaN and touches no other.

    >>> round(float(price(1, 100.0, 100.0, 0.25, 0.2, 1.0)), 4)
    3.9878
    """
    inputs, shape = columns(kind, forward, strike, years, vol, discount)
    out = np.empty(shape)
    run(kernels.price_rows, inputs, [out.reshape(-1)], shape)
    return out[()]


def greeks(
    kind: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, discount: ArrayLike
) -> Greeks:
    """Return delta, gamma, theta, vega and rho of `price` with the same arguments.

    The rate is −ln(discount)/years. At no time or no vol delta is the discounted step, gamma and vega are 0.

    >>> round(float(greeks(1, 100.0, 100.0, 0.25, 0.2, 1.0).delta), 4)
    0.5199
    """
    inputs, shape = columns(kind, forward, strike, years, vol, discount)
    out = [np.empty(shape) for _ in Greeks._fields]
    run(kernels.greeks_rows, inputs, [column.reshape(-1) for column in out], shape)
    return Greeks(*(column[()] for column in out))


def higher_greeks(
    kind: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, vol: ArrayLike, discount: ArrayLike
) -> HigherGreeks:
    """Return how delta, gamma and vega of `greeks` change: vanna, volga, charm, speed and zomma, same arguments.

    With b = D·n(d₁): −b·d₂/σ, F·b·√T·d₁d₂/σ, r·Δ + b·d₂/2T, −Γ·(d₁/σ√T + 1)/F and Γ·(d₁d₂ − 1)/σ, then in the units
    above. At no time or no vol all are 0, but for a charm of r·Δ while there is time.

    >>> round(float(higher_greeks(1, 100.0, 110.0, 0.25, 0.2, 1.0).vanna), 5)
    0.01331
    """
    inputs, shape = columns(kind, forward, strike, years, vol, discount)
    out = [np.empty(shape) for _ in HigherGreeks._fields]
    run(kernels.higher_rows, inputs, [column.reshape(-1) for column in out], shape)
    return HigherGreeks(*(column[()] for column in out))
