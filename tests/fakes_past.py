"""A session so far that is a list."""

from collections.abc import Iterator, Sequence

import pyarrow as pa


class ListPast:
    """core.ports.Past over batches of a test."""

    def __init__(self, bars: Sequence[pa.RecordBatch] = (), ticks: Sequence[pa.RecordBatch] = ()) -> None:
        self._bars, self._ticks = bars, ticks

    def bars(self, since_ns: int, until_ns: int) -> list[pa.RecordBatch]:
        return [batch for batch in self._bars if since_ns <= batch["start_ns"][0].as_py() < until_ns]

    def ticks(self, since_ns: int, until_ns: int) -> Iterator[pa.RecordBatch]:
        for batch in self._ticks:
            at = batch["exchange_ns"].to_numpy()
            yield batch.filter(pa.array((at >= since_ns) & (at < until_ns)))
