"""`vikalp backup`, `backup verify` and `restore`, on a desk that does not run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cluster.cli.main import app
from cluster.ledger import own_server
from cluster.state import desk_dir
from core.records import Alert
from storage.ledger import PostgresLedger
from storage.ledger.roles import prepare_own

RUN = CliRunner()


def vikalp(*words: object) -> Result:
    return RUN.invoke(app, [str(word) for word in words])


def make_desk(number: int) -> None:
    """One that has run before: a ledger with a session, a tape, and a token."""
    server = own_server(number)
    desk_dir(number).mkdir(parents=True)
    desk_dir(number).chmod(0o711)
    server.start()
    try:
        ledger = PostgresLedger(prepare_own(server), "day-1")
        ledger.record_alert(Alert(at_wall_ns=1, severity="info", subject="x", message="before"))
        ledger.close()
    finally:
        server.stop()
    part = desk_dir(number) / "tape" / "ticks" / "date=2026-11-20" / "index=NIFTY" / "part-000001-000001.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"rows")
    (desk_dir(number) / "token").write_text("a secret")


def test_a_desk_is_backed_up_checked_and_made_again_under_another_number(short_home: Path) -> None:
    make_desk(3)
    made = vikalp("backup", "--desk", 3, "--json")
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    backup = Path(said["backup"])

    assert backup.parent == short_home / "backups"
    assert (said["sessions"], said["rows"]["system_alerts"]) == (["day-1"], 1)
    assert set(said["heads"]) == {"day-1"}
    names = [path.name for path in backup.rglob("*")]
    assert "part-000001-000001.parquet" in names
    assert not {"token", "postgres.password"} & set(names)

    checked = vikalp("backup", "verify", backup)
    assert checked.exit_code == 0, checked.output
    assert "whole: " in checked.stdout

    again = vikalp("restore", backup, "--desk", 4)
    assert again.exit_code == 0, again.output
    assert "vikalp up --desk 4" in again.stderr
    assert {"postgres", "tape"} <= {path.name for path in desk_dir(4).iterdir()}
    assert not (desk_dir(4) / "token").exists()
    server = own_server(4)
    server.start()
    try:
        ledger = PostgresLedger(prepare_own(server), "day-1")
        assert ledger.orders() == []
        ledger.record_alert(Alert(at_wall_ns=2, severity="info", subject="x", message="after"))
        ledger.close()
    finally:
        server.stop()

    over = vikalp("restore", backup, "--desk", 4)
    assert over.exit_code == 2
    assert "is not empty" in over.stderr


def test_a_damaged_backup_is_told_and_not_restored(short_home: Path) -> None:
    backup = short_home / "b"
    (backup / "ledger").mkdir(parents=True)
    (backup / "ledger" / "fills.copy").write_bytes(b"x\n")
    (backup / "manifest.json").write_text(json.dumps({
        "format": 1, "release": "0.1.0", "made_at": "2026-11-21T00:00:00+00:00", "desk": 0, "tape_from": "",
        "files": {"ledger/fills.copy": {"size": 2, "sha256": "0" * 64}},
        "ledger": {"schema": [], "tables": {"fills": {"columns": ["a"], "rows": 1}}, "sequences": {},
                   "sessions": [], "heads": {}},
    }))  # fmt: skip
    for words in (("backup", "verify", backup), ("backup", "verify", backup, "--deep")):
        found = vikalp(*words)
        assert found.exit_code == 1
        assert "fills.copy is altered" in found.stderr
    said = vikalp("backup", "verify", backup, "--json")
    assert (json.loads(said.stdout)["whole"], said.exit_code) == (False, 1)
    assert "is damaged" in vikalp("restore", backup).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "--desk", "7"), "there is no desk 7"),
        (("backup", "verify"), "verify needs the backup's folder"),
        (("backup", "verify", "/nowhere"), "is no backup"),
        (("backup", "make", "/nowhere"), "vikalp backup verify FILE"),
        (("restore", "/nowhere"), "is no backup"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(short_home: Path, words: tuple[str, ...], said: str) -> None:
    found = vikalp(*words)

    assert found.exit_code == 2
    assert said in " ".join(found.stderr.replace("│", " ").split())
