"""The sentiment score: −1 everything leans down, +1 everything leans up. docs/analytics.md derives it.

Each part is bounded by −1 and 1 and rises with the bullish reading of its figure; the score is their weighted
sum, so it rises with every part. A part nobody can know leans nowhere: a thin expiry cannot shout.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pricing.chain_rules import WING_DELTA

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEIGHTS = (0.35, 0.30, 0.20, 0.15)  # of the parts in Sentiment, in their order
SKEW_GAIN = 2.0


class Sentiment(NamedTuple):
    score: float
    pcr: float
    oi_change: float
    skew: float
    max_pain: float


def sentiment(pcr: float, oi_change: float, skew: float, max_pain: float) -> Sentiment:
    """Return the score of four parts, each in −1…1 or NaN if it cannot be known; NaN if none can."""
    parts = (pcr, oi_change, skew, max_pain)
    known = [weight * part for weight, part in zip(WEIGHTS, parts, strict=True) if not math.isnan(part)]
    return Sentiment(sum(known) if known else math.nan, *parts)


def pcr_part(put_oi: float, call_oi: float) -> float:
    """(P − C)/(P + C): 0 at a ratio of 1, the same distance at 2 and at ½. Written puts are read as support."""
    return (put_oi - call_oi) / (put_oi + call_oi) if put_oi + call_oi > 0 else math.nan


def oi_change_part(put_change: Ints, call_change: Ints) -> float:
    """(ΣΔputs − ΣΔcalls)/Σ|Δ| over the contracts whose previous open interest is known; NaN if nothing changed."""
    moved = float(np.abs(put_change).sum() + np.abs(call_change).sum())
    return float(put_change.sum() - call_change.sum()) / moved if moved > 0 else math.nan


def skew_part(risk_reversal: float, atm_iv: float) -> float:
    """tanh(2·(σ25Δcall − σ25Δput)/σATM). Index puts are habitually dearer, so it usually leans below 0."""
    return math.tanh(SKEW_GAIN * risk_reversal / atm_iv) if atm_iv > 0 else math.nan


def max_pain_part(max_pain: float, forward: float, expected_move: float) -> float:
    """tanh((max pain − forward)/expected move): where writers would like the settlement, in standard deviations."""
    return math.tanh((max_pain - forward) / expected_move) if expected_move > 0 and max_pain > 0 else math.nan


def risk_reversal(call_delta: Floats, call_vol: Floats, put_delta: Floats, put_vol: Floats) -> float:
    """Return vol of the 25-delta call less vol of the 25-delta put, each linear in delta between its neighbours.

    Undiscounted deltas of out-of-the-money contracts. NaN if either wing does not reach 25 delta on both sides.
    """
    return _wing(call_delta, call_vol) - _wing(-put_delta, put_vol)


def _wing(delta: Floats, vol: Floats) -> float:
    known = np.isfinite(delta) & np.isfinite(vol)
    delta, vol = delta[known], vol[known]
    if delta.size == 0 or not delta.min() <= WING_DELTA <= delta.max():
        return math.nan
    order = np.argsort(delta, kind="stable")
    return float(np.interp(WING_DELTA, delta[order], vol[order]))
