"""Proves a session's tables from its chain of events, or finds the first row that was altered, removed or put in.

The hashes are computed here, by the rule in docs/ledger.md, and not by the database's own functions.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import asyncpg

from core.errors import InputError
from storage.link import in_our_words

ZERO = bytes(32)  # the hash before the first event
PAGE = 2_000
ASK_S = 3.0

SESSIONS = """SELECT session_id FROM sessions UNION SELECT session_id FROM chain_heads
    UNION SELECT session_id FROM events ORDER BY 1"""
EVENTS = """SELECT "offset", topic, fact, key, at_ns, recorded_wall_ns, writer, body::text AS body, previous, hash
    FROM events WHERE session_id = $1 ORDER BY "offset" """
HEAD = 'SELECT "offset", hash FROM chain_heads WHERE session_id = $1'
HEADS = 'SELECT session_id, "offset", hash FROM chain_heads WHERE session_id = ANY ($1) ORDER BY session_id'
NOTED = """SELECT session_id, "offset" FROM events WHERE hash = $1 AND $2 IN ('', session_id)"""
KEPT = "SELECT fact, relation, key, append_only, retired FROM chained ORDER BY fact"
STRANGE = """SELECT fact, min("offset") AS "offset" FROM events e WHERE session_id = $1
    AND NOT EXISTS (SELECT FROM chained c WHERE c.fact = e.fact AND (NOT c.retired OR EXISTS (
        SELECT FROM chained n WHERE n.relation = c.relation AND NOT n.retired)))
    GROUP BY fact ORDER BY 2 LIMIT 1"""
# Of a row only what its event tells is compared: a column that was added later is not in it.
DIFFERS = """SELECT e."offset", e.body::text AS told, to_jsonb(t)::text AS held
    FROM ({told}) e FULL JOIN (SELECT * FROM {relation} WHERE session_id = $1) t ON {joined}
    WHERE e.body IS NULL OR t.session_id IS NULL
        OR e.body IS DISTINCT FROM (SELECT jsonb_object_agg(k, to_jsonb(t) -> k) FROM jsonb_object_keys(e.body) k)
    ORDER BY 1 NULLS LAST LIMIT 1"""
TOLD = """SELECT "offset", body FROM events WHERE session_id = $1 AND fact = $2"""
LAST_TOLD = """SELECT DISTINCT ON (key) "offset", key, body FROM events WHERE session_id = $1 AND fact = $2
    ORDER BY key, "offset" DESC"""
# What stands guard: `append_only` and `stays` for every session, `chain` for ordinary ones.
GUARDS = """SELECT c.relation, w.name FROM (SELECT relation, append_only FROM chained WHERE NOT retired
        UNION SELECT 'events', true) c
    CROSS JOIN LATERAL (VALUES (CASE WHEN c.append_only THEN 'append_only' ELSE 'stays' END, 'A'), ('chain', 'O'))
        AS w (name, enabled)
    WHERE (c.relation, w.name) <> ('events', 'chain') AND NOT EXISTS (SELECT FROM pg_trigger g
        WHERE g.tgrelid = to_regclass(c.relation) AND g.tgname = w.name AND g.tgenabled = w.enabled) ORDER BY 1, 2"""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The first thing that is not as it was written. `offset` is the event's, None for a row of which none tells."""

    what: Literal["altered", "missing", "inserted"]
    where: str
    offset: int | None
    expected: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """One session: how many events it has, the head's hash, and the first problem if there is one."""

    session_id: str
    events: int
    head: str
    writers: Mapping[str, int]  # events by the role of the database that wrote them
    problem: Problem | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Of all sessions asked for; `unguarded` names triggers that are missing or switched off.

    `noted` is whether some event still carries the hash that was asked for, None if none was; `noted_at` says which.
    """

    sessions: tuple[Verified, ...]
    unguarded: tuple[str, ...]
    noted: bool | None = None
    noted_at: str = ""

    @property
    def whole(self) -> bool:
        return not self.unguarded and self.noted is not False and all(each.problem is None for each in self.sessions)


def verify(dsn: str, *, session: str = "", head: str = "", timeout_s: float = 600.0) -> Report:
    """Every session, or the one named. `head` is a hash noted earlier: some event must still carry it.

    Raises InputError for a session that is not there or what is no hash, LedgerDown, ConfigError for a ledger without a
    chain.
    """
    with in_our_words("verifying the ledger"):
        return asyncio.run(asyncio.wait_for(_verify(dsn, session, head), timeout_s))


def heads(dsn: str, sessions: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Offset and hash of the last event of each of these sessions that has one; raises LedgerDown."""

    async def ask() -> dict[str, tuple[int, str]]:
        connection = await asyncpg.connect(dsn, timeout=ASK_S, command_timeout=ASK_S)
        try:
            rows = await connection.fetch(HEADS, list(sessions))
            return {row["session_id"]: (row["offset"], row["hash"].hex()) for row in rows}
        finally:
            await connection.close()

    with in_our_words("reading the chain's heads"):
        return asyncio.run(ask())


