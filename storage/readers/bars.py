"""Recorded bars from a Parquet file, whatever its columns are called, checked against the session.

The trap in such files is the label. A bar is named by its open: the first of a session is 09:15. Some sources make a
bar 09:14 of the print before the open, others label a bar by its close; either moves every indicator by one bar.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import UnknownDate
from core.market import IST, exchange_of, from_ns, parse_symbol, session, to_ns
from core.schemas import BARS
from storage.readers.cells import paise, whole
from storage.readers.refusal import Read, refusal
from storage.readers.rows import Column, Rows, from_table
from storage.readers.source import read_parquet

Ints = NDArray[np.int64]
_EPOCH = dt.date(1970, 1, 1)
_SECOND_NS = 1_000_000_000
_OFFSET_NS = 19_800 * _SECOND_NS  # IST is UTC+5:30
_TIMES = ("time", "ts", "datetime", "timestamp")
_PRICE = paise(least=0.01, slack=0.1)  # Yahoo's levels are single-precision floats: 24002.099609375
_PRICES = ("open", "high", "low", "close")


def read_bars(path: str | Path, symbol: str, seconds: int, *, strict: bool = False) -> Read:
    """Bars of `symbol`, each `seconds` long, as schemas.BARS; naive times are IST, integers Unix seconds.

    Refused are bars outside the session, off its grid, out of order or twice, and prices that contradict each other.
    `notes` names the days that the calendar does not cover, whose hours are not checked. Raises InputError for a file
    that is none, with `strict` for its first bad row, UnknownName for a symbol nobody knows.
    """
    contract = parse_symbol(symbol)
    table = read_parquet(path)
    names = _names(path, table.column_names)
    rows = from_table(path, table, names.values())
    rows.values["start_ns"], bad = _starts(rows.cells[names["time"]])
    rows.refuse(bad, names["time"], "a time, as 2025-08-29 09:15:00")
    rows.parse(Column(names[name], f"{name}_paise", _PRICE) for name in _PRICES)
    rows.parse(Column(names[name], name, whole()) for name in ("volume", "oi") if name in names)
    _check_prices(rows, names)
    _check_hours(rows, names["time"], exchange_of(contract.index), seconds)
    _check_order(rows, names["time"])
    many = len(rows)
    rows.values |= {
        "index": pa.array([contract.index] * many, pa.string()),
        "symbol": pa.array([symbol] * many, pa.string()),
        "kind": pa.array(np.full(many, int(contract.kind), np.int8)),
        "expiry": pa.array([contract.expiry] * many, pa.date32()),
        "strike_paise": pa.array(np.full(many, contract.strike_paise)),
        "seconds": pa.array(np.full(many, seconds, np.int32)),
    }
    for name in ("volume", "oi"):
        rows.values.setdefault(name, pa.array(np.zeros(many, np.int64)))
    return rows.read(BARS, strict=strict)


def _names(path: str | Path, columns: list[str]) -> dict[str, str]:
    """Our name → the file's, for the time, the four prices and, if they are there, volume and open interest."""
    found: dict[str, str] = {}
    for column in columns:
        name = "time" if column.lower() in _TIMES else column.lower()
        if name in {"time", "volume", "oi", *_PRICES}:
            if name in found:
                raise refusal(path, "row 0", column, f"one column for the {name}", f"{found[name]} and {column}")
            found[name] = column
    for name in ("time", *_PRICES):
        if name not in found:
            raise refusal(path, "row 0", name, "that column", f"only {', '.join(columns)}")
    return found


