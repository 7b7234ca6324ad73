"""The exchange's daily volatility σ: exponentially weighted, of the log return of the official closes."""

import math
from collections.abc import Iterable


def ewma_sigma(returns: Iterable[float], *, start: float, decay: float = 0.995) -> float:
    """σ after the daily log returns, oldest first, from σ `start` before them: σ² = λ·σ² + (1 − λ)·r² each day.

    λ is 0.995 from June 2020 on, 0.94 before (`core.market.margins.vol_rates(on).decay`). The clearing house takes it
    of the index and of its near future, and applies the larger. Source: NSE Clearing's daily volatility file, which it
    reproduces to 2e-7 (tests/unit/test_margins_table.py); J.P. Morgan, RiskMetrics Technical Document, 1996, ch. 5.
    """
    variance = start * start
    for change in returns:
        variance = decay * variance + (1 - decay) * change * change
    return math.sqrt(variance)
