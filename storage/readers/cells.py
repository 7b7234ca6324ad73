"""A column of cells into a typed column and a mask of the cells that are not what they should be.

Each parser takes text or numbers (a Parquet file has them typed) and never raises for a cell: a bad one is masked,
and holds any value of the right type.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.market import IST, to_ns

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_NUMBER = r"^-?(\d{1,15}(\.\d{1,20})?|\.\d{1,20})$"
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
LARGEST = 2.0**53  # whole numbers up to here are exact as floats
_EPOCH, _SECOND_NS, _IST_NS = dt.date(1970, 1, 1), 1_000_000_000, 19_800 * 1_000_000_000
_FIRST_DAY = (dt.date(_FIRST_YEAR, 1, 1) - _EPOCH).days
_END_DAY = (dt.date(_LAST_YEAR + 1, 1, 1) - _EPOCH).days
_TICK_NS = {"s": _SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Cell:
    """What a cell should be, in words, and the parser: column → (typed column, mask of bad cells)."""

    expected: str
    parse: Callable[[pa.Array], tuple[pa.Array, Bools]]


def text(pattern: str = r".+", expected: str = "text", *, optional: bool = False) -> Cell:
    """Text that matches `pattern` whole, blanks around it cut off."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        trimmed, bad = _texts(cells)
        fits = _mask(pc.match_substring_regex(trimmed, f"^(?:{pattern})$"))
        return trimmed, bad | ~(fits | (_blank(trimmed) & optional))

    return Cell(expected, parse)


def one_of(names: Mapping[str, Any], type_: pa.DataType) -> Cell:
    """One of `names`, as the value that stands for it."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        trimmed, bad = _texts(cells)
        coded = trimmed.dictionary_encode()
        values = [names.get(word) for word in coded.dictionary.to_pylist()]
        unknown = np.array([word not in names for word in coded.dictionary.to_pylist()], bool)
        codes = _numbers_of(coded.indices)
        return pa.array(values, type_).take(pa.array(codes)), bad | unknown[codes]

    return Cell(f"one of {', '.join(name or 'nothing' for name in names)}", parse)


def whole(*, least: float = 0, optional: bool = False) -> Cell:
    """A whole number of at least `least`; blank or "-" is null if `optional`."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        values, bad, none = _floats(cells, optional=optional)
        bad |= (values != np.rint(values)) | (values < least)
        return _column(np.where(bad, 0, values).astype(np.int64), none), bad

    return Cell(f"a whole number{_at_least(least)}", parse)


def paise(*, least: float = 0, optional: bool = False, slack: float = 1e-3) -> Cell:
    """Rupees with at most two decimals, `slack` the part of a paisa that a float may be off, as integer paise."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        rupees, bad, none = _floats(cells, optional=optional)
        exact = rupees * 100
        nearest = np.rint(exact)
        bad |= (np.abs(exact - nearest) > slack) | (rupees < least) | (np.abs(exact) >= LARGEST)
        return _column(np.where(bad, 0, nearest).astype(np.int64), none), bad

    return Cell(f"rupees and whole paise{_at_least(least)}", parse)


def number(*, least: float = -math.inf, optional: bool = False, scale: float = 1.0) -> Cell:
    """A number below 2^53 and of at least `least`, times `scale`."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        values, bad, none = _floats(cells, optional=optional)
        bad |= values < least
        return _column(np.where(bad, 0.0, values * scale), none), bad

    return Cell(f"a number{_at_least(least)}", parse)


