"""The compiled loops: Black-76 price, implied vol and Greeks, one row after the other, on one thread.

Every kernel takes one packed C-ordered float64 array of inputs, a column per contract, and fills one packed float64
array of outputs. So each has exactly one compiled signature, whatever the caller's arrays were, and nothing compiles
once `core.pricing.warm()` has run. All kernels live in this one file because numba's cache notices a change of the
file a kernel is in, and not of the files it calls into.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from core.pricing.reason import Reason

Floats = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., object])

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
DAYS = 365.0
ROUNDS = 64  # Halley needs three to six; the rest is for bisection in the far corners
LAST_STEP = 1e-9  # relative; Halley converges to the third order, so the step after this one is below rounding

ROUNDING = 4e-16  # two units in the last place of 1
ENOUGH = 1e-3  # a price must be this much above its rounding

OK = int(Reason.OK)
NOT_A_NUMBER = int(Reason.NOT_A_NUMBER)
NO_TIME = int(Reason.NO_TIME)
OUT_OF_DOMAIN = int(Reason.OUT_OF_DOMAIN)
BELOW_INTRINSIC = int(Reason.BELOW_INTRINSIC)
ABOVE_MAXIMUM = int(Reason.ABOVE_MAXIMUM)
NOT_CONVERGED = int(Reason.NOT_CONVERGED)


def compiled(function: F) -> F:
    return cast("F", numba.njit(cache=True)(function))


@compiled
def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * SQRT_HALF)


@compiled
def normal_pdf(x: float) -> float:
    return INV_SQRT_2PI * math.exp(-0.5 * x * x)


@compiled
def usable(kind: float, forward: float, strike: float, years: float, discount: float) -> int:
    """Reason why a row cannot be priced at all, OK if it can; years ≤ 0 is the caller's to judge."""
    if not math.isfinite(kind + forward + strike + years + discount):
        return NOT_A_NUMBER
    if abs(kind) != 1.0 or forward <= 0.0 or strike <= 0.0 or discount <= 0.0:
        return OUT_OF_DOMAIN
    return OK


@compiled
def price_rows(rows: Floats, out: Floats) -> None:
    """rows: kind, forward, strike, years, vol, discount. out: price."""
    for i in range(rows.shape[1]):
        kind, forward, strike, years, vol, discount = (
            rows[0, i],
            rows[1, i],
            rows[2, i],
            rows[3, i],
            rows[4, i],
            rows[5, i],
        )
        out[0, i] = math.nan
        if usable(kind, forward, strike, years, discount) != OK or not vol >= 0.0 or math.isinf(vol):
            continue
        total = vol * math.sqrt(max(years, 0.0))
        if total <= 0.0:
            out[0, i] = discount * max(kind * (forward - strike), 0.0)
            continue
        d1 = math.log(forward / strike) / total + 0.5 * total
        out[0, i] = discount * kind * (forward * normal_cdf(kind * d1) - strike * normal_cdf(kind * (d1 - total)))


@compiled
def greeks_rows(rows: Floats, out: Floats) -> None:
    """rows: kind, forward, strike, years, vol, discount. out: delta, gamma, theta, vega, rho."""
    for i in range(rows.shape[1]):
        kind, forward, strike, years, vol, discount = (
            rows[0, i],
            rows[1, i],
            rows[2, i],
            rows[3, i],
            rows[4, i],
            rows[5, i],
        )
        for j in range(5):
            out[j, i] = math.nan
        if usable(kind, forward, strike, years, discount) != OK or not vol >= 0.0 or math.isinf(vol):
            continue
        years = max(years, 0.0)
        root = math.sqrt(years)
        total = vol * root
        rate = -math.log(discount) / years if years > 0.0 else 0.0
        if total <= 0.0:  # settled, or a world without noise: worth its intrinsic value, discounted
            value = discount * max(kind * (forward - strike), 0.0)
            out[0, i] = kind * discount if value > 0.0 else 0.0
            out[1, i] = 0.0
            out[2, i] = rate * value / DAYS
            out[3, i] = 0.0
            out[4, i] = -years * value * 0.01
            continue
        d1 = math.log(forward / strike) / total + 0.5 * total
        in_delta = normal_cdf(kind * d1)
        density = normal_pdf(d1)
        value = discount * kind * (forward * in_delta - strike * normal_cdf(kind * (d1 - total)))
        out[0, i] = kind * discount * in_delta
        out[1, i] = discount * density / (forward * total)
        out[2, i] = (rate * value - discount * forward * density * vol / (2.0 * root)) / DAYS
        out[3, i] = discount * forward * density * root * 0.01
        out[4, i] = -years * value * 0.01


