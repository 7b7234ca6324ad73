"""Realised vol from bars: four estimators over named windows, annualised by a named year.

Close-to-close and Yang–Zhang see the night between two sessions, Parkinson and Garman–Klass only the session itself:
of an index that gaps at the open they say less than the vol that an option lives through.
"""

import math
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError

Floats = NDArray[np.float64]

WINDOWS = {"week": 5, "fortnight": 10, "month": 21, "quarter": 63, "year": 252}  # sessions
SESSION_SECONDS = 375 * 60  # 09:15 to 15:30, the hours of the index


class Estimator(StrEnum):
    """Where the formula is from; what each bar must have is in `realised_vol`."""

    CLOSE_TO_CLOSE = "close-to-close"  # J. Hull, Options, Futures, and Other Derivatives, 9th ed., §15.4
    PARKINSON = "parkinson"  # M. Parkinson, Journal of Business 53 (1980) 61–65
    GARMAN_KLASS = "garman-klass"  # M. Garman & M. Klass, Journal of Business 53 (1980) 67–78, the practical form
    YANG_ZHANG = (
        "yang-zhang"  # D. Yang & Q. Zhang, Journal of Business 73 (2000) 477–491, their k for the least variance
    )


class Annual(IntEnum):
    """Days of the year that daily vols are scaled by."""

    SESSIONS = 252  # the convention for daily bars
    CALENDAR = 365  # NSE's own in its daily volatility file; the year implied vols are in


class Ohlc(NamedTuple):
    """One entry a bar, oldest first, in any one unit."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


class Premium(NamedTuple):
    """Implied against realised, of the broadcast shape."""

    points: Floats  # vol points, 1 is 1 %: implied less realised
    ratio: Floats  # implied over realised
    variance: Floats  # implied² less realised², what a variance swap struck at implied loses


def realised_vol(bars: Ohlc, *, estimator: Estimator, window: int, periods_per_year: float = Annual.SESSIONS) -> Floats:
    """Return the vol per √year of the `window` bars that end at each bar; NaN until there are that many.

    `window` is a number of bars, for daily ones see WINDOWS; `periods_per_year` the number of bars in a year: one of
    Annual, or `bars_per_year`. Close-to-close and Yang–Zhang also use the close before the first bar of the window, so
    they begin one bar later. A bar that is not 0 < low ≤ open, close ≤ high makes every window it is in NaN.

    Raises InputError for a window below two.
    """
    if window < 2:
        raise InputError(f"a window of realised vol has at least two bars, was {window}")
    variance = _ESTIMATE[estimator](_checked(bars), window)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0) * periods_per_year))


def bars_per_year(bar_seconds: int) -> float:
    """Return how many bars of that length a year of 252 sessions has: what intraday bars are annualised by.

    Of sessions of 375 minutes, 09:15 to 15:30. Since 2026-08-03 the index stands still from 15:15 to the auction's
    print at 15:28 or 15:29: a feed that gives no bars for that quarter of an hour has 15 minutes of bars less, and vols
    annualised by this number are then √(375/360), 2 %, too high.
    """
    return Annual.SESSIONS * SESSION_SECONDS / bar_seconds


def vol_premium(implied: ArrayLike, realised: ArrayLike) -> Premium:
    """Return implied against realised vol, both per √year; where realised is 0 the ratio is NaN."""
    implied, realised = np.broadcast_arrays(np.asarray(implied, np.float64), np.asarray(realised, np.float64))
    ratio = np.divide(implied, realised, out=np.full(implied.shape, np.nan), where=realised > 0)
    return Premium(100 * (implied - realised), ratio, implied**2 - realised**2)


def _checked(bars: Ohlc) -> Ohlc:
    opened, high, low, close = (np.asarray(column, np.float64) for column in bars)
    whole = (low > 0) & (low <= np.minimum(opened, close)) & (np.maximum(opened, close) <= high) & np.isfinite(high)
    return Ohlc(*(np.where(whole, column, np.nan) for column in (opened, high, low, close)))


def _close_to_close(bars: Ohlc, window: int) -> Floats:
    return _variance(_from_before(bars.close, bars.close), window)


def _parkinson(bars: Ohlc, window: int) -> Floats:
    return _mean(np.log(bars.high / bars.low) ** 2 / (4 * math.log(2)), window)


def _garman_klass(bars: Ohlc, window: int) -> Floats:
    inside = 0.5 * np.log(bars.high / bars.low) ** 2 - (2 * math.log(2) - 1) * np.log(bars.close / bars.open) ** 2
    return _mean(inside, window)


def _yang_zhang(bars: Ohlc, window: int) -> Floats:
    night = _variance(_from_before(bars.open, bars.close), window)
    day = _variance(np.log(bars.close / bars.open), window)
    up, down = (np.log(side / bars.close) * np.log(side / bars.open) for side in (bars.high, bars.low))
    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    return night + k * day + (1 - k) * _mean(up + down, window)


_ESTIMATE = {
    Estimator.CLOSE_TO_CLOSE: _close_to_close,
    Estimator.PARKINSON: _parkinson,
    Estimator.GARMAN_KLASS: _garman_klass,
    Estimator.YANG_ZHANG: _yang_zhang,
}


def _from_before(now: Floats, close: Floats) -> Floats:
    """Log return of each bar's price on the close before it; NaN for the first."""
    return np.asarray(np.log(now / np.concatenate([[np.nan], close[:-1]])))


def _mean(values: Floats, window: int) -> Floats:
    """Mean of the `window` values that end at each; NaN where there are fewer, or a NaN is among them."""
    return _padded(_views(values, window).mean(axis=1), values.size)


def _variance(values: Floats, window: int) -> Floats:
    """Sample variance, over n − 1, likewise."""
    return _padded(_views(values, window).var(axis=1, ddof=1), values.size)


def _views(values: Floats, window: int) -> Floats:
    many = max(values.size - window + 1, 0)
    return np.lib.stride_tricks.sliding_window_view(values, window) if many else np.empty((0, window))


def _padded(found: Floats, size: int) -> Floats:
    return np.concatenate([np.full(size - found.size, np.nan), found])
