"""The published five-level book of one contract, and the latest of many."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.orders.positions import mark
from core.schemas import DEPTH

_SCALARS = ("last_paise", "prev_close_paise", "exchange_ns", "volume")
_WIDTH = 4 * DEPTH + len(_SCALARS)
_LAST, _CLOSE, _AT, _VOLUME = range(4 * DEPTH, _WIDTH)
_SIDES = ("bid_paise", "bid_qty", "ask_paise", "ask_qty")


class Level(msgspec.Struct, frozen=True):
    paise: int
    quantity: int


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """Best level first; empty sides are empty tuples. `last_paise` 0 is no trade yet; `volume`: units traded today."""

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    last_paise: int = 0
    prev_close_paise: int = 0
    at_ns: int = 0
    volume: int = 0


class Board:
    """The latest book of every contract seen, in one matrix: an update costs one pass over the batch."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._rows: npt.NDArray[np.int64] = np.zeros((256, _WIDTH), dtype=np.int64)

    def update(self, ticks: pa.RecordBatch) -> None:
        """Take a batch of schemas.TICKS; every row replaces its contract's book. Of two rows the later one stays."""
        if not ticks.num_rows:
            return
        slots = [self._slots.setdefault(str(name), len(self._slots)) for name in ticks.column("symbol").to_pylist()]
        while len(self._slots) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        rows = np.empty((ticks.num_rows, _WIDTH), dtype=np.int64)
        for place, name in enumerate(_SIDES):
            levels: Any = ticks.column(name)  # a FixedSizeListArray; the stubs know only Array
            flat = levels.flatten().to_numpy(zero_copy_only=False)
            rows[:, place * DEPTH : (place + 1) * DEPTH] = flat.reshape(ticks.num_rows, DEPTH)
        for place, name in enumerate(_SCALARS, start=4 * DEPTH):
            rows[:, place] = ticks.column(name).to_numpy(zero_copy_only=False)
        self._rows[slots] = rows

    def depth(self, symbol: str) -> Depth | None:
        """The book of `symbol` now; None if none was ever published."""
        slot = self._slots.get(symbol)
        if slot is None:
            return None
        row = self._rows[slot].tolist()
        return Depth(
            bids=_levels(row[:DEPTH], row[DEPTH : 2 * DEPTH]),
            asks=_levels(row[2 * DEPTH : 3 * DEPTH], row[3 * DEPTH : 4 * DEPTH]),
            last_paise=row[_LAST],
            prev_close_paise=row[_CLOSE],
            at_ns=row[_AT],
            volume=row[_VOLUME],
        )

    def mark(self, symbol: str, quantity: int = 0) -> int:
        """What a unit of `quantity` signed units of `symbol` would bring now, as `core.orders.positions.mark`."""
        depth = self.depth(symbol)
        if depth is None:
            return 0
        bid, ask = (side[0].paise if side else 0 for side in (depth.bids, depth.asks))
        return mark(bid, ask, depth.last_paise, quantity)

    def put(self, symbol: str, depth: Depth) -> None:
        """What is left of the book of a known `symbol` after our own orders took from it, until the next tick."""
        row = self._rows[self._slots[symbol]]
        row[: 4 * DEPTH] = 0
        for start, levels in ((0, depth.bids), (2 * DEPTH, depth.asks)):
            for place, level in enumerate(levels):
                row[start + place], row[start + DEPTH + place] = level.paise, level.quantity


def _levels(prices: list[int], quantities: list[int]) -> tuple[Level, ...]:
    return tuple(Level(p, q) for p, q in zip(prices, quantities, strict=True) if p > 0 and q > 0)
