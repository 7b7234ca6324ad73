"""A recorded NSE chain as a source of ticks, and beside it the comparison with NSE's own vols."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.market import lot, option_symbol
from core.schemas import DEPTH, TICKS, Kind
from storage.chain_reader import Collections, read_day
from storage.nse_vols import nse_comparison

__all__ = ["ChainFileSource", "nse_comparison", "read_day"]

Ints = NDArray[np.int64]
SIDES = {"call": Kind.CALL, "put": Kind.PUT}
_Contract = tuple[dt.date, int, str, str]  # expiry, lot, symbols of call and put


class ChainFileSource:
    """A Source that replays a recorded day: each collection is one batch, calls and puts, level 0 of the book only."""

    def __init__(self, path: str | Path, index: str, date: dt.date) -> None:
        """Only keeps its arguments; `open` reads the file."""
        self.path, self.index, self.date = str(path), index, date
        self._day: Collections | None = None
        self._contracts: dict[tuple[dt.date, int], _Contract] = {}
        self._at = 0

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_day": None, "_contracts": {}}

    def open(self) -> None:
        """Read and check the file; raises as `read_day` does."""
        self._day = Collections(self.path, self.index, self.date)
        self._at = 0

    @property
    def day(self) -> Collections:
        if self._day is None:
            raise InputError(f"{self.path}: open() the source before asking it for ticks")
        return self._day

    def poll(self, now_ns: int) -> Iterator[pa.RecordBatch]:
        """Collections fetched up to `now_ns`, oldest first."""
        while (due := self.next_ns()) is not None and due <= now_ns:
            _, first, end = self.day.spans[self._at]
            self._at += 1
            yield self._ticks(due, self.day.rows.slice(first, end - first))

    def next_ns(self) -> int | None:
        """Fetch time of the next collection, None after the last."""
        return self.day.spans[self._at][0] if self._at < len(self.day.spans) else None

    def times_ns(self) -> Ints:
        """Fetch time of every collection, in order."""
        return np.array([at for at, _, _ in self.day.spans], np.int64)

    def counts(self) -> Mapping[str, int]:
        """See `Collections`."""
        return dict(self.day.counts)

    def _ticks(self, at: int, rows: pa.Table) -> pa.RecordBatch:
        contracts = [
            self._contract(expiry, strike)
            for expiry, strike in zip(rows["expiry"].to_pylist(), rows["strike_paise"].to_pylist(), strict=True)
        ]
        parts = [self._side(at, rows, contracts, side) for side in SIDES]
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

    def _contract(self, expiry: dt.date, strike_paise: int) -> _Contract:
        """Expiry day, units in a lot, and the symbols of call and put; once a contract."""
        found = self._contracts.get((expiry, strike_paise))
        if found is None:
            symbols = (option_symbol(self.index, expiry, kind, strike_paise) for kind in SIDES.values())
            found = self._contracts[expiry, strike_paise] = (expiry, lot(self.index, expiry, self.date), *symbols)
        return found

    def _side(self, at: int, rows: pa.Table, contracts: list[_Contract], side: str) -> pa.RecordBatch:
        many, kind = rows.num_rows, SIDES[side]

        def column(name: str) -> Any:
            return rows[f"{side}_{name}"].to_numpy()

        lots = np.array([c[1] for c in contracts], np.int64)
        last, oi = column("last_paise"), _round(column("oi_lots") * lots)
        time = pa.array(np.full(many, at, np.int64))
        columns = [
            pa.array([self.index] * many),
            pa.array([c[2 if kind == Kind.CALL else 3] for c in contracts]),
            pa.array(np.full(many, int(kind), np.int8)),
            pa.array([c[0] for c in contracts], pa.date32()),
            rows["strike_paise"].combine_chunks(),
            time,
            time,
            pa.array(last),
            pa.array(np.where(last > 0, last - column("change_paise"), 0)),
            pa.array(_round(column("volume_lots") * lots)),
            pa.array(oi),
            pa.array(oi - _round(column("oi_change_lots") * lots)),
            *_book(column("bid_paise"), column("bid_qty")),
            *_book(column("ask_paise"), column("ask_qty")),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=TICKS)


def _round(values: NDArray[np.float64]) -> Ints:
    return np.rint(values).astype(np.int64)


def _book(price: Ints, quantity: Ints) -> list[pa.Array]:
    """Level 0 from the file, the other levels and the number of orders unknown."""
    levels = np.zeros((3, price.size, DEPTH), np.int64)
    levels[0, :, 0] = price
    levels[1, :, 0] = np.where(price > 0, quantity, 0)
    fields = [TICKS.field(name) for name in ("bid_paise", "bid_qty", "bid_orders")]
    return [
        pa.FixedSizeListArray.from_arrays(pa.array(part.ravel(), f.type.value_type), type=f.type)
        for part, f in zip(levels, fields, strict=True)
    ]
