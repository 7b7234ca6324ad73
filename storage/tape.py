"""The recorder's disk: every tick, bar and chain, as Parquet by name, market date and index.

A flush writes a part aside (synced), then what it makes durable (the senders' sequences) beside it, then renames the
part. A crash before the second step leaves nothing, one after it is finished at the next start: no row twice, none lost
that was said to be durable, no file half-written. The parts hold nothing of the wall clock, so that the same batches
flushed at the same points give the same bytes; the sequences, whose epochs are wall time, lie in a dot-file.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import InputError
from core.market import from_ns
from core.records import Sender, Stamp
from core.schemas import SCHEMAS, check
from storage.backfilled import backfill_root, bars_once
from storage.tape_files import Files, Part, encode, partition_read, read_parts

TIME = {"ticks": "exchange_ns", "bars": "start_ns", "contracts": "exchange_ns", "expiries": "as_of_ns"}
MARKS = ".durable.json"
FAN = 32  # parts of one width that become one wider part


def read_tape(root: str, name: str, date: dt.date | str, index: str) -> pa.Table:
    """Every recorded row of one partition, in the order recorded. InputError if there is none.

    Of bars also those that were filled afterwards: each once, the recorder's own where both have it, in the order in
    which they end (storage.backfilled).
    """
    roots = [str(root)] if name != "bars" else [backfill_root(str(root)), str(root)]
    found = [table for one in roots if (table := read_partition(one, name, date, index)) is not None]
    if not found:
        raise InputError(f"no tape of {name} for {index} on {date} under {root}: record that day first")
    return bars_once(found) if name == "bars" else found[0]


def read_partition(root: str, name: str, date: dt.date | str, index: str) -> pa.Table | None:
    """The rows of one writer's partition, in the order written; None if there is none. InputError for a bad file."""
    files = Files(root)
    folder = files.partition(name, str(date), index)
    return partition_read(files, folder, lambda parts: read_parts(files, folder, parts) if parts else None)


@dataclass
class _Partition:
    folder: str
    parts: list[Part]
    marks: dict[Sender, int]  # durable sequence of each sender's rows in this partition's name
    last: int  # number of the latest flush
    pending: list[pa.RecordBatch] = field(default_factory=list)
    pending_marks: dict[Sender, int] = field(default_factory=dict)
    unnamed: Part | None = None  # durable under its dot-name, not yet renamed


