"""NSE's small daily tables: India VIX by day, and the closes of all indices."""

from pathlib import Path

import pyarrow as pa

from core.file_schemas import INDEX_CLOSES, VIX_DAYS
from storage.readers.cells import date, number, text, whole
from storage.readers.refusal import Read
from storage.readers.rows import Column, Rows, from_text
from storage.readers.source import read_text

_LEVEL = number(least=0)
VIX = (
    Column("Date", "date", date("%d-%b-%Y")),
    Column("Open", "open_pct", _LEVEL),
    Column("High", "high_pct", _LEVEL),
    Column("Low", "low_pct", _LEVEL),
    Column("Close", "close_pct", _LEVEL),
    Column("Prev. Close", "prev_close_pct", _LEVEL),
    Column("Change", "change", number()),
    Column("% Change", "change_pct", number(optional=True)),
)
_MAYBE = number(optional=True)
CLOSES = (
    Column("Index Name", "name", text()),
    Column("Index Date", "date", date("%d-%m-%Y")),
    Column("Open Index Value", "open_points", _MAYBE),
    Column("High Index Value", "high_points", _MAYBE),
    Column("Low Index Value", "low_points", _MAYBE),
    Column("Closing Index Value", "close_points", number()),
    Column("Points Change", "change_points", _MAYBE),
    Column("Change(%)", "change_pct", _MAYBE),
    Column("Volume", "volume", whole(optional=True)),
    Column("Turnover (Rs. Cr.)", "turnover_crore", _MAYBE),
    Column("P/E", "pe", _MAYBE),
    Column("P/B", "pb", _MAYBE),
    Column("Div Yield", "dividend_yield_pct", _MAYBE),
)


def read_india_vix(path: str | Path, *, strict: bool = False) -> Read:
    """NSE's history of India VIX as VIX_DAYS, each day once; a 0 for open, high or low is null.

    Raises InputError for a file that is none, with `strict` for its first bad row.
    """
    rows = from_text(read_text(path), [column.header for column in VIX])
    rows.parse(VIX)
    rows.once(("date",), "Date", "day")
    _between(rows, "pct", {"low": "Low", "open": "Open"})
    for name in ("open_pct", "high_pct", "low_pct"):
        level = rows.floats(name)
        rows.values[name] = pa.array(level, mask=level == 0)
    return rows.read(VIX_DAYS, strict=strict)


def read_index_closes(path: str | Path, *, strict: bool = False) -> Read:
    """ind_close_all_DDMMYYYY.csv as INDEX_CLOSES; "-" is null. Raises as `read_india_vix`."""
    rows = from_text(read_text(path), [column.header for column in CLOSES])
    rows.parse(CLOSES)
    rows.one_day("date", "Index Date")
    rows.once(("name",), "Index Name", "index")
    _between(rows, "points", {"low": "Low Index Value", "open": "Open Index Value"})
    return rows.read(INDEX_CLOSES, strict=strict)


def _between(rows: Rows, unit: str, headers: dict[str, str]) -> None:
    """Low ≤ open ≤ high, where there are any. No rule for the close: India VIX of 22-AUG-2013 closed below its low."""
    low, high = rows.floats(f"low_{unit}"), rows.floats(f"high_{unit}")
    for name, header in headers.items():
        level = rows.floats(f"{name}_{unit}")
        rows.refuse((level < low) | (level > high), header, "a level between low and high")
