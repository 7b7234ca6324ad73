"""Value at risk and expected shortfall of a book: historical, parametric and by Monte Carlo. All are estimates.

VaR at confidence c is the loss that is not exceeded with probability c, ES the mean loss in the worst 1 − c. From
states both are read off the order statistics: with losses sorted downwards, n states and m = n·(1 − c), VaR is the
loss of rank ⌊m⌋ + 1 and ES = (sum of the ⌊m⌋ worst + (m − ⌊m⌋)·VaR)/m. So ES ≥ VaR, always.

Sources: McNeil, Frey and Embrechts, Quantitative Risk Management, 2015, ch. 2 and 9; Acerbi and Tasche, "On the
coherence of expected shortfall", Journal of Banking & Finance 26 (2002), def. 2.6 and prop. 4.1; Jorion, Value at Risk,
2007, ch. 10 (delta-gamma).
"""

import math
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from core.risk.var_book import Positions, leg_greeks, pnl

Floats = NDArray[np.float64]
Parametric = Literal["delta-normal", "delta-gamma-vega normal"]
_FAINT = 1e-10  # of the largest eigenvalue: rounding


class ValueAtRisk(NamedTuple):
    """Rupees, losses above 0; `states` is 0 where the answer is a formula."""

    var: float
    shortfall: float
    confidence: float
    horizon_days: float
    method: str
    states: int
    estimate: bool = True


def tail(profits: ArrayLike, confidence: float) -> tuple[float, float]:
    """VaR and ES of equally likely profits.

    InputError for a confidence outside (0, 1), a profit that is no number, or fewer states than one in the tail.

    >>> tail([-4.0, -2.0, 0.0, 1.0], 0.5)
    (0.0, 3.0)
    """
    losses = 0.0 - np.sort(np.asarray(profits, float).ravel())
    _check(confidence)
    worst = round(losses.size * (1 - confidence), 9)
    if worst < 1:
        raise InputError(
            f"{losses.size} states have no tail at {confidence:.2%}: give at least {1 / (1 - confidence):.0f}"
        )
    if not np.isfinite(losses).all():
        raise InputError("a profit is no number: a leg could not be revalued in some state")
    whole = math.floor(worst)
    var = float(losses[min(whole, losses.size - 1)])
    shortfall = (float(losses[:whole].sum()) + (worst - whole) * var) / worst
    return var, max(shortfall, var)  # rounding of the sum


def historical_var(
    book: Positions,
    returns: ArrayLike,
    *,
    vol_changes: ArrayLike = 0.0,
    confidence: float = 0.99,
    horizon_days: float = 1.0,
    elapsed_days: float = 0.0,
) -> ValueAtRisk:
    """Every past day happens again to today's book, revalued in full.

    `returns` are daily log returns (days, indices) in the order of `book.indices`, `vol_changes` what the vols did on
    the same days (decimals). A longer horizon scales both by its root. `elapsed_days` (calendar) pass meanwhile.
    """
    _check(confidence, horizon_days, elapsed_days)
    root = math.sqrt(horizon_days)
    profits = pnl(
        book, root * np.asarray(returns, float), root * np.asarray(vol_changes, float), elapsed_years=elapsed_days / 365
    )
    return ValueAtRisk(*tail(profits, confidence), confidence, horizon_days, "historical", profits.size)


def monte_carlo_var(
    book: Positions,
    covariance: ArrayLike,
    *,
    seed: int,
    paths: int = 100_000,
    confidence: float = 0.99,
    horizon_days: float = 1.0,
    elapsed_days: float = 0.0,
    degrees: float | None = None,
) -> ValueAtRisk:
    """Drawn moves of no mean, normal or Student t of `degrees`, revalued in full; the same seed gives the same answer.

    `covariance` is daily, of the k indices' log returns (k, k), or of them and then their vols' changes (2k, 2k). A
    t draw is scaled to that covariance, which needs more than two degrees.
    """
    _check(confidence, horizon_days, elapsed_days)
    root, k = _factor(book, covariance), len(book.indices)
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((paths, root.shape[0])) @ root.T * math.sqrt(horizon_days)
    method = "Monte Carlo, normal"
    if degrees is not None:
        if not degrees > 2:
            raise InputError(f"a Student t has a covariance above 2 degrees of freedom, was {degrees}")
        drawn *= np.sqrt((degrees - 2) / rng.chisquare(degrees, (paths, 1)))
        method = f"Monte Carlo, t of {degrees:g}"
    profits = pnl(book, drawn[:, :k], drawn[:, k:] if drawn.shape[1] > k else 0.0, elapsed_years=elapsed_days / 365)
    return ValueAtRisk(*tail(profits, confidence), confidence, horizon_days, method, paths)


