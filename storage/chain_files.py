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
from storage.chain_reader import NUMBERS, SIDES, Collections, moment, read_day
from storage.nse_vols import nse_comparison

__all__ = ["ChainFileSource", "nse_comparison", "read_day"]

Ints = NDArray[np.int64]
_Contract = tuple[dt.date, int, str, str]  # expiry, lot, symbols of call and put


class ChainFileSource:
    """A Source that replays a recorded day: each collection is one batch, calls and puts, level 0 of the book only."""

    def __init__(self, path: str | Path, index: str, date: dt.date) -> None:
        """Only keeps its arguments; `open` reads the file."""
        self.path, self.index, self.date = str(path), index, date
        self._day: Collections | None = None
        self._contracts: dict[tuple[str, int], _Contract] = {}
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
            for expiry, strike in zip(rows["Expiry_Date"].to_pylist(), rows["Strike_Price"].to_pylist(), strict=True)
        ]
        parts = [self._side(at, rows, contracts, side) for side in SIDES]
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

    def _contract(self, expiry: str, strike: float) -> _Contract:
        """Expiry day, units in a lot, and the symbols of call and put; once a contract."""
        key = (expiry, _paise(strike))
        found = self._contracts.get(key)
        if found is None:
            day = moment(self.path, expiry, "%d-%b-%Y", "Expiry_Date").date()
            symbols = (option_symbol(self.index, day, kind, key[1]) for kind in SIDES.values())
            found = self._contracts[key] = (day, lot(self.index, day, self.date), *symbols)
        return found

    def _side(self, at: int, rows: pa.Table, contracts: list[_Contract], side: str) -> pa.RecordBatch:
        raw: dict[str, Any] = {name: rows[f"{side}_{name}"].to_numpy().astype(np.float64) for name in NUMBERS}
        many = rows.num_rows
        kind = SIDES[side]
        lots = np.array([c[1] for c in contracts], np.int64)
        last, oi = _round(raw["LTP"] * 100), _round(raw["OI"] * lots)
        time = pa.array(np.full(many, at, np.int64))
        columns = [
            pa.array([self.index] * many),
            pa.array([c[2 if kind == Kind.CALL else 3] for c in contracts]),
            pa.array(np.full(many, int(kind), np.int8)),
            pa.array([c[0] for c in contracts], pa.date32()),
            pa.array(_round(rows["Strike_Price"].to_numpy() * 100.0)),
            time,
            time,
            pa.array(last),
            pa.array(np.where(last > 0, last - _round(raw["Net_Chng"] * 100), 0)),
            pa.array(_round(raw["Volume"] * lots)),
            pa.array(oi),
            pa.array(oi - _round(raw["Chng_in_OI"] * lots)),
            *_book(raw["Bid_Price"], raw["Bid_Qty"]),
            *_book(raw["Ask_Price"], raw["Ask_Qty"]),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=TICKS)


def _paise(rupees: float) -> int:
    return round(rupees * 100)


def _round(values: NDArray[np.float64]) -> Ints:
    return np.rint(values).astype(np.int64)


def _book(price: NDArray[np.float64], quantity: NDArray[np.float64]) -> list[pa.Array]:
    """Level 0 from the file, the other levels and the number of orders unknown."""
    levels = np.zeros((3, price.size, DEPTH), np.int64)
    levels[0, :, 0] = _round(price * 100)
    levels[1, :, 0] = np.where(price > 0, _round(quantity), 0)
    fields = [TICKS.field(name) for name in ("bid_paise", "bid_qty", "bid_orders")]
    return [
        pa.FixedSizeListArray.from_arrays(pa.array(part.ravel(), f.type.value_type), type=f.type)
        for part, f in zip(levels, fields, strict=True)
    ]
