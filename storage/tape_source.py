"""A day of this desk's own tape as a source of ticks."""

import datetime as dt
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.market import check_index
from core.schemas import TICKS
from storage.tape import read_tape

BATCH_NS = 100_000_000  # the feeds' period: ticks of one tenth of a second were one batch, or are one now


class TapeSource:
    """A Source that replays the ticks of one index and market date, a batch every 100 ms that holds any.

    The wall clock that was on the tape is left behind: `received_ns` becomes `exchange_ns`, so that a tape of a tape is
    the same tape. Rows keep their order within a batch.
    """

    def __init__(self, root_url: str, index: str, date: dt.date) -> None:
        """Only keeps its arguments; `open` reads the tape."""
        self.root_url, self.index, self.date = root_url, index, date
        self._ticks: pa.Table | None = None
        self._starts: NDArray[np.int64] = np.empty(0, np.int64)
        self._times: NDArray[np.int64] = np.empty(0, np.int64)
        self._at = 0

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_ticks": None}

    def open(self) -> None:
        """Read the day; raises UnknownName for the index and InputError when the tape holds nothing of that day."""
        check_index(self.index)
        table = read_tape(self.root_url, "ticks", self.date, self.index)
        if table.num_rows == 0:
            raise InputError(f"{self.root_url}: no ticks of {self.index} on {self.date}; record that day first")
        if not table.schema.equals(TICKS):
            raise InputError(
                f"{self.root_url}: ticks of {self.date} were written with another schema; record them again"
            )
        at = table["exchange_ns"].to_numpy()
        order = np.argsort(at, kind="stable")
        ticks = table.take(pa.array(order)).combine_chunks()
        self._ticks = ticks.set_column(
            TICKS.get_field_index("received_ns"), TICKS.field("received_ns"), ticks["exchange_ns"]
        )
        at = at[order]
        self._starts = np.flatnonzero(np.diff(at // BATCH_NS, prepend=-1))
        self._times = at[np.append(self._starts[1:], at.size) - 1]  # a batch is due when its last tick has happened
        self._at = 0

    def poll(self, now_ns: int) -> Iterator[pa.RecordBatch]:
        """Batches whose last tick is at or before `now_ns`, oldest first."""
        if self._ticks is None:
            raise InputError(f"{self.root_url}: open() the source before asking it for ticks")
        while (due := self.next_ns()) is not None and due <= now_ns:
            first = int(self._starts[self._at])
            self._at += 1
            end = int(self._starts[self._at]) if self._at < self._starts.size else self._ticks.num_rows
            yield self._ticks.slice(first, end - first).combine_chunks().to_batches()[0]

    def next_ns(self) -> int | None:
        """Time of the last tick of the next batch; None at the end of the tape."""
        return int(self._times[self._at]) if self._at < self._times.size else None

    def times_ns(self) -> NDArray[np.int64]:
        """Time of the last tick of every batch, in order."""
        return self._times

    def counts(self) -> Mapping[str, int]:
        """total: batches of the day; rows: ticks of the day."""
        return {"total": int(self._starts.size), "rows": 0 if self._ticks is None else self._ticks.num_rows}
