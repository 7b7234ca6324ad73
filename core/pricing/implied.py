"""Implied vol: the inverse of `price`, row by row, with a reason where there is none."""

# ruff: noqa: PLR0917 the six arguments of Black-76, in the order every formula here has them

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from core.pricing import kernels_implied
from core.pricing.rows import columns, run

NSE_RATE = 0.10  # the rate behind the implied vols that NSE publishes, measured


class ImpliedVol(NamedTuple):
    """Both of the broadcast shape. `vol` is NaN exactly where `reason` is not Reason.OK."""

    vol: Any  # per √year, a decimal
    reason: Any  # int8, core.pricing.Reason


def implied_vol(
    kind: ArrayLike, price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, discount: ArrayLike
) -> ImpliedVol:
    """Return the vol at which `core.pricing.price` gives `price`.

    The arguments are those of `price`, the premium in the place of the vol. The out-of-the-money part is inverted,
    so a call and a put of one strike that satisfy put–call parity give one vol. Against the exact inverse of the double
    `price` the error is at most the larger of 1e-12 and four units in the last place of the price over vega, from an
    hour to three years, 1 to 300 % and |ln F/K| ≤ 2 (docs/pricing.md has the measured one, and the method).

    >>> result = implied_vol([1, 1], [3.9878, 200.0], 100.0, 100.0, 0.25, 1.0)
    >>> result.vol.round(4).tolist(), result.reason.tolist()
    ([0.2, nan], [0, 5])
    """
    inputs, shape = columns(kind, price, forward, strike, years, discount)
    vol, reason = np.empty(shape), np.empty(shape, np.int8)
    run(kernels_implied.implied_vol_rows, inputs, [vol.reshape(-1), reason.reshape(-1)], shape)
    return ImpliedVol(vol[()], reason[()])


def nse_implied_vol(
    kind: ArrayLike, price: ArrayLike, spot: ArrayLike, strike: ArrayLike, years: ArrayLike
) -> ImpliedVol:
    """Return the vol under NSE's own convention: Black–Scholes on the spot index, r = 10 %, no dividend, price = last.

    Only for comparing with what NSE prints: the rate overstates the forward, so its calls and puts disagree.
    """
    growth = np.exp(NSE_RATE * np.asarray(years, np.float64))
    return implied_vol(kind, price, np.asarray(spot, np.float64) * growth, strike, years, 1 / growth)
