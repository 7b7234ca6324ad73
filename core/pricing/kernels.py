"""The compiled loops for price and Greeks: 64 rows at a time, through a scratch that stays in the first cache.

A kernel takes six columns (float64, C-ordered, read-only, of n entries or of one that stands for all), its outputs
and the rows start…stop that are its share. So it has exactly one compiled signature, whatever the caller's
arrays were, and nothing compiles once `core.pricing.warm()` has run. A block is always computed whole, its end filled
up, so that a row takes the same instructions wherever it stands: its neighbours cannot change a bit of it.

The tails are those of `lanes`; with h = |ln(F/K)|/σ√T and t = σ√T/2 the out-of-the-money price is, undiscounted,
½·F·exp(−d₁²/2)·(erfcx((h − t)/√2) − erfcx((h + t)/√2)), and for h < t the smaller of F and K minus the same sum.
"""

# ruff: noqa: PLR0917 the six arguments of Black-76, then what the kernels share

import math

import numpy as np
from numpy.typing import NDArray

from core.pricing.lanes import (
    INV_SQRT_2PI,
    SQRT_HALF,
    compiled,
    erfcx_pair,
    exp_of,
    finite,
    inlined,
    log_ratio,
)

BUILT_FROM = "8705cacea67d31ce"  # digest of the files imported above, for numba's cache

Floats = NDArray[np.float64]

BLOCK = 64  # a larger scratch crowds out the columns that stream by: 256 is a tenth slower on a million rows
KIND, FORWARD, STRIKE, YEARS, VOL, DISCOUNT = (row * BLOCK for row in range(6))
FIRST_OUT = 6 * BLOCK
DELTA, GAMMA, THETA, VEGA, RHO = (row * BLOCK for row in range(6, 11))
VALUE, SHARE, DENSITY, GROWTH, ROOT = DELTA, GAMMA, THETA, VEGA, RHO  # each is read before it is written over
DISTANCE, TOTAL, EACH = (row * BLOCK for row in range(11, 14))
PER_DAY = 1 / 365.0
PER_POINT = 0.01  # of vol or of rate


@inlined
def load(scratch: Floats, at: int, column: Floats, first: int, count: int) -> None:
    """Fill a row of the scratch: with the column's one entry, or with its share of the block and zeros."""
    if column.size == 1:
        for j in range(BLOCK):
            scratch[at + j] = column[0]
    else:
        part = column[first : first + count]
        for j in range(part.size):
            scratch[at + j] = part[j]
        for j in range(count, BLOCK):
            scratch[at + j] = 0.0


@inlined
def load_all(
    s: Floats, a: Floats, b: Floats, c: Floats, d: Floats, e: Floats, f: Floats, first: int, count: int
) -> None:
    """Six columns into the first six rows of the scratch. One by one: a loop over them is not seen through by LLVM."""
    load(s, KIND, a, first, count)
    load(s, FORWARD, b, first, count)
    load(s, STRIKE, c, first, count)
    load(s, YEARS, d, first, count)
    load(s, VOL, e, first, count)
    load(s, DISCOUNT, f, first, count)


@inlined
def store(scratch: Floats, at: int, out: Floats, first: int, count: int) -> None:
    """A row of the scratch into the block's part of `out`."""
    part = out[first : first + count]
    for j in range(part.size):
        part[j] = scratch[at + j]


@inlined
def store_all(s: Floats, a: Floats, b: Floats, c: Floats, d: Floats, e: Floats, first: int, count: int) -> None:
    """The five rows of results."""
    store(s, DELTA, a, first, count)
    store(s, GAMMA, b, first, count)
    store(s, THETA, c, first, count)
    store(s, VEGA, d, first, count)
    store(s, RHO, e, first, count)


@inlined
def usable(kind: float, forward: float, strike: float, years: float, vol: float, discount: float) -> bool:
    inside = (abs(kind) == 1.0) & (forward > 0.0) & (strike > 0.0) & (discount > 0.0) & (vol >= 0.0)
    return inside & finite(forward + strike + years + vol + discount)


