"""What the ledger tells those who only read it: events in order, lines of the audit log, the sessions there are."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from core.errors import InputError
from core.records import AuditLine, LedgerEvent
from storage.link import Link

TOPICS = (
    "orders.submitted",
    "orders.executed",
    "orders.rejected",
    "orders.updated",
    "trades.completed",
    "positions.updated",
    "risks.breached",
    "system.alerts",
)
"""What a reader from outside may want; the other topics, `ledger.…`, make the chain whole."""

EVENTS = """SELECT session_id, "offset", topic, key, at_ns, recorded_wall_ns, body::text AS body FROM events
    WHERE session_id = $1 AND "offset" > $2 AND (cardinality($3::text[]) = 0 OR topic = ANY ($3))
    ORDER BY "offset" LIMIT $4"""
HEAD = 'SELECT "offset" FROM chain_heads WHERE session_id = $1'
LINES = """SELECT seq, (extract(epoch FROM recorded_at) * 1000000)::bigint * 1000 AS recorded_wall_ns, actor,
        coalesce(user_id, actor) AS user_id, action, coalesce(entity_type, '') AS entity_type,
        coalesce(entity_id, '') AS entity_id, coalesce(old_value::text, '') AS old_value,
        coalesce(new_value::text, '') AS new_value, detail::text AS detail, coalesce(ip_address, '') AS ip_address,
        coalesce(user_agent, '') AS user_agent
    FROM audit_log WHERE session_id = $1 AND seq > $2
        AND ($4 = '' OR coalesce(user_id, actor) = $4) AND ($5 = '' OR action = $5)
        AND ($6 = '' OR entity_type = $6) AND ($7 = '' OR entity_id = $7)
    ORDER BY seq {order} LIMIT $3"""
SESSIONS = """SELECT s.session_id FROM sessions s LEFT JOIN chain_heads h USING (session_id)
    LEFT JOIN events e ON e.session_id = h.session_id AND e."offset" = h."offset"
    ORDER BY e.recorded_wall_ns NULLS FIRST, s.opened_at"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines of the audit log; what is empty is not asked for."""

    user: str = ""
    action: str = ""
    entity: tuple[str, str] = ("", "")


async def events(connection: Any, session: str, after: int, topics: Collection[str], limit: int) -> list[LedgerEvent]:
    rows = await connection.fetch(EVENTS, session, after, list(topics), limit)
    return [LedgerEvent(**row) for row in rows]


def to_json(event: LedgerEvent) -> str:
    """One line, ASCII, as some readers of lines end one at U+2028 too; the body is an object in it."""
    return json.dumps(msgspec.to_builtins(event) | {"body": json.loads(event.body)})


async def lines(
    connection: Any, session: str, wanted: Wanted, after: int, limit: int, *, newest: bool = False
) -> list[AuditLine]:
    """Oldest first; of more than `limit` the oldest, or with `newest` the newest."""
    sql = LINES.format(order="DESC" if newest else "ASC")
    rows = await connection.fetch(sql, session, after, limit, wanted.user, wanted.action, *wanted.entity)
    return [AuditLine(**row) for row in (reversed(rows) if newest else rows)]


class LedgerReader:
    """A ledger for people and publishers: reads any session and writes nothing; a picklable description.

    Events are asked for by offset, which is stable: who keeps the last one he has dealt with begins again after it.
    """

    def __init__(self, dsn: str, *, timeout_s: float = 10.0) -> None:
        self._link = Link(dsn, name="vikalp-reader", timeout_s=timeout_s)

    def session(self, name: str = "") -> str:
        """`name`, or the session written last; InputError where there is none."""
        rows = self._link.call("reading sessions", lambda c: c.fetch(SESSIONS))
        names: list[str] = [row["session_id"] for row in rows]
        if (name and name not in names) or not names:
            known = ", ".join(names[-5:]) or "none"
            raise InputError(
                f"no session {name!r} in this ledger; there are {known}" if name else "the ledger is empty"
            )
        return name or names[-1]

    def events(self, session: str, after: int, topics: Collection[str] = (), limit: int = 500) -> list[LedgerEvent]:
        """As core.ports.Ledger.events."""
        return self._link.call("reading events", lambda c: events(c, session, after, topics, limit))

    def head(self, session: str) -> int:
        """The offset of the session's last event; 0 before the first."""
        return self._link.call("reading the chain's head", lambda c: c.fetchval(HEAD, session)) or 0

    def audit_rows(self, session: str, wanted: Wanted, *, limit: int = 500) -> list[AuditLine]:
        """The newest `limit` lines, oldest first."""
        return self._link.call("reading the audit log", lambda c: lines(c, session, wanted, 0, limit, newest=True))

    def close(self) -> None:
        self._link.close()
