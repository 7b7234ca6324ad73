"""The compiled loop for implied vol: 64 rows at a time, through a scratch that stays in the first cache.

Each row becomes an out-of-the-money call of time value o on x = −|ln(F/K)| (normalisation after P. Jäckel, "Let's be
rational", Wilmott 2015). The first guess is the vol of the normal (Bachelier) model, in the form of J. Choi, K. Kim and
M. Kwak, "Numerical approximation of the implied volatility under arithmetic Brownian motion", Applied Mathematical
Finance 16 (2009), carried over to Black's by the expansion of P. Hagan et al., "Managing smile risk", Wilmott 2002,
eq. B.64: the two coefficients here are our own fits, and the guess is within 1e-4 wherever σ√T < 2. Then come steps of
Householder's third order, on ln(price) below the price's inflexion σ√T = √(2|x|) and on ln(maximum − price) above
it, so that neither needs an exp. Every block takes one step; another only if a row of it moved by more than LAST_STEP,
which the step after would square twice. What is not done after STEPS goes to `solve`, one row at a time.
"""

# ruff: noqa: PLR0917 the six arguments of Black-76, then what the kernels share

import math

import numpy as np
from numpy.typing import NDArray

from core.pricing.kernels import BLOCK, load_all
from core.pricing.lanes import SQRT_HALF, compiled, erfcx_pair, finite, inlined, log_ratio, polynomial
from core.pricing.reason import Reason

BUILT_FROM = "4c7b8d40bcec9620"  # digest of the files imported above, for numba's cache

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

STEPS = 4
LAST_STEP = 1e-4  # relative; the step after it would be its fourth power, which is below rounding
SQRT_HALF_PI = math.sqrt(0.5 * math.pi)

# √(2/π)·(normal vol)/(straddle·√η) in η = v/atanh(v), v = |F − K|/straddle: a quotient of two polynomials, to 1.2e-5
normal_top = polynomial((3.99181644e-01, 4.68945335e01, 5.72715724e02, 9.34016484e02, 3.09651154e03, 4.83160618e03))
normal_bottom = polynomial((1.0, 1.14494761e02, 1.18793074e03, 4.03364598e02, 6.35060496e03, 1.42475394e03))
# Black's vol over the normal one at the money, in the square of the latter
carry_top = polynomial((1.0, -3.16416726e-01, 2.89620680e-02, -6.17814747e-04))
carry_bottom = polynomial((1.0, -3.58049340e-01, 4.01783700e-02, -1.35356000e-03))
CARRY_END = 6.15  # of 2π

FAR = 2.0**1000

ROUNDS = 100  # of `solve`: three to six, and bisection in the far corners
LAST_ROUND = 1e-6

OK, NOT_A_NUMBER, NO_TIME = float(Reason.OK), float(Reason.NOT_A_NUMBER), float(Reason.NO_TIME)
OUT_OF_DOMAIN, NOT_CONVERGED = float(Reason.OUT_OF_DOMAIN), float(Reason.NOT_CONVERGED)
BELOW_INTRINSIC, ABOVE_MAXIMUM = float(Reason.BELOW_INTRINSIC), float(Reason.ABOVE_MAXIMUM)

KIND, PRICE, FORWARD, STRIKE, YEARS, DISCOUNT, REASON, DISTANCE, SCALE, VALUE, REST, TOTAL, MOVED = (
    row * BLOCK for row in range(13)
)
ROWS = 13


@inlined
def judge(s: Floats) -> None:
    """The reason of every row, its time value, and what the price could still rise by."""
    for j in range(BLOCK):
        kind, price, forward, strike = s[KIND + j], s[PRICE + j], s[FORWARD + j], s[STRIKE + j]
        years, discount = s[YEARS + j], s[DISCOUNT + j]
        undiscounted = price / discount
        inside = kind * (forward - strike)
        value = undiscounted - max(0.0, inside)
        rest = (forward if kind > 0.0 else strike) - undiscounted
        reason = OK
        reason = ABOVE_MAXIMUM if rest <= 0.0 else reason
        reason = BELOW_INTRINSIC if value <= 0.0 else reason
        reason = NO_TIME if years <= 0.0 else reason
        domain = (abs(kind) == 1.0) & (forward > 0.0) & (strike > 0.0) & (discount > 0.0)
        reason = reason if domain else OUT_OF_DOMAIN
        reason = reason if finite(kind + price + forward + strike + years + discount) else NOT_A_NUMBER
        s[REASON + j] = reason
        s[VALUE + j] = value
        s[REST + j] = rest
        s[SCALE + j] = math.sqrt(forward * strike)
        s[DISTANCE + j] = abs(log_ratio(forward, strike))


@inlined
def guess(s: Floats) -> None:
    for j in range(BLOCK):
        value, distance, scale = s[VALUE + j], s[DISTANCE + j], s[SCALE + j]
        apart = abs(s[FORWARD + j] - s[STRIKE + j])
        straddle = 2.0 * value + apart
        away = apart > 0.0
        eta = 2.0 * apart / (straddle * log_ratio(value + apart, value))
        eta = eta if away else 1.0
        per_point = (distance if away else 1.0) / (apart if away else scale)
        normal = SQRT_HALF_PI * straddle * per_point * math.sqrt(eta) * normal_top(eta) / normal_bottom(eta)
        square = normal * normal * (1.0 - distance * distance / 120.0)
        square = max(0.0, square)
        square = min(CARRY_END, square)
        s[TOTAL + j] = normal * carry_top(square) / carry_bottom(square)
        s[MOVED + j] = math.inf


