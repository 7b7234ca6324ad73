"""The forward that calls and puts of one expiry agree on."""

# ruff: noqa: PLR0917 the six arguments of Black-76, in the order every formula here has them

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing import kernels_parity
from core.pricing.chain_rules import HALF_TICK

Floats = NDArray[np.float64]


class ParityForward(NamedTuple):
    forward: float  # NaN if no pair is usable
    error: float  # standard error, in the unit of the strikes; NaN if no pair is usable
    used: int  # pairs that entered the mean


def parity_forward(
    strikes: Floats,
    call_mid: Floats,
    put_mid: Floats,
    call_spread: Floats,
    put_spread: Floats,
    discount: float,
    *,
    drift: Floats | None = None,
) -> ParityForward:
    """Return the forward of put–call parity, F = K + (C − P)/D, over every strike that has both prices.

    All arrays have one length, an entry per strike, in one unit; a NaN anywhere takes its strike out. `drift` is how
    far the level may have moved since a pair was quoted, 0 (everywhere, if not given) of a fresh one. A pair's own
    uncertainty is half its two spreads, and its drift, added in quadrature. The median weighted by 1/uncertainty finds
    the centre, so legs that are stale move nothing while they carry less than half the weight; pairs further from it
    than three deviations are left out, and the rest is averaged with weights 1/(uncertainty² + scatter²). The error is
    the larger of what the uncertainties and what the scatter of the pairs say, and at least the least drift. Where
    more than 35 % of the pairs, or of their weight, are left out, nobody knows which part is stale: then it is at
    least the distance at which those lie, their weighted median.

    >>> spread = np.full(2, 0.1)
    >>> calls, puts = np.array([12.0, 5.0]), np.array([1.0, 4.0])
    >>> parity_forward(np.array([90.0, 100.0]), calls, puts, spread, spread, 1.0).forward
    101.0
    """
    implied = strikes + (call_mid - put_mid) / discount
    drift = np.zeros(strikes.size) if drift is None else drift
    doubt = np.hypot(np.maximum(np.hypot(call_spread, put_spread) / (2 * discount), HALF_TICK), drift)
    fine = np.isfinite(implied) & np.isfinite(doubt)
    if not fine.any():
        return ParityForward(math.nan, math.nan, 0)
    found = np.empty(3)
    kernels_parity.parity_row(implied[fine], doubt[fine], drift[fine], found)
    forward, error, used = found.tolist()
    return ParityForward(forward, error, int(used))