class ParquetTape:
    """core.ports.Tape on `root`, a folder or a URL that pyarrow.fs knows. One writer at a time: a second one beside it
    would number its parts alike and each would write over the other's.

    A batch lies whole in the partition of its newest row's market
    date (IST). `append` ignores a sequence at or below the sender's last. OSError from `flush` loses nothing: what was
    not written is kept and written by the next.
    """

    def __init__(self, root: str) -> None:
        self._root = str(root)
        self._files: Files | None = None
        self._partitions: dict[tuple[str, str, str], _Partition] = {}
        self._appended: dict[tuple[Sender, str], int] = {}
        self._durable: dict[tuple[Sender, str], int] = {}
        self._names: dict[Sender, set[str]] = {}

    def recover(self) -> None:
        """Finish what a crash interrupted: for a writer that reads what there is before it writes."""
        self._open()

    def append(self, stamp: Stamp, name: str, index: str, batch: pa.RecordBatch) -> None:
        """Raises SchemaError for a batch that is not of schema `name`."""
        check(name, batch)
        files, sender = self._open(), stamp.sender
        self._names.setdefault(sender, set()).add(name)
        if stamp.sequence <= self._appended.get((sender, name), 0):
            return
        if batch.num_rows:
            date = from_ns(pc.max(batch.column(TIME[name])).as_py()).date().isoformat()
            self._flush_other_dates(name, date, index)
            part = self._partition(files, name, date, index)
            part.pending.append(batch)
            part.pending_marks[sender] = stamp.sequence
        self._appended[sender, name] = stamp.sequence

    def flush(self) -> None:
        files = self._open()
        for key, part in self._partitions.items():
            self._write(files, key[0], part)
        self._durable.update(self._appended)  # batches without rows need no disk

    def durable(self, source: str, topic: str, epoch: int, index: str = "") -> int:
        self._open()
        sender = (source, topic, epoch, index)
        return min((self._durable.get((sender, name), 0) for name in self._names.get(sender, ())), default=0)

    def _open(self) -> Files:
        """First use: finish what a crash interrupted and learn every sender's durable sequence."""
        if self._files is None:
            files = Files(self._root)
            for folder in files.partitions():
                name, date, index = folder.split("/")[-3:]
                self._load(files, name, date.removeprefix("date="), index.removeprefix("index="))
            self._appended = dict(self._durable)
            self._files = files
        return self._files

    def _partition(self, files: Files, name: str, date: str, index: str) -> _Partition:
        return self._partitions.get((name, date, index)) or self._load(files, name, date, index)

    def _load(self, files: Files, name: str, date: str, index: str) -> _Partition:
        folder = files.partition(name, date, index)
        noted = files.read(f"{folder}/{MARKS}")
        notes = _notes(noted, f"{folder}/{MARKS}")
        last = Part(notes["part"], notes["part"])
        if f".{last.name}" in files.names(folder):
            files.rename(f"{folder}/.{last.name}", f"{folder}/{last.name}")
        parts = files.parts(folder)
        marks: dict[Sender, int] = {}
        for source, topic, epoch, *of, sequence, names in notes["senders"]:
            sender = (source, topic, epoch, *(of or [""]))  # until release 0.1.0 a note named no index
            marks[sender] = sequence
            self._names.setdefault(sender, set()).update(names)
            self._durable[sender, name] = max(sequence, self._durable.get((sender, name), 0))
        number = max(last.last, parts[-1].last if parts else 0)
        part = _Partition(folder=folder, parts=parts, marks=marks, last=number)
        self._partitions[name, date, index] = part
        return part

    def _flush_other_dates(self, name: str, date: str, index: str) -> None:
        """A sender's sequences reach the disk in order, also across midnight."""
        for (other, day, of), part in self._partitions.items():
            if other == name and of == index and day != date and part.pending:
                self._write(self._open(), name, part)

    def _write(self, files: Files, name: str, part: _Partition) -> None:
        self._name(files, part)
        if not part.pending:
            return
        new = Part(part.last + 1, part.last + 1)
        marks = _newest(part.marks | part.pending_marks)
        senders = [[*sender, sequence, sorted(self._names[sender])] for sender, sequence in sorted(marks.items())]
        files.write(f"{part.folder}/.{new.name}", encode(pa.Table.from_batches(part.pending, SCHEMAS[name])))
        files.write(f"{part.folder}/{MARKS}.new", json.dumps({"part": new.first, "senders": senders}).encode())
        files.rename(f"{part.folder}/{MARKS}.new", f"{part.folder}/{MARKS}")
        # From here on the part counts, whatever happens: the next start, or the next flush, gives it its name.
        for sender, sequence in part.pending_marks.items():
            self._durable[sender, name] = sequence
        part.marks, part.last, part.pending, part.pending_marks, part.unnamed = marks, new.last, [], {}, new
        self._name(files, part)
        self._compact(files, part)

    def _name(self, files: Files, part: _Partition) -> None:
        if part.unnamed is not None:
            files.rename(f"{part.folder}/.{part.unnamed.name}", f"{part.folder}/{part.unnamed.name}")
            part.parts.append(part.unnamed)
            part.unnamed = None

    def _compact(self, files: Files, part: _Partition) -> None:
        """FAN parts of one width at the end become one, so that a day ends as some dozens of files."""
        while len(tail := part.parts[-FAN:]) == FAN and len({one.width for one in tail}) == 1:
            wide = Part(tail[0].first, tail[-1].last)
            try:
                table = read_parts(files, part.folder, tail)
            except FileNotFoundError as error:
                why = f"{part.folder}: a part vanished; is a second recorder writing there? Stop one"
                raise InputError(why) from error
            files.write(f"{part.folder}/.{wide.name}", encode(table))
            files.rename(f"{part.folder}/.{wide.name}", f"{part.folder}/{wide.name}")
            part.parts[-FAN:] = [wide]
            for old in tail:
                files.delete(f"{part.folder}/{old.name}")


def _notes(noted: bytes | None, path: str) -> dict[str, Any]:
    try:
        return dict(json.loads(noted)) if noted is not None else {"part": 0, "senders": []}
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): delete it; rows sent again may then be there twice") from error


def _newest(marks: dict[Sender, int]) -> dict[Sender, int]:
    """Only each sender's latest epoch: what an older incarnation kept died with it."""
    latest: dict[tuple[str, str, str], int] = {}
    for source, topic, epoch, index in marks:
        way = (source, topic, index)
        latest[way] = max(epoch, latest.get(way, epoch))
    return {sender: at for sender, at in marks.items() if sender[2] == latest[sender[0], sender[1], sender[3]]}
