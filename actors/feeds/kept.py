"""The bars of this session, kept to be given again to a strategy that has just started."""

from collections import deque

import pyarrow as pa


class Kept:
    """The newest `many` bars of each length, in the batches they were made in."""

    def __init__(self, many: int) -> None:
        self._many = many
        self._by_length: dict[int, deque[pa.RecordBatch]] = {}

    def add(self, bars: pa.RecordBatch | None) -> None:
        """Keep BARS; None is no bars."""
        if bars is None:
            return
        for seconds in sorted(set(bars["seconds"].to_numpy().tolist())):
            part = bars.filter(pa.array(bars["seconds"].to_numpy() == seconds))
            self._by_length.setdefault(seconds, deque(maxlen=self._many)).append(part)

    def batches(self) -> list[pa.RecordBatch]:
        """One batch of BARS a length, oldest bar first."""
        return [
            pa.Table.from_batches(kept).combine_chunks().to_batches()[0] for _, kept in sorted(self._by_length.items())
        ]
