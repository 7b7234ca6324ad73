"""Records as rows and back. The columns carry the records' own field names, in the records' order."""

from collections.abc import Mapping
from typing import Any

from core.records import Fill, Intent, Order, OrderEvent, Position, Settled

INTENT = Intent.__struct_fields__
ORDER = tuple(name for name in Order.__struct_fields__ if name not in {"intent", "lost"})
EVENT = OrderEvent.__struct_fields__
FILL = Fill.__struct_fields__
POSITION = Position.__struct_fields__
SETTLED = Settled.__struct_fields__


def insert(
    table: str, columns: tuple[str, ...], tail: str = "", *, marks: Mapping[str, str] | None = None, source: str = ""
) -> str:
    """INSERT of session_id, $1, and `columns`; `tail` is what to do on a conflict.

    Their values are $2, $3 … or, by column, `marks`; a row is written for each that `source`, a FROM, has.
    """
    marks = marks or _marks(columns)
    row = f"SELECT $1, {', '.join(marks[name] for name in columns)} {source}"
    return f"INSERT INTO {table} (session_id, {', '.join(columns)}) {row} {tail}"


def update_on(key: str | tuple[str, ...], columns: tuple[str, ...]) -> str:
    """The tail that makes an insert replace the row of the same session and `key`."""
    keys = (key,) if isinstance(key, str) else key
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    return f"ON CONFLICT (session_id, {', '.join(keys)}) DO UPDATE SET {changes}"


def put(
    table: str,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    *,
    marks: Mapping[str, str] | None = None,
    source: str = "",
) -> str:
    """INSERT as above, or UPDATE of the row of the same session and `key`: returns that as `before`, JSON."""
    marks = marks or _marks(columns)
    same = " AND ".join(f"{name} = {marks[name]}" for name in key)
    held = select(columns, f"FROM {table} WHERE session_id = $1 AND {same}")
    before = select(("to_jsonb(h)::text",), f"FROM ({held}) h")
    tail = f"{update_on(key, columns)} RETURNING ({before}) AS before"
    return insert(table, columns, tail, marks=marks, source=source)


def _marks(columns: tuple[str, ...]) -> dict[str, str]:
    return {name: f"${place}" for place, name in enumerate(columns, 2)}


def select(columns: tuple[str, ...], rest: str) -> str:
    return f"SELECT {', '.join(columns)} {rest}"


def values(record: object, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in columns)


def order_of(row: Mapping[str, Any]) -> Order:
    """From a row that has the columns of INTENT and of ORDER."""
    return Order(intent=Intent(**{name: row[name] for name in INTENT}), **{name: row[name] for name in ORDER})


def fill_of(row: Mapping[str, Any]) -> Fill:
    return Fill(**{name: row[name] for name in FILL})


def position_of(row: Mapping[str, Any]) -> Position:
    return Position(**{name: row[name] for name in POSITION})


def settled_of(row: Mapping[str, Any]) -> Settled:
    return Settled(**{name: row[name] for name in SETTLED})
