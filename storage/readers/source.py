"""Bytes, lines and tables of a file, unpacked where it is gzip or zip; a torn one, however it is, is an InputError."""

import gzip
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import InputError
from storage.readers.refusal import MEND, refusal

LARGEST_BYTES = 1 << 29  # unpacked: ten times the largest file an exchange publishes here
_TORN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True)
class Text:
    """Lines without their breaks. `name` tells the file and, in a zip, its member; `member` only the innermost name.

    `cut` says that the last line has no line break behind it, as in a file that was cut off.
    """

    name: str
    member: str
    lines: tuple[str, ...]
    cut: bool


def read_bytes(path: str | Path) -> bytes:
    """The file's bytes, unpacked if they are gzip; InputError for a file that is missing, empty, torn or too large."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check its path")
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cut off or no gzip file ({error}); {MEND}") from error
    if not raw:
        raise InputError(f"{path}: the file is empty; fetch it again")
    _check_size(path, len(raw))
    return raw


def read_text(path: str | Path, member: str = r".*\.csv") -> Text:
    """The lines of a text file, plain, gzip, or the one member of a zip whose whole name matches `member`."""
    raw, name, inner = read_bytes(path), str(path), Path(path).name
    if raw[:4] == b"PK\x03\x04":
        inner, raw = _member(Path(path), raw, member)
        name = f"{path}: {inner}"
    return decode(name, inner, raw)


def read_parquet(path: str | Path) -> pa.Table:
    """A Parquet file's table; InputError for one that is missing, cut off or none."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; check its path")
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cut off or no Parquet file ({error}); {MEND}") from error


def decode(name: str, member: str, raw: bytes) -> Text:
    """`raw` as lines; InputError, naming the line, for what is no UTF-8."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refusal(name, f"line {line}", "any", "UTF-8 text", f"byte 0x{raw[error.start]:02x}") from error
    lines = text.split("\n")
    cut = lines[-1] != ""
    return Text(name, member, tuple(line.removesuffix("\r") for line in (lines if cut else lines[:-1])), cut)


def _member(path: Path, raw: bytes, pattern: str) -> tuple[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
            found = [name for name in names if re.fullmatch(pattern, Path(name).name)]
            if len(found) != 1:
                raise InputError(f"{path}: expected one member {pattern}, found {', '.join(names) or 'none'}; {MEND}")
            _check_size(path, archive.getinfo(found[0]).file_size)
            return Path(found[0]).name, archive.read(found[0])
    except _TORN as error:
        raise InputError(f"{path}: cut off or no zip file ({error}); {MEND}") from error


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST_BYTES:
        raise InputError(f"{path}: {size:,} bytes or more unpacked, expected at most {LARGEST_BYTES:,}; {MEND}")
