"""Brings a database to this release's tables, once, whoever else tries at the same moment."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from core.errors import ConfigError
from storage.link import in_our_words

FOLDER = Path(__file__).resolve().parents[1] / "migrations"
LOCK = 0x56494B41  # any number, the same in every process
TABLE = """CREATE TABLE IF NOT EXISTS schema_version (
    version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The numbered files of `folder`, 0001 first; ConfigError when a number is missing or given twice."""
    found = [
        Migration(version=int(path.name.split("_")[0]), name=path.name, sql=path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9]*.sql"))
    ]
    if not found or [one.version for one in found] != list(range(1, len(found) + 1)):
        raise ConfigError(f"{folder}: expected 0001_… to the last without a gap, found {[one.name for one in found]}")
    return found


def migrate(dsn: str, *, folder: Path = FOLDER, timeout_s: float = 30.0) -> int:
    """Apply what is missing, all or nothing, and return the version reached.

    Raises ConfigError when the database is newer than this release or an applied file has since been altered,
    LedgerDown when it does not answer.
    """
    wanted = migrations(folder)
    with in_our_words("migrating"):
        return asyncio.run(asyncio.wait_for(_migrate(dsn, wanted, timeout_s), timeout_s))


async def _migrate(dsn: str, wanted: list[Migration], timeout_s: float) -> int:
    connection = await asyncpg.connect(dsn, timeout=timeout_s)
    try:
        async with connection.transaction():
            await apply(connection, wanted)
    finally:
        await connection.close()
    return len(wanted)


async def apply(connection: Any, wanted: list[Migration]) -> None:
    """What of `wanted`, the first of all migrations, is missing, on an open transaction. Raises as `migrate`."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    await connection.execute(TABLE)
    for one in wanted[await _applied(connection, wanted) :]:
        await connection.execute(one.sql)
        await connection.execute(
            "INSERT INTO schema_version (version, name, sha256) VALUES ($1, $2, $3)",
            one.version,
            one.name,
            one.sha256,
        )


async def _applied(connection: Any, wanted: list[Migration]) -> int:
    """How many of `wanted` the database has, after comparing each with its file."""
    rows = await connection.fetch("SELECT version, name, sha256 FROM schema_version ORDER BY version")
    if len(rows) > len(wanted):
        raise ConfigError(
            f"the ledger has version {rows[-1]['version']} ({rows[-1]['name']}), this release knows {len(wanted)}: "
            "install the newer release, or name another database"
        )
    for row, one in zip(rows, wanted, strict=False):
        if (row["version"], row["sha256"]) != (one.version, one.sha256):
            raise ConfigError(
                f"{one.name} was altered after it was applied (as {row['name']}): restore the file and add a new one"
            )
    return len(rows)
