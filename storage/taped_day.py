"""What the tape knows of one index's day: which bars there are, since when a contract was watched, what did not trade.

A contract makes a bar from trades alone, so that most minutes of most options have none and nothing is missing. Its
cumulative volume proves it: a bar during which it stood still was none.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import InputError
from core.market import IST, to_ns
from core.market.symbols import Contract
from core.schemas import BARS, TICKS, Kind
from storage.backfilled import backfill_root
from storage.tape import read_partition
from storage.tape_files import Files, Part, partition_read

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
SECOND, MINUTE = 1_000_000_000, 60_000_000_000
DAY = 1_440  # minutes
ROWS = 1 << 18  # of a part, read at once
NONE: Ints = np.empty(0, np.int64)
LATE = 0.1  # of a bar: so long before its end the last tick may be that shows that nothing was traded in it
NEVER = np.iinfo(np.int64).max
_TERMS = ["index", "symbol", "kind", "expiry", "strike_paise"]
_KEY = [*_TERMS, "minute"]
_READ = pa.schema([TICKS.field(name) for name in (*_TERMS, "exchange_ns", "volume")])
_NOTHING = _READ.append(pa.field("minute", pa.int64())).empty_table()


class TapedDay:
    """One index on one market date (IST); of a day without a tape it knows nothing.

    contracts: by symbol, those that have a tick of that day. Reads beside a recorder that is writing: what that has not
    flushed yet is not known.
    """

    def __init__(self, root: str, date: dt.date, index: str) -> None:
        """InputError for a file that is none of a tape."""
        self._midnight_ns = to_ns(dt.datetime.combine(date, dt.time(), IST))
        self._have = _starts(root, date, index)
        seen = _minutes(root, date, index, self._midnight_ns)
        terms = seen.group_by(_TERMS).aggregate([]).select(_TERMS).to_pylist()
        self.contracts = {row["symbol"]: Contract(**(row | {"kind": Kind(row["kind"])})) for row in terms}
        self._rows = {symbol: row for row, symbol in enumerate(self.contracts)}
        most, least, at = (np.full((len(terms), DAY), empty, np.int64) for empty in (-1, NEVER, 0))
        cells = [self._rows[symbol] for symbol in seen["symbol"].to_pylist()], seen["minute"].to_numpy()
        for cell, name in ((most, "most"), (least, "least"), (at, "at_ns")):
            cell[cells] = seen[name].to_numpy()
        # By the start of minute 0 to DAY: what had been traded, -1 unknown, when the last tick before it was; and what
        # had been traded by the first tick from it on, NEVER unknown.
        self._before = np.insert(np.maximum.accumulate(most, axis=1), 0, -1, axis=1)
        self._last_ns = np.insert(np.maximum.accumulate(at, axis=1), 0, 0, axis=1)
        self._after = np.insert(np.minimum.accumulate(least[:, ::-1], axis=1), 0, NEVER, axis=1)[:, ::-1]

    def have(self, symbol: str, seconds: int) -> Ints:
        """Starts of the bars there are, recorded or filled, UTC ns."""
        return self._have.get((symbol, seconds), NONE)

    def first_ns(self, symbol: str) -> int | None:
        """The minute of the contract's first tick of the day, UTC ns; None if it has none."""
        row = self._rows.get(symbol)
        return None if row is None else self._midnight_ns + int(np.argmax(self._before[row] >= 0) - 1) * MINUTE

    def idle(self, symbol: str, seconds: int, starts: Ints) -> Bools:
        """Which bars, of whole minutes, the tape proves to be none: the contract did not trade in them.

        Its volume was the same before the bar and after it, or up to LATE of its end. Of an index nothing is proven.
        """
        contract = self.contracts.get(symbol)
        if contract is None or contract.kind == Kind.INDEX:
            return np.zeros(starts.size, np.bool_)
        row = self._rows[symbol]
        first = (starts - self._midnight_ns) // MINUTE
        end = np.minimum(first + seconds // 60, DAY)
        before = self._before[row, first]
        still: Bools = (before >= 0) & (self._before[row, end] == before)
        late: Bools = self._last_ns[row, end] >= starts + round(seconds * (1 - LATE) * SECOND)
        later: Bools = self._after[row, end] == before
        return still & (late | later)


def _starts(root: str, date: dt.date, index: str) -> dict[tuple[str, int], Ints]:
    found: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for of in (root, backfill_root(root)):
        bars = read_partition(of, "bars", date, index)
        if bars is not None:
            if bars.schema.names != BARS.names:
                raise InputError(f"{of}: the bars of {index} on {date} are of another release: move them away")
            columns = (bars[name].to_pylist() for name in ("symbol", "seconds", "start_ns"))
            for symbol, seconds, start in zip(*columns, strict=True):
                found[symbol, seconds].append(start)
    return {key: np.unique(np.array(starts, np.int64)) for key, starts in found.items()}


def _minutes(root: str, date: dt.date, index: str, midnight_ns: int) -> pa.Table:
    """Of each contract and minute of the day with a tick: `most` and `least` volume, and `at_ns`, its last one."""
    files = Files(root)
    folder = files.partition("ticks", str(date), index)

    def read(parts: list[Part]) -> pa.Table:
        found = [_fold(_NOTHING, "volume", "volume", "exchange_ns")]
        for ticks in _ticks(files, folder, parts):
            minute = (ticks["exchange_ns"].to_numpy() - midnight_ns) // MINUTE
            today = ticks.append_column("minute", pa.array(minute)).filter(pa.array((minute >= 0) & (minute < DAY)))
            found.append(_fold(today, "volume", "volume", "exchange_ns"))
        return _fold(pa.concat_tables(found), "most", "least", "at_ns")

    return partition_read(files, folder, read)


def _fold(table: pa.Table, most: str, least: str, at: str) -> pa.Table:
    made = table.group_by(_KEY).aggregate([(most, "max"), (least, "min"), (at, "max")])
    found = made.select([*_KEY, f"{most}_max", f"{least}_min", f"{at}_max"])
    return found.rename_columns([*_KEY, "most", "least", "at_ns"])


def _ticks(files: Files, folder: str, parts: list[Part]) -> Iterator[pa.Table]:
    """The columns that are needed, some rows at a time. Raises as `Files.part`."""
    for part in parts:
        data = files.part(folder, part)
        try:
            for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(ROWS, columns=_READ.names):
                yield pa.Table.from_batches([batch]).select(_READ.names).cast(_READ)
        except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as error:
            raise InputError(f"{folder}/{part.name} is no tape of ours ({error}): restore it or delete it") from error
