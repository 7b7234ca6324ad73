"""At the money: the listed strike nearest to a level. Strikes are no arithmetic grid, so never round the level.

To be read; the desk runs the same compiled (core.pricing.kernels_chain.nearest); a test holds the two together.
"""

import math

import numpy as np
from numpy.typing import NDArray


def nearest(strikes_paise: NDArray[np.int64], level_paise: float) -> int:
    """Return the position of the strike nearest to `level_paise`, the lower of two equally near; −1 if there is none.

    strikes_paise: ascending. A level that is not above 0 (unknown) has no nearest strike.

    >>> nearest(np.array([24400_00, 24450_00, 24500_00]), 24475_00)
    1
    """
    if strikes_paise.size == 0 or not level_paise > 0 or math.isinf(level_paise):
        return -1
    return int(np.argmin(np.abs(strikes_paise - level_paise)))
