"""Rows on their way from a file to a table: a strict header, cells by column, rules by row, refusals in between."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from storage.readers.cells import Bools, Cell
from storage.readers.refusal import MEND, Read, Refused, refusal, shown
from storage.readers.source import Text


@dataclass(frozen=True)
class Column:
    """A column of the file: its header there, our name for it, and what its cells are."""

    header: str
    name: str
    cell: Cell


class Rows:
    """A file's rows under reading. `values` holds the typed columns by our name; a refused row stays until `read`."""

    def __init__(self, file: str, places: Sequence[str], cells: Mapping[str, pa.Array]) -> None:
        """`places` says where each row stands, `cells` holds the raw columns by the file's header."""
        self.file, self.places, self.cells = file, places, cells
        self.values: dict[str, pa.Array] = {}
        self.reasons: dict[int, Refused] = {}
        self.notes: list[str] = []
        self.torn: list[Refused] = []  # rows that never became cells

    def __len__(self) -> int:
        return len(self.places)

    def only(self, rows: NDArray[np.int64]) -> "Rows":
        """These rows alone, still untyped, each at its place in the file."""
        cells = {name: column.take(pa.array(rows)) for name, column in self.cells.items()}
        return Rows(self.file, [self.places[row] for row in rows.tolist()], cells)

    def parse(self, columns: Iterable[Column]) -> None:
        """Type every column, refusing the rows whose cell is not what it should be."""
        for column in columns:
            self.values[column.name], bad = column.cell.parse(self.cells[column.header])
            self.refuse(bad, column.header, column.cell.expected)

    def ints(self, name: str) -> NDArray[np.int64]:
        """A column without nulls (they read 0) as numpy."""
        return np.asarray(self.values[name].fill_null(0).to_numpy(zero_copy_only=False), np.int64)

    def floats(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.values[name].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    def refuse(
        self,
        bad: Bools,
        header: str,
        expected: str | Callable[[int], str],
        found: Callable[[int], object] | None = None,
    ) -> None:
        """Refuse the rows of `bad` that are not refused yet; `found` tells what a row holds, else the raw cell does."""
        for row in np.flatnonzero(bad).tolist():
            if row not in self.reasons:
                want = expected if isinstance(expected, str) else expected(row)
                have = found(row) if found else self._raw(header, row)
                self.reasons[row] = Refused(self.file, self.places[row], header, want, shown(have))

    def _raw(self, header: str, row: int) -> object:
        try:
            return self.cells[header][row].as_py()
        except (OverflowError, ValueError):
            return "a time that no calendar has"

    def once(self, names: Sequence[str], header: str, what: str) -> None:
        """Refuse every later row whose `names` are those of an earlier one."""
        first: dict[tuple[Any, ...], int] = {}
        again = np.zeros(len(self), bool)
        earlier: dict[int, int] = {}
        for row, key in enumerate(zip(*(self.values[name].to_pylist() for name in names), strict=True)):
            if row in self.reasons:
                continue
            if first.setdefault(key, row) != row:
                again[row], earlier[row] = True, first[key]
        self.refuse(again, header, f"each {what} once", lambda row: f"the {what} of {self.places[earlier[row]]} again")

    def one_day(self, name: str, header: str) -> None:
        """Refuse rows of another day than most good rows have: the file is of one day."""
        days = self.values[name].to_pylist()
        counts = Counter(day for row, day in enumerate(days) if row not in self.reasons)
        if counts:
            day = counts.most_common(1)[0][0]
            self.refuse(np.array([other != day for other in days], bool), header, f"the file's day {day}")

    def read(self, schema: pa.Schema, *, strict: bool) -> Read:
        """The good rows as `schema`; InputError if there is none, or at the first refusal if `strict`."""
        kept = np.setdiff1d(np.arange(len(self)), np.fromiter(self.reasons, int, len(self.reasons)))
        refused = tuple(sorted([*self.reasons.values(), *self.torn], key=lambda reason: int(reason.place.split()[1])))
        if refused and (strict or not kept.size):
            more = f" ({len(refused) - 1} more rows refused)" if len(refused) > 1 else ""
            raise InputError(f"{refused[0]}{more}; {MEND}")
        if not kept.size:
            raise InputError(f"{self.file}: the file holds no rows; fetch it again")
        columns = [self.values[field.name].cast(field.type).take(pa.array(kept)) for field in schema]
        return Read(pa.Table.from_arrays(columns, schema=schema), refused, tuple(self.notes))


def from_text(text: Text, headers: Sequence[str], *, first: int = 1, footer: str | None = None) -> Rows:
    """Rows of comma-separated lines whose header, at line `first`, must be `headers`; blanks around cells do not count.

    A line that begins with `footer` must end the file, if one is given. InputError for another header.
    """
    lines = list(text.lines[first - 1 :])
    check_header(text.name, first, [cell.strip() for cell in lines[0].split(",")] if lines else [], headers)
    torn: list[Refused] = []
    if footer is not None:
        if text.cut or not lines[-1].startswith(footer):
            raise refusal(text.name, f"line {len(text.lines)}", headers[0], f"the closing line {footer!r}", lines[-1])
        lines.pop()
    places, rows = [], []
    for number, line in enumerate(lines[1:], first + 1):
        cells, problem = _split(line, len(headers))
        if footer is None and text.cut and number == len(text.lines):
            problem = "a line break at its end, the file is cut off"
        if problem:
            at = headers[min(len(cells), len(headers) - 1)]
            torn.append(Refused(text.name, f"line {number}", at or "last", problem, shown(line)))
        else:
            places.append(f"line {number}")
            rows.append(cells)
    columns = zip(*rows, strict=True) if rows else [()] * len(headers)
    found = Rows(text.name, places, dict(zip(headers, (pa.array(c, pa.string()) for c in columns), strict=True)))
    found.torn = torn
    return found


def from_table(path: str | Path, table: pa.Table, headers: Iterable[str]) -> Rows:
    """Rows of a table that has at least the columns `headers`."""
    for name in headers:
        if name not in table.column_names:
            raise refusal(path, "row 0", name, "that column", f"only {', '.join(table.column_names)}")
    cells = {name: _flat(table[name]) for name in headers}
    return Rows(str(path), [f"row {row}" for row in range(1, table.num_rows + 1)], cells)


def check_header(name: str, line: int, found: Sequence[str], headers: Sequence[str]) -> None:
    """InputError, naming the first column that differs, unless `found` is `headers`."""
    for place, (want, have) in enumerate(zip(headers, found, strict=False), 1):
        if want != have:
            raise refusal(name, f"line {line}", f"{place} ({want or 'blank'})", f"the header {want!r}", have)
    if len(found) != len(headers):
        place = min(len(found), len(headers)) + 1
        want = headers[place - 1] if place <= len(headers) else "no further column"
        have = found[place - 1] if place <= len(found) else "the end of the line"
        raise refusal(name, f"line {line}", f"{place} ({want})", f"{len(headers)} headers, here {want!r}", have)


def _split(line: str, many: int) -> tuple[list[str], str]:
    """The cells of a line, and what was expected instead if they are not `many`."""
    if '"' in line:
        try:
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            return [], f"closed quotes ({error})"
    else:
        cells = line.split(",")
    return cells, "" if len(cells) == many else f"{many} cells in the line, not {len(cells)}"


def _flat(column: pa.ChunkedArray) -> pa.Array:
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(type_).combine_chunks()
