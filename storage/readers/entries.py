"""JSON documents, and the values in their entries."""

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.market import IST, to_ns
from storage.readers.refusal import MEND, Refused, refusal, shown
from storage.readers.source import decode, read_bytes

_LARGEST = 1e13


class Wrong(Exception):
    """A value that is not what it should be; never leaves the readers."""

    def __init__(self, column: str, expected: str, found: object) -> None:
        super().__init__(column, expected, found)
        self.column, self.expected, self.found = column, expected, found


def read_json(path: str | Path) -> Any:
    """The document; InputError, naming line and column, for what is no JSON (NaN and Infinity are none either)."""
    text = decode(str(path), Path(path).name, read_bytes(path))
    try:
        return json.loads("\n".join(text.lines), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}"
        raise InputError(f"{path}: {at}, column {error.colno}: expected JSON, found {error.msg}; {MEND}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: line 1, column 1: expected JSON, found {error}; {MEND}") from error


def part(path: str | Path, holder: object, name: str, kind: type) -> Any:
    """`holder[name]` of type `kind`, the document's own structure; InputError for anything else."""
    found = holder.get(name) if isinstance(holder, dict) else holder
    if not isinstance(holder, dict) or not isinstance(found, kind) or isinstance(found, bool):
        raise refusal(path, "line 1", name, f"an entry of type {kind.__name__}", found)
    return found


def collect(
    path: str | Path, entries: list[Any], rows_of: Callable[[Any], list[dict[str, Any]]], *, strict: bool
) -> tuple[list[dict[str, Any]], tuple[Refused, ...]]:
    """The rows of every entry; an entry whose `rows_of` finds something Wrong is refused whole, the others stay."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for number, entry in enumerate(entries, 1):
        try:
            rows += rows_of(entry)
        except Wrong as wrong:
            refused.append(Refused(str(path), f"entry {number}", wrong.column, wrong.expected, shown(wrong.found)))
    if refused and (strict or not rows):
        more = f" ({len(refused) - 1} more entries refused)" if len(refused) > 1 else ""
        raise InputError(f"{refused[0]}{more}; {MEND}")
    if not rows:
        raise InputError(f"{path}: the file holds no rows; fetch it again")
    return rows, tuple(refused)


def text_of(entry: object, name: str) -> str:
    """A text value, blanks around it cut off."""
    found = entry.get(name) if isinstance(entry, Mapping) else None
    if not isinstance(found, str):
        raise Wrong(name, "text", found)
    return found.strip()


def number_of(entry: object, name: str, *, least: float = -math.inf, blank: float | None = None) -> float:
    """A number, or text of one with thousands apart by commas; `blank` is what empty text stands for, if it may be."""
    found = entry.get(name) if isinstance(entry, Mapping) else None
    value = found
    if isinstance(found, str):
        if not found.strip() and blank is not None:
            return blank
        try:
            value = float(found.replace(",", "")) if "_" not in found else None
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not max(least, -_LARGEST) <= value <= _LARGEST:
        raise Wrong(name, "a number" if math.isinf(least) else f"a number of {least:g} or more", found)
    return float(value)


def whole_of(entry: object, name: str, *, least: float = 0, blank: float | None = None) -> int:
    """A whole number."""
    value = number_of(entry, name, least=least, blank=blank)
    if value != round(value):
        raise Wrong(name, "a whole number", value)
    return round(value)


def paise_of(entry: object, name: str, *, least: float = 0, blank: float | None = None) -> int:
    """Rupees and whole paise as paise."""
    value = number_of(entry, name, least=least, blank=blank) * 100
    if abs(value - round(value)) > 1e-3:
        raise Wrong(name, "rupees and whole paise", value / 100)
    return round(value)


def day_of(entry: object, name: str, form: str) -> dt.date:
    """A day written as `form`."""
    return dt.datetime.fromtimestamp(moment_of(entry, name, form) / 1e9, IST).date()


def moment_of(entry: object, name: str, form: str) -> int:
    """A moment in IST written as `form`, as UTC nanoseconds."""
    words = text_of(entry, name)
    try:
        moment = dt.datetime.strptime(words, form).replace(tzinfo=IST)
    except ValueError:
        raise Wrong(name, f"a time as {dt.datetime(2025, 11, 14, tzinfo=IST).strftime(form)}", words) from None
    if not 1990 <= moment.year <= 2100:
        raise Wrong(name, "a year from 1990 to 2100", words)
    return to_ns(moment)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name}, which is no JSON")


def structural(path: str | Path, read: Callable[[], Any], place: str) -> Any:
    """`read()`, whose wrong value spoils the whole document: an InputError naming `place`."""
    try:
        return read()
    except Wrong as wrong:
        raise refusal(path, place, wrong.column, wrong.expected, wrong.found) from None
