"""The compiled fit of one SVI slice.

A slice in the raw parameters a, b, ρ, m, σ is w(k) = a + b·(ρ(k − m) + √((k − m)² + σ²)). Inside, b and ρ are carried
as the two wings u = bσ(1 + ρ) and v = bσ(1 − ρ): with y = (k − m)/σ and z = √(y² + 1), w = a + u(z + y)/2 + v(z − y)/2
is linear in a, u and v, and the bounds on the slopes of the wings, 0 ≤ b(1 ± ρ) ≤ 2 (R. Lee, "The moment formula for
implied volatility at extreme strikes", 2004), are a box. So for given m and σ the best a, u, v solve a least-squares
problem, two of its unknowns in a box, exactly, and the search is over m and σ alone (S. De Marco & C. Martini, Zeliade,
"Quasi-explicit calibration of Gatheral's SVI model", 2009).
"""

# ruff: noqa: PLR0917 a kernel takes its arrays one after the other

import math

import numpy as np
from numpy.typing import NDArray

from core.pricing.lanes import compiled_strictly

BUILT_FROM = "8705cacea67d31ce"  # digest of the files imported above, for numba's cache

Floats = NDArray[np.float64]

STEEPEST = 2.0  # slope of a wing of total variance, Lee
MARGIN = 1e-3  # of g, so that what is repaired on a grid holds between its points
LEAST = 0.01  # of the least quoted total variance: a slice stays above it where it is checked
PENALTIES = (1e2, 1e4, 1e6)  # on squared violations; as it rises what is left of them falls
GRID = 9  # starts in m and in σ each
SINGULAR = 1e-12  # of the product of two variances


@compiled_strictly
def kept(x: float, high: float) -> float:
    return min(max(x, 0.0), high)


@compiled_strictly
def inside(x: Floats, box: Floats) -> Floats:
    """The point of the box nearest to x; box: least and greatest of each coordinate, one pair after the other."""
    point = np.empty(x.size)
    for i in range(x.size):
        point[i] = min(max(x[i], box[2 * i]), box[2 * i + 1])
    return point


@compiled_strictly
def wings(pp: float, rr: float, pr: float, pw: float, rw: float, high: float) -> tuple[float, float]:
    """The u and v in 0…high that minimise pp·u² + 2pr·uv + rr·v² − 2pw·u − 2rw·v, a sum of squares.

    Where the minimum lies outside the box, it is on an edge: each edge has one unknown, and its best is kept inside.
    """
    determinant = pp * rr - pr * pr
    if determinant > SINGULAR * pp * rr:
        u, v = (rr * pw - pr * rw) / determinant, (pp * rw - pr * pw) / determinant
        if 0.0 <= u <= high and 0.0 <= v <= high:
            return u, v
    best, best_u, best_v = math.inf, 0.0, 0.0
    for edge in range(4):
        held = high if edge % 2 else 0.0
        if edge < 2:
            u, v = held, kept((rw - pr * held) / rr, high) if rr > 0.0 else 0.0
        else:
            u, v = kept((pw - pr * held) / pp, high) if pp > 0.0 else 0.0, held
        value = pp * u * u + 2.0 * pr * u * v + rr * v * v - 2.0 * (pw * u + rw * v)
        if value < best:
            best, best_u, best_v = value, u, v
    return best_u, best_v


@compiled_strictly
def best_linear(x: Floats, points: Floats, linear: Floats) -> float:
    """Best a, u, v for x = (m, ln σ), into `linear`; returns the weighted sum of squares of what is left."""
    m, sigma = x[0], math.exp(x[1])
    p, r, w, pp, rr, pr, pw, rw, ww = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(points.shape[1]):
        y = (points[0, i] - m) / sigma
        z = math.sqrt(y * y + 1.0)
        right, left, level, q = 0.5 * (z + y), 0.5 * (z - y), points[1, i], points[2, i]
        p += q * right
        r += q * left
        w += q * level
        pp += q * right * right
        rr += q * left * left
        pr += q * right * left
        pw += q * right * level
        rw += q * left * level
        ww += q * level * level
    pp, rr, pr, pw, rw, ww = pp - p * p, rr - r * r, pr - p * r, pw - p * w, rw - r * w, ww - w * w
    u, v = wings(pp, rr, pr, pw, rw, STEEPEST * sigma)
    linear[0], linear[1], linear[2] = w - u * p - v * r, u, v
    return float(max(pp * u * u + 2.0 * pr * u * v + rr * v * v - 2.0 * (pw * u + rw * v) + ww, 0.0))


