"""Recorded NSE option chains: a strict reader of the file, and the collections of a day in it.

A file holds *collections*: every strike of every expiry as NSE's site showed it at `Fetch_Time`, one row a strike with
the call left and the put right. Open interest and volume are in lots there, and become units by the lot of that expiry
on that date (open interest may be a fraction of a lot after a lot change, and is whole in units); quantities at bid and
ask are units already. The file carries no index level.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import InputError
from core.market import IST, check_index, exchange_of, session, to_ns, why_closed
from core.schemas import Kind

Ints = NDArray[np.int64]

SIDES = {"CALLS": Kind.CALL, "PUTS": Kind.PUT}
NUMBERS = ("OI", "Chng_in_OI", "Volume", "IV", "LTP", "Net_Chng", "Bid_Qty", "Bid_Price", "Ask_Price", "Ask_Qty")
_TEXTS = ("Fetch_Time", "Symbol", "Expiry_Date", "collection_timestamp")
COLUMNS = {
    **dict.fromkeys(_TEXTS, "text"),
    "Strike_Price": "number",
    "date": "date",
    **{f"{side}_{name}": "number" for side in SIDES for name in NUMBERS},
}
_IS = {
    "text": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    "number": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
    "date": pa.types.is_date,
}
_REMEDY = "use a chain file as NSE_NIFTY_chain_2025-08-27_29.parquet is"


def read_day(path: str | Path, index: str, date: dt.date) -> pa.Table:
    """The file's rows of `index` on `date`, in file order, columns `COLUMNS`, none of them null.

    Raises:
        UnknownName: an index nobody knows.
        UnknownDate: a date the calendar does not reach.
        InputError: a file that is missing, empty, cut off, of another schema (names the column), without that index or
            date, or with rows for a day on which the exchange was closed.
    """
    check_index(index)
    table = _read(Path(path))
    days = pc.unique(table["date"]).to_pylist()
    exchange = exchange_of(index)
    rows = table.filter(
        pc.and_(pc.equal(table["Symbol"], index), pc.equal(table["date"], pa.scalar(date, pa.date32())))
    )
    if session(exchange, date) is None:
        copies = f": its {rows.num_rows:,} rows are a stale copy of {_fetched(rows)}" if rows.num_rows else ""
        raise InputError(
            f"{path}: {date} was no trading day ({why_closed(exchange, date)}){copies}; choose another date"
        )
    if not rows.num_rows:
        names = pc.unique(table["Symbol"]).to_pylist()
        if index not in names:
            raise InputError(f"{path}: column Symbol holds {', '.join(names)}, no {index}; choose --index from these")
        traded = ", ".join(str(day) for day in days if session(exchange, day) is not None)
        raise InputError(
            f"{path}: no rows of {date}; the file holds {traded or 'no trading day'}: choose --date from it"
        )
    return rows


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the recorded chain")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; fetch it again")
    try:
        schema = pq.read_schema(path)
        _check_columns(path, schema)
        table = pq.read_table(path, columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cut off or no Parquet file ({error}); fetch it again") from error
    if table.num_rows == 0:
        raise InputError(f"{path}: the file holds no rows; fetch it again")
    for name, kind in COLUMNS.items():
        empty = table[name].is_null() if kind != "number" else pc.invert(pc.is_finite(table[name]).fill_null(False))
        if pc.any(empty).as_py():
            first = pc.index(empty, pa.scalar(True)).as_py()
            raise InputError(f"{path}: column {name} is empty in row {first + 1}; mend or leave out that collection")
    return table


def _check_columns(path: Path, schema: pa.Schema) -> None:
    for name, kind in COLUMNS.items():
        if name not in schema.names:
            raise InputError(f"{path}: column {name} is missing (there are {', '.join(schema.names)}); {_REMEDY}")
        if not _IS[kind](schema.field(name).type):
            raise InputError(f"{path}: column {name} should be a {kind}, was {schema.field(name).type}; {_REMEDY}")


def _fetched(rows: pa.Table) -> str:
    return ", ".join(sorted({text.split(" ")[0] for text in pc.unique(rows["Fetch_Time"]).to_pylist()}))


def moment(path: str | Path, text: str, form: str, column: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(text, form).replace(tzinfo=IST)
    except ValueError as error:
        raise InputError(f"{path}: column {column} holds {text!r}, expected a time as {form}; {_REMEDY}") from error


class Collections:
    """The collections of one day that a replay gives: later copies of a fetch time are dropped and counted.

    `counts`: collections in the file, `repeated` and `stale` (fetched on another day) ones dropped, `rows` read and
    `rows_dropped` with them, `total` that remain.
    """

    def __init__(self, path: str | Path, index: str, date: dt.date) -> None:
        self.path, self.index, self.date = path, index, date
        self.rows = read_day(path, index, date).combine_chunks()
        encoded = self.rows["collection_timestamp"].chunk(0).dictionary_encode()
        order = np.argsort(encoded.indices.to_numpy(), kind="stable")
        edges = np.searchsorted(encoded.indices.to_numpy()[order], np.arange(len(encoded.dictionary) + 1))
        self.rows = self.rows.take(pa.array(order))
        self.counts = {"collections": len(encoded.dictionary), "repeated": 0, "stale": 0, "rows_dropped": 0}
        self.counts["rows"] = self.rows.num_rows
        spans = [(self._fetched_at(a), a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
        self.spans: list[tuple[int, int, int]] = []  # exchange ns, first row, row after the last
        seen: set[int] = set()
        for at, first, end in sorted(spans):
            stale = dt.datetime.fromtimestamp(at / 1e9, IST).date() != date
            if stale or at in seen:
                self.counts["stale" if stale else "repeated"] += 1
                self.counts["rows_dropped"] += end - first
                continue
            seen.add(at)
            self.spans.append((at, first, end))
        if not self.spans:
            raise InputError(f"{path}: every collection of {date} was fetched on another day ({_fetched(self.rows)})")
        self.counts["total"] = len(self.spans)

    def _fetched_at(self, row: int) -> int:
        return to_ns(moment(self.path, self.rows["Fetch_Time"][row].as_py(), "%d-%b-%Y %H:%M:%S", "Fetch_Time"))
