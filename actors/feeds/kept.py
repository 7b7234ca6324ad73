"""The bars of this session, kept to be given again to a strategy that has just started."""

from collections import deque

import pyarrow as pa
import pyarrow.compute as pc


class Kept:
    """The newest `many` bars of each length, in the batches they were made in."""

    def __init__(self, many: int) -> None:
        self._many = many
        self._by_length: dict[int, deque[pa.RecordBatch]] = {}

    def add(self, bars: pa.RecordBatch | None) -> None:
        """Keep BARS; None is no bars."""
        if bars is None:
            return
        for seconds in pc.unique(bars["seconds"]).to_pylist():
            part = bars.filter(pc.equal(bars["seconds"], seconds))
            self._by_length.setdefault(seconds, deque(maxlen=self._many)).append(part)

    def batches(self) -> list[pa.RecordBatch]:
        """One batch of BARS a length, oldest bar first."""
        return [
            pa.Table.from_batches(kept).combine_chunks().to_batches()[0] for _, kept in sorted(self._by_length.items())
        ]
