"""The kill switch's rows: the newest of a scope decides."""

from typing import Any

import msgspec

from core.records import Kill
from storage.ledger import write
from storage.ledger.audit import Change
from storage.rows import insert, select, values

KILL = Kill.__struct_fields__
ADD = insert("kill_switch", ("scope", *KILL))
NEWEST = select(KILL, "FROM kill_switch WHERE scope = $1 ORDER BY seq DESC LIMIT 1")
SINCE = select(KILL, "FROM kill_switch WHERE scope = $1 AND session_id = $2 AND at_ns >= $3 ORDER BY seq")


async def record(connection: Any, session: str, scope: str, kill: Kill) -> None:
    """Pulled or released; not fenced: whoever is alive may say stop."""
    before = await newest(connection, scope)
    await connection.execute(ADD, session, scope, *values(kill, KILL))
    action, now = "kill" if kill.pulled else "release", msgspec.to_builtins(kill)
    change = Change(entity=("kill_switch", scope), old=msgspec.to_builtins(before), new=now)
    await write.audit(connection, session, kill.who, action, now, change=change)


async def newest(connection: Any, scope: str) -> Kill | None:
    row = await connection.fetchrow(NEWEST, scope)
    return _kill_of(row) if row else None


async def since(connection: Any, session: str, scope: str, since_ns: int) -> list[Kill]:
    return [_kill_of(row) for row in await connection.fetch(SINCE, scope, session, since_ns)]


def _kill_of(row: Any) -> Kill:
    return Kill(**{name: row[name] for name in KILL})
