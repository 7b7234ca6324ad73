"""Max pain: the settlement at which the holders of the open options are paid least.

To be read; the desk runs the same compiled (core.pricing.kernels_chain.pain); a test holds the two together.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def payout(strikes: Ints, call_oi: Ints, put_oi: Ints) -> Ints:
    """Return what all open options together pay if the index settles at each of `strikes`, unit of strikes × oi."""
    above = np.maximum(strikes[:, None] - strikes, 0)  # settlement down, strike across
    below = np.maximum(strikes - strikes[:, None], 0)
    return np.asarray(above @ call_oi + below @ put_oi)


def max_pain(strikes: Ints, call_oi: Ints, put_oi: Ints) -> int:
    """Return the strike with the least payout, the lowest of equals; 0 if nothing is open.

    >>> max_pain(np.array([90, 100, 110]), np.array([0, 10, 30]), np.array([30, 10, 0]))
    100
    """
    if not (call_oi.any() or put_oi.any()):
        return 0
    return int(strikes[np.argmin(payout(strikes, call_oi, put_oi))])
