"""Who may do what in the ledger, by PostgreSQL's own word: the desk appends, people read, the owner alone migrates.

The desk's role owns nothing. It inserts facts, updates the few tables that say how things stand, and deletes nowhere.
"""

import asyncio
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from core.errors import ConfigError
from storage.ledger.migrate import migrate, migrations
from storage.link import in_our_words
from storage.postgres import PostgresServer

DESK, READER = "vikalp_desk", "vikalp_reader"
CONNECT_S = 10.0

FACTS, STATES = {"SELECT", "INSERT"}, {"SELECT", "INSERT", "UPDATE"}
OTHERS = {"paper_orders": STATES, "paper_fills": FACTS, "sessions": FACTS}
TABLES = """SELECT c.relname AS name, k.append_only,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) p
              WHERE has_table_privilege(c.oid, p)) AS may
    FROM pg_class c LEFT JOIN chained k ON k.relation = c.relname AND NOT k.retired
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1"""
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname IN (current_schema(), 'reporting')"
OWNS = """SELECT count(*) > 0 AS owns, bool_or(r.rolsuper) AS super FROM pg_class c, pg_roles r
    WHERE c.relname = 'events' AND c.relnamespace = current_schema()::regnamespace AND r.rolname = current_user
        AND (r.rolsuper OR pg_has_role(c.relowner, 'USAGE'))"""


def prepare_own(server: PostgresServer) -> str:
    """Migrate the desk's own server as its owner, make both roles, and return the address its actors connect by."""
    migrate(server.dsn)
    addresses = {role: server.dsn_of(role) for role in (DESK, READER)}
    passwords = {role: unquote(urlsplit(dsn).password or "") for role, dsn in addresses.items()}
    with in_our_words("preparing the ledger's roles"):
        asyncio.run(_prepare(server.dsn, DESK, READER, passwords))
    return addresses[DESK]


def prepare(owner_dsn: str, *, desk: str = DESK, reader: str = "") -> int:
    """Migrate a server elsewhere as its owner and grant the roles, which exist there, what they need; the version.

    Raises ConfigError for a role that is not there, or what `migrate` raises.
    """
    version = migrate(owner_dsn)
    with in_our_words("granting the ledger's roles"):
        asyncio.run(_prepare(owner_dsn, desk, reader, {}))
    return version


def require_roles(owner_dsn: str, *names: str) -> None:
    """ConfigError for a role that is not on that server; LedgerDown."""

    async def ask() -> None:
        connection = await asyncpg.connect(owner_dsn, timeout=CONNECT_S)
        try:
            for name in filter(None, names):
                await _require(connection, name)
        finally:
            await connection.close()

    with in_our_words("the ledger's roles"):
        asyncio.run(ask())


def check(dsn: str) -> list[str]:
    """What is wrong with the role by which a desk uses a server elsewhere, in words; empty when nothing is.

    An owner migrates here, as before. Raises ConfigError when the tables are not of this release and this role may not
    change them, or may not write what the desk must.
    """
    with in_our_words("ledger.dsn"):
        owns = asyncio.run(_owns(dsn))
    if owns is None or owns:
        migrate(dsn)
    with in_our_words("ledger.dsn"):
        return asyncio.run(_judge(dsn))


async def _prepare(owner_dsn: str, desk: str, reader: str, passwords: dict[str, str]) -> None:
    connection = await asyncpg.connect(owner_dsn, timeout=CONNECT_S)
    try:
        async with connection.transaction():
            # A statement that fails is not to be logged with a password in it.
            if passwords:
                await connection.execute("SET LOCAL log_min_error_statement = 'panic'")
            for role, password in passwords.items():
                await _make(connection, role, password)
            for role in filter(None, (desk, reader)):
                await _require(connection, role)
            for sql in await _grants(connection, desk, reader):
                await connection.execute(sql)
    finally:
        await connection.close()


async def _require(connection: Any, role: str) -> None:
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        raise ConfigError(f"no role {role} on that server: CREATE ROLE {role} LOGIN PASSWORD '…' first")


async def _make(connection: Any, role: str, password: str) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    said = ("ALTER" if known else "CREATE") + " ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
    sql = await connection.fetchval("SELECT format($1::text, $2::text, $3::text)", f"{said}PASSWORD %L", role, password)
    await connection.execute(sql)


async def _grants(connection: Any, desk: str, reader: str) -> list[str]:
    """Every grant anew: what an earlier release allowed and this one does not is taken back first."""
    roles = {role: await connection.fetchval("SELECT quote_ident($1)", role) for role in (desk, reader) if role}
    schemas = [row["nspname"] for row in await connection.fetch(SCHEMAS)]
    everyone, made = ", ".join(roles.values()), []
    for name in schemas:
        schema = f'"{name}"'
        made += [
            f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {everyone}",
            f"GRANT USAGE ON SCHEMA {schema} TO {everyone}",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {everyone}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {everyone}",
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {everyone}",
        ]
    for row in await connection.fetch(TABLES):
        made.append(f'GRANT {", ".join(sorted(_needs(row)))} ON "{row["name"]}" TO {roles[desk]}')
    return made


async def _owns(dsn: str) -> bool | None:
    """Whether this role owns the tables; None where there are none yet."""
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        if await connection.fetchval("SELECT to_regclass('events')") is None:
            return None
        return bool((await connection.fetchrow(OWNS))["owns"])
    finally:
        await connection.close()


async def _judge(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await _require_version(connection)
        me = await connection.fetchval("SELECT current_user")
        tables = await connection.fetch(TABLES)
        if lacking := [f"{what} {row['name']}" for row in tables for what in sorted(_needs(row) - set(row["may"]))]:
            raise ConfigError(f"ledger.dsn: role {me} may not {_few(lacking)}: its owner runs `vikalp audit prepare`")
        owner = await connection.fetchrow(OWNS)
        if owner["owns"]:
            what = "is a superuser" if owner["super"] else "owns the ledger's tables"
            why = "so PostgreSQL would let the desk change what was written: give the desk a role of its own"
            return [f"ledger.dsn: role {me} {what}, {why} (docs/ledger.md, Roles)"]
        much = [f"{what} {row['name']}" for row in tables for what in row["may"] if what not in _needs(row)]
        return [f"ledger.dsn: role {me} may {_few(much)}: REVOKE that (docs/ledger.md, Roles)"] if much else []
    finally:
        await connection.close()


async def _require_version(connection: Any) -> None:
    wanted = [(one.version, one.sha256) for one in migrations()]
    rows = await connection.fetch("SELECT version, sha256 FROM schema_version ORDER BY version")
    if [(row["version"], row["sha256"]) for row in rows] != wanted:
        raise ConfigError(
            f"ledger.dsn: the ledger has version {len(rows)} of {len(wanted)} and this role does not own it: its owner "
            "runs `vikalp audit prepare`"
        )


def _needs(row: Any) -> set[str]:
    """What the desk's role must be allowed on one table, and all it may be: nothing but SELECT on what is no record."""
    own = {True: FACTS, False: STATES, None: {"SELECT"}}[row["append_only"]]
    return OTHERS.get(row["name"], own)


def _few(found: list[str]) -> str:
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