async def _verify(dsn: str, session: str, head: str) -> Report:
    settings = {"application_name": "vikalp-verify", "TimeZone": "UTC", "extra_float_digits": "1"}
    connection = await asyncpg.connect(dsn, timeout=10, server_settings=settings)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            names = [row["session_id"] for row in await connection.fetch(SESSIONS)]
            if session and session not in names:
                raise InputError(f"no session {session!r} in this ledger; there are {', '.join(names) or 'none'}")
            done = [await _session(connection, name) for name in ([session] if session else names)]
            unguarded = [f"{row['name']} of {row['relation']}" for row in await connection.fetch(GUARDS)]
            at = await _noted(connection, session, head) if head else None
            noted = None if at is None else bool(at)
            return Report(sessions=tuple(done), unguarded=tuple(unguarded), noted=noted, noted_at=at or "")
    finally:
        await connection.close()


async def _noted(connection: Any, session: str, head: str) -> str:
    """Which event carries the hash; empty if none does."""
    try:
        wanted = bytes.fromhex(head)
    except ValueError:
        wanted = b""
    if len(wanted) != len(ZERO):
        raise InputError(f"expected the hash of an event, 64 hexadecimal digits, was {head!r}")
    row = await connection.fetchrow(NOTED, wanted, session)
    return f"event {row['offset']} of {row['session_id']}" if row else ""


async def _session(connection: Any, session: str) -> Verified:
    chain = Chain(session)
    async for row in connection.cursor(EVENTS, session, prefetch=PAGE):
        chain.take(row)
    chain.end(await connection.fetchrow(HEAD, session))
    current = [kept for kept in await connection.fetch(KEPT) if not kept["retired"]]
    problems = [chain.problem, *[await _table(connection, session, kept) for kept in current]]
    strange = await connection.fetchrow(STRANGE, session)
    if strange:
        told = f"the events of {strange['fact']} in a table"
        problems.append(_problem("missing", f"table {strange['fact']}", strange["offset"], told, "no such table kept"))
    found = [problem for problem in problems if problem is not None]
    first = min(found, key=lambda p: (p.offset is None, p.offset or 0), default=None)
    return Verified(
        session_id=session, events=chain.offset, head=chain.hash.hex(), writers=chain.writers, problem=first
    )


