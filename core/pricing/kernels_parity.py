"""The compiled parity forward of every expiry of a chain; core.chain.forwards, core.pricing.forward are to be read."""

# ruff: noqa: PLR0917 a kernel takes its arrays one after the other

import math

import numpy as np

from core.pricing.chain_rules import (
    ABSENT,
    DISSENT,
    DRIFT,
    FRESH_PAIRS,
    HALF_TICK,
    LAST_DOUBT,
    NORMAL_MAD,
    OUTLIER,
    PAIRS,
)
from core.pricing.kernels_chain import ASK, BID, LAST, TIME, Flags, Floats, Ints
from core.pricing.lanes import compiled_strictly

BUILT_FROM = "155bfd1e1d326de5"  # digest of the files imported above, for numba's cache


@compiled_strictly
def weighted_median(values: Floats, weights: Floats) -> float:
    """The smallest value at which half the weight lies at or below it."""
    order, half, reached = np.argsort(values, kind="mergesort"), 0.5 * weights.sum(), 0.0
    for i in order:
        reached += weights[i]
        if reached >= half:
            return float(values[i])
    return float(values[order[-1]])


@compiled_strictly
def parity_row(implied: Floats, doubt: Floats, drift: Floats, out: Floats) -> None:
    """Forward, error and pairs used from what each pair implies and how far it can be off: core.pricing.forward.

    drift: the part of each pair's doubt that its age gives; what all share, no averaging takes away.
    """
    trust = 1.0 / doubt
    centre = weighted_median(implied, trust)
    distance = np.abs(implied - centre)
    scatter = NORMAL_MAD * weighted_median(distance, trust)
    kept = distance <= OUTLIER * np.maximum(scatter, doubt)
    weight = 1.0 / (doubt[kept] ** 2 + scatter * scatter)
    total, used = weight.sum(), weight.size
    mean = (weight * implied[kept]).sum() / total
    scattered = (weight * (implied[kept] - mean) ** 2).sum() / (used - 1) if used > 1 else 0.0
    error = max(math.sqrt(max(1.0, scattered) / total), drift[kept].min())
    if trust[~kept].sum() > DISSENT * trust.sum() or implied.size - used > DISSENT * implied.size:
        error = max(error, weighted_median(distance[~kept], trust[~kept]))
    out[0], out[1], out[2] = mean, error, used


@compiled_strictly
def legs(numbers: Floats, two_sided: Flags, call: int, put: int, quoted: bool, out: Floats) -> bool:  # noqa: FBT001
    """Call, put and their spreads, from two sane quotes or, if no strike has them, from two trades; False without."""
    if min(call, put) == ABSENT:
        return False
    if quoted:
        out[0] = 0.5 * (numbers[BID, call] + numbers[ASK, call])
        out[1] = 0.5 * (numbers[BID, put] + numbers[ASK, put])
        out[2], out[3] = numbers[ASK, call] - numbers[BID, call], numbers[ASK, put] - numbers[BID, put]
        return bool(two_sided[call] and two_sided[put])
    out[0], out[1] = numbers[LAST, call], numbers[LAST, put]
    out[2] = out[3] = LAST_DOUBT * max(out[0], out[1])
    return math.isfinite(out[0]) and math.isfinite(out[1])


@compiled_strictly
def drifted(quotes: Ints, call: int, put: int, strike: float, as_of_ns: int, max_age_ns: int) -> float:
    """How far the level may have moved since the older leg was quoted; 0 of a pair that is fresh."""
    age_ns = as_of_ns - min(quotes[TIME, call], quotes[TIME, put])
    return DRIFT * strike * math.sqrt(1e-9 * age_ns) if age_ns > max_age_ns else 0.0


@compiled_strictly
def parity_rows(
    quotes: Ints, numbers: Floats, two_sided: Flags, strikes: Ints, calls: Ints, puts: Ints, edges: Ints,
    discounts: Floats, as_of_ns: int, max_age_ns: int, out: Floats,
) -> None:  # fmt: skip
    """A row of forward, error and pairs used per expiry; NaN, NaN and 0 without a pair. Arrays as in `figure_rows`."""
    for g in range(edges.size - 1):
        first, size = edges[g], edges[g + 1] - edges[g]
        quoted = False
        for i in range(first, edges[g + 1]):
            both = calls[i] != ABSENT and puts[i] != ABSENT
            quoted = quoted or (both and two_sided[calls[i]] and two_sided[puts[i]])
        gap, implied, doubt, drift = np.full(size, math.inf), np.empty(size), np.empty(size), np.zeros(size)
        leg, count, fresh = np.empty(4), 0, 0
        for i in range(size):
            call, put, strike = calls[first + i], puts[first + i], strikes[first + i] / 100
            if legs(numbers, two_sided, call, put, quoted, leg):
                gap[i] = abs(leg[0] - leg[1])
                implied[i] = strike + (leg[0] - leg[1]) / discounts[g]
                drift[i] = drifted(quotes, call, put, strike, as_of_ns, max_age_ns)
                own = max(math.hypot(leg[2], leg[3]) / (2.0 * discounts[g]), HALF_TICK)
                doubt[i] = math.hypot(own, drift[i])
                count += 1
                fresh += drift[i] == 0.0
        if fresh >= FRESH_PAIRS:
            gap[drift > 0.0], count = math.inf, fresh
        nearest = np.argsort(gap, kind="mergesort")[: min(count, PAIRS)]
        if nearest.size:
            parity_row(implied[nearest], doubt[nearest], drift[nearest], out[g])
        else:
            out[g, 0], out[g, 1], out[g, 2] = math.nan, math.nan, 0.0


def warm() -> None:
    """Call each kernel once, with one pair and with an expiry that has no contract."""
    nothing, edges = np.empty(0, np.int64), np.zeros(2, np.int64)
    parity_row(np.ones(1), np.ones(1), np.zeros(1), np.empty(3))
    parity_rows(np.empty((6, 0), np.int64), np.empty((7, 0)), np.empty(0, np.bool_), nothing, nothing, nothing, edges,
                np.ones(1), 0, 0, np.empty((1, 3)))  # fmt: skip
