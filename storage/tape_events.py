"""The tape as the topic market.data: each tick of an index and a day under its offset, from any offset on."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import InputError
from storage.tape_files import TRIES, Files, decode

TOPIC = "market.data"


def days(root: str) -> list[str]:
    """Market dates of which there are ticks, oldest first."""
    return Files(root).dates("ticks")


def ticks_after(root: str, index: str, date: str, after: int) -> Iterator[tuple[int, pa.Table]]:
    """Ticks with an offset above `after`, in the order recorded: (offset of the first row, rows), one part at a time.

    The offset of a tick is its place on the day's tape, 1 the first. It is the same whenever it is read: parts are
    only added and joined. InputError for a damaged part, and for a folder that never rests.
    """
    files = Files(root)
    folder, reached = files.partition("ticks", date, index), after
    for _ in range(TRIES):
        end = 0
        try:
            for part in files.parts(folder):
                data, path = files.part(folder, part), f"{folder}/{part.name}"
                begin, end = end, end + _rows(data, path)
                if end > reached:
                    first, reached = reached, end
                    yield first + 1, decode(data, path).slice(first - begin)
        except FileNotFoundError:
            continue  # joined with others meanwhile: from `reached` on in the new ones
        return
    raise InputError(f"{folder} kept changing while it was read: try again")


def _rows(data: bytes, path: str) -> int:
    try:
        return int(pq.read_metadata(pa.BufferReader(data)).num_rows)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file ({error}): restore it or delete it") from error