@compiled_strictly
def broken_at(x: Floats, k: float, level: float, floor: float) -> float:
    """How far a slice breaks its rules at k, squared: w ≥ floor and g ≥ 0."""
    a, u, v, m, sigma = x[0], x[1], x[2], x[3], math.exp(x[4])
    y = (k - m) / sigma
    z = math.sqrt(y * y + 1.0)
    w = a + 0.5 * u * (z + y) + 0.5 * v * (z - y)
    if not w >= floor:
        return float(1.0 + ((floor - w) / level) ** 2)
    slope = (0.5 * u * (y / z + 1.0) + 0.5 * v * (y / z - 1.0)) / sigma
    bend = 0.5 * (u + v) / (z * z * z * sigma * sigma)
    g = (1.0 - 0.5 * k * slope / w) ** 2 - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend
    return float(min(g - MARGIN, 0.0) ** 2)


@compiled_strictly
def penalised(x: Floats, points: Floats, grid: Floats, level: float, penalty: float) -> float:
    """Weighted mean square of the misses over the level, and the penalty on broken rules.

    One of the rules keeps σ below ten times the width of the grid, where a slice is a parabola: it would go on beyond
    all numbers.
    """
    a, u, v, m, sigma = x[0], x[1], x[2], x[3], math.exp(x[4])
    most = STEEPEST * sigma
    outside = min(u, 0.0) ** 2 + min(v, 0.0) ** 2 + max(u - most, 0.0) ** 2 + max(v - most, 0.0) ** 2
    total, floor = 0.0, math.inf
    for i in range(points.shape[1]):
        floor = min(floor, 2.0 * LEAST * points[1, i])
        y = (points[0, i] - m) / sigma
        z = math.sqrt(y * y + 1.0)
        miss = a + 0.5 * u * (z + y) + 0.5 * v * (z - y) - points[1, i]
        total += points[2, i] * miss * miss
    broken = outside / (level * level) + max(x[4] - math.log(10.0 * max(grid[-1] - grid[0], 1e-4)), 0.0) ** 2
    for k in grid:
        broken += broken_at(x, k, level, floor)
    if u > 0.0 and v > 0.0:  # the bottom of the slice, which no grid need meet
        k = m - 0.5 * sigma * (u - v) / math.sqrt(u * v)
        if grid[0] <= k <= grid[-1]:
            broken += broken_at(x, k, level, floor)
    return float(total / (level * level) + penalty * broken)


@compiled_strictly
def objective(x: Floats, points: Floats, grid: Floats, level: float, penalty: float) -> float:
    """Of two unknowns m and ln σ, which stay in the box that `grid` is then, or of all five."""
    if x.size == 2:
        return best_linear(inside(x, grid), points, np.empty(3)) / (level * level)
    return penalised(x, points, grid, level, penalty)


@compiled_strictly
def beyond(centre: Floats, corner: Floats, factor: float) -> Floats:
    """The point on the line through centre and corner, `factor` times as far from the centre as the corner."""
    point = np.empty(centre.size)
    for i in range(centre.size):
        point[i] = centre[i] + factor * (corner[i] - centre[i])
    return point


@compiled_strictly
def extremes(values: Floats) -> tuple[int, int, int]:
    """Places of the least, the second greatest and the greatest value."""
    least, second, greatest = 0, 0, 0
    for i in range(values.size):
        if values[i] < values[least]:
            least = i
        if values[i] > values[greatest]:
            greatest = i
    second = least
    for i in range(values.size):
        if i != greatest and values[i] > values[second]:
            second = i
    return least, second, greatest


@compiled_strictly
def middle(corners: Floats, without: int) -> Floats:
    """Mean of all corners but one."""
    centre = np.zeros(corners.shape[1])
    for i in range(corners.shape[0]):
        if i != without:
            for j in range(centre.size):
                centre[j] += corners[i, j] / (corners.shape[0] - 1)
    return centre