@inlined
def bell_of(forward: float, strike: float, h: float, t: float) -> float:
    """F·√(2π)·n(d₁)."""
    d1 = h - t if forward < strike else h + t
    return forward * exp_of(-0.5 * d1 * d1)


@inlined
def tails(forward: float, strike: float, h: float, t: float, bell: float) -> tuple[float, float]:
    """Undiscounted, of the call where F < K and else of the put: value, and F·N(θd₁)."""
    near, far = h - t, h + t
    near_tail, far_tail = erfcx_pair(abs(near) * SQRT_HALF, far * SQRT_HALF)
    below = forward < strike
    beyond = near >= 0.0
    least = 0.0 if beyond else (forward if below else strike)
    signed = near_tail if beyond else -near_tail
    part = 0.5 * bell * far_tail
    near_part = least + 0.5 * bell * signed
    value = least + 0.5 * bell * (signed - far_tail)
    return value, (near_part if below else part)


@inlined
def price_lanes(s: Floats) -> None:
    for j in range(BLOCK):
        kind, forward, strike = s[KIND + j], s[FORWARD + j], s[STRIKE + j]
        years, vol, discount = s[YEARS + j], s[VOL + j], s[DISCOUNT + j]
        total = vol * math.sqrt(max(years, 0.0))
        live = total > 0.0
        total = total if live else 1.0
        h, t = abs(log_ratio(forward, strike)) / total, 0.5 * total
        outside, _ = tails(forward, strike, h, t, bell_of(forward, strike, h, t))
        inside = kind * (forward - strike)
        value = max(0.0, inside) + (outside if live else 0.0)
        value *= discount
        s[FIRST_OUT + j] = value if usable(kind, forward, strike, years, vol, discount) else math.nan