@inlined
def householder(miss: float, tail: float, h: float, t: float, per_total: float) -> float:
    """The step in total vol that ln(price) being `miss` too high asks for, or ln(maximum − price) where h < t."""
    below = h >= t
    rate = (1.0 if below else -1.0) / (SQRT_HALF_PI * tail)
    newton = (-miss if below else miss) * (SQRT_HALF_PI * tail)
    bend = (h * h - t * t) * per_total
    twist = bend * bend - 3.0 * h * h * per_total * per_total - 0.25
    second = bend - rate
    third = twist - 3.0 * bend * rate + 2.0 * rate * rate
    return newton * (1.0 + 0.5 * newton * second) / (1.0 + newton * (second + newton * third * (1.0 / 6.0)))


@inlined
def step(s: Floats) -> None:
    """One step of every row; MOVED is how far it went, relative."""
    for j in range(BLOCK):
        distance, total, before = s[DISTANCE + j], s[TOTAL + j], s[MOVED + j]
        value, rest, scale = s[VALUE + j], s[REST + j], s[SCALE + j]
        per_total = 1.0 / total
        h, t = distance * per_total, 0.5 * total
        near = h - t
        below = near >= 0.0
        near_tail, far_tail = erfcx_pair(abs(near) * SQRT_HALF, (h + t) * SQRT_HALF)
        tail = near_tail + (-far_tail if below else far_tail)
        target = value if below else rest
        miss = log_ratio(0.5 * tail * scale, target) - 0.5 * (h * h + t * t)
        moved = householder(miss, tail, h, t, per_total)
        moved = moved if value * FAR >= scale else math.nan  # the log of a ratio beyond it is for `solve`
        done = before <= LAST_STEP  # a row that is there stays, whatever its neighbours still need
        s[TOTAL + j] = total if done else total + moved
        s[MOVED + j] = before if done else abs(moved) * per_total


@inlined
def unsettled(s: Floats) -> int:
    """How many rows have a vol that still moves. In the loop of `step` this sum would stop it from being vectorised."""
    count = 0
    for j in range(BLOCK):
        count += (s[REASON + j] == OK) & (not s[MOVED + j] <= LAST_STEP)
    return count


@compiled
def solve(distance: float, value: float, rest: float, total: float) -> float:
    """Total vol from the logarithms of price and rest over √(F·K), from `total` if that is one; NaN if none is met.

    The steps of the lanes, kept inside a bracket; libm's log, which also knows subnormal prices.
    """
    low, high = 0.0, math.inf
    if not 0.0 < total < math.inf:
        total = math.sqrt(2.0 * distance) if distance > 0.0 else 1.0
    for _ in range(ROUNDS):
        h, t = distance / total, 0.5 * total
        below = h >= t
        near_tail, far_tail = erfcx_pair(abs(h - t) * SQRT_HALF, (h + t) * SQRT_HALF)
        tail = near_tail + (-far_tail if below else far_tail)
        if tail > 0.0:
            miss = math.log(0.5 * tail) - (value if below else rest) - 0.5 * (h * h + t * t)
            moved = householder(miss, tail, h, t, 1.0 / total)
        else:
            miss, moved = -math.inf, math.nan
        if (miss > 0.0) == below:
            high = min(high, total)
        else:
            low = max(low, total)
        trial = total + moved
        if abs(moved) <= LAST_ROUND * total:
            return trial
        if not low < trial < high:  # NaN falls here too
            trial = 2.0 * low if math.isinf(high) else (math.sqrt(low * high) if low > 0.0 else 0.1 * high)
        total = trial
    return math.nan


@compiled
def rescue(s: Floats) -> None:
    """Solve the rows that still move, one by one."""
    for j in range(BLOCK):
        if s[REASON + j] == OK and not s[MOVED + j] <= LAST_STEP:
            scale = math.log(s[SCALE + j])
            value, rest = math.log(s[VALUE + j]) - scale, math.log(s[REST + j]) - scale
            s[TOTAL + j] = solve(s[DISTANCE + j], value, rest, s[TOTAL + j])
            s[REASON + j] = OK if math.isfinite(s[TOTAL + j]) else NOT_CONVERGED


@inlined
def finish(s: Floats) -> None:
    for j in range(BLOCK):
        vol = s[TOTAL + j] / math.sqrt(s[YEARS + j])
        s[TOTAL + j] = vol if s[REASON + j] == OK else math.nan


@compiled
def implied_vol_rows(
    kind: Floats, price: Floats, forward: Floats, strike: Floats, years: Floats, discount: Floats,
    vol: Floats, reason: Codes, start: int, stop: int,
) -> None:  # fmt: skip
    """Inputs as for every kernel (core.pricing.kernels), the price in the place of the vol. vol, reason: shape (n,)."""
    s = np.empty(ROWS * BLOCK)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        load_all(s, kind, price, forward, strike, years, discount, first, count)
        judge(s)
        guess(s)
        for _ in range(STEPS):
            step(s)
            if unsettled(s) == 0:
                break
        else:
            rescue(s)
        finish(s)
        vols, reasons = vol[first : first + count], reason[first : first + count]
        for j in range(vols.size):
            vols[j] = s[TOTAL + j]
            reasons[j] = np.int8(s[REASON + j])
