"""The implied vols of every expiry of one index as one surface without static arbitrage.

Each expiry is an SVI slice of total variance against log-moneyness on its own forward, weighted by what its quotes
know. A slice that allows a butterfly is fitted again until it does not. Where an earlier slice lies above a later one,
the later is lifted to it: normalised call prices rise with total variance and the larger of two convex functions is
convex, so the larger of two slices without butterflies has none. Beyond its outermost quotes an expiry gives way to the
next, since an extrapolated wing must not lift what is quoted; there the calendar is kept, and butterflies are not ruled
out. Between expiries total variance runs linearly at constant log-moneyness (J. Gatheral & A. Jacquier, "Arbitrage-free
SVI volatility surfaces", 2014, lemma 2.1 and §5.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from core.pricing import svi, svi_kernels
from core.pricing.chain_rules import HALF_TICK

Floats = NDArray[np.float64]

FINEST_VOL = 0.0005  # no quote knows its vol better: 0.05 points, so that the few dearest vegas do not fit alone
GRID = 81  # points of log-moneyness at which butterflies are repaired
FINE = 401  # points at which they are looked for, before the roots of a polynomial say that there is none between
HALVINGS = 20  # of a mixture's share
BEYOND = 0.25  # of an expiry's quoted range, added on both sides of it for that


class Smile(NamedTuple):
    """One expiry's quotes, one entry each, all of them finite."""

    years: float  # variance years to the settlement price
    forward: float  # > 0
    k: Floats  # ln(strike / forward)
    vol: Floats  # > 0
    doubt: Floats  # standard error of each vol, ≥ 0


class Slice(NamedTuple):
    """How one expiry came out."""

    quotes: int
    low: float  # log-moneyness of its outermost quotes
    high: float
    rmse: float  # of vol over its quotes, unweighted, as the surface gives them
    repaired: bool  # its best fit allowed a butterfly on its range, and was moved until it did not
    lifted: float  # largest vol by which earlier expiries lift it where it is quoted; 0 has no calendar arbitrage


@dataclass(frozen=True)
class Surface:
    """Slices by rising years. Before the first and after the last the vol of that expiry holds."""

    years: Floats
    forwards: Floats
    params: Floats  # (expiries, 5): a, b, ρ, m, σ
    slices: tuple[Slice, ...]

    def total_variance(self, k: ArrayLike, years: ArrayLike) -> Floats:
        """Return vol²·years at log-moneyness `k` on the forward of that time; the two broadcast. NaN if years ≤ 0.

        Never falls with years at any k.
        """
        k, years = np.broadcast_arrays(np.asarray(k, np.float64), np.asarray(years, np.float64))
        flat = k.ravel()
        ends = np.array([[one.low for one in self.slices], [one.high for one in self.slices]])
        levels = _levels(self.params, ends, flat)
        when = years.ravel()
        far = np.clip(np.searchsorted(self.years, when), 0, self.years.size - 1)
        near = np.where(when > self.years[-1], far, np.maximum(far - 1, 0))
        at = np.arange(flat.size)
        low, high, begin, end = levels[near, at], levels[far, at], self.years[near], self.years[far]
        between = end > begin
        share = (when - begin) / np.where(between, end - begin, 1.0)
        found = np.where(between, low + share * (high - low), high * when / end)
        return np.where(when > 0, found, np.nan).reshape(k.shape)

    def vol(self, k: ArrayLike, years: ArrayLike) -> Floats:
        """Return the vol at log-moneyness `k` and time `years`, as `total_variance`."""
        years = np.asarray(years, np.float64)
        return np.asarray(np.sqrt(self.total_variance(k, years) / np.where(years > 0, years, np.nan)))

    def forward(self, years: ArrayLike) -> Floats:
        """Return the forward at time `years`, its logarithm linear between expiries and held beyond them."""
        return np.asarray(np.exp(np.interp(np.asarray(years, np.float64), self.years, np.log(self.forwards))))