@compiled
def price_rows(
    kind: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, discount: Floats,
    out: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """out: price, shape (n,)."""
    s = np.empty(7 * BLOCK)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        load_all(s, kind, forward, strike, years, vol, discount, first, count)
        price_lanes(s)
        store(s, FIRST_OUT, out, first, count)


@inlined
def greeks_geometry(s: Floats) -> None:
    """What depends on the inputs alone. Several loops, since one would need more registers than there are."""
    for j in range(BLOCK):
        forward, years = s[FORWARD + j], max(s[YEARS + j], 0.0)
        root = math.sqrt(years)
        total = s[VOL + j] * root
        live = total > 0.0
        total = total if live else 1.0
        lasting = years if years > 0.0 else 1.0
        each = 1.0 / (forward * total * lasting)
        s[DISTANCE + j] = abs(log_ratio(forward, s[STRIKE + j])) * (forward * lasting * each)
        s[GROWTH + j] = -log_ratio(s[DISCOUNT + j], 1.0)
        s[TOTAL + j] = total
        s[ROOT + j] = root
        s[EACH + j] = each


@inlined
def greeks_tails(s: Floats) -> None:
    for j in range(BLOCK):
        s[DENSITY + j] = bell_of(s[FORWARD + j], s[STRIKE + j], s[DISTANCE + j], 0.5 * s[TOTAL + j])
    for j in range(BLOCK):
        bell = s[DENSITY + j]
        value, share = tails(s[FORWARD + j], s[STRIKE + j], s[DISTANCE + j], 0.5 * s[TOTAL + j], bell)
        live = s[VOL + j] * s[ROOT + j] > 0.0
        s[VALUE + j] = value if live else 0.0
        s[SHARE + j] = share
        s[DENSITY + j] = s[DISCOUNT + j] * INV_SQRT_2PI * bell if live else 0.0


@inlined
def greeks_lanes(s: Floats) -> None:
    for j in range(BLOCK):
        kind, forward, strike = s[KIND + j], s[FORWARD + j], s[STRIKE + j]
        years, discount = max(s[YEARS + j], 0.0), s[DISCOUNT + j]
        root, total, each, density = s[ROOT + j], s[TOTAL + j], s[EACH + j], s[DENSITY + j]
        lasting = years if years > 0.0 else 1.0
        per_forward = total * lasting * each
        inside = kind * (forward - strike)
        value = discount * (max(0.0, inside) + s[VALUE + j])
        chance = s[SHARE + j] * per_forward
        in_money = (kind > 0.0) != (forward < strike)
        step = 1.0 if inside > 0.0 else 0.0
        moved = (1.0 - chance if in_money else chance) if s[VOL + j] * root > 0.0 else step
        decay = (s[GROWTH + j] * value - 0.5 * density * total) * (forward * total * each) * PER_DAY
        ok = usable(kind, forward, strike, s[YEARS + j], s[VOL + j], discount)
        s[DELTA + j] = kind * discount * moved + 0.0 if ok else math.nan  # −0 is 0
        s[GAMMA + j] = density * per_forward * per_forward * (forward * lasting * each) if ok else math.nan
        s[THETA + j] = (decay if years > 0.0 else 0.0) if ok else math.nan
        s[VEGA + j] = density * root * PER_POINT if ok else math.nan
        s[RHO + j] = -years * value * PER_POINT + 0.0 if ok else math.nan


@compiled
def greeks_rows(
    kind: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, discount: Floats,
    delta: Floats, gamma: Floats, theta: Floats, vega: Floats, rho: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """Outputs of shape (n,)."""
    s = np.empty(14 * BLOCK)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        load_all(s, kind, forward, strike, years, vol, discount, first, count)
        greeks_geometry(s)
        greeks_tails(s)
        greeks_lanes(s)
        store_all(s, delta, gamma, theta, vega, rho, first, count)


@inlined
def higher_lanes(s: Floats) -> None:
    for j in range(BLOCK):
        kind, forward, strike, vol = s[KIND + j], s[FORWARD + j], s[STRIKE + j], s[VOL + j]
        years, discount, root = max(s[YEARS + j], 0.0), s[DISCOUNT + j], s[ROOT + j]
        total, each, density = s[TOTAL + j], s[EACH + j], s[DENSITY + j]
        lasting = years if years > 0.0 else 1.0
        live = vol * root > 0.0
        below = forward < strike
        h, t = s[DISTANCE + j], 0.5 * total
        d1, d2 = (t - h if below else h + t), (-h - t if below else h - t)
        per_forward, per_total, per_year = total * lasting * each, forward * lasting * each, forward * total * each
        per_vol = root * per_total
        chance = s[SHARE + j] * per_forward
        outside = 1.0 - chance if (kind > 0.0) != below else chance
        inside = kind * (forward - strike)
        delta = kind * discount * (outside if live else (1.0 if inside > 0.0 else 0.0))
        bell = density * per_forward
        gamma = bell * per_forward * per_total
        charm = (s[GROWTH + j] * delta + 0.5 * bell * d2) * per_year * PER_DAY
        ok = usable(kind, forward, strike, s[YEARS + j], vol, discount)
        live_gamma = gamma if live else 0.0
        s[DELTA + j] = (-bell * d2 * per_vol * PER_POINT if live else 0.0) if ok else math.nan
        s[GAMMA + j] = (density * root * d1 * d2 * per_vol * PER_POINT**2 if live else 0.0) if ok else math.nan
        s[THETA + j] = (charm if years > 0.0 else 0.0) if ok else math.nan
        s[VEGA + j] = -live_gamma * (d1 * per_total + 1.0) * per_forward if ok else math.nan
        s[RHO + j] = live_gamma * (d1 * d2 - 1.0) * per_vol * PER_POINT if ok else math.nan


@compiled
def higher_rows(
    kind: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, discount: Floats,
    vanna: Floats, volga: Floats, charm: Floats, speed: Floats, zomma: Floats, start: int, stop: int,
) -> None:  # fmt: skip
    """Outputs of shape (n,)."""
    s = np.empty(14 * BLOCK)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        load_all(s, kind, forward, strike, years, vol, discount, first, count)
        greeks_geometry(s)
        greeks_tails(s)
        higher_lanes(s)
        store_all(s, vanna, volga, charm, speed, zomma, first, count)
