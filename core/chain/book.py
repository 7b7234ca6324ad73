"""The latest quote of every contract of one index, as arrays. A value: `updated` gives a new book or raises."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core import schemas
from core.chain.averaging import RunningMean
from core.chain.universe import Contract, Universe
from core.errors import SchemaError
from core.pricing.chain_rules import ABSENT

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
    averaged: RunningMean = field(default_factory=RunningMean)  # of the index

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
        index, a contract that cannot be one, or one that is no longer what its symbol was.
        """
        schemas.check("ticks", ticks)
        for index in pc.unique(ticks.column("index")).to_pylist():
            if index != self.universe.index:
                raise SchemaError(f"ticks.index: this book is of {self.universe.index}, found a tick of {index}")
        symbols = _list(ticks, "symbol")
        universe = self._universe_with(ticks, symbols)
        known = self.values.shape[1]
        values = np.zeros((len(FIELDS), len(universe.contracts)), np.int64)
        values[:, :known] = self.values
        values[FIELDS["exchange_ns"], known:] = NEVER
        rows = np.array([universe.rows[symbol] for symbol in symbols], np.int64)
        _check_same(universe, rows, ticks)
        quotes = _quotes(ticks)
        order = np.argsort(quotes[FIELDS["exchange_ns"]], kind="stable")
        rows, quotes = rows[order], quotes[:, order]
        fresh = quotes[FIELDS["exchange_ns"]] >= values[FIELDS["exchange_ns"], rows]
        values[:, rows[fresh]] = quotes[:, fresh]  # of a repeated row numpy keeps the last, the newest here
        values.flags.writeable = False
        spot = np.flatnonzero(fresh & (rows == universe.rows.get(universe.index, ABSENT)))
        return Book(universe, values, self._averaged_with(quotes[:, spot]))

    def only(self, symbols: Collection[str]) -> "Book":
        """Return the book without the contracts that are not among `symbols`; itself where it has no other."""
        kept = [row for row, contract in enumerate(self.universe.contracts) if contract.symbol in symbols]
        if len(kept) == len(self.universe.contracts):
            return self
        values = self.values[:, kept]
        values.flags.writeable = False
        universe = Universe(self.universe.index, (self.universe.contracts[row] for row in kept))
        return Book(universe, values, self.averaged)

    def _averaged_with(self, spot: Ints) -> RunningMean:
        """`spot`: quotes of the index, oldest first."""
        averaged = self.averaged
        for at_ns, paise in spot[[FIELDS["exchange_ns"], FIELDS["last_paise"]]].T.tolist():
            if paise > 0:
                averaged = averaged.after(self.universe.index, at_ns, paise)
        return averaged

    def _universe_with(self, ticks: pa.RecordBatch, symbols: list[str]) -> Universe:
        if all(symbol in self.universe.rows for symbol in symbols):
            return self.universe
        found = {
            contract.symbol: contract
            for contract in map(
                Contract, symbols, _list(ticks, "kind"), _days(ticks).tolist(), _list(ticks, "strike_paise")
            )
            if contract.symbol not in self.universe.rows
        }
        return self.universe.extended(found.values())


def _check_same(universe: Universe, rows: Ints, ticks: pa.RecordBatch) -> None:
    columns = ticks.column("kind").to_numpy(), _days(ticks), ticks.column("strike_paise").to_numpy()
    for name, known, found in zip(("kind", "expiry", "strike_paise"), universe.terms, columns, strict=True):
        other = known[rows] != found
        if other.any():
            at = int(np.argmax(other))
            raise SchemaError(
                f"ticks.{name}: {universe.contracts[rows[at]]} now has {found[at]}; a symbol stays one contract"
            )


def _days(ticks: pa.RecordBatch) -> Ints:
    days: Ints = ticks.column("expiry").view(pa.int32()).fill_null(ABSENT).to_numpy()
    return days


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