def _starts(cells: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """UTC nanoseconds; 0 and masked where there is no time."""
    none = np.asarray(cells.is_null().to_numpy(zero_copy_only=False), bool)
    if pa.types.is_timestamp(cells.type):
        aware = cells.type.tz is not None
        values = cells.cast(pa.timestamp("ns", cells.type.tz), safe=False).cast(pa.int64()).fill_null(0).to_numpy()
        starts = values - (0 if aware else _OFFSET_NS)
    elif pa.types.is_integer(cells.type):
        starts = cells.cast(pa.int64(), safe=False).fill_null(0).to_numpy() * _SECOND_NS
    elif pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        starts = np.array([_moment_ns(word) for word in cells.to_pylist()], np.int64)
    else:
        starts = np.zeros(len(cells), np.int64)
    return pa.array(starts), none | (starts <= 0)


def _moment_ns(word: str | None) -> int:
    try:
        moment = dt.datetime.fromisoformat(word or "")
        return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=IST))
    except (ValueError, OverflowError):
        return 0


def _check_prices(rows: Rows, names: dict[str, str]) -> None:
    low, high, opened, close = (rows.ints(f"{name}_paise") for name in ("low", "high", "open", "close"))
    rows.refuse(low > np.minimum(opened, close), names["low"], "a low not above open and close")
    rows.refuse(high < np.maximum(opened, close), names["high"], "a high not below open and close")


def _check_order(rows: Rows, header: str) -> None:
    """Refuse what breaks the order: of a step back the row that fits neither neighbour, of equal times the later."""
    starts = rows.ints("start_ns")
    bad = np.zeros(len(rows), bool)
    kept: list[int] = []
    for row in range(len(rows)):
        if row in rows.reasons:
            continue
        if kept and starts[row] <= starts[kept[-1]]:
            ahead = starts[row] < starts[kept[-1]] and (len(kept) == 1 or starts[kept[-2]] < starts[row])
            bad[kept.pop() if ahead else row] = True
            if not ahead:
                continue
        kept.append(row)
    rows.refuse(bad, header, "a time between those of its neighbours, each once", lambda row: from_ns(int(starts[row])))


def _check_hours(rows: Rows, header: str, exchange: str, seconds: int) -> None:
    starts, step = rows.ints("start_ns"), seconds * _SECOND_NS
    first, end, known = _hours(rows, exchange, (starts + _OFFSET_NS) // (86_400 * _SECOND_NS))

    def found(row: int) -> object:
        return from_ns(int(starts[row]))

    def hours(row: int) -> str:
        return f"{from_ns(int(first[row])):%H:%M} to {from_ns(int(end[row])):%H:%M}"

    rows.refuse(known & (end == 0), header, f"a trading day of {exchange}", found)
    early = known & (end > 0) & (starts == first - step)
    rows.refuse(early, header, "no bar before the open (a print of the pre-open, or labels one bar off)", found)
    outside = known & (end > 0) & ((starts < first) | (starts + step > end))
    rows.refuse(outside, header, lambda row: f"a bar inside the session {hours(row)}", found)
    off = known & (end > 0) & ((starts - first) % step != 0)
    rows.refuse(off, header, f"a start on the session's grid of {seconds} s", found)


def _hours(rows: Rows, exchange: str, days: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Open and close of each row's day, both 0 on a closed day; whether the row is good and the calendar has it."""
    good = np.array([row not in rows.reasons for row in range(len(rows))], bool)
    numbers, place = np.unique(days, return_inverse=True)
    table = np.zeros((numbers.size, 2), np.int64)
    known = np.ones(numbers.size, bool)
    for at, number in enumerate(numbers.tolist()):
        try:
            hours = session(exchange, _EPOCH + dt.timedelta(days=number))
        except UnknownDate:
            known[at] = False
            continue
        if hours is not None:
            table[at] = to_ns(hours.open), to_ns(hours.close)
    if not known.all():
        outside = np.unique(days[good & ~known[place]]).tolist()
        if outside:
            ends = (_EPOCH + dt.timedelta(days=outside[0]), _EPOCH + dt.timedelta(days=outside[-1]))
            rows.notes.append(f"hours not checked on {len(outside)} days, {ends[0]} to {ends[1]}: no calendar")
    return table[place, 0], table[place, 1], known[place] & good
