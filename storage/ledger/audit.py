"""The lines of the audit log: who did what, from where, and what it was before and after."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.records import Who
from storage.rows import insert

Value = Mapping[str, object] | str | None  # a text is JSON already

COLUMNS = ("actor", "action", "detail", "user_id", "entity_type", "entity_id", "old_value", "new_value")
ADD = insert("audit_log", COLUMNS)  # address and program as PostgreSQL knows them
ADD_FROM = insert("audit_log", (*COLUMNS, "ip_address", "user_agent"))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What something was, and is now; `entity` is its type and id, `who` did it if it was not the actor."""

    entity: tuple[str, str] = ("", "")
    old: Value = None
    new: Value = None
    who: Who | None = None


async def audit(
    connection: Any,
    session: str,
    actor: str,
    action: str,
    detail: Mapping[str, object],
    *,
    change: Change | None = None,
) -> None:
    """Add a line; where nobody else is named the actor did it, speaking from this connection."""
    change = change or Change()
    who, row = change.who, cells(actor, action, detail, change)
    if who is None or not (who.ip_address or who.user_agent):
        await connection.execute(ADD, session, *row)
    else:
        await connection.execute(ADD_FROM, session, *row, who.ip_address or None, who.user_agent or None)


def cells(actor: str, action: str, detail: Mapping[str, object], change: Change) -> tuple[str | None, ...]:
    """The values of COLUMNS."""
    kind, name = change.entity
    return (
        actor,
        action,
        _json(detail),
        (change.who.user_id if change.who else "") or actor,
        kind or None,
        name or None,
        _json(change.old),
        _json(change.new),
    )


def _json(value: Value) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str, allow_nan=False)
