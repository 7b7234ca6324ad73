"""A ledger's rows as files, and back: one transaction each way, on any PostgreSQL, whatever its programs are.

Rows are PostgreSQL's own COPY text, a file a table; the tables themselves are not copied but made anew by this
release's migrations up to the version the rows are of. COPY and not pg_dump, as the ledger may be a server elsewhere,
of another release than the programs here, and as the counts, the chain's heads and the rows must be of one moment.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import asyncpg
import msgspec

from core.errors import ConfigError, InputError
from storage.ledger.migrate import apply, migrations
from storage.link import in_our_words

CONNECT_S = 10.0
Say = Callable[[str], None]
TABLES = """SELECT c.relname AS name, array_agg(a.attname ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'schema_version'
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname ORDER BY c.relname"""
REFERENCES = """SELECT DISTINCT conrelid::regclass::text AS child, confrelid::regclass::text AS parent
    FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"""
SEQUENCES = """SELECT sequencename AS name, last_value AS last FROM pg_sequences
    WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY 1"""
NUMBERED = """SELECT t.relname AS "table", a.attname AS "column", s.relname AS sequence
    FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
    JOIN pg_depend d ON d.refobjid = t.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE t.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"""
TRIGGERS = """SELECT c.relname AS name, t.tgname AS trigger, t.tgenabled::text AS state
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"""
HEADS = """SELECT session_id, "offset", encode(hash, 'hex') AS hash FROM chain_heads ORDER BY 1"""
ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}  # by pg_trigger.tgenabled


class Version(msgspec.Struct, frozen=True):
    """A migration that was applied."""

    version: int
    name: str
    sha256: str


class Table(msgspec.Struct, frozen=True):
    """A table's rows: its columns in the order of the file's, and how many there are."""

    columns: tuple[str, ...]
    rows: int


class Head(msgspec.Struct, frozen=True):
    """Where a session's chain of facts ended."""

    offset: int
    hash: str


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What the files hold: of what schema, which sessions, and the chain's heads in the same moment."""

    schema: tuple[Version, ...]
    tables: dict[str, Table]
    sequences: dict[str, int]
    sessions: tuple[str, ...]
    heads: dict[str, Head]


def file_of(table: str) -> str:
    return f"{table}.copy"


def copy_out(dsn: str, folder: Path, *, say: Say = lambda _: None) -> Copied:
    """Every table into a file of `folder`, as of one moment; the ledger goes on meanwhile.

    Raises LedgerDown when it does not answer, ConfigError for a database without a ledger, OSError from the disk.
    """
    with in_our_words("copying the ledger"):
        return asyncio.run(_out(dsn, folder, say))


def copy_in(dsn: str, folder: Path, copied: Copied, *, say: Say = lambda _: None) -> None:
    """The rows of `folder` into an empty database, whole or not at all.

    Guards (append-only, the chain) sleep within this one transaction, which only the tables' owner can do, and are
    awake as before when it commits. Raises ConfigError for a database that is not empty, or a copy of a newer release
    or of other migrations, InputError for rows that are not as they were counted, LedgerDown.
    """
    with in_our_words("restoring the ledger"):
        asyncio.run(_in(dsn, folder, copied, say))


def require_blank(dsn: str) -> None:
    """ConfigError where the database at `dsn` has tables already, or its user may make none; LedgerDown."""

    async def ask() -> None:
        connection = await _connect(dsn)
        try:
            await _require_blank(connection)
            if not await connection.fetchval("SELECT has_schema_privilege(current_schema(), 'CREATE')"):
                user = await connection.fetchval("SELECT current_user")
                raise ConfigError(f"{user} may make no tables in that database: a restore needs its owner's dsn")
        finally:
            await connection.close()

    with in_our_words("restoring the ledger"):
        asyncio.run(ask())


async def _require_blank(connection: Any) -> None:
    if held := await connection.fetch(TABLES):
        raise ConfigError(
            f"the database holds tables already ({', '.join(row['name'] for row in held[:3])} …): a restore needs an "
            "empty one"
        )


async def _out(dsn: str, folder: Path, say: Say) -> Copied:
    connection = await _connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            versions = await connection.fetch("SELECT version, name, sha256 FROM schema_version ORDER BY version")
            tables = {}
            for row in await connection.fetch(TABLES):
                say(f"table {row['name']}")
                tables[row["name"]] = await _table_out(connection, folder, row["name"], tuple(row["columns"]))
            sessions = await connection.fetch("SELECT session_id FROM sessions ORDER BY opened_at, session_id")
            heads = await connection.fetch(HEADS) if "chain_heads" in tables else []
            return Copied(
                schema=tuple(Version(row["version"], row["name"], row["sha256"]) for row in versions),
                tables=tables,
                sequences={row["name"]: row["last"] for row in await connection.fetch(SEQUENCES)},
                sessions=tuple(row["session_id"] for row in sessions),
                heads={row["session_id"]: Head(row["offset"], row["hash"]) for row in heads},
            )
    finally:
        await connection.close()


async def _table_out(connection: Any, folder: Path, name: str, columns: tuple[str, ...]) -> Table:
    with private(folder / file_of(name)) as file:
        status = await connection.copy_from_table(name, columns=columns, output=file, format="text")
        file.flush()
        os.fsync(file.fileno())
    return Table(columns, int(status.split()[-1]))


async def _in(dsn: str, folder: Path, copied: Copied, say: Say) -> None:
    wanted = migrations()[: len(copied.schema)]
    ours = tuple(Version(one.version, one.name, one.sha256) for one in wanted)
    if ours != copied.schema:
        other = next((theirs for theirs in copied.schema if theirs not in ours), None)
        raise ConfigError(
            f"the copy is of a ledger with migration {other.name if other else '?'}, which this release does not have "
            "so: restore it with the release that made it, or a newer one"
        )
    connection = await _connect(dsn)
    try:
        async with connection.transaction():
            await _require_blank(connection)
            await apply(connection, wanted)
            await _fill(connection, folder, copied, say)
            say("commit")
    finally:
        await connection.close()


async def _fill(connection: Any, folder: Path, copied: Copied, say: Say) -> None:
    made = {row["name"]: tuple(row["columns"]) for row in await connection.fetch(TABLES)}
    if made.keys() != copied.tables.keys():
        raise InputError(f"the copy has the tables {sorted(copied.tables)}, its schema {sorted(made)}")
    order = await _parents_first(connection, made)
    guards = await connection.fetch(TRIGGERS)
    for name in order:
        await connection.execute(f"ALTER TABLE {_quoted(name)} DISABLE TRIGGER USER")
    for name in reversed(order):  # what the migrations themselves put there is among the rows
        await connection.execute(f"DELETE FROM {_quoted(name)}")  # noqa: S608 a name from the catalogue, quoted
    for name in order:
        say(f"table {name}")
        table = copied.tables[name]
        with (folder / file_of(name)).open("rb") as file:
            status = await connection.copy_to_table(name, columns=table.columns, source=file, format="text")
        if status != f"COPY {table.rows}":
            raise InputError(f"{folder / file_of(name)}: expected {table.rows} rows, PostgreSQL read {status}")
    await _set_sequences(connection, copied.sequences)
    for row in guards:
        awake = ENABLE[row["state"]]
        await connection.execute(f"ALTER TABLE {_quoted(row['name'])} {awake} TRIGGER {_quoted(row['trigger'])}")


async def _set_sequences(connection: Any, known: Mapping[str, int]) -> None:
    """Each goes on after the last number it gave, and after those that are there, whatever is known of it."""
    for row in await connection.fetch(NUMBERED):
        column, table = _quoted(row["column"]), _quoted(row["table"])
        highest = await connection.fetchval(f"SELECT max({column}) FROM {table}")  # noqa: S608 of the catalogue, quoted
        if last := max(highest or 0, known.get(row["sequence"], 0)):
            await connection.execute("SELECT setval(quote_ident($1)::regclass, $2)", row["sequence"], last)


async def _parents_first(connection: Any, tables: Mapping[str, object]) -> list[str]:
    """Every table after those that its rows point to."""
    waits: dict[str, set[str]] = {name: set() for name in tables}
    for row in await connection.fetch(REFERENCES):
        if row["child"] != row["parent"]:
            waits[row["child"]].add(row["parent"])
    order: list[str] = []
    while waits:
        ready = sorted(name for name, parents in waits.items() if parents <= set(order))
        if not ready:
            raise InputError(f"tables that point to each other in a ring: {sorted(waits)}")
        order += ready
        waits = {name: parents for name, parents in waits.items() if name not in ready}
    return order


async def _connect(dsn: str) -> Any:
    # Floats in the shortest form that reads back as the same number, times with their zone.
    settings = {"application_name": "vikalp-backup", "extra_float_digits": "1", "TimeZone": "UTC"}
    return await asyncpg.connect(dsn, timeout=CONNECT_S, server_settings=settings)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def private(path: Path) -> BinaryIO:
    """A new file of one's own, readable by nobody else."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
