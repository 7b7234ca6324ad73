"""What everybody sees of every instrument now: last, day's range, volume, open interest, five levels a side.

A row an instrument, in the listing's order. Ticks of the market (schemas.TICKS) are folded in; what they do not carry
is derived: the day's open, high and low, the traded average, the last quantity, the day's range of open interest.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.schemas import DEPTH

Ints = NDArray[np.int64]
SIDES = ("bid_paise", "bid_qty", "bid_orders", "ask_paise", "ask_qty", "ask_orders")


class Quotes:
    """Every column is int64 of shape (n,), or (n, 5) for the book; prices in paise, times UTC ns, 0 unknown."""

    def __init__(self, rows: int) -> None:
        self.last, self.last_quantity, self.close, self.volume = _zeros(rows, 4)
        self.traded_paise, self.traded_ns, self.at_ns = _zeros(rows, 3)  # Σ price·quantity of the day; times
        self.oi, self.oi_high, self.oi_low = _zeros(rows, 3)
        self.open, self.high, self.low = _zeros(rows, 3)
        self.book: dict[str, Ints] = {name: np.zeros((rows, DEPTH), np.int64) for name in SIDES}

    def take(self, places: Ints, ticks: pa.RecordBatch) -> None:
        """Fold in `ticks`, one row a place, each place once."""
        column = {name: _ints(ticks.column(name)) for name in ("last_paise", "volume", "oi", "exchange_ns")}
        last, volume = column["last_paise"], column["volume"]
        traded = np.maximum(volume - self.volume[places], 0)
        seen = last > 0
        first = seen & (self.open[places] == 0)
        self.open[places] = np.where(first, last, self.open[places])
        self.high[places] = np.where(seen, np.maximum(self.high[places], last), self.high[places])
        self.low[places] = np.where(first | (seen & (last < self.low[places])), last, self.low[places])
        self.last_quantity[places] = np.where(traded > 0, traded, self.last_quantity[places])
        self.traded_paise[places] += traded * last
        self.traded_ns[places] = np.where(traded > 0, column["exchange_ns"], self.traded_ns[places])
        self.oi_high[places] = np.maximum(self.oi_high[places], column["oi"])
        fresh = self.at_ns[places] == 0
        self.oi_low[places] = np.where(fresh, column["oi"], np.minimum(self.oi_low[places], column["oi"]))
        self.last[places], self.volume[places], self.oi[places] = last, volume, column["oi"]
        self.close[places] = _ints(ticks.column("prev_close_paise"))
        self.at_ns[places] = column["exchange_ns"]
        for name, book in self.book.items():
            book[places] = _ints(ticks.column(name)).reshape(-1, DEPTH)

    def average(self, places: Ints) -> Ints:
        """Traded price of the day, paise; the last where nothing traded."""
        volume = self.volume[places]
        return np.where(volume > 0, self.traded_paise[places] // np.maximum(volume, 1), self.last[places])


def _zeros(rows: int, many: int) -> list[Ints]:
    return [np.zeros(rows, np.int64) for _ in range(many)]


def _ints(column: Any) -> Ints:
    if pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    values: Ints = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return values
