"""Put–call ratios."""

import math


def ratio(put: float, call: float) -> float:
    """Return put over call; NaN if there is nothing of calls to divide by.

    The three ratios of an expiry differ in what is summed over its contracts: volume, open interest, or premium
    traded, Σ volume × last price.

    >>> ratio(150.0, 100.0)
    1.5
    """
    return put / call if call > 0 else math.nan