def date(*forms: str, optional: bool = False) -> Cell:
    """A day written as one of `forms` (strptime's letters), or a date already."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        if pa.types.is_date(cells.type):
            days = cells.cast(pa.date32(), safe=False).cast(pa.int32()).fill_null(0).to_numpy()
            good = _mask(cells.is_valid()) & (days >= _FIRST_DAY) & (days < _END_DAY)
            return pa.array(np.where(good, days, 0).astype(np.int32)).cast(pa.date32()), ~good
        trimmed, bad = _texts(cells)
        coded = trimmed.dictionary_encode()
        days = [_day(word, forms) for word in coded.dictionary.to_pylist()]
        codes = _numbers_of(coded.indices)
        unread = np.array([day is None for day in days], bool)[codes] & ~(_blank(trimmed) & optional)
        return pa.array(days, pa.date32()).take(pa.array(codes)), bad | unread

    return Cell(f"a day as {dt.date(2025, 11, 14).strftime(forms[0])}", parse)


def moment(form: str | None = None) -> Cell:
    """A time as UTC nanoseconds: text in strptime's `form` or ISO's, a timestamp, or Unix seconds; naive ones are IST.

    Milliseconds taken for seconds are no time from 1990 to 2100, and so is what nanoseconds cannot hold.
    """

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        if pa.types.is_timestamp(cells.type) or pa.types.is_integer(cells.type):
            tick, shift = _SECOND_NS, 0
            if pa.types.is_timestamp(cells.type):
                tick, shift = _TICK_NS[cells.type.unit], 0 if cells.type.tz else _IST_NS
            # Of 64 bits without a sign the upper half becomes negative: no time either.
            ticks = cells.cast(pa.int64(), safe=False).fill_null(0).to_numpy()
            day = 86_400 * _SECOND_NS // tick
            good = _mask(cells.is_valid()) & (ticks >= _FIRST_DAY * day) & (ticks < _END_DAY * day)
            return pa.array(np.where(good, ticks * good * tick - shift, 0)), ~good
        coded = _texts(cells)[0].dictionary_encode()
        found = np.array([_moment_ns(word, form) for word in coded.dictionary.to_pylist()], np.int64)
        values = found[_numbers_of(coded.indices)]
        return pa.array(values), values == 0

    how = dt.datetime(2025, 8, 29, 9, 15, tzinfo=IST).strftime(form or "%Y-%m-%d %H:%M:%S, or Unix seconds")
    return Cell(f"a time as {how}, from {_FIRST_YEAR} to {_LAST_YEAR}", parse)


def blank() -> Cell:
    """Nothing."""

    def parse(cells: pa.Array) -> tuple[pa.Array, Bools]:
        trimmed, bad = _texts(cells)
        return trimmed, bad | ~_blank(trimmed)

    return Cell("nothing", parse)


def _day(word: str, forms: tuple[str, ...]) -> dt.date | None:
    for form in forms:
        try:
            day = dt.datetime.strptime(word, form).date()  # noqa: DTZ007 a calendar day has no zone
        except ValueError:
            continue
        return day if _FIRST_YEAR <= day.year <= _LAST_YEAR else None
    return None


def _moment_ns(word: str, form: str | None) -> int:
    """UTC nanoseconds; 0 for what is no time."""
    try:
        found = dt.datetime.strptime(word, form) if form else dt.datetime.fromisoformat(word)  # noqa: DTZ007 IST below
        aware = found if found.tzinfo else found.replace(tzinfo=IST)
        return to_ns(aware) if _FIRST_YEAR <= found.year <= _LAST_YEAR else 0
    except (ValueError, OverflowError):
        return 0


def _texts(cells: pa.Array) -> tuple[pa.Array, Bools]:
    """Trimmed text and the mask of what is none: a null is blank, another type is bad."""
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        is_null = pa.types.is_null(cells.type)
        return pa.array([""] * len(cells), pa.string()), np.full(len(cells), not is_null)
    return pc.utf8_trim_whitespace(cells.cast(pa.string()).fill_null("")), np.zeros(len(cells), bool)


def _floats(cells: pa.Array, *, optional: bool) -> tuple[Floats, Bools, Bools]:
    """Values, the mask of what is no number below 2^53, and the mask of what is blank and may be."""
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type):
        values = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        empty = _mask(cells.is_null()) | np.isnan(values)
    else:
        trimmed, _ = _texts(cells)
        good = pc.match_substring_regex(trimmed, _NUMBER)
        values = pc.if_else(good, trimmed, "nan").cast(pa.float64()).to_numpy(zero_copy_only=False)
        empty = _blank(trimmed) | _mask(pc.equal(trimmed, "-"))
    none = empty & optional
    usable = np.abs(values) < LARGEST  # false for NaN too
    return np.where(usable, values, 0.0), ~usable & ~none, none


def _column(values: NDArray[Any], none: Bools) -> pa.Array:
    return pa.array(values, mask=none)


def _numbers_of(indices: pa.Array) -> NDArray[np.int64]:
    return indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _mask(array: pa.Array) -> Bools:
    return np.asarray(array.to_numpy(zero_copy_only=False), bool)


def _blank(trimmed: pa.Array) -> Bools:
    return _mask(pc.equal(trimmed, ""))


def _at_least(least: float) -> str:
    return "" if math.isinf(least) else f" of {least:g} or more"