def smile(
    kind: Floats, strike: Floats, vol: Floats, vega: Floats, spread: Floats, *, forward: float, years: float
) -> Smile:
    """Return the quotes of one expiry that a fit should see: out of the money, with a vol and a spread.

    kind: +1 call, −1 put; vega: per 0.01 of vol, as `greeks` gives it; spread: ask − bid, rupees, NaN where there is no
    two-sided quote. A vol is in doubt by half the spread over its vega. Entries with a NaN are left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # no vega, infinite doubt
        doubt = np.maximum(0.5 * spread, HALF_TICK) / (100 * vega)
    use = (kind * (strike - forward) >= 0) & np.isfinite(vol) & np.isfinite(doubt) & (vol > 0)
    return Smile(years, forward, np.log(strike[use] / forward), vol[use], doubt[use])


def fit_surface(smiles: Sequence[Smile]) -> Surface:
    """Fit every smile that has time left and five quotes, in whatever order they come; the others are left out.

    Raises InputError if no smile is left, for one with a field outside what `Smile` says, and for two of one time.
    """
    used = sorted((one for one in smiles if one.years > 0 and one.k.size >= svi.FEWEST), key=lambda one: one.years)
    if not used:
        raise InputError(f"none of {len(smiles)} expiries has time left and {svi.FEWEST} quotes; there is no surface")
    for one in used:
        _check(one)
    for near, far in pairwise(used):
        if near.years == far.years:
            raise InputError(f"two smiles have {far.years} years left; an expiry has one smile")
    fits = [_fit(one) for one in used]
    raw = np.array([params for params, _ in fits])
    years, forwards = np.array([one.years for one in used]), np.array([one.forward for one in used])
    ends = np.array([[end(one.k) for one in used] for end in (np.min, np.max)])
    at_quotes = [_levels(raw, ends, one.k) for one in used]
    slices = [
        _judged(one, params, level[i], repaired=repaired)
        for i, (one, (params, repaired), level) in enumerate(zip(used, fits, at_quotes, strict=True))
    ]
    return Surface(years, forwards, raw, tuple(slices))


def variances(one: Smile) -> tuple[Floats, Floats]:
    """Return the total variances of the quotes and their weights in the fit, 1 over the square of their error.

    An error of vol is 2·vol·T times as large in vol²·T; of vol it is the doubt, and the finest that any quote knows.
    """
    return one.vol**2 * one.years, 1.0 / (2.0 * one.vol * one.years) ** 2 / (one.doubt**2 + FINEST_VOL**2)


def _levels(params: Floats, ends: Floats, k: Floats) -> Floats:
    """Return the total variance of every expiry at `k`, (expiries, k), rising down each column.

    params: (expiries, 5); ends: (2, expiries), log-moneyness of the outermost quotes.
    """
    lows, highs = ends
    seen = np.concatenate([k, lows, highs])
    low_at, high_at = k.size + np.arange(lows.size), k.size + lows.size + np.arange(lows.size)
    levels = svi.total_variance(params[:, None, :], seen)
    for i in reversed(range(lows.size - 1)):
        # What an expiry has above the next at its outermost quotes is believed, and held beyond them.
        above = np.maximum(levels[i] - levels[i + 1], 0.0)
        most = levels[i + 1] + np.where(seen < lows[i], above[low_at[i]], above[high_at[i]])
        quoted = (seen >= lows[i]) & (seen <= highs[i])
        levels[i] = np.where(quoted, levels[i], np.minimum(levels[i], most))
    return np.maximum.accumulate(np.maximum(levels[:, : k.size], 0.0), axis=0)


def _fit(one: Smile) -> tuple[Floats, bool]:
    """The parameters, and whether they were moved to be free of butterflies."""
    w, weight = variances(one)
    params = svi.fit(one.k, w, weight)
    if not _folds(params, one):
        return params, False
    params = svi.refit(one.k, w, weight, params, _checked(one, GRID))
    return _flattened(params, float(w @ weight / weight.sum()), one), True


def _flattened(params: Floats, level: float, one: Smile) -> Floats:
    """`params` if they allow no butterfly, else the mixture nearest to them with the flat slice that allows none.

    A mixture of a slice and a level is again a slice, of the same ρ, m and σ.
    """

    def mixed(share: float) -> Floats:
        return np.array([share * params[0] + (1 - share) * level, share * params[1], *params[2:]])

    if not _folds(params, one):
        return params
    kept, folding = 0.0, 1.0
    for _ in range(HALVINGS):
        share = 0.5 * (kept + folding)
        kept, folding = (kept, share) if _folds(mixed(share), one) else (share, folding)
    return mixed(kept)


def _checked(one: Smile, points: int) -> Floats:
    low, high = one.k.min(), one.k.max()
    return np.linspace(low - BEYOND * (high - low), high + BEYOND * (high - low), points)


def _folds(params: Floats, one: Smile) -> bool:
    return svi.folds(params, _checked(one, FINE), svi_kernels.LEAST * float(one.vol.min()) ** 2 * one.years)


def _judged(one: Smile, params: Floats, level: Floats, *, repaired: bool) -> Slice:
    """level: total variance of the surface at the quotes of this expiry."""
    fitted = np.sqrt(level / one.years)
    alone = np.sqrt(np.maximum(svi.total_variance(params, one.k), 0.0) / one.years)
    return Slice(
        quotes=one.k.size,
        low=float(one.k.min()),
        high=float(one.k.max()),
        rmse=float(np.sqrt(np.mean((fitted - one.vol) ** 2))),
        repaired=repaired,
        lifted=max(float((fitted - alone).max()), 0.0),
    )


def _check(one: Smile) -> None:
    where = f"the smile of {one.years} years"
    if not 0 < one.forward < np.inf:
        raise InputError(f"{where}: expected a forward above 0, was {one.forward}")
    sound = {"k": np.isfinite(one.k), "vol": (one.vol > 0) & np.isfinite(one.vol)}
    sound["doubt"] = (one.doubt >= 0) & np.isfinite(one.doubt)
    for name, good in sound.items():
        if good.size != one.k.size:
            raise InputError(f"{where}: {name} has {good.size} entries, k has {one.k.size}")
        if not good.all():
            at = int(np.argmin(good))
            raise InputError(f"{where}: {name} of quote {at} is {getattr(one, name)[at]}; leave such quotes out")
