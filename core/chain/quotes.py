"""Which price of a contract to believe."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALWAYS_TIGHT = 1.0  # rupees: no spread up to this is too wide, however cheap the option
WIDEST_OF_MID = 0.25
WIDEST_OF_STRIKE = 0.01


def sane(bid: Floats, ask: Floats, strike: Floats) -> Flags:
    """Return where a quote is two-sided, not crossed, and tight enough for its middle to mean a price. Rupees."""
    spread, mid = ask - bid, 0.5 * (ask + bid)
    widest = np.minimum(
        np.maximum(ALWAYS_TIGHT, WIDEST_OF_MID * mid), np.maximum(ALWAYS_TIGHT, WIDEST_OF_STRIKE * strike)
    )
    return np.asarray((bid > 0) & (ask >= bid) & (spread <= widest))


def believed(bid: Floats, ask: Floats, last: Floats, two_sided: Flags) -> Floats:
    """Return the middle of a sane two-sided quote, else the last trade, else NaN. Rupees."""
    return np.where(two_sided, 0.5 * (bid + ask), np.where(last > 0, last, np.nan))
