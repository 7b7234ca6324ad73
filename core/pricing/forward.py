"""The forward that calls and puts of one expiry agree on."""

# ruff: noqa: PLR0917 the six arguments of Black-76, in the order every formula here has them

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing import kernels_parity

Floats = NDArray[np.float64]

FINEST = 0.025  # rupees: half a tick; no quote knows the price better


class ParityForward(NamedTuple):
    forward: float  # NaN if no pair is usable
    error: float  # standard error, in the unit of the strikes; NaN if no pair is usable
    used: int  # pairs that entered the mean


def parity_forward(
    strikes: Floats, call_mid: Floats, put_mid: Floats, call_spread: Floats, put_spread: Floats, discount: float
) -> ParityForward:
    """Return the forward of put–call parity, F = K + (C − P)/D, over every strike that has both prices.

    All arrays have one length, an entry per strike, in one unit; a NaN anywhere takes its strike out. A pair's own
    uncertainty is half its two spreads added in quadrature. The median weighted by 1/uncertainty finds the centre, so
    legs that are stale move nothing while they carry less than half the weight; pairs further from it than three
    deviations are left out, and the rest is averaged with weights 1/(uncertainty² + scatter²). The error is the larger
    of what the uncertainties and what the scatter of the pairs say.

    >>> spread = np.full(2, 0.1)
    >>> calls, puts = np.array([12.0, 5.0]), np.array([1.0, 4.0])
    >>> parity_forward(np.array([90.0, 100.0]), calls, puts, spread, spread, 1.0).forward
    101.0
    """
    implied = strikes + (call_mid - put_mid) / discount
    doubt = np.maximum(np.hypot(call_spread, put_spread) / (2 * discount), FINEST)
    fine = np.isfinite(implied) & np.isfinite(doubt)
    implied, doubt = implied[fine], doubt[fine]
    if implied.size == 0:
        return ParityForward(math.nan, math.nan, 0)
    found = np.empty(3)
    kernels_parity.parity_row(implied, doubt, found)
    forward, error, used = found.tolist()
    return ParityForward(forward, error, int(used))
