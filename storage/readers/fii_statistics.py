"""NSE's FII derivatives statistics, fii_stats_DD-Mon-YYYY.xls: an old Excel sheet whose cells are all text."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import xlrd

from core.errors import InputError
from core.file_schemas import FII_STATISTICS
from storage.readers.cells import number, text, whole
from storage.readers.refusal import MEND, Read, refusal
from storage.readers.rows import Column, Rows
from storage.readers.source import read_bytes

_TITLE = re.compile(r"FII DERIVATIVES STATISTICS FOR (\d{1,2}-[A-Za-z]{3}-\d{4})")
_HEADS = (
    ("", "BUY", "BUY", "SELL", "SELL", "OPEN INTEREST AT THE END OF THE DAY", ""),
    ("", *("No. of contracts", "Amt in Crores") * 3),
)
_INSTRUMENT = r"[A-Z0-9]+ (FUTURES|OPTIONS)"
COLUMNS = (
    Column("A (instrument)", "instrument", text(_INSTRUMENT, "an instrument as NIFTY OPTIONS")),
    Column("B (buy contracts)", "buy_contracts", whole()),
    Column("C (buy amount)", "buy_crore", number(least=0)),
    Column("D (sell contracts)", "sell_contracts", whole()),
    Column("E (sell amount)", "sell_crore", number(least=0)),
    Column("F (open contracts)", "oi_contracts", whole()),
    Column("G (open amount)", "oi_crore", number(least=0)),
)
_TOTALS = ("INDEX FUTURES", "INDEX OPTIONS", "STOCK FUTURES", "STOCK OPTIONS")


def read_fii_statistics(path: str | Path, *, strict: bool = False) -> Read:
    """A day's sheet as FII_STATISTICS, the four totals and the indices, until its notes begin.

    Raises InputError for a file that is no such sheet, lacks one of the four totals, or whose indices do not add up to
    the totals (a note where a refused row keeps that from being checked); with `strict` for its first bad row.
    """
    return statistics_of(path, sheet_cells(path), strict=strict)


def sheet_cells(path: str | Path) -> list[list[str]]:
    """The first sheet's cells as text."""
    raw = read_bytes(path)
    try:
        with xlrd.open_workbook(file_contents=raw, logfile=_Silence()) as book:
            sheet = book.sheet_by_index(0)
            return [[str(cell.value).strip() for cell in sheet.row(row)] for row in range(sheet.nrows)]
    except Exception as error:  # xlrd trusts the bytes: a torn sheet may raise anything, an AssertionError too
        raise InputError(f"{path}: cut off or no Excel sheet of the old kind ({error!r}); {MEND}") from error


def statistics_of(path: str | Path, cells: Sequence[Sequence[str]], *, strict: bool = False) -> Read:
    """`read_fii_statistics` from the sheet's cells on."""
    day = _day(path, cells)
    for number_, want in enumerate(_HEADS, 2):
        have = tuple(cells[number_ - 1]) if len(cells) >= number_ else ()
        if have != want:
            at = next((i for i, pair in enumerate(zip(want, have, strict=False)) if pair[0] != pair[1]), len(have))
            found = have[at] if at < len(have) else f"{len(have)} cells"
            expected = want[at] if at < len(want) else f"{len(want)} cells"
            raise refusal(path, f"row {number_}", "ABCDEFG"[min(at, 6)], repr(expected), found)
    body = [(row, list(line)) for row, line in enumerate(cells[3:], 4) if any(line)]
    ends = [place for place, (_, line) in enumerate(body) if line[0] == "Notes:"]
    if not ends:
        raise refusal(path, f"row {len(cells)}", "A", "the notes that end the table", "no line 'Notes:'")
    body = body[: ends[0]]
    for row, line in body:
        if len(line) != len(COLUMNS):
            raise refusal(path, f"row {row}", "G", f"{len(COLUMNS)} cells in the row", f"{len(line)} cells")
    raw = list(zip(*(line for _, line in body), strict=True)) if body else [()] * len(COLUMNS)
    columns = {c.header: pa.array(values, pa.string()) for c, values in zip(COLUMNS, raw, strict=True)}
    rows = Rows(str(path), [f"row {row}" for row, _ in body], columns)
    rows.parse(COLUMNS)
    rows.values["date"] = pa.array([day] * len(rows), pa.date32())
    rows.once(("instrument",), COLUMNS[0].header, "instrument")
    read = rows.read(FII_STATISTICS, strict=strict)
    if read.refused:
        why = f"{len(read.refused)} rows were refused"
        return replace(read, notes=(f"the sums of INDEX FUTURES and INDEX OPTIONS are not checked: {why}",))
    _add_up(path, read.table)
    return read


def _day(path: str | Path, cells: Sequence[Sequence[str]]) -> dt.date:
    title = cells[0][0] if cells and cells[0] else ""
    match = _TITLE.fullmatch(title)
    try:
        if match:
            return dt.datetime.strptime(match[1], "%d-%b-%Y").date()  # noqa: DTZ007 a calendar day has no zone
    except ValueError:
        pass
    raise refusal(path, "row 1", "A", "FII DERIVATIVES STATISTICS FOR 14-Nov-2025", title)


def _add_up(path: str | Path, table: pa.Table) -> None:
    """INDEX FUTURES and INDEX OPTIONS are the sums of the indices'; amounts may be off by their rounding."""
    rows = {row["instrument"]: row for row in table.to_pylist()}
    for total in _TOTALS:
        if total not in rows:
            raise refusal(path, "row 4", "A", f"the row {total}", f"only {', '.join(rows)}")
    for kind in ("FUTURES", "OPTIONS"):
        parts = [row for name, row in rows.items() if name.endswith(kind) and name not in _TOTALS]
        for column in COLUMNS[1:]:
            summed = sum(row[column.name] for row in parts)
            printed = rows[f"INDEX {kind}"][column.name]
            slack = 0.011 * (len(parts) + 1) if column.name.endswith("crore") else 0
            if abs(summed - printed) > slack:
                raise refusal(path, f"row of INDEX {kind}", column.header, f"the indices' sum {summed:.10g}", printed)


class _Silence:
    """Where xlrd's remarks on a file go; what matters it raises."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...
