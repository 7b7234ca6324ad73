"""Where the tape's files are: one folder a partition, parts numbered by flush, written aside and renamed.

    <root>/<name>/date=YYYY-MM-DD/index=NIFTY/part-000001-000032.parquet

A part covers the flushes `first` to `last`; one that a wider part covers is a leftover of compaction and is not read.
Names with a dot in front are not yet, or not, data.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from core.errors import InputError

T = TypeVar("T")
TRIES = 5  # of a reader that met a compaction


@dataclass(frozen=True, order=True)
class Part:
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"part-{self.first:06d}-{self.last:06d}.parquet"

    @property
    def width(self) -> int:
        return self.last - self.first + 1


def part_of(name: str) -> Part | None:
    """The part a file name stands for; None for anything else in the folder."""
    if not (name.startswith("part-") and name.endswith(".parquet")):
        return None
    first, _, last = name.removeprefix("part-").removesuffix(".parquet").partition("-")
    return Part(int(first), int(last)) if first.isdecimal() and last.isdecimal() else None


def uncovered(parts: list[Part]) -> list[Part]:
    """Parts in order, without those inside a wider one."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.first, -part.last)):
        if not kept or part.last > kept[-1].last:
            kept.append(part)
    return kept


class Files:
    """The few things the tape asks of a file system, local or behind a URL."""

    def __init__(self, root: str) -> None:
        if "://" in root:
            self._fs, self.root = pafs.FileSystem.from_uri(root)
        else:
            self._fs, self.root = pafs.LocalFileSystem(), os.path.abspath(root)  # noqa: PTH100 a URL's path is text too
        self._local = isinstance(self._fs, pafs.LocalFileSystem)

    def partition(self, name: str, date: str, index: str) -> str:
        return f"{self.root}/{name}/date={date}/index={index}"

    def partitions(self) -> list[str]:
        """Those of this root; a tape in a folder below it (a simulated session's, a backfill's) has its own."""
        selector = pafs.FileSelector(self.root, recursive=True, allow_not_found=True)
        infos = self._fs.get_file_info(selector)
        folders = (i.path for i in infos if i.type == pafs.FileType.Directory and i.base_name.startswith("index="))
        return sorted(path for path in folders if path.rsplit("/", 3)[0] == self.root.rstrip("/"))

    def dates(self, name: str) -> list[str]:
        """Market dates of which there is anything of `name`, oldest first."""
        selector = pafs.FileSelector(f"{self.root}/{name}", allow_not_found=True)
        names = (info.base_name for info in self._fs.get_file_info(selector))
        return sorted(each.removeprefix("date=") for each in names if each.startswith("date="))

    def parts(self, folder: str) -> list[Part]:
        return uncovered([part for name in self.names(folder) if (part := part_of(name))])

    def names(self, folder: str) -> list[str]:
        selector = pafs.FileSelector(folder, allow_not_found=True)
        return [info.base_name for info in self._fs.get_file_info(selector)]

    def read(self, path: str) -> bytes | None:
        """None if there is no such file."""
        try:
            with self._fs.open_input_stream(path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def part(self, folder: str, part: Part) -> bytes:
        """FileNotFoundError for one that has been compacted away since it was listed."""
        data = self.read(f"{folder}/{part.name}")
        if data is None:
            raise FileNotFoundError(f"{folder}/{part.name}")
        return data

    def write(self, path: str, data: bytes | pa.Buffer) -> None:
        """On a local disk the bytes are synced before this returns."""
        self._fs.create_dir(path.rpartition("/")[0], recursive=True)
        if not self._local:
            with self._fs.open_output_stream(path) as file:
                file.write(data)
            return
        with open(path, "wb") as file:  # noqa: PTH123 a URL's path is text too
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        self._fs.move(old, new)

    def delete(self, path: str) -> None:
        self._fs.delete_file(path)


def encode(table: pa.Table) -> pa.Buffer:
    """Parquet bytes; the same rows give the same bytes however they were batched."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", row_group_size=max(1, table.num_rows))
    return sink.getvalue()


def decode(data: bytes, path: str) -> pa.Table:
    try:
        return pq.ParquetFile(pa.BufferReader(data)).read()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file ({error}): restore it or delete it") from error


def read_parts(files: Files, folder: str, parts: Sequence[Part]) -> pa.Table:
    """The rows of `parts`, at least one. Raises as `Files.part`, and InputError for no Parquet or of two kinds."""
    tables = [decode(files.part(folder, part), f"{folder}/{part.name}") for part in parts]
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise InputError(f"{folder}: its parts are of two releases ({error}): move the older ones away") from error


def partition_read(files: Files, folder: str, read: Callable[[list[Part]], T]) -> T:
    """What `read` makes of a partition's parts, as they are; anew if one is compacted away under its hands.

    InputError when they keep changing.
    """
    for _ in range(TRIES):
        try:
            return read(files.parts(folder))
        except FileNotFoundError:
            continue
    raise InputError(f"{folder} kept changing while it was read: try again")
