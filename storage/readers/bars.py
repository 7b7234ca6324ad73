"""Recorded bars from a Parquet file, whatever its columns are called, checked against the session.

The trap in such files is the label. A bar is named by its open: the first of a session is 09:15. Some sources make a
bar 09:14 of the print before the open, others label a bar by its close; either moves every indicator by one bar. The
last bar of a session is a short one where the session is no whole number of bars.
"""

import datetime as dt
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError, UnknownDate, UnknownName
from core.market import Contract, day_windows, exchange_of, from_ns, parse_symbol, session, to_ns
from core.market.holidays import PROVISIONAL_TO
from core.schemas import BARS
from storage.readers.cells import Bools, moment, paise, text, whole
from storage.readers.refusal import Read, refusal
from storage.readers.rows import Column, Rows, from_table
from storage.readers.source import read_parquet

Ints = NDArray[np.int64]
_EPOCH = dt.date(1970, 1, 1)
_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_OFFSET_NS = 19_800 * _SECOND_NS  # IST is UTC+5:30
_TIMES = ("time", "ts", "datetime", "timestamp")
_SYMBOL = "tradingsymbol"
_NORMAL = ("derivatives", "normal")
_TIME = moment()
_PRICE = paise(least=0.01, slack=0.1)  # Yahoo's levels are single-precision floats: 24002.099609375
_PRICES = ("open", "high", "low", "close")


def read_bars(
    path: str | Path, symbol: str, seconds: int, *, days: Collection[dt.date] = (), strict: bool = False
) -> Read:
    """Bars of `symbol`, each `seconds` long, as schemas.BARS; naive times are IST, integers Unix seconds.

    Of `days` alone if any are named: rows of other days are then neither read nor refused. Refused are bars outside the
    session, in a drill's pause, off its grid, out of order or twice, and prices that contradict each other. `notes`
    names the days that the calendar does not cover, whose hours are not checked. Raises InputError for a file that is
    none or has no bar of `days`, with `strict` for its first bad row, UnknownName for a symbol nobody knows.
    """
    parse_symbol(symbol)
    rows, names = _opened(path, seconds, days)
    rows.values["symbol"] = pa.array([symbol] * len(rows), pa.string())
    return _checked(rows, names, seconds, strict=strict)


def read_contract_bars(path: str | Path, seconds: int, *, days: Collection[dt.date] = (), strict: bool = False) -> Read:
    """Bars of many contracts in one file, whose column `tradingsymbol` says of which; else as `read_bars`."""
    rows, names = _opened(path, seconds, days, _SYMBOL)
    rows.parse((Column(_SYMBOL, "symbol", text()),))
    return _checked(rows, names, seconds, strict=strict)


def _opened(path: str | Path, seconds: int, days: Collection[dt.date], *more: str) -> tuple[Rows, dict[str, str]]:
    """The file's rows, those of `days` if any are named, with their times; and the names of its columns."""
    if not 1 <= seconds <= 86_400:
        raise InputError(f"{path}: bars must be from 1 second to a day long, was {seconds}")
    table = read_parquet(path)
    names = _names(path, table.column_names)
    rows = from_table(path, table, (*names.values(), *more))
    starts, bad = _TIME.parse(rows.cells[names["time"]])
    if days and len(rows):
        numbers = (starts.to_numpy() + _OFFSET_NS) // _DAY_NS
        wanted = np.isin(numbers, [(day - _EPOCH).days for day in days])
        if not wanted.any() and not bad.all():
            asked, has = ", ".join(map(str, sorted(days))), numbers[~bad]
            raise InputError(f"{path}: no bars of {asked}; it has {_day(has.min())} to {_day(has.max())}")
        keep = np.flatnonzero(wanted | bad)
        rows, starts, bad = rows.only(keep), starts.take(pa.array(keep)), bad[keep]
    rows.values["start_ns"] = starts
    rows.refuse(bad, names["time"], _TIME.expected)
    return rows, names


def _checked(rows: Rows, names: dict[str, str], seconds: int, *, strict: bool) -> Read:
    rows.parse(Column(names[name], f"{name}_paise", _PRICE) for name in _PRICES)
    rows.parse(Column(names[name], name, whole()) for name in ("volume", "oi") if name in names)
    _describe(rows)
    _check_prices(rows, names)
    _check_hours(rows, names["time"], seconds)
    _check_order(rows, names["time"])
    rows.values["seconds"] = pa.array(np.full(len(rows), seconds, np.int32))
    for name in ("volume", "oi"):
        rows.values.setdefault(name, pa.array(np.zeros(len(rows), np.int64)))
    return rows.read(BARS, strict=strict)


def _describe(rows: Rows) -> None:
    """What `symbol` says of every row: its index, kind, expiry and strike."""
    words = rows.values["symbol"].dictionary_encode()
    found = [_contract(word) for word in words.dictionary.to_pylist()]
    codes = words.indices.to_numpy(zero_copy_only=False)
    unknown = np.array([contract is None for contract in found], bool)[codes]
    rows.refuse(unknown, _SYMBOL, "the symbol of an index or of its contract, as NIFTY25SEP24500CE")
    for name, type_ in (("index", pa.string()), ("expiry", pa.date32()), ("strike_paise", pa.int64())):
        rows.values[name] = pa.array([getattr(contract, name, None) for contract in found], type_).take(pa.array(codes))
    rows.values["kind"] = pa.array([int(contract.kind) if contract else 0 for contract in found], pa.int8()).take(
        pa.array(codes)
    )


