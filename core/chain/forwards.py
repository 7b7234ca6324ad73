"""Which forward an expiry is priced on: its own future, else put–call parity, else the spot carried to expiry.

`parity` is to be read; the desk runs the same compiled (core.pricing.kernels_parity); a test holds the two together.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing import ParityForward, parity_forward
from core.pricing.chain_rules import DRIFT, FRESH_PAIRS, LAST_DOUBT, PAIRS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

WIDEST_FUTURE = 0.005  # spread over mid at which a future's quote says nothing
WORST_ERROR = 0.01  # of the forward: beyond it parity is not believed


class Forward(NamedTuple):
    value: float  # rupees; NaN if unknown
    source: str  # future, parity, spot or none
    error: float  # rupees; NaN if not estimated


class Legs(NamedTuple):
    """One side of an expiry, an entry per strike, rupees; NaN where the contract is not listed or has no price."""

    bid: Floats
    ask: Floats
    last: Floats  # as quotes.traded
    two_sided: Flags
    age_ns: Ints


def parity(strikes: Floats, calls: Legs, puts: Legs, discount: float, *, max_age_ns: int) -> ParityForward:
    """Return the forward of the sane two-sided pairs; where there is none, of the pairs that both traded today.

    From three fresh pairs on only those count; with fewer the older ones do too, each in doubt by what an index moves
    in the time since (DRIFT).
    """
    both = calls.two_sided & puts.two_sided
    if both.any():
        call, put = 0.5 * (calls.bid + calls.ask), 0.5 * (puts.bid + puts.ask)
        call_spread, put_spread = calls.ask - calls.bid, puts.ask - puts.bid
    else:
        call, put = calls.last, puts.last
        both = np.isfinite(call) & np.isfinite(put)
        call_spread = put_spread = LAST_DOUBT * np.maximum(call, put)
    age_ns = np.maximum(calls.age_ns, puts.age_ns)
    drift = np.where(age_ns > max_age_ns, DRIFT * strikes * np.sqrt(1e-9 * np.maximum(age_ns, 0)), 0.0)
    fresh = both & (drift == 0)
    chosen = np.flatnonzero(fresh if fresh.sum() >= FRESH_PAIRS else both)
    chosen = chosen[np.argsort(np.abs(call - put)[chosen], kind="stable")[:PAIRS]]
    return parity_forward(
        strikes[chosen],
        call[chosen],
        put[chosen],
        call_spread[chosen],
        put_spread[chosen],
        discount,
        drift=drift[chosen],
    )


def future_forward(bid: float, ask: float, *, fresh: bool) -> Forward:
    """Return the middle of a fresh two-sided quote, its error half the spread; source none without one. Rupees."""
    mid = 0.5 * (bid + ask)
    if fresh and 0 < bid <= ask and ask - bid <= WIDEST_FUTURE * mid:
        return Forward(mid, "future", 0.5 * (ask - bid))
    return Forward(math.nan, "none", math.nan)


def choose(future: Forward, pairs: ParityForward, carried: float) -> Forward:
    """Return the best known forward of an expiry.

    A future is off by at least its distance from the parity of three or more pairs, less parity's own error. carried:
    the spot carried to the settlement, rupees, NaN if no forward can be made of it.
    """
    believed = pairs.used > 0 and pairs.error <= WORST_ERROR * pairs.forward
    if future.source == "future":
        apart = abs(future.value - pairs.forward) - pairs.error if believed and pairs.used >= FRESH_PAIRS else 0.0
        return future._replace(error=max(future.error, apart))
    if believed:
        return Forward(pairs.forward, "parity", pairs.error)
    if carried > 0:
        return Forward(carried, "spot", math.nan)
    return Forward(math.nan, "none", math.nan)
