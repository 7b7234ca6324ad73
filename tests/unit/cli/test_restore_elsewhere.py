"""`vikalp restore --dsn`: the ledger goes into an empty database of a server of one's own, as its owner."""

import asyncio
import datetime as dt
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cluster.backups import Elsewhere, restore_desk
from cluster.state import desk_dir
from core.errors import LedgerDown
from core.records import Alert
from storage.backup import back_up
from storage.ledger import PostgresLedger, migrate
from storage.ledger.roles import check
from storage.ledger.verify import verify
from storage.postgres import PostgresServer
from tests.unit.cli.test_backup import vikalp
from tests.unit.storage.test_ledger import an_intent


def run(dsn: str, *sql: str) -> list[asyncpg.Record]:
    async def go() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            found = []
            for one in sql:
                found = await connection.fetch(one)
            return found
        finally:
            await connection.close()

    return asyncio.run(go())


@pytest.fixture(scope="module")
def theirs() -> Iterator[PostgresServer]:
    """A server that is not the desk's."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    postgres = PostgresServer(folder / "data", folder / "run", 5432)
    postgres.start()
    yield postgres
    postgres.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def backup(theirs: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a session, and a tape."""
    migrate(theirs.dsn)
    ledger = PostgresLedger(theirs.dsn, "day-1")
    ledger.record_alert(Alert(at_wall_ns=1, severity="info", subject="x", message="before"))
    ledger.close()
    tape = tmp_path_factory.mktemp("tape")
    part = tape / "ticks" / "date=2026-11-20" / "index=NIFTY" / "part-000001-000001.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"rows")
    made = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    return back_up(theirs.dsn, str(tape), tmp_path_factory.mktemp("backups"), desk=3, now=made)


@pytest.fixture
def empty(theirs: PostgresServer) -> Iterator[str]:
    """An empty database of an owner who is no superuser, beside a role for the desk, as docs/ledger.md says."""
    name = f"elsewhere{os.urandom(4).hex()}"
    run(
        theirs.dsn,
        f"CREATE ROLE {name}_owner LOGIN PASSWORD 'o'",
        f"CREATE ROLE {name}_desk LOGIN PASSWORD 'd'",
        f"CREATE DATABASE {name} OWNER {name}_owner",
    )
    yield dsn_of(theirs, name, "owner")
    run(theirs.dsn, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}_owner", f"DROP ROLE {name}_desk")


def dsn_of(theirs: PostgresServer, name: str, role: str) -> str:
    host = theirs.dsn.split("?", 1)[1]
    return f"postgresql://{name}_{role}:{role[0]}@/{name}?{host}"


def name_in(dsn: str) -> str:
    return dsn.split("@/")[1].split("?", maxsplit=1)[0]


@pytest.mark.usefixtures("short_home")
def test_a_backup_goes_into_an_empty_database_elsewhere_and_the_desks_role_goes_on(
    backup: Path,
    empty: str,
    theirs: PostgresServer,
) -> None:
    name = name_in(empty)
    done = vikalp("restore", backup, "--desk", 5, "--dsn", empty, "--role", f"{name}_desk")
    assert done.exit_code == 0, done.output
    assert "put ledger.dsn into vikalp.yaml" in " ".join(done.stderr.split())
    assert {path.name for path in desk_dir(5).iterdir()} == {"tape"}, "and no server of its own"
    heads = json.loads((backup / "manifest.json").read_text())["ledger"]["heads"]
    assert {each.session_id: each.head for each in verify(empty).sessions} == {
        session: head["hash"] for session, head in heads.items()
    }

    desk = dsn_of(theirs, name, "desk")
    assert check(desk) == [], "the role is what a desk of its own server has"
    ledger = PostgresLedger(desk, "day-1")
    ledger.journal_intent(ledger.take_epoch(), an_intent())
    assert [event.topic for event in ledger.events(0)].count("system.alerts") == 1
    ledger.close()
    assert verify(empty).whole
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run(desk, "DELETE FROM system_alerts")


@pytest.mark.usefixtures("short_home")
def test_a_database_that_holds_anything_is_refused_and_left_as_it_was(backup: Path, empty: str) -> None:
    run(empty, "CREATE TABLE mine (kept text)", "INSERT INTO mine VALUES ('still here')")
    done = vikalp("restore", backup, "--desk", 5, "--dsn", empty, "--role", f"{name_in(empty)}_desk")
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert "holds tables already (mine …): a restore needs an empty one" in said
    assert [row["kept"] for row in run(empty, "SELECT kept FROM mine")] == ["still here"]
    assert not desk_dir(5).exists()


@pytest.mark.usefixtures("short_home")
@pytest.mark.parametrize(
    ("role", "user", "words"),
    [
        ("nobody", "owner", "no role nobody on that server: CREATE ROLE nobody"),
        ("", "desk", "may make no tables in that database: a restore needs its owner's dsn"),
    ],
)
def test_what_would_fail_half_way_is_refused_before_anything_is_written(  # noqa: PLR0917 three are its cases
    backup: Path,
    empty: str,
    theirs: PostgresServer,
    role: str,
    user: str,
    words: str,
) -> None:
    name = name_in(empty)
    done = vikalp("restore", backup, "--desk", 5, "--dsn", dsn_of(theirs, name, user), "--role", role or f"{name}_desk")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert run(empty, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    assert not desk_dir(5).exists()


@pytest.mark.usefixtures("short_home")
def test_a_desk_that_is_there_keeps_its_folder_and_the_database_stays_empty(backup: Path, empty: str) -> None:
    desk_dir(3).mkdir(parents=True)
    (desk_dir(3) / "token").write_text("its own")
    done = vikalp("restore", backup, "--desk", 3, "--dsn", empty, "--role", f"{name_in(empty)}_desk")
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert run(empty, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


@pytest.mark.usefixtures("short_home")
def test_a_server_that_is_away_says_so(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerDown, match="does not answer"):
        restore_desk(backup, 5, elsewhere=Elsewhere(f"postgresql://x:y@/x?host={tmp_path}", "x"))
    assert not desk_dir(5).exists()
