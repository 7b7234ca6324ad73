"""Black-76 with mpmath's digits: the judge of every kernel. Rows of options to be judged."""

# ruff: noqa: PLR0917 the six arguments of Black-76

import math
from typing import NamedTuple

import mpmath as mp
import numpy as np

DIGITS = 45
HOUR, THREE_YEARS = 1 / 8760, 3.0


class Rows(NamedTuple):
    """Columns of options, as the arguments of `core.pricing.price`."""

    kind: np.ndarray
    forward: np.ndarray
    strike: np.ndarray
    years: np.ndarray
    vol: np.ndarray
    discount: np.ndarray


def chain(count: int, seed: int = 5) -> Rows:
    """The chain of the benchmarks: forward 25,000, strikes ±10 % every 50, 1 to 60 days, vols 8 to 40 %."""
    rng = np.random.default_rng(seed)
    years = rng.uniform(1, 60, count) / 365
    strike = 50 * np.round(rng.uniform(22_500, 27_500, count) / 50)
    kind, vol = rng.choice([1.0, -1.0], count), rng.uniform(0.08, 0.4, count)
    return Rows(kind, np.full(count, 25_000.0), strike, years, vol, np.exp(-0.06 * years))


def wide(count: int, seed: int = 3) -> Rows:
    """|ln(F/K)| ≤ 2, an hour to three years, vols 1 to 300 %: many are far below the smallest double or a rupee."""
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(math.log(HOUR), math.log(THREE_YEARS), count))
    vol = np.exp(rng.uniform(math.log(0.01), math.log(3), count))
    forward = rng.uniform(1_000, 90_000, count)
    strike = forward * np.exp(rng.uniform(-2, 2, count))
    return Rows(rng.choice([1.0, -1.0], count), forward, strike, years, vol, np.exp(-0.06 * years))


def near(count: int, seed: int = 4) -> Rows:
    """The same, the strikes within a few standard deviations of the forward."""
    rows = wide(count, seed)
    moves = np.random.default_rng(seed + 100).normal(0, 2.5, count) * rows.vol * np.sqrt(rows.years)
    return rows._replace(strike=rows.forward * np.exp(np.clip(moves, -2, 2)))


def normalised(x: mp.mpf, total: mp.mpf) -> mp.mpf:
    h, t = x / total, total / 2
    return mp.exp(x / 2) * mp.ncdf(h + t) - mp.exp(-x / 2) * mp.ncdf(h - t)


def price(kind: float, forward: float, strike: float, years: float, vol: float, discount: float) -> mp.mpf:
    F, K, T, v, D = (mp.mpf(float(number)) for number in (forward, strike, years, vol, discount))
    outside = mp.sqrt(F * K) * normalised(-abs(mp.log(F / K)), v * mp.sqrt(T))
    return D * (outside + max(int(kind) * (F - K), mp.mpf(0)))


def vega(forward: float, strike: float, years: float, vol: mp.mpf, discount: float) -> mp.mpf:
    """Per unit of vol."""
    F, K, T, D = (mp.mpf(float(number)) for number in (forward, strike, years, discount))
    total = vol * mp.sqrt(T)
    return D * F * mp.npdf(mp.log(F / K) / total + total / 2) * mp.sqrt(T)


def room(kind: float, premium: float, forward: float, strike: float, discount: float) -> tuple[mp.mpf, mp.mpf]:
    """How far the double `premium` is above the least price and below the greatest, undiscounted."""
    F, K, D, P = (mp.mpf(float(number)) for number in (forward, strike, discount, premium))
    return P / D - max(int(kind) * (F - K), mp.mpf(0)), (F if kind > 0 else K) - P / D


def implied_vol(
    kind: float, premium: float, forward: float, strike: float, years: float, discount: float, start: float
) -> mp.mpf:
    """The exact inverse of the double `premium`, from a vol nearby: Halley on the logarithm of what is smaller."""
    above, below = room(kind, premium, forward, strike, discount)
    F, K, T = (mp.mpf(float(number)) for number in (forward, strike, years))
    scale, x, total = mp.sqrt(F * K), -abs(mp.log(F / K)), mp.mpf(float(start)) * mp.sqrt(T)
    for _ in range(200):
        value = normalised(x, total)
        slope = mp.npdf(x / total + total / 2) * mp.exp(x / 2)
        curve = (x / total) ** 2 / total - total / 4
        if total * total < -2 * x:
            miss, rate = mp.log(value) - mp.log(above / scale), slope / value
        else:
            rest = mp.exp(x / 2) - value
            miss, rate = mp.log(rest) - mp.log(below / scale), -slope / rest
        newton = -miss / rate
        shrink = 1 + newton * (curve - rate) / 2
        step = max(newton / shrink if shrink > mp.mpf("0.3") else newton, -total / 2)
        total += step
        if abs(step) < total * mp.mpf(10) ** -30:
            return total / mp.sqrt(T)
    raise AssertionError(f"no exact vol for {(kind, premium, forward, strike, years, discount)}")


def greeks(kind: float, forward: float, strike: float, years: float, vol: float, discount: float) -> dict[str, mp.mpf]:
    """Derivatives of `price` in closed form, in the units of core.pricing; F. Black (1976), and by differentiation.

    `mp.diff` of `price` gives the same: a test compares them.
    """
    F, K, T, v, D = (mp.mpf(float(number)) for number in (forward, strike, years, vol, discount))
    theta, root, rate = int(kind), mp.sqrt(T), -mp.log(D) / T
    d1 = mp.log(F / K) / (v * root) + v * root / 2
    d2 = d1 - v * root
    bell, value = D * mp.npdf(d1), price(kind, forward, strike, years, vol, discount)
    return {
        "delta": theta * D * mp.ncdf(theta * d1),
        "gamma": bell / (F * v * root),
        "theta": (rate * value - F * bell * v / (2 * root)) / 365,
        "vega": F * bell * root / 100,
        "rho": -T * value / 100,
        "vanna": -bell * d2 / v / 100,
        "volga": F * bell * root * d1 * d2 / v / 10_000,
        "charm": (rate * theta * D * mp.ncdf(theta * d1) + bell * d2 / (2 * T)) / 365,
        "speed": -bell / (F * F * v * root) * (d1 / (v * root) + 1),
        "zomma": bell / (F * v * root) * (d1 * d2 - 1) / v / 100,
    }


def scales(forward: float, years: float, vol: float, discount: float) -> dict[str, float]:
    """The size of each Greek at the money: what a rounding error is small beside."""
    bell, root = discount * 0.4, math.sqrt(years)
    rate = abs(math.log(discount)) / years
    return {
        "delta": discount,
        "gamma": bell / (forward * vol * root),
        "theta": (forward * bell * vol / (2 * root) + rate * forward * discount) / 365,
        "vega": forward * bell * root / 100,
        "rho": years * forward * discount / 100,
        "vanna": bell / vol / 100,
        "volga": forward * bell * root / vol / 10_000,
        "charm": (bell / (2 * years) + rate * discount) / 365,
        "speed": bell / (forward * vol * root) ** 2,
        "zomma": bell / (forward * vol * vol * root) / 100,
    }