@compiled
def normalised(x: float, total: float) -> float:
    """Undiscounted out-of-the-money price over √(F·K), for x = −|ln(F/K)| and total vol σ√T."""
    h, t = x / total, 0.5 * total
    return math.exp(0.5 * x) * normal_cdf(h + t) - math.exp(-0.5 * x) * normal_cdf(h - t)


@compiled
def first_guess(x: float, target: float, bend: float, at_bend: float) -> float:
    """Total vol to start from: the tangent at the inflexion above it, the asymptotic form of ln b below it."""
    if target >= at_bend:
        return bend + (target - at_bend) / (INV_SQRT_2PI * math.exp(0.5 * x))
    # ln b ≈ −x²/2s² + ln(s³/(x²√2π)): two rounds of the dominant balance
    total = min(-x / math.sqrt(max(-2.0 * math.log(target), 1e-300)), bend)
    balance = -2.0 * (math.log(target) - math.log(total * total * total / (x * x) * INV_SQRT_2PI))
    return min(-x / math.sqrt(balance), bend) if balance > 0.0 else total


@compiled
def solve(x: float, target: float) -> float:
    """Total vol at which `normalised(x, total)` is `target`, which lies inside (0, e^{x/2}); NaN if none is met.

    Newton with Halley's correction, kept inside a bracket. Below the inflexion √(2|x|) the price is so flat that the
    iteration runs on its logarithm; above it on the price itself.
    """
    bend = math.sqrt(-2.0 * x)
    at_bend = normalised(x, bend) if bend > 0.0 else 0.0
    in_log = target < at_bend
    low, high = (0.0, bend) if in_log else (bend, math.inf)
    total = first_guess(x, target, bend, at_bend)
    wanted = math.log(target)
    for _ in range(ROUNDS):
        value = normalised(x, total)
        h, t = x / total, 0.5 * total
        slope = INV_SQRT_2PI * math.exp(-0.5 * (h * h + t * t))
        bending = h * h / total - 0.25 * total
        if in_log and value > 0.0:
            miss = math.log(value) - wanted
            slope = slope / value
            bending = bending - slope
        else:
            miss = value - target
        if miss > 0.0:
            high = min(high, total)
        else:
            low = max(low, total)
        if miss == 0.0:
            return total
        step = math.nan
        if slope > 0.0:
            newton = -miss / slope
            correction = 1.0 + 0.5 * newton * bending
            step = newton / correction if correction > 0.5 else newton
        trial = total + step
        if abs(step) <= LAST_STEP * total:
            return trial
        if not low < trial < high:  # NaN falls here too
            trial = 2.0 * total if math.isinf(high) else (0.5 * (low + high) if low > 0.0 else 0.1 * high)
        total = trial
    # The steps never got small: the price is flat to rounding here. A vol that meets it to rounding is as good as
    # any, unless the whole price is little more than rounding.
    rounding = ROUNDING * math.exp(-0.5 * x)
    met = abs(normalised(x, total) - target) <= rounding <= ENOUGH * target
    return total if met else math.nan


@compiled
def implied_vol_rows(rows: Floats, out: Floats) -> None:
    """rows: kind, price, forward, strike, years, discount. out: vol, reason."""
    for i in range(rows.shape[1]):
        kind, price, forward, strike, years, discount = (
            rows[0, i],
            rows[1, i],
            rows[2, i],
            rows[3, i],
            rows[4, i],
            rows[5, i],
        )
        out[0, i] = math.nan
        reason = usable(kind, forward, strike, years, discount)
        if not math.isfinite(price):
            reason = NOT_A_NUMBER
        if reason == OK and years <= 0.0:
            reason = NO_TIME
        if reason != OK:
            out[1, i] = reason
            continue
        undiscounted = price / discount
        time_value = undiscounted - max(kind * (forward - strike), 0.0)
        x = -abs(math.log(forward / strike))
        target = time_value / (math.sqrt(forward) * math.sqrt(strike))
        if time_value <= 0.0 or target <= 0.0:
            out[1, i] = BELOW_INTRINSIC
        elif undiscounted >= (forward if kind > 0.0 else strike) or target >= math.exp(0.5 * x):
            out[1, i] = ABOVE_MAXIMUM
        else:
            out[0, i] = solve(x, target) / math.sqrt(years)
            out[1, i] = OK if math.isfinite(out[0, i]) else NOT_CONVERGED
