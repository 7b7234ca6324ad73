"""The latest tick of every contract, for whoever has just started and asks for the whole book."""

from collections.abc import Collection

import pyarrow as pa

from core.schemas import TICKS

_COMPACT_ROWS = 8_000  # rows kept before the old ones of each symbol are let go: a copy every few seconds


class Latest:
    """Batches go in at almost no cost; the newest row of each symbol comes out."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, ticks: pa.RecordBatch) -> None:
        self._batches.append(ticks)
        self._rows += ticks.num_rows
        if self._rows > _COMPACT_ROWS:
            self._compact()

    def book(self) -> pa.RecordBatch | None:
        """TICKS with one row a symbol, oldest quote first; None before the first tick."""
        if not self._batches:
            return None
        self._compact()
        return self._batches[0]

    def keep(self, symbols: Collection[str]) -> None:
        """Let go of every other contract: its quote would stay as it is for ever."""
        if self._batches:
            self._compact()
            book = self._batches[0]
            mine = book.filter(pa.array([symbol in symbols for symbol in book["symbol"].to_pylist()], pa.bool_()))
            self._batches = [mine] if mine.num_rows else []

    def _compact(self) -> None:
        table = pa.Table.from_batches(self._batches, schema=TICKS)
        newest = {symbol: i for i, symbol in enumerate(table["symbol"].to_pylist())}
        kept = table.take(pa.array(sorted(newest.values()), pa.int64())).combine_chunks()
        self._batches = kept.to_batches()
        self._rows = min(
            kept.num_rows, _COMPACT_ROWS // 2
        )  # a universe larger than the limit must not compact each time
