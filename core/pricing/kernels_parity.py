"""The compiled parity forward of every expiry of a chain; core.chain.forwards, core.pricing.forward are to be read."""

# ruff: noqa: PLR0917 a kernel takes its arrays one after the other

import math

import numpy as np

from core.pricing.kernels_chain import ABSENT, ASK, BID, Flags, Floats, Ints, compiled

PAIRS, LAST_DOUBT = 10, 0.02  # core.chain.forwards
FINEST = 0.025  # core.pricing.forward
NORMAL_MAD = 1.4826  # median absolute deviation → standard deviation, of a normal
OUTLIER = 3.0  # standard deviations from the median at which a leg counts as stale


@compiled
def weighted_median(values: Floats, weights: Floats) -> float:
    """The smallest value at which half the weight lies at or below it."""
    order, half, reached = np.argsort(values, kind="mergesort"), 0.5 * weights.sum(), 0.0
    for i in order:
        reached += weights[i]
        if reached >= half:
            return float(values[i])
    return float(values[order[-1]])


@compiled
def parity_row(implied: Floats, doubt: Floats, out: Floats) -> None:
    """Forward, error and pairs used from what each pair implies and how far it can be off: core.pricing.forward."""
    centre = weighted_median(implied, 1.0 / doubt)
    distance = np.abs(implied - centre)
    scatter = NORMAL_MAD * weighted_median(distance, 1.0 / doubt)
    total, mean, used = 0.0, 0.0, 0
    for i in range(implied.size):
        if distance[i] <= OUTLIER * max(scatter, doubt[i]):
            weight = 1.0 / (doubt[i] * doubt[i] + scatter * scatter)
            total += weight
            mean += weight * implied[i]
            used += 1
    mean /= total
    spread = 0.0
    for i in range(implied.size):
        if distance[i] <= OUTLIER * max(scatter, doubt[i]):
            spread += (implied[i] - mean) ** 2 / (doubt[i] * doubt[i] + scatter * scatter)
    scattered = spread / (used - 1) if used > 1 else 0.0
    out[0], out[1], out[2] = mean, math.sqrt(max(1.0, scattered) / total), used


@compiled
def legs(numbers: Floats, two_sided: Flags, traded: Floats, call: int, put: int, quoted: bool, out: Floats) -> bool:  # noqa: FBT001
    """Call, put and their spreads, from two sane quotes or, if no strike has them, from two trades; False without."""
    if min(call, put) == ABSENT:
        return False
    if quoted:
        out[0] = 0.5 * (numbers[BID, call] + numbers[ASK, call])
        out[1] = 0.5 * (numbers[BID, put] + numbers[ASK, put])
        out[2], out[3] = numbers[ASK, call] - numbers[BID, call], numbers[ASK, put] - numbers[BID, put]
        return bool(two_sided[call] and two_sided[put])
    out[0], out[1] = traded[call], traded[put]
    out[2] = out[3] = LAST_DOUBT * max(out[0], out[1])
    return math.isfinite(out[0]) and math.isfinite(out[1])


@compiled
def parity_rows(
    numbers: Floats, two_sided: Flags, traded: Floats, strikes: Ints, calls: Ints, puts: Ints, edges: Ints,
    discounts: Floats, out: Floats,
) -> None:  # fmt: skip
    """A row of forward, error and pairs used per expiry; NaN, NaN and 0 without a pair. Arrays as in `figure_rows`."""
    for g in range(edges.size - 1):
        first, size = edges[g], edges[g + 1] - edges[g]
        quoted = False
        for i in range(first, edges[g + 1]):
            both = calls[i] != ABSENT and puts[i] != ABSENT
            quoted = quoted or (both and two_sided[calls[i]] and two_sided[puts[i]])
        gap, implied, doubt, leg = np.full(size, math.inf), np.empty(size), np.empty(size), np.empty(4)
        count = 0
        for i in range(size):
            if legs(numbers, two_sided, traded, calls[first + i], puts[first + i], quoted, leg):
                count += 1
                gap[i] = abs(leg[0] - leg[1])
                implied[i] = strikes[first + i] / 100 + (leg[0] - leg[1]) / discounts[g]
                doubt[i] = max(math.hypot(leg[2], leg[3]) / (2.0 * discounts[g]), FINEST)
        nearest = np.argsort(gap, kind="mergesort")[: min(count, PAIRS)]
        if nearest.size:
            parity_row(implied[nearest], doubt[nearest], out[g])
        else:
            out[g, 0], out[g, 1], out[g, 2] = math.nan, math.nan, 0.0


def warm() -> None:
    """Call each kernel once, with one pair and with an expiry that has no contract."""
    nothing, edges = np.empty(0, np.int64), np.zeros(2, np.int64)
    parity_row(np.ones(1), np.ones(1), np.empty(3))
    parity_rows(np.empty((7, 0)), np.empty(0, np.bool_), np.empty(0), nothing, nothing, nothing, edges, np.ones(1),
                np.empty((1, 3)))  # fmt: skip
