"""The versions of an account's risk limits: each row whole, and every setting it changes in the audit log."""

import json
from typing import Any

from core.errors import InputError
from core.risk.limits.paths import differing
from storage.ledger import write
from storage.ledger.audit import Change

ADD = """INSERT INTO limit_versions (session_id, scope, version, body, who, why) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING seq"""
NEWEST = "SELECT version, body::text AS body FROM limit_versions WHERE scope = $1 ORDER BY version DESC LIMIT 1"
SAME = (
    "SELECT true FROM limit_versions WHERE scope = $1 AND version = $2 AND body = $3::jsonb AND who = $4 AND why = $5"
)


async def record(connection: Any, session: str, scope: str, *, version: int, body: str, who: str, why: str) -> None:
    """Version `version` of `scope`; the same again changes nothing. InputError if the number has another body."""
    older = await newest(connection, scope)
    if await connection.fetchval(ADD, session, scope, version, body, who, why) is None:
        if await connection.fetchval(SAME, scope, version, body, who, why):
            return  # its first commit was not answered
        raise InputError(f"limits of version {version} are recorded already: somebody else changed them meanwhile")
    before = json.loads(older[1]) if older else {}
    for change in differing(before, json.loads(body)) if version else ():
        detail = {"setting": change.path, "old": change.old, "new": change.new, "why": why, "version": version}
        told = Change(entity=("limit", change.path), old=json.dumps(change.old), new=json.dumps(change.new))
        await write.audit(connection, session, who, "set_limit", detail, change=told)


async def newest(connection: Any, scope: str) -> tuple[int, str] | None:
    row = await connection.fetchrow(NEWEST, scope)
    return (row["version"], row["body"]) if row else None