@compiled_strictly
def downhill(x: Floats, step: Floats, points: Floats, grid: Floats, level: float, penalty: float, rounds: int) -> None:
    """Nelder–Mead from x, which becomes the best point found (J. Nelder & R. Mead, 1965, the standard coefficients)."""
    corners, values = np.empty((x.size + 1, x.size)), np.empty(x.size + 1)
    for i in range(values.size):
        corners[i] = x
        if i > 0:
            corners[i, i - 1] += step[i - 1]
        values[i] = objective(corners[i], points, grid, level, penalty)
    for _ in range(rounds):
        least, second, greatest = extremes(values)
        if values[greatest] - values[least] <= 1e-9 * values[least] + 1e-18:
            break
        centre = middle(corners, greatest)
        trial = beyond(centre, corners[greatest], -1.0)
        value = objective(trial, points, grid, level, penalty)
        limit = math.inf
        if value < values[least]:
            further = beyond(centre, corners[greatest], -2.0)
            at_further = objective(further, points, grid, level, penalty)
            if at_further < value:
                trial, value = further, at_further
        elif value >= values[second]:
            limit = min(value, values[greatest])
            trial = beyond(centre, corners[greatest], -0.5 if value < values[greatest] else 0.5)
            value = objective(trial, points, grid, level, penalty)
        if value < limit:
            corners[greatest], values[greatest] = trial, value
        else:  # nothing better on this line: draw all corners towards the best
            for i in range(values.size):
                corners[i] = beyond(corners[least], corners[i], 0.5)
                values[i] = objective(corners[i], points, grid, level, penalty)
    least, _, _ = extremes(values)
    x[:] = corners[least]


@compiled_strictly
def level_of(points: Floats) -> float:
    """Weighted mean total variance; the weights add up to 1."""
    total = 0.0
    for i in range(points.shape[1]):
        total += float(points[1, i] * points[2, i])
    return total


@compiled_strictly
def fit_slice(points: Floats, out: Floats) -> None:
    """points: k, w and weight, adding up to 1, of at least three quotes. out: a, u, v, m, ln σ."""
    level, low, high = level_of(points), points[0].min(), points[0].max()
    width = max(high - low, 1e-4)
    box = np.array([low - width, high + width, math.log(0.01 * width), math.log(10.0 * width)])
    start, step, trial, best = np.empty(2), np.empty(2), np.empty(2), math.inf
    for i in range(GRID):
        for j in range(GRID):
            trial[0], trial[1] = low + width * i / (GRID - 1), math.log(width) - 0.5 * j
            value = objective(trial, points, box, level, 0.0)
            if value < best:
                best, start[0], start[1] = value, trial[0], trial[1]
    step[0], step[1] = 0.1 * width, 0.25
    downhill(start, step, points, box, level, 0.0, 120)
    out[3:] = inside(start, box)
    best_linear(out[3:], points, out)


@compiled_strictly
def mended(x: Floats, points: Floats, grid: Floats, level: float, width: float) -> float:
    """Move x under rising penalties; returns what it is worth under the last."""
    step = np.empty(5)
    for penalty in PENALTIES:
        step[0], step[1], step[2] = 0.05 * level, 0.05 * x[1] + 0.01 * level, 0.05 * x[2] + 0.01 * level
        step[3], step[4] = 0.05 * width, 0.2
        downhill(x, step, points, grid, level, penalty, 300)
    return penalised(x, points, grid, level, PENALTIES[-1])


@compiled_strictly
def variance_at(x: Floats, k: float) -> float:
    """w(k) of a, u, v, m, ln σ."""
    y = (k - x[3]) / math.exp(x[4])
    z = math.sqrt(y * y + 1.0)
    return float(x[0] + 0.5 * x[1] * (z + y) + 0.5 * x[2] * (z - y))


@compiled_strictly
def refit_slice(points: Floats, grid: Floats, out: Floats) -> None:
    """Move the slice in `out` as little as its quotes like until w > 0 and g ≥ 0 at every k of the grid.

    `out` is as `fit_slice` gives it; what cannot be kept is kept as well as the last penalty makes it, and is the
    caller's to see. A wing that runs to zero just outside the quotes can lead the search astray: where one does and
    the quotes are missed by much more than before, it starts again from a slice with its bottom at that end, and the
    better of both is kept.
    """
    level, low, high = level_of(points), points[0].min(), points[0].max()
    width = max(high - low, 1e-4)
    at_low, at_high = variance_at(out, grid[0]), variance_at(out, grid[-1])
    other = np.empty(5)
    other[3], other[4] = low if at_low < at_high else high, math.log(0.05 * width)
    best_linear(other[3:], points, other)
    before = penalised(out, points, grid, level, 0.0)
    best = mended(out, points, grid, level, width)
    astray = min(at_low, at_high) < LEAST * points[1].min() and best > 2.0 * before
    if astray and mended(other, points, grid, level, width) < best:
        out[:] = other