def _contract(symbol: str) -> Contract | None:
    try:
        return parse_symbol(symbol)
    except (UnknownName, UnknownDate):
        return None


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


def _check_prices(rows: Rows, names: dict[str, str]) -> None:
    low, high, opened, close = (rows.ints(f"{name}_paise") for name in ("low", "high", "open", "close"))
    rows.refuse(low > np.minimum(opened, close), names["low"], "a low not above open and close")
    rows.refuse(high < np.maximum(opened, close), names["high"], "a high not below open and close")


def _check_order(rows: Rows, header: str) -> None:
    """Refuse what breaks the order: of a step back the row that fits neither neighbour, of equal times the later."""
    starts = rows.ints("start_ns").tolist()
    bad = np.zeros(len(rows), bool)
    kept_of: dict[str, list[int]] = {}
    for row, symbol in enumerate(rows.values["symbol"].to_pylist()):
        if row in rows.reasons:
            continue
        kept = kept_of.setdefault(symbol, [])
        if kept and starts[row] <= starts[kept[-1]]:
            ahead = starts[row] < starts[kept[-1]] and (len(kept) == 1 or starts[kept[-2]] < starts[row])
            bad[kept.pop() if ahead else row] = True
            if not ahead:
                continue
        kept.append(row)
    rows.refuse(bad, header, "a time between those of its neighbours, each once", lambda row: from_ns(starts[row]))


def _check_hours(rows: Rows, header: str, seconds: int) -> None:
    starts, step = rows.ints("start_ns"), seconds * _SECOND_NS
    good = np.array([row not in rows.reasons for row in range(len(rows))], bool)
    exchange = ["" if index is None else exchange_of(index) for index in rows.values["index"].to_pylist()]
    first, end, pause, again = _hours(exchange, (starts + _OFFSET_NS) // _DAY_NS, good).T
    open_day = good & (end > 0)

    def found(row: int) -> object:
        return from_ns(int(starts[row]))

    rows.refuse(good & (first == _BEYOND), header, f"a day until {PROVISIONAL_TO}, where the calendar ends", found)
    rows.refuse(good & (first == _CLOSED), header, lambda row: f"a trading day of {exchange[row]}", found)
    early = open_day & (starts == first - step)
    rows.refuse(early, header, "no bar before the open (a print of the pre-open, or labels one bar off)", found)
    outside = open_day & ((starts < first) | (starts >= end))
    rows.refuse(outside, header, lambda row: f"a bar inside the session {_span(first[row], end[row])}", found)
    paused = open_day & (starts >= pause) & (starts + step <= again)
    rows.refuse(paused, header, lambda row: f"no bar in the pause {_span(pause[row], again[row])}", found)
    off = open_day & ((starts - first) % step != 0)
    rows.refuse(off, header, f"a start on the session's grid of {seconds} s", found)
    unknown = np.unique((starts[good & (first == _UNKNOWN)] + _OFFSET_NS) // _DAY_NS)
    if unknown.size:
        ends = f"{_day(unknown[0])} to {_day(unknown[-1])}"
        rows.notes.append(f"hours not checked on {unknown.size} days, {ends}: no calendar")


def _hours(exchange: list[str], days: Ints, good: Bools) -> Ints:
    """Open, close and a pause between them of each good row's day, UTC nanoseconds, as `_hours_of` has them."""
    found: dict[tuple[str, int], tuple[int, int, int, int]] = {}
    table = np.zeros((days.size, 4), np.int64)
    for row in np.flatnonzero(good).tolist():
        key = exchange[row], int(days[row])
        if key not in found:
            found[key] = _hours_of(key[0], _day(key[1]))
        table[row] = found[key]
    return table


_CLOSED, _UNKNOWN, _BEYOND = 0, -1, -2  # in place of the open


def _hours_of(exchange: str, day: dt.date) -> tuple[int, int, int, int]:
    """Open, close, begin and end of a drill's pause; else one of the signs above and zeros."""
    if day > PROVISIONAL_TO:
        return _BEYOND, 0, 0, 0
    try:
        hours = session(exchange, day)
    except UnknownDate:
        return _UNKNOWN, 0, 0, 0
    if hours is None:
        return _CLOSED, 0, 0, 0
    pause = hours.close, hours.close
    if hours.kind == "drill":
        first, *later = (window for window in day_windows(exchange, day) if (window.market, window.name) == _NORMAL)
        pause = (first.end, later[0].start) if later else pause
    return to_ns(hours.open), to_ns(hours.close), to_ns(pause[0]), to_ns(pause[1])


def _day(number: int) -> dt.date:
    return _EPOCH + dt.timedelta(days=int(number))


def _span(begin: int, end: int) -> str:
    return f"{from_ns(int(begin)):%H:%M} to {from_ns(int(end)):%H:%M}"