def parametric_var(
    book: Positions,
    covariance: ArrayLike,
    *,
    method: Parametric = "delta-gamma-vega normal",
    confidence: float = 0.99,
    horizon_days: float = 1.0,
    elapsed_days: float = 0.0,
) -> ValueAtRisk:
    """A formula from the Greeks: a normal profit with the mean and variance of the expansion in the factors.

    delta-normal: g'Σg. delta-gamma-vega normal: mean ½·tr(HΣ), variance g'Σg + ½·tr((HΣ)²), g and H the first and
    second derivatives by log move (and the first by vol); no cross terms. A quadratic loss is not normal: for a book
    short of options this understates the tail, and full revaluation is the reference.
    """
    _check(confidence, horizon_days, elapsed_days)
    matrix = _checked(book, covariance) * horizon_days
    slope, bend, vega, theta = _sensitivities(book)
    k, wide = len(book.indices), len(matrix)
    gradient = np.concatenate([slope, vega])[:wide]
    mean, variance = theta * elapsed_days, float(gradient @ matrix @ gradient)
    if method == "delta-gamma-vega normal":
        curved = np.zeros((wide, wide))
        curved[:k] = bend[:, None] * matrix[:k]
        mean += 0.5 * float(np.trace(curved))
        variance += 0.5 * float(np.trace(curved @ curved))
    normal = NormalDist()
    z, spread = normal.inv_cdf(confidence), math.sqrt(max(variance, 0.0))
    shortfall = spread * normal.pdf(z) / (1 - confidence) - mean
    return ValueAtRisk(z * spread - mean, shortfall, confidence, horizon_days, method, 0)


def covariance_of(changes: ArrayLike, *, decay: float | None = None) -> Floats:
    """Daily covariance about zero of changes (days, factors), oldest first; `decay` weights by λ^age (RiskMetrics)."""
    rows = np.asarray(changes, float)
    if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise InputError(f"changes have shape {rows.shape}, expected at least two rows of finite numbers")
    if decay is not None and not 0 < decay <= 1:
        raise InputError(f"a decay lies above 0 and is at most 1, was {decay}")
    weights = np.ones(len(rows)) if decay is None else decay ** np.arange(len(rows) - 1, -1, -1.0)
    return np.asarray((rows * (weights / weights.sum())[:, None]).T @ rows)


def _sensitivities(book: Positions) -> tuple[Floats, Floats, Floats, float]:
    """By index: first and second derivative by log move, derivative by vol (of 1.0); and theta a day. Rupees."""
    delta, gamma, vega, theta = leg_greeks(book, book.discount)
    slope = book.quantity * delta * book.forward
    bend = book.quantity * gamma * book.forward**2 + slope
    member = (np.arange(len(book.indices))[:, None] == book.row).astype(float)
    return member @ slope, member @ bend, member @ (book.quantity * vega * 100), float(book.quantity @ theta)


def _check(confidence: float, horizon_days: float = 1.0, elapsed_days: float = 0.0) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"a confidence lies between 0 and 1, was {confidence}")
    if not 0 < horizon_days < math.inf:
        raise InputError(f"a horizon is longer than 0 days and ends, was {horizon_days}")
    if not 0 <= elapsed_days < math.inf:
        raise InputError(f"the days that elapse are 0 or more, were {elapsed_days}")


def _checked(book: Positions, covariance: ArrayLike) -> Floats:
    matrix, k = np.atleast_2d(np.asarray(covariance, float)), len(book.indices)
    if matrix.shape not in {(k, k), (2 * k, 2 * k)}:
        raise InputError(f"covariance has shape {matrix.shape}, expected {(k, k)}, or {(2 * k, 2 * k)} with vols")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise InputError("a covariance is symmetric and of finite numbers")
    values = np.linalg.eigvalsh(matrix)
    if values.min(initial=0.0) < -_FAINT * max(values.max(initial=0.0), 0.0):
        raise InputError(f"a covariance has no negative eigenvalue, was {values.min():.3g}")
    return matrix


def _factor(book: Positions, covariance: ArrayLike) -> Floats:
    """A with A·A' = covariance; by eigenvectors, so that a singular matrix serves too."""
    values, vectors = np.linalg.eigh(_checked(book, covariance))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
