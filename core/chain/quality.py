"""The data-quality score: 0 nothing here can be trusted, 1 everything can. docs/analytics.md derives it.

Each part is in 0…1 and rises as the data get better; the score is their weighted mean, so it rises with every part.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing.chain_rules import TICK, USELESS_SPREAD

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WEIGHTS = (0.25, 0.25, 0.20, 0.20, 0.10)  # of the parts in Quality, in their order
HALF_TRUST_ERROR = 0.0002  # forward error over forward at which the parity part is one half


class Quality(NamedTuple):
    score: float
    fresh: float
    two_sided: float
    spread: float
    iv: float
    forward: float


def quality(fresh: float, two_sided: float, spread: float, iv: float, forward: float) -> Quality:
    """Return the score of five parts, each in 0…1."""
    parts = (fresh, two_sided, spread, iv, forward)
    return Quality(sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True)), *parts)


def share(flags: Flags) -> float:
    """Return the share that is true; 0 of nothing."""
    return float(flags.mean()) if flags.size else 0.0


def spread_part(bid: Floats, ask: Floats, two_sided: Flags) -> float:
    """Mean over the contracts near the money of 1 − (spread − tick)/(10 % of mid), kept in 0…1; 0 without two sides."""
    if not bid.size:
        return 0.0
    wide = np.maximum(ask - bid - TICK, 0) / np.maximum(USELESS_SPREAD * 0.5 * (ask + bid), TICK)
    return float(np.where(two_sided, np.clip(1 - wide, 0, 1), 0).mean())


def forward_part(error: float, forward: float) -> float:
    """1/(1 + (error/forward)/0.02 %), of the parity forward's own standard error; 0 if parity says nothing.

    Where another forward is used the error is at least parity's distance from it.
    """
    if math.isnan(error) or not forward > 0:
        return 0.0
    return 1 / (1 + error / forward / HALF_TRUST_ERROR)
