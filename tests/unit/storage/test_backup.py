"""Backups of a real PostgreSQL and tape: whole or not there, found out when damaged, put back with their guards."""

import asyncio
import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pyarrow as pa
import pytest

from core.errors import ConfigError, InputError
from core.records import Alert, RiskEvent, Settled, Stamp
from core.schemas import TICKS
from storage.backup import MANIFEST, back_up, problems, put_ledger, put_tape, read_manifest, require_whole
from storage.ledger import PostgresLedger, migrate
from storage.ledger.verify import verify
from storage.postgres import PostgresServer
from storage.restore import rehearse, restore
from storage.tape import ParquetTape, read_tape
from tests.fakes_orders import INDEX, ticks
from tests.unit.storage.conftest import free_port
from tests.unit.storage.test_ledger import a_fill, a_position, an_intent, done, rows

NOW = dt.datetime(2026, 11, 21, 15, 30, tzinfo=dt.UTC)
DAY = "2025-09-05"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def own(server: PostgresServer) -> Iterator[str]:
    """A database of this module's own, with a session that has done everything once."""
    run(server.dsn, "DROP DATABASE IF EXISTS backed")
    run(server.dsn, "CREATE DATABASE backed")
    dsn = server.dsn.replace("/postgres?", "/backed?")
    migrate(dsn)
    ledger = PostgresLedger(dsn, "day-1")
    epoch = ledger.take_epoch()
    for n in range(5):
        intent = an_intent(f"A{n}", reason="tab\there, line\nthere, \\N and ₹")
        ledger.journal_intent(epoch, intent)
        ledger.record_fill(epoch, a_fill(f"T{n}", f"A{n}"), done(intent), a_position())
    end = Settled(symbol="NIFTY2590224500CE", index="NIFTY", close_paise=2_450_000, value_paise=1, source="t", at_ns=9)
    ledger.record_settlement(epoch, end, [a_position()])
    ledger.record_risk_event(RiskEvent(at_ns=1, kind="difference", subject="x", message="y"))
    ledger.record_alert(Alert(at_wall_ns=1, severity="alarm", subject="x", message="y"))
    ledger.record_daily_pnl("2025-09-05", 7, 3)
    ledger.record_standing(epoch, "REDUCING", "by hand")
    ledger.close()
    yield dsn


