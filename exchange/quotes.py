"""What everybody sees of every instrument now: last, day's range, volume, open interest, five levels a side.

A row an instrument, in the listing's order. Ticks of the market (schemas.TICKS) are folded in; what they do not carry
is derived from those that came: the day's open, high and low, the traded average, the last quantity, the range of open
interest. What had traded before the first tick of an instrument has no price and is in none of them.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.schemas import DEPTH

Ints = NDArray[np.int64]
SIDES = ("bid_paise", "bid_qty", "bid_orders", "ask_paise", "ask_qty", "ask_orders")
NEVER = np.iinfo(np.int64).max


class Groups(NamedTuple):
    """Rows sorted by key, their order kept within one: `order` [n]; `first` and `last` row of each key, [keys]."""

    order: Ints
    first: Ints
    last: Ints


def grouped(keys: Ints) -> Groups:
    """The rows of each key together; `keys` [n], n above 0."""
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] - 1))
    return Groups(order, first, np.append(first[1:], keys.size) - 1)


class Quotes:
    """Every column is int64 of shape (n,), or (n, 5) for the book; prices in paise, times UTC ns, 0 unknown."""

    def __init__(self, rows: int) -> None:
        self.last, self.last_quantity, self.close, self.volume = _zeros(rows, 4)
        self.traded, self.traded_paise = _zeros(rows, 2)  # Σ quantity and Σ price·quantity that were seen to trade
        self.traded_ns, self.at_ns = _zeros(rows, 2)
        self.oi, self.oi_high, self.oi_low = _zeros(rows, 3)
        self.open, self.high, self.low = _zeros(rows, 3)
        self.book: dict[str, Ints] = {name: np.zeros((rows, DEPTH), np.int64) for name in SIDES}

    def take(self, places: Ints, ticks: pa.Table) -> None:
        """Fold in `ticks`, oldest first, row i of the instrument at `places[i]`."""
        if not places.size:
            return
        order, first, final = grouped(places)
        own = places[order][first]
        last, volume, oi, at = (ints(ticks, name)[order] for name in ("last_paise", "volume", "oi", "exchange_ns"))
        fresh = self.at_ns[own] == 0
        before = np.append(0, volume[:-1])
        before[first] = np.where(fresh, volume[first], self.volume[own])
        self._trade(own, first, np.maximum(volume - before, 0), last, at)
        self._range(own, first, last)
        self.oi_high[own] = np.maximum(self.oi_high[own], np.maximum.reduceat(oi, first))
        self.oi_low[own] = np.minimum(np.where(fresh, NEVER, self.oi_low[own]), np.minimum.reduceat(oi, first))
        self.last[own], self.volume[own] = last[final], volume[final]
        self.oi[own], self.at_ns[own] = oi[final], at[final]
        rows = order[final]
        self.close[own] = ints(ticks, "prev_close_paise")[rows]
        for name, book in self.book.items():
            book[own] = ints(ticks, name).reshape(-1, DEPTH)[rows]

    def average(self, places: Ints) -> Ints:
        """Price of what was seen to trade, paise; the last where nothing was."""
        traded = self.traded[places]
        return np.where(traded > 0, self.traded_paise[places] // np.maximum(traded, 1), self.last[places])

    def _trade(self, own: Ints, first: Ints, traded: Ints, last: Ints, at: Ints) -> None:
        self.traded[own] += np.add.reduceat(traded, first)
        self.traded_paise[own] += np.add.reduceat(traded * last, first)
        latest = np.maximum.reduceat(np.where(traded > 0, np.arange(traded.size), -1), first)
        some = latest >= 0
        self.last_quantity[own[some]], self.traded_ns[own[some]] = traded[latest[some]], at[latest[some]]

    def _range(self, own: Ints, first: Ints, last: Ints) -> None:
        """Open, high and low; a last of 0 is no price."""
        earliest = np.minimum.reduceat(np.where(last > 0, np.arange(last.size), NEVER), first)
        seen = earliest < NEVER
        new = seen & (self.open[own] == 0)
        self.open[own[new]] = last[earliest[new]]
        self.high[own] = np.maximum(self.high[own], np.maximum.reduceat(last, first))
        low = np.minimum.reduceat(np.where(last > 0, last, NEVER), first)
        low = np.minimum(low, np.where(self.low[own] > 0, self.low[own], NEVER))
        self.low[own] = np.where(seen, low, self.low[own])


def _zeros(rows: int, many: int) -> list[Ints]:
    return [np.zeros(rows, np.int64) for _ in range(many)]


def ints(ticks: pa.Table, name: str) -> Ints:
    """A column, levels of the book one after the other."""
    column: Any = ticks[name].combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    values: Ints = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return values
