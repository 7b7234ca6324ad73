"""The latest quote of every contract of one index, as arrays. A value: `updated` gives a new book or raises."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core import schemas
from core.chain.universe import ABSENT, Contract, Universe
from core.errors import SchemaError

Ints = NDArray[np.int64]

SCALARS = ("exchange_ns", "last_paise", "prev_close_paise", "volume", "oi", "prev_oi")
TOPS = ("bid_paise", "bid_qty", "ask_paise", "ask_qty")  # best level of each
FIELDS = {name: row for row, name in enumerate((*SCALARS, *TOPS))}
NEVER = -1  # exchange_ns of a contract that was announced and has no quote


@dataclass(frozen=True)
class Book:
    """`values` has a row per name of FIELDS and a column per contract of `universe`; nobody writes to it."""

    universe: Universe
    values: Ints

    @classmethod
    def empty(cls, index: str) -> "Book":
        return cls(Universe(index), np.empty((len(FIELDS), 0), np.int64))

    @property
    def newest_ns(self) -> int:
        """Market time of the newest quote; 0 in an empty book."""
        return int(self.values[FIELDS["exchange_ns"]].max(initial=0))

    def last_paise(self, symbol: str) -> int:
        """Latest price of one contract or index; 0 if it is unknown."""
        row = self.universe.rows.get(symbol)
        return 0 if row is None else int(self.values[FIELDS["last_paise"], row])

    def updated(self, ticks: pa.RecordBatch) -> "Book":
        """Return the book with `ticks` (schemas.TICKS) in it; contracts it does not know are added.

        Of several ticks of one contract the newest by exchange_ns stays, of equal ones the last; an older one than the
        book has changes nothing. Raises SchemaError, and this book stays as it was, for another schema, another
        index or a contract that cannot be one.
        """
        schemas.check("ticks", ticks)
        for index in pc.unique(ticks.column("index")).to_pylist():
            if index != self.universe.index:
                raise SchemaError(f"ticks.index: this book is of {self.universe.index}, found a tick of {index}")
        universe = self._universe_with(ticks)
        known = self.values.shape[1]
        values = np.zeros((len(FIELDS), len(universe.contracts)), np.int64)
        values[:, :known] = self.values
        values[FIELDS["exchange_ns"], known:] = NEVER
        rows = np.array([universe.rows[symbol] for symbol in _list(ticks, "symbol")], np.int64)
        quotes = _quotes(ticks)
        order = np.argsort(quotes[FIELDS["exchange_ns"]], kind="stable")
        rows, quotes = rows[order], quotes[:, order]
        fresh = quotes[FIELDS["exchange_ns"]] >= values[FIELDS["exchange_ns"], rows]
        values[:, rows[fresh]] = quotes[:, fresh]  # of a repeated row numpy keeps the last, the newest here
        values.flags.writeable = False
        return Book(universe, values)

    def _universe_with(self, ticks: pa.RecordBatch) -> Universe:
        symbols = _list(ticks, "symbol")
        if all(symbol in self.universe.rows for symbol in symbols):
            return self.universe
        days = ticks.column("expiry").cast(pa.int32()).fill_null(ABSENT).to_pylist()
        found = {
            contract.symbol: contract
            for contract in map(
                Contract, symbols, _list(ticks, "kind"), cast("list[int]", days), _list(ticks, "strike_paise")
            )
            if contract.symbol not in self.universe.rows
        }
        return self.universe.extended(found.values())


def _list(ticks: pa.RecordBatch, name: str) -> list[Any]:
    return ticks.column(name).to_pylist()


def _quotes(ticks: pa.RecordBatch) -> Ints:
    quotes = np.empty((len(FIELDS), ticks.num_rows), np.int64)
    for name in SCALARS:
        quotes[FIELDS[name]] = ticks.column(name).to_numpy()
    for name in TOPS:
        levels = cast("pa.FixedSizeListArray[Any, Any]", ticks.column(name)).flatten().to_numpy()
        quotes[FIELDS[name]] = levels.reshape(-1, schemas.DEPTH)[:, 0]
    return quotes
