"""Which forward an expiry is priced on: its own future, else put–call parity, else the spot carried to expiry."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing import ParityForward, parity_forward

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PAIRS = 10  # strikes with the smallest |C − P|: where parity is tightest and the rate matters least
WIDEST_FUTURE = 0.005  # spread over mid at which a future's quote says nothing
LAST_DOUBT = 0.02  # spread taken for a pair of last prices, of the dearer leg; parity then marks its own error
WORST_ERROR = 0.01  # of the forward: beyond it parity is not believed


class Forward(NamedTuple):
    value: float  # rupees; NaN if unknown
    source: str  # future, parity, spot or none
    error: float  # rupees; NaN if not estimated


class Legs(NamedTuple):
    """One side of an expiry, an entry per strike, rupees; NaN where the contract is not listed or has no price."""

    bid: Floats
    ask: Floats
    last: Floats  # NaN unless it traded today
    two_sided: Flags


def parity(strikes: Floats, calls: Legs, puts: Legs, discount: float) -> ParityForward:
    """Return the forward of the sane two-sided pairs; where there is none, of the pairs that both traded today."""
    both = calls.two_sided & puts.two_sided
    if both.any():
        call, put = 0.5 * (calls.bid + calls.ask), 0.5 * (puts.bid + puts.ask)
        call_spread, put_spread = calls.ask - calls.bid, puts.ask - puts.bid
    else:
        call, put = calls.last, puts.last
        both = np.isfinite(call) & np.isfinite(put)
        call_spread = put_spread = LAST_DOUBT * np.maximum(call, put)
    chosen = np.flatnonzero(both)
    chosen = chosen[np.argsort(np.abs(call - put)[chosen], kind="stable")[:PAIRS]]
    return parity_forward(strikes[chosen], call[chosen], put[chosen], call_spread[chosen], put_spread[chosen], discount)


def future_forward(bid: float, ask: float, *, fresh: bool) -> Forward:
    """Return the middle of a fresh two-sided quote, its error half the spread; source none without one. Rupees."""
    mid = 0.5 * (bid + ask)
    if fresh and 0 < bid <= ask and ask - bid <= WIDEST_FUTURE * mid:
        return Forward(mid, "future", 0.5 * (ask - bid))
    return Forward(math.nan, "none", math.nan)


def choose(future: Forward, pairs: ParityForward, spot: float, discount: float, *, spot_frozen: bool) -> Forward:
    """Return the best known forward of an expiry. spot: rupees, NaN if unknown.

    spot_frozen: the closing auction holds the index still (`core.market.spot_frozen`), while options trade on: no
    forward is better than that one.
    """
    if future.source == "future":
        return future
    if pairs.used and pairs.error <= WORST_ERROR * pairs.forward:
        return Forward(pairs.forward, "parity", pairs.error)
    if spot > 0 and not spot_frozen:
        return Forward(spot / discount, "spot", math.nan)
    return Forward(math.nan, "none", math.nan)
