"""Our implied vols beside the ones NSE prints, both by NSE's own convention."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import InputError
from core.market import IST, to_ns
from core.pricing import nse_implied_vol, nse_years
from storage.chain_reader import Collections, moment

Ints = NDArray[np.int64]

_WITHIN = 0.04  # of spot: farther strikes trade too rarely for a comparison
_NEAREST = 2  # expiries
_SPOT_COLUMNS = ("datetime", "open", "close")


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
    spot = _spot(Path(spot_bars), date, at)
    strike, years = rows["Strike_Price"].to_numpy().astype(np.float64), _years(path, rows, date)
    near = (np.abs(strike / spot - 1.0) <= _WITHIN) & (years > 0) & (years <= _nearest(years))
    apart: dict[str, NDArray[np.float64]] = {}
    for side, sign in (("CALLS", 1), ("PUTS", -1)):
        theirs, last = rows[f"{side}_IV"].to_numpy(), rows[f"{side}_LTP"].to_numpy()
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
        "call_bias": _median(solved["CALLS"]),
        "put_bias": _median(solved["PUTS"]),
        "unsolved": sum(d.size for d in apart.values()) - int(both.size),
    }


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _years(path: str | Path, rows: pa.Table, date: dt.date) -> NDArray[np.float64]:
    encoded = rows["Expiry_Date"].combine_chunks().dictionary_encode()
    days = [moment(path, text, "%d-%b-%Y", "Expiry_Date").date() for text in encoded.dictionary.to_pylist()]
    return np.array([nse_years(day, date) for day in days])[encoded.indices.to_numpy()]


def _nearest(years: NDArray[np.float64]) -> float:
    """Years of the farthest of the expiries compared."""
    return float(np.unique(years[years > 0])[:_NEAREST].max(initial=0.0))


def _spot(path: Path, date: dt.date, at: Ints) -> NDArray[np.float64]:
    """Index level at each of `at`; NaN beyond the day's bars."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; it should hold the index bars of {date}")
    try:
        names = pq.read_schema(path).names
        missing = [name for name in _SPOT_COLUMNS if name not in names]
        if missing:
            raise InputError(f"{path}: column {missing[0]} is missing; index bars have {', '.join(_SPOT_COLUMNS)}")
        bars = pq.read_table(path, columns=list(_SPOT_COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cut off or no Parquet file ({error}); fetch it again") from error
    bars = bars.filter(pc.equal(pc.cast(bars["datetime"], pa.date32()), pa.scalar(date, pa.date32())))
    if bars.num_rows < 2:
        raise InputError(f"{path}: no bars of {date}; the comparison needs the index on that day")
    starts = np.array([to_ns(moment.replace(tzinfo=IST)) for moment in bars["datetime"].to_pylist()])
    length = int(np.diff(starts).min())
    times = np.column_stack((starts, starts + length - 1)).ravel()
    levels = np.column_stack((bars["open"].to_numpy(), bars["close"].to_numpy())).ravel()
    return np.interp(at, times, levels, left=np.nan, right=np.nan)
