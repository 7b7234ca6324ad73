"""Recorded bars of an index and of its options, from Parquet files into the strategy's bars.

`storage.readers` reads and checks them, strictly: one bad row of a day asked for ends the reading with its place.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from core.backtest.records import DayData
from core.errors import InputError
from core.market import from_ns
from core.strategies.events import Bar
from storage.readers import read_bars, read_contract_bars

_BAR = ("start_ns", "seconds", "open_paise", "high_paise", "low_paise", "close_paise")


def load_days(folder: Path, index: str, seconds: int, wanted: Sequence[dt.date] = ()) -> list[DayData]:
    """Every day of the option bars, or the `wanted` ones, with that day's index bars; oldest first.

    Reads `folder`/bars/<INDEX>_3m_*.parquet and `folder`/option_bars/<INDEX>_options_*.parquet. Raises InputError for
    a file that is missing or none, a bad row of these days, a day without index bars, and no day with option bars.
    """
    minutes = seconds // 60
    index_file = _one(folder / "bars", f"{index}_{minutes}m_*.parquet")
    options_file = _one(folder / "option_bars", f"{index}_options_*.parquet")
    options = _by_day(read_contract_bars(options_file, seconds, days=wanted, strict=True).table)
    chosen = sorted(wanted or options)
    index_bars = _by_day(read_bars(index_file, index, seconds, days=chosen, strict=True).table)
    absent = [str(day) for day in chosen if day not in index_bars]
    if absent:
        raise InputError(f"no {minutes}-minute bars of {index} on {', '.join(absent)} under {folder}")
    return [
        DayData(
            day=day, index=index, index_bars=index_bars[day][index], options=dict(sorted(options.get(day, {}).items()))
        )
        for day in chosen
    ]


def open_equals_close(days: Iterable[DayData]) -> float:
    """Share of option bars whose open is the close of the bar before; 1 where there are none."""
    same = total = 0
    for day in days:
        for bars in day.options.values():
            for before, bar in pairwise(bars):
                total, same = total + 1, same + (bar.open_paise == before.close_paise)
    return same / total if total else 1.0


def _one(folder: Path, pattern: str) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; --data names the one that holds bars/ and option_bars/")
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{folder} must hold one file {pattern}, found {names}")
    return found[0]


def _by_day(table: pa.Table) -> dict[dt.date, dict[str, list[Bar]]]:
    """Bars by day and symbol, in the file's order, which the reader has found to be that of time."""
    found: dict[dt.date, dict[str, list[Bar]]] = {}
    columns = [table[name].to_pylist() for name in _BAR]
    for symbol, *values in zip(table["symbol"].to_pylist(), *columns, strict=True):
        bar = Bar(**dict(zip(_BAR, values, strict=True)))
        found.setdefault(from_ns(bar.start_ns).date(), {}).setdefault(symbol, []).append(bar)
    return found
