"""Which price of a contract to believe, to be read.

The desk runs the same compiled (core.pricing.kernels_chain.quote_rows); a test holds the two together.
"""

import numpy as np
from numpy.typing import NDArray

from core.pricing.chain_rules import ALWAYS_TIGHT, WIDEST_OF_MID, WIDEST_OF_STRIKE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def sane(bid: Floats, ask: Floats, strike: Floats) -> Flags:
    """Return where a quote is two-sided, not crossed, and tight enough for its middle to mean a price. Rupees."""
    spread, mid = ask - bid, 0.5 * (ask + bid)
    widest = np.minimum(
        np.maximum(ALWAYS_TIGHT, WIDEST_OF_MID * mid), np.maximum(ALWAYS_TIGHT, WIDEST_OF_STRIKE * strike)
    )
    return np.asarray((bid > 0) & (ask >= bid) & (spread <= widest))


def traded(bid: Floats, ask: Floats, last: Floats, volume: NDArray[np.int64]) -> Floats:
    """Return the last price of what traded today and what no standing bid or ask contradicts, else NaN. Rupees.

    bid, ask, last: 0 is none. Without a trade today the last price is of an earlier day; a bid above it or an ask
    below it says that it is over.
    """
    contradicted = (last < bid) | ((ask > 0) & (ask < last))
    return np.where((last > 0) & (volume > 0) & ~contradicted, last, np.nan)


def believed(bid: Floats, ask: Floats, traded: Floats, two_sided: Flags) -> Floats:
    """Return the middle of a sane two-sided quote, else the last price that `traded` leaves, else NaN. Rupees."""
    return np.where(two_sided, 0.5 * (bid + ask), traded)
