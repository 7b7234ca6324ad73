"""The collections of a recorded day of option chains: which rows of the file are of that day, and in what order.

Open interest and volume become units by the lot of their expiry on that date where ticks are made of the rows
(storage/chain_files.py). The file carries no index level.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import InputError
from core.market import check_index, exchange_of, from_ns, session, why_closed
from storage.readers import read_recorded_chain


def read_day(path: str | Path, index: str, date: dt.date) -> pa.Table:
    """The file's rows of `index` on `date`, in file order, as file_schemas.RECORDED_CHAIN.

    Raises:
        UnknownName: an index nobody knows.
        UnknownDate: a date the calendar does not reach.
        InputError: a file that is missing, empty, cut off, of another schema (names the column), with a bad row (names
            it), without that index or date, or with rows for a day on which the exchange was closed.
    """
    check_index(index)
    table = read_recorded_chain(path, strict=True).table
    days = pc.unique(table["date"]).to_pylist()
    exchange = exchange_of(index)
    rows = table.filter(pc.and_(pc.equal(table["index"], index), pc.equal(table["date"], pa.scalar(date, pa.date32()))))
    if session(exchange, date) is None:
        copies = f": its {rows.num_rows:,} rows are a stale copy of {_fetched(rows)}" if rows.num_rows else ""
        raise InputError(
            f"{path}: {date} was no trading day ({why_closed(exchange, date)}){copies}; choose another date"
        )
    if not rows.num_rows:
        names = pc.unique(table["index"]).to_pylist()
        if index not in names:
            raise InputError(f"{path}: column Symbol holds {', '.join(names)}, no {index}; choose --index from these")
        traded = ", ".join(str(day) for day in days if session(exchange, day) is not None)
        raise InputError(
            f"{path}: no rows of {date}; the file holds {traded or 'no trading day'}: choose --date from it"
        )
    return rows


def _fetched(rows: pa.Table) -> str:
    days = sorted({from_ns(at).date() for at in pc.unique(rows["fetched_ns"]).to_pylist()})
    return ", ".join(f"{day:%d-%b-%Y}" for day in days)


class Collections:
    """The collections of one day that a replay gives: later copies of a fetch time are dropped and counted.

    `counts`: collections in the file, `repeated` and `stale` (fetched on another day) ones dropped, `rows` read and
    `rows_dropped` with them, `total` that remain.
    """

    def __init__(self, path: str | Path, index: str, date: dt.date) -> None:
        self.path, self.index, self.date = path, index, date
        self.rows = read_day(path, index, date).combine_chunks()
        encoded = self.rows["collection"].chunk(0).dictionary_encode()
        order = np.argsort(encoded.indices.to_numpy(), kind="stable")
        edges = np.searchsorted(encoded.indices.to_numpy()[order], np.arange(len(encoded.dictionary) + 1))
        self.rows = self.rows.take(pa.array(order))
        self.counts = {"collections": len(encoded.dictionary), "repeated": 0, "stale": 0, "rows_dropped": 0}
        self.counts["rows"] = self.rows.num_rows
        fetched = self.rows["fetched_ns"].to_numpy()
        spans = [(int(fetched[a]), a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
        self.spans: list[tuple[int, int, int]] = []  # exchange ns, first row, row after the last
        seen: set[int] = set()
        for at, first, end in sorted(spans):
            stale = from_ns(at).date() != date
            if stale or at in seen:
                self.counts["stale" if stale else "repeated"] += 1
                self.counts["rows_dropped"] += end - first
                continue
            seen.add(at)
            self.spans.append((at, first, end))
        if not self.spans:
            raise InputError(f"{path}: every collection of {date} was fetched on another day ({_fetched(self.rows)})")
        self.counts["total"] = len(self.spans)
