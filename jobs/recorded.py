"""Recorded bars of an index and of its options, from Parquet files into the strategy's bars.

Errors name the file, and the column or row in it, and say what was expected.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.backtest.records import DayData
from core.errors import InputError
from core.market import IST, parse_symbol, to_ns
from core.strategies.events import Bar

_PRICES = ("open", "high", "low", "close")


def load_days(folder: Path, index: str, seconds: int, wanted: Sequence[dt.date] = ()) -> list[DayData]:
    """Every day of the option bars, or the `wanted` ones, with that day's index bars; oldest first.

    Reads `folder`/bars/<INDEX>_3m_*.parquet and `folder`/option_bars/<INDEX>_options_*.parquet. Raises InputError.
    """
    minutes = seconds // 60
    index_bars = _by_day(_index_rows(_one(folder / "bars", f"{index}_{minutes}m_*.parquet"), seconds))
    options: dict[dt.date, dict[str, list[Bar]]] = {}
    for symbol, bar in _option_rows(_one(folder / "option_bars", f"{index}_options_*.parquet"), seconds):
        options.setdefault(_day(bar), {}).setdefault(symbol, []).append(bar)
    chosen = sorted(wanted or options)
    absent = [str(day) for day in chosen if day not in index_bars]
    if absent:
        raise InputError(f"no {minutes}-minute bars of {index} on {', '.join(absent)} under {folder}")
    return [
        DayData(
            day=day,
            index=index,
            index_bars=_ordered(index_bars[day], index),
            options={name: _ordered(bars, name) for name, bars in sorted(options.get(day, {}).items())},
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


def _read(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        parquet = pq.ParquetFile(path)
        have = parquet.schema_arrow.names
        for name in columns:
            if name not in have:
                raise InputError(f"{path}: column {name!r} is missing; found {', '.join(have)}")
        table = parquet.read(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is no readable Parquet file: {error}; fetch it again") from error
    if table.num_rows == 0:
        raise InputError(f"{path} holds no rows")
    yield from table.to_pylist()


def _index_rows(path: Path, seconds: int) -> Iterator[Bar]:
    for row in _read(path, ("datetime", *_PRICES)):
        yield _bar(path, row, row["datetime"], seconds)


def _option_rows(path: Path, seconds: int) -> Iterator[tuple[str, Bar]]:
    for row in _read(path, ("timestamp", "tradingsymbol", *_PRICES)):
        parse_symbol(row["tradingsymbol"])
        yield row["tradingsymbol"], _bar(path, row, row["timestamp"], seconds)


def _bar(path: Path, row: dict[str, Any], stamp: Any, seconds: int) -> Bar:
    try:
        moment = dt.datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp
        start = moment.replace(tzinfo=IST) if moment.tzinfo is None else moment
        prices = {f"{name}_paise": round(row[name] * 100) for name in _PRICES}
        return Bar(start_ns=to_ns(start), seconds=seconds, **prices)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: the row of {stamp!r} cannot be used: {error}") from error


def _day(bar: Bar) -> dt.date:
    return dt.datetime.fromtimestamp(bar.start_ns // 1_000_000_000, IST).date()


def _by_day(bars: Iterable[Bar]) -> dict[dt.date, list[Bar]]:
    found: dict[dt.date, list[Bar]] = {}
    for bar in bars:
        found.setdefault(_day(bar), []).append(bar)
    return found


def _ordered(bars: Sequence[Bar], name: str) -> list[Bar]:
    """By time, each start once; two different bars of one start are an error, two equal ones are one."""
    kept: dict[int, Bar] = {}
    for bar in sorted(bars, key=lambda bar: bar.start_ns):
        if kept.setdefault(bar.start_ns, bar) != bar:
            raise InputError(
                f"{name} has two different bars at {dt.datetime.fromtimestamp(bar.start_ns // 10**9, IST)}"
            )
    return list(kept.values())