def run(dsn: str, sql: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(ask())


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Two partitions of two parts, and one a crash left under its dot-name."""
    root = tmp_path / "tape"
    written = ParquetTape(str(root))
    for n in range(1, 3):
        stamp = Stamp(source="feed", topic="ticks", index=INDEX, epoch=1, sequence=n, sent_wall_ns=n)
        written.append(stamp, "ticks", INDEX, ticks())
        written.flush()
    folder = root / "ticks" / f"date={DAY}" / f"index={INDEX}"
    (folder / "part-000002-000002.parquet").rename(folder / ".part-000002-000002.parquet")
    (folder / ".part-000003-000003.parquet").write_bytes(b"half a part")
    (root / "holes.json").write_text("[]")
    (root / "somebody's.txt").write_text("no part of a tape")
    return root


def contents(dsn: str) -> dict[str, list[asyncpg.Record]]:
    """Every row of every table but the migrations' own, in order."""
    names = rows(
        dsn, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return {
        row["relname"]: rows(dsn, f"SELECT * FROM {row['relname']} t ORDER BY t::text")
        for row in names
        if row["relname"] != "schema_version"
    }


@pytest.fixture
def fresh(server: PostgresServer) -> Iterator[str]:
    """An empty database."""
    name = f"fresh{os.urandom(4).hex()}"
    run(server.dsn, f"CREATE DATABASE {name}")
    yield server.dsn.replace("/postgres?", f"/{name}?")
    run(server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_restored_ledger_is_the_same_row_by_row_and_stands_guard(own: str, fresh: str, tmp_path: Path) -> None:
    made = back_up(own, "", tmp_path, desk=3, now=NOW)
    put_ledger(made, fresh)

    assert contents(fresh) == contents(own)
    assert all(contents(fresh)[name] for name in ("fills", "audit_log", "settlements", "oms_epoch", "trade_history"))
    assert verify(fresh).whole
    for sql in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM fills WHERE quantity > 0", "TRUNCATE settlements"):
        with pytest.raises(asyncpg.RestrictViolationError):
            run(fresh, sql)


def test_what_comes_after_a_restore_goes_on_where_it_was(own: str, fresh: str, tmp_path: Path) -> None:
    put_ledger(back_up(own, "", tmp_path, desk=3, now=NOW), fresh)
    before = max(row["seq"] for row in contents(own)["intents"])
    ledger = PostgresLedger(fresh, "day-1")
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent("LATER"))
    orders = ledger.orders()
    ledger.close()

    assert [order.intent.tag for order in orders] == ["A0", "A1", "A2", "A3", "A4", "LATER"]
    assert max(row["seq"] for row in contents(fresh)["intents"]) > before
    assert epoch == contents(own)["oms_epoch"][0]["epoch"] + 1
    assert verify(fresh).whole


def test_numbers_go_on_after_the_rows_also_where_nobody_could_read_the_sequences(
    own: str, fresh: str, tmp_path: Path
) -> None:
    made = back_up(own, "", tmp_path, desk=0, now=NOW)
    known = json.loads((made / MANIFEST).read_bytes())
    assert known["ledger"]["sequences"]["intents_seq_seq"] >= 5
    known["ledger"]["sequences"] = {"audit_log_seq_seq": 1_000}
    (made / MANIFEST).write_text(json.dumps(known))
    put_ledger(made, fresh)
    last = {row["sequencename"]: row["last_value"] for row in rows(fresh, "SELECT * FROM pg_sequences")}

    assert last["intents_seq_seq"] == 5
    assert last["audit_log_seq_seq"] == 1_000


def test_a_backup_names_what_is_in_it_and_nobody_else_may_read_it(own: str, tape: Path, tmp_path: Path) -> None:
    made = back_up(own, str(tape), tmp_path / "to", desk=3, now=NOW)
    manifest = read_manifest(made)

    assert made.name == "vikalp-desk3-20261121T153000Z"
    assert problems(made) == []
    assert manifest.ledger.sessions == ("day-1",)
    assert manifest.ledger.tables["fills"].rows == 5
    assert manifest.ledger.heads["day-1"].hash == verify(own).sessions[0].head
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    for path in (made / MANIFEST, made / "ledger" / "fills.copy"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    password = own.split(":")[2].split("@", maxsplit=1)[0]
    assert not any(password.encode() in path.read_bytes() for path in made.rglob("*") if path.is_file())


def test_a_tape_comes_back_readable_with_what_a_crash_had_left_unnamed(own: str, tape: Path, tmp_path: Path) -> None:
    made = back_up(own, str(tape), tmp_path / "to", desk=0, now=NOW)
    put_tape(made, tmp_path / "back")
    again = ParquetTape(str(tmp_path / "back"))

    assert again.durable("feed", "ticks", 1, INDEX) == 2
    assert read_tape(str(tmp_path / "back"), "ticks", DAY, INDEX) == pa.Table.from_batches([ticks()] * 2, TICKS)
    assert (tmp_path / "back" / "holes.json").read_text() == "[]"
    assert not (tmp_path / "back" / "somebody's.txt").exists()
    named = made / "tape" / "ticks" / f"date={DAY}" / f"index={INDEX}"
    part = "part-000001-000001.parquet"
    assert (named / part).samefile(tape / "ticks" / f"date={DAY}" / f"index={INDEX}" / part)
    assert not (named / ".part-000003-000003.parquet").exists()  # it is still being written


def test_a_tape_at_a_url_is_named_without_its_keys_and_not_copied(own: str, tmp_path: Path) -> None:
    url = "s3://key:secret@bucket/tape?secret_key=x"
    manifest = read_manifest(back_up(own, url, tmp_path, desk=0, now=NOW))

    assert manifest.tape_from == "s3://bucket/tape"
    assert not [name for name in manifest.files if name.startswith("tape/")]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def recount(path: Path) -> None:
    """A row fewer, with the digest made to fit."""
    manifest = json.loads((path.parents[1] / MANIFEST).read_bytes())
    manifest["ledger"]["tables"]["fills"]["rows"] += 1
    (path.parents[1] / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flip, "fills.copy is altered"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "bytes, expected"),
        (lambda path: path.unlink(), "fills.copy is missing"),
        (lambda path: (path.parent / "more.copy").write_bytes(b"x"), "more.copy is not in the manifest"),
        (recount, "fills.copy has 5 rows, expected 6"),
    ],
)
def test_damage_is_found_and_nothing_is_restored_of_it(
    own: str, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    made = back_up(own, "", tmp_path, desk=0, now=NOW)
    damage(made / "ledger" / "fills.copy")

    assert any(said in one for one in problems(made))
    with pytest.raises(InputError, match="Use another backup"):
        require_whole(made)
    with pytest.raises(InputError, match="is damaged"):
        restore(made, tmp_path / "desk-0", run_dir=tmp_path / "run", port=1)
    assert not (tmp_path / "desk-0").exists()


def test_what_is_no_backup_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no backup"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match="no manifest"):
        read_manifest(tmp_path)


def test_a_ledger_that_holds_something_is_not_overwritten(own: str, tmp_path: Path) -> None:
    made = back_up(own, "", tmp_path, desk=0, now=NOW)
    before = contents(own)

    with pytest.raises(ConfigError, match="needs an empty one"):
        put_ledger(made, own)
    assert contents(own) == before


def test_rows_of_another_schema_are_refused(own: str, fresh: str, tmp_path: Path) -> None:
    made = back_up(own, "", tmp_path, desk=0, now=NOW)
    manifest = json.loads((made / MANIFEST).read_bytes())
    manifest["ledger"]["schema"][1]["sha256"] = "another"
    (made / MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(ConfigError, match="0002_paper_broker"):
        put_ledger(made, fresh)


KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
def say(step):
    if step == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
"""
BACKING_UP = f"""{KILLED}
from storage.backup import back_up
back_up(sys.argv[2], sys.argv[3], Path(sys.argv[4]), desk=0, now=dt.datetime(2026, 11, 21, tzinfo=dt.UTC), say=say)
"""
RESTORING = f"""{KILLED}
from storage.restore import restore
restore(Path(sys.argv[2]), Path(sys.argv[3]), run_dir=Path(sys.argv[4]), port=int(sys.argv[5]), say=say)
"""


def kill(program: str, at: str, *args: object) -> None:
    """Run `program` in a process that SIGKILLs itself as the step `at` begins."""
    ended = subprocess.run([sys.executable, "-c", program, at, *map(str, args)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_a_killed_backup_leaves_none_and_the_next_clears_up(own: str, tape: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    for at in ("table fills", "rename"):
        kill(BACKING_UP, at, own, tape, to)
        assert [path.name for path in to.iterdir() if not path.name.startswith(".")] == []
        assert any(to.iterdir())
    made = back_up(own, str(tape), to, desk=0, now=NOW)

    assert list(to.iterdir()) == [made]
    assert problems(made) == []


def test_a_killed_restore_leaves_no_desk_and_the_next_makes_it(own: str, tape: Path, place: Path) -> None:
    made = back_up(own, str(tape), place / "to", desk=0, now=NOW)
    target, run_dir, port = place / "desk-0", place / "run", free_port()
    for at in ("commit", "rename"):  # its server lives on after the first of them
        kill(RESTORING, at, made, target, run_dir, port)
        assert not target.exists()
    restore(made, target, run_dir=run_dir, port=port)

    assert sorted(path.name for path in place.iterdir() if path.name.startswith(".")) == []
    server = PostgresServer(target / "postgres", run_dir, port)
    server.start()
    try:
        assert contents(server.dsn) == contents(own)
    finally:
        server.stop()
    assert ParquetTape(str(target / "tape")).durable("feed", "ticks", 1, INDEX) == 2
    with pytest.raises(InputError, match="is not empty"):
        restore(made, target, run_dir=run_dir, port=port)


def test_a_rehearsal_finds_a_chain_that_was_broken_before(own: str, fresh: str, tmp_path: Path) -> None:
    put_ledger(back_up(own, "", tmp_path, desk=0, now=NOW), fresh)
    run(fresh, "ALTER TABLE fills DISABLE TRIGGER USER; UPDATE fills SET price_paise = 1 WHERE trade_id = 'T2';"
        "ALTER TABLE fills ENABLE TRIGGER chain; ALTER TABLE fills ENABLE ALWAYS TRIGGER append_only")  # fmt: skip

    (found,) = rehearse(back_up(fresh, "", tmp_path / "altered", desk=0, now=NOW))
    assert "session day-1" in found
    assert "altered" in found
