"""Our implied vols beside the ones NSE prints, both by NSE's own convention."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.pricing import nse_implied_vol, nse_years
from storage.chain_reader import Collections
from storage.readers import read_bars

Ints = NDArray[np.int64]

_WITHIN = 0.04  # of spot: farther strikes trade too rarely for a comparison
_NEAREST = 2  # expiries


def nse_comparison(path: str | Path, index: str, date: dt.date, spot_bars: str | Path) -> dict[str, float]:
    """How far our implied vol is from the one NSE printed beside the price, both by NSE's own convention.

    Black–Scholes on spot, r = 10 %, T = whole days to the expiry/365 (`core.pricing.nse_years`), from the last price; a
    printed vol of 0 is a missing one. Strikes within 4 % of spot, the two nearest expiries after the day. The file has
    no spot: `spot_bars` has, bars of the index stamped at their open, read along the line through every bar's open and
    close.

    Returns:
        median and p95 of |ours − NSE's| in vol points (1 is 1 % vol), `rows` compared, `call_bias` and `put_bias` the
        medians with their sign, `unsolved` rows in which we find no vol and NSE printed one.
    """
    day = Collections(path, index, date)
    spans = day.spans
    rows = day.rows.take(pa.array(np.concatenate([np.arange(first, end) for _, first, end in spans])))
    at = np.repeat(np.array([ns for ns, _, _ in spans]), [end - first for _, first, end in spans])
    spot = _spot(spot_bars, index, date, at)
    strike, years = rows["strike_paise"].to_numpy() / 100, _years(rows, date)
    near = (np.abs(strike / spot - 1.0) <= _WITHIN) & (years > 0) & (years <= _nearest(years))
    apart: dict[str, NDArray[np.float64]] = {}
    for side, sign in (("call", 1), ("put", -1)):
        theirs, last = rows[f"{side}_iv_pct"].to_numpy(), rows[f"{side}_last_paise"].to_numpy() / 100
        use = near & (theirs > 0) & (last > 0)
        ours = nse_implied_vol(np.full(int(use.sum()), sign), last[use], spot[use], strike[use], years[use])
        apart[side] = 100.0 * np.asarray(ours.vol) - theirs[use]
    solved = {side: d[np.isfinite(d)] for side, d in apart.items()}
    both = np.abs(np.concatenate(list(solved.values())))
    if not both.size:
        raise InputError(f"{path}: no row of {date} has a last price and an NSE vol near the money; nothing to compare")
    return {
        "median": float(np.median(both)),
        "p95": float(np.quantile(both, 0.95)),
        "rows": int(both.size),
        "call_bias": _median(solved["call"]),
        "put_bias": _median(solved["put"]),
        "unsolved": sum(d.size for d in apart.values()) - int(both.size),
    }


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _years(rows: pa.Table, date: dt.date) -> NDArray[np.float64]:
    encoded = rows["expiry"].combine_chunks().dictionary_encode()
    return np.array([nse_years(day, date) for day in encoded.dictionary.to_pylist()])[encoded.indices.to_numpy()]


def _nearest(years: NDArray[np.float64]) -> float:
    """Years of the farthest of the expiries compared."""
    return float(np.unique(years[years > 0])[:_NEAREST].max(initial=0.0))


def _spot(path: str | Path, index: str, date: dt.date, at: Ints) -> NDArray[np.float64]:
    """Index level at each of `at`; NaN beyond the day's bars, which may be of any length of whole minutes.

    Bars that the reader refuses are left out: the line goes through their neighbours.
    """
    bars = read_bars(path, index, 60, days=[date]).table
    starts = bars["start_ns"].to_numpy()
    if starts.size < 2:
        raise InputError(f"{path}: one bar of {date}; the comparison needs the index on that day")
    length = int(np.diff(starts).min())
    times = np.column_stack((starts, starts + length - 1)).ravel()
    levels = np.column_stack((bars["open_paise"].to_numpy(), bars["close_paise"].to_numpy())).ravel() / 100
    return np.interp(at, times, levels, left=np.nan, right=np.nan)