class Chain:
    """One session's events as they come, oldest first; `problem` is the first that does not follow."""

    def __init__(self, session: str) -> None:
        self._session = session
        self.offset, self.hash = 0, ZERO
        self.writers: dict[str, int] = {}
        self.problem: Problem | None = None

    def take(self, row: Mapping[str, Any]) -> None:
        self.problem = self.problem or self._judge(row)
        self.offset, self.hash = row["offset"], row["hash"]
        self.writers[row["writer"]] = self.writers.get(row["writer"], 0) + 1

    def end(self, head: Mapping[str, Any] | None) -> None:
        """What the head says: how many there were, and the last one's hash."""
        if self.problem is not None:
            return
        here = f"{self.offset} events, the last with hash {self.hash.hex()}"
        if head is None:
            if self.offset:
                self.problem = _problem("missing", "the chain's head", self.offset, f"a head that says {here}", "none")
            return
        says = f"{head['offset']} events, the last with hash {head['hash'].hex()}"
        if head["offset"] > self.offset:
            gone = f"events {self.offset + 1} to {head['offset']}"
            self.problem = _problem("missing", gone, self.offset + 1, f"{says}, as the head says", here)
        elif head["offset"] < self.offset:
            more = f"events {head['offset'] + 1} to {self.offset}"
            self.problem = _problem("inserted", more, head["offset"] + 1, f"{says}, as the head says", here)
        elif head["hash"] != self.hash:
            self.problem = _problem("altered", "the chain's head or last event", self.offset, says, here)

    def _judge(self, row: Mapping[str, Any]) -> Problem | None:
        offset, made = row["offset"], digest(self._session, row)
        if offset != self.offset + 1:
            gone = f"event {self.offset + 1}" + (f" to {offset - 1}" if offset > self.offset + 2 else "")
            return _problem("missing", gone, self.offset + 1, f"event {self.offset + 1}", f"event {offset} comes next")
        if made != row["hash"]:
            where = f"event {offset} ({row['topic']} {row['key']})"
            said = f"the hash {row['hash'].hex()} that it carries"
            return _problem("altered", where, offset, said, f"its content has {made.hex()}")
        if row["previous"] != self.hash:
            where = f"event {offset - 1}, or all before event {offset}" if offset > 1 else "event 1"
            said = f"{row['previous'].hex()}, which event {offset} carries as the hash before it"
            return _problem("altered", where, max(offset - 1, 1), said, self.hash.hex())
        return None


def digest(session: str, row: Mapping[str, Any]) -> bytes:
    """SHA-256 of the hash before and the event as a JSON array, UTF-8, as PostgreSQL writes a jsonb.

    That is: ", " between elements, keys by length and then bytes, numbers as they were given, only control characters,
    quotes and backslashes escaped. `row` has the body in that form already.
    """
    names = ("offset", "topic", "fact", "key", "at_ns", "recorded_wall_ns", "writer")
    front = json.dumps([session, *(row[name] for name in names)], ensure_ascii=False)
    return hashlib.sha256(row["previous"] + f"{front[:-1]}, {row['body']}]".encode()).digest()


async def _table(connection: Any, session: str, kept: Mapping[str, Any]) -> Problem | None:
    """The first row of one table that is not as its event tells: the event it has, or the last one of its key."""
    if await connection.fetchval("SELECT to_regclass(quote_ident($1))", kept["relation"]) is None:
        return _problem("missing", f"table {kept['relation']}", None, "a table of that name", "none")
    if kept["append_only"]:
        told, joined = TOLD, "t.seq = (e.body ->> 'seq')::bigint"
    else:
        cells = (f"to_jsonb(t) - 'session_id' ->> '{name}'" for name in kept["key"])
        told, joined = LAST_TOLD, f"e.key = concat_ws(' ', {', '.join(cells)})"
    sql = DIFFERS.format(told=told, relation=f'"{kept["relation"]}"', joined=joined)
    row = await connection.fetchrow(sql, session, kept["fact"])
    return _difference(kept, row) if row else None


def _difference(kept: Mapping[str, Any], row: Mapping[str, Any]) -> Problem:
    told, held = _cells(row["told"]), _cells(row["held"])
    names = ["seq"] if kept["append_only"] else list(kept["key"])
    known = told if told is not None else held or {}
    key = " ".join(f"{name} {known[name]}" for name in dict.fromkeys([*names, *kept["key"]]) if name in known)
    where = f"{kept['relation']} {key}".rstrip()
    if told is None:
        return _problem("inserted", where, None, "no such row, as no event tells of it", _words(held or {}))
    if held is None:
        return _problem("missing", where, row["offset"], _words(told), "no such row")
    differ = [name for name in told if told[name] != held.get(name)]
    before, now = ({name: cells.get(name) for name in differ} for cells in (told, held))
    return _problem("altered", where, row["offset"], _words(before), _words(now))


def _cells(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text, parse_float=Decimal)


def _words(cells: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(value, default=str, ensure_ascii=False)}" for name, value in cells.items())


def _problem(
    what: Literal["altered", "missing", "inserted"], where: str, offset: int | None, expected: str, found: str
) -> Problem:
    return Problem(what=what, where=where, offset=offset, expected=expected, found=found)
