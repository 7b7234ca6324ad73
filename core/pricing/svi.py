"""One smile as Gatheral's SVI: total variance by log-moneyness, its derivatives, and the fit to quotes.

w(k) = a + b·(ρ(k − m) + √((k − m)² + σ²)), k = ln(K/F), w = vol²·T (J. Gatheral, "A parsimonious arbitrage-free implied
volatility parameterization", 2004, the raw parameters). A slice is an array of the five, last axis a, b, ρ, m, σ.
"""

import math

import numpy as np
from numpy.polynomial.polynomial import polyder, polyroots
from numpy.typing import NDArray

from core.pricing import svi_kernels

Floats = NDArray[np.float64]

KERNELS = ("fit_slice", "refit_slice")
FEWEST = 5  # quotes


def total_variance(params: Floats, k: Floats) -> Floats:
    """Return w(k); params (5,) or (..., 5) and k broadcast.

    >>> total_variance(np.array([0.01, 0.1, 0.0, 0.0, 0.1]), np.array([0.0])).round(4).tolist()
    [0.02]
    """
    a, b, rho, m, sigma = np.moveaxis(params, -1, 0)
    y = k - m
    return np.asarray(a + b * (rho * y + np.sqrt(y * y + sigma * sigma)))


def butterfly(params: Floats, k: Floats) -> Floats:
    """Return g(k), which must be ≥ 0 for the implied density to be; −inf where total variance is not positive.

    g = (1 − kw'/2w)² − w'²/4·(1/w + 1/4) + w''/2 (J. Gatheral & A. Jacquier, "Arbitrage-free SVI volatility surfaces",
    2014, eq. 2.1 and lemma 2.2).
    """
    _, b, rho, m, sigma = np.moveaxis(params, -1, 0)
    y = k - m
    root = np.sqrt(y * y + sigma * sigma)
    w, slope, bend = total_variance(params, k), b * (rho + y / root), b * sigma**2 / root**3
    positive = w > 0
    w = np.where(positive, w, 1.0)
    g = (1 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1 / w + 0.25) + 0.5 * bend
    return np.where(positive, g, -np.inf)


def bottom(params: Floats) -> float:
    """Return the k of a slice's least total variance; ±inf where it falls for ever."""
    _, b, rho, m, sigma = params
    return float(m - sigma * rho / np.sqrt(1 - rho**2)) if b > 0 and abs(rho) < 1 else -math.copysign(math.inf, rho)


def turns(params: Floats, low: float, high: float) -> Floats:
    """Return k between low and high, rising, such that g < 0 anywhere between them only if at low, at high or at one.

    With t = y + √(y² + 1), y = (k − m)/σ, all of g is rational in t > 0: w = P/2t, w' = Q/σR, k = K/2t,
    w'' = 4(u + v)t³/σ²R³ for R = t² + 1 and the wings u, v = bσ(1 ± ρ). So g has the sign of a polynomial of degree
    ten, 16σ²P²R³·g, which is least at an end or where its derivative is 0. Complex roots count by their real parts: one
    may be a real one that rounding has split.
    """
    a, b, rho, m, sigma = params
    u, v = b * sigma * (1 + rho), b * sigma * (1 - rho)
    p, q = np.array([v, 2 * a, u]), np.array([-v, 0.0, u])  # coefficients of 1, t, t²
    r, at = np.array([1.0, 0.0, 1.0]), np.array([-sigma, 2 * m, sigma])
    first = 2 * sigma * np.convolve(p, r) - np.convolve(at, q)
    sign = 4 * np.convolve(r, np.convolve(first, first))
    sign -= np.convolve(np.convolve(r, np.convolve(q, q)), np.convolve(p, p + np.array([0.0, 8.0, 0.0])))
    sign[3:8] += 32 * (u + v) * np.convolve(p, p)
    t = np.sort(polyroots(polyder(sign)).real)
    ends = np.exp(np.arcsinh((np.array([low, high]) - m) / sigma))
    t = t[(t > ends[0]) & (t < ends[1])]
    return np.asarray(m + 0.5 * sigma * (t - 1 / t))


def folds(params: Floats, seen: Floats, least: float) -> bool:
    """Return whether g < 0, or w < `least`, anywhere from the first k of `seen`, rising, to the last.

    g is looked at where it can be least (`turns`) if it is not below zero at a k of `seen` already.
    """
    k = bottom(params)
    at = np.append(seen, k) if seen[0] < k < seen[-1] else seen
    if (butterfly(params, at) < 0).any() or (total_variance(params, at) < least).any():
        return True
    return bool((butterfly(params, turns(params, seen[0], seen[-1])) < 0).any())


def fit(k: Floats, w: Floats, weight: Floats) -> Floats:
    """Return the five parameters nearest to total variances `w` at `k` in weighted squares; butterflies not excluded.

    One entry a quote, all finite, weights > 0. The wings' slopes stay within Lee's bound, m and σ within the reach of
    the quotes. Raises ValueError for fewer than five quotes, which do not determine five numbers.
    """
    if k.size < FEWEST:
        raise ValueError(f"a slice has five parameters and needs {FEWEST} quotes, was {k.size}")
    inner = np.empty(5)
    svi_kernels.fit_slice(_points(k, w, weight), inner)
    return _raw(inner)


def refit(k: Floats, w: Floats, weight: Floats, params: Floats, grid: Floats) -> Floats:
    """Return parameters near the quotes, from `params` on, with g ≥ 0 and w > 0 at every k of `grid`, rising.

    Where no such slice is found the rules are broken as little as can be, and g may be below zero between two of them:
    `folds` says whether either is so.
    """
    a, b, rho, m, sigma = params
    inner = np.array([a, b * sigma * (1 + rho), b * sigma * (1 - rho), m, np.log(sigma)])
    svi_kernels.refit_slice(_points(k, w, weight), np.ascontiguousarray(grid, np.float64), inner)
    return _raw(inner)


def warm() -> dict[str, int]:
    """Compile or load the kernels of this module; return the number of signatures of each."""
    k = np.linspace(-0.1, 0.1, 6)
    params = fit(k, 0.01 + k * k, np.ones(6))
    refit(k, 0.01 + k * k, np.ones(6), params, k)
    return signatures()


def signatures() -> dict[str, int]:
    """Return how many signatures each kernel of this module has compiled or loaded in this process."""
    return {name: len(getattr(svi_kernels, name).signatures) for name in KERNELS}


def _points(k: Floats, w: Floats, weight: Floats) -> Floats:
    return np.ascontiguousarray([k, w, weight / weight.sum()], np.float64)


def _raw(inner: Floats) -> Floats:
    a, u, v, m, log_sigma = inner
    sigma = float(np.exp(log_sigma))
    u, v = max(u, 0.0), max(v, 0.0)
    return np.array([a, 0.5 * (u + v) / sigma, (u - v) / (u + v) if u + v > 0 else 0.0, m, sigma])
