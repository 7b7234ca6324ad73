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


def insert(table: str, columns: tuple[str, ...], tail: str = "") -> str:
    """INSERT of session_id and `columns` as $1, $2 …; `tail` is what to do on a conflict."""
    marks = ", ".join(f"${place}" for place in range(1, len(columns) + 2))
    return f"INSERT INTO {table} (session_id, {', '.join(columns)}) VALUES ({marks}) {tail}"  # noqa: S608 our own names


def update_on(key: str, columns: tuple[str, ...]) -> str:
    """The tail that makes an insert replace the row of the same session and `key`."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != key)
    return f"ON CONFLICT (session_id, {key}) DO UPDATE SET {changes}"


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
