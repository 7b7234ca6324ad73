"""A session so far, from the tape, for a live feed that starts in the middle of it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import InputError, SchemaError
from core.market import from_ns
from core.schemas import check
from storage.backfilled import backfill_root
from storage.tape import read_partition
from storage.tape_files import Files, Part, partition_read

ROWS = 65_536  # read at once of a part: one that covers half an hour would not fit beside the rest


class TapePast:
    """core.ports.Past of one index on a tape's root, a folder or a URL. Reads beside a recorder that is writing.

    What the recorder had not flushed is not there yet. Bars that were filled from a broker's history are
    (storage.backfilled), where the recorder has none of its own.
    """

    def __init__(self, root: str, index: str) -> None:
        self.root, self.index = str(root), index

    def bars(self, since_ns: int, until_ns: int) -> list[pa.RecordBatch]:
        """Of a bar that was taped twice the later one; see core.ports.Past."""
        found = [*self._filled(since_ns, until_ns), *self._rows("bars", "start_ns", since_ns, until_ns)]
        if not found:
            return []
        table = pa.Table.from_batches(found).combine_chunks()
        start, seconds = table["start_ns"].to_numpy(), table["seconds"].to_numpy()
        order = np.lexsort((start, seconds))
        edges = np.flatnonzero((np.diff(start[order]) != 0) | (np.diff(seconds[order]) != 0)) + 1
        symbols = table["symbol"].to_pylist()
        kept = [list({symbols[row]: row for row in rows.tolist()}.values()) for rows in np.split(order, edges)]
        return [table.take(pa.array(rows, pa.int64())).combine_chunks().to_batches()[0] for rows in kept]

    def ticks(self, since_ns: int, until_ns: int) -> Iterator[pa.RecordBatch]:
        yield from self._rows("ticks", "exchange_ns", since_ns, until_ns)

    def _filled(self, since_ns: int, until_ns: int) -> list[pa.RecordBatch]:
        """Not in the order of time: all of the day's are looked at."""
        filled = read_partition(backfill_root(self.root), "bars", from_ns(until_ns).date(), self.index)
        if filled is None:
            return []
        batches = [_checked(batch, "bars", backfill_root(self.root)) for batch in filled.to_batches()]
        inside = (_from(batch, "start_ns", since_ns) for batch in batches)
        upto = (batch.filter(pa.array(batch["start_ns"].to_numpy() < until_ns)) for batch in inside)
        return [batch for batch in upto if batch.num_rows]

    def _rows(self, name: str, time: str, since_ns: int, until_ns: int) -> list[pa.RecordBatch]:
        """Rows of [since, until) in the order recorded; read from the end back to the first part that is all older."""
        files = Files(self.root)
        folder = files.partition(name, from_ns(until_ns).date().isoformat(), self.index)

        def read(parts: list[Part]) -> list[pa.RecordBatch]:
            found: list[pa.RecordBatch] = []
            for part in reversed(parts):
                data = files.part(folder, part)
                rows = [_from(batch, time, since_ns) for batch in _batches(data, f"{folder}/{part.name}", name)]
                if not any(batch.num_rows for batch in rows):
                    break
                upto = (batch.filter(pa.array(batch[time].to_numpy() < until_ns)) for batch in rows)
                found = [*(batch for batch in upto if batch.num_rows), *found]
            return found

        return partition_read(files, folder, read)


def _from(batch: pa.RecordBatch, time: str, since_ns: int) -> pa.RecordBatch:
    return batch.filter(pa.array(batch[time].to_numpy() >= since_ns))


def _batches(data: bytes, path: str, name: str) -> Iterator[pa.RecordBatch]:
    try:
        for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(ROWS):
            yield _checked(batch, name, path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file ({error}): restore it or delete it") from error


def _checked(batch: pa.RecordBatch, name: str, path: str) -> pa.RecordBatch:
    try:
        return check(name, batch)
    except SchemaError as error:
        raise InputError(f"{path} is of another release: {error}") from error
