"""`vikalp audit` and `vikalp events` on a real PostgreSQL: what they print and how they exit."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli.events import told
from cluster.cli.main import app
from cluster.cli.world import World
from storage.ledger import PostgresLedger
from storage.ledger.read import LedgerReader
from storage.ledger.roles import prepare_own
from storage.postgres import PostgresServer
from tests.unit.storage.attacks import behind_the_desk_s_back, fill_in, run
from tests.unit.storage.conftest import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    made = PostgresServer(folder / "data", folder / "run", free_port())
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def dsn(server: PostgresServer) -> str:
    """A desk's ledger with one session, "s"."""
    made = prepare_own(server)
    ledger = PostgresLedger(made, "s", timeout_s=10)
    fill_in(ledger, made)
    ledger.close()
    return made


def vikalp(dsn: str, *words: str) -> Any:
    @contextmanager
    def ledger(desk: int | None) -> Iterator[str]:
        yield dsn

    return CliRunner().invoke(app, list(words), obj=World(ledger=ledger), env={"COLUMNS": "400"})


def test_a_whole_ledger_is_told_with_its_head_and_exits_0(dsn: str) -> None:
    done = vikalp(dsn, "audit", "verify", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    (session,) = report["sessions"]
    (head,) = run(dsn, """SELECT "offset", encode(hash, 'hex') AS hash FROM chain_heads""")
    assert report["whole"] is True
    assert (session["session_id"], session["events"], session["head"]) == ("s", head["offset"], head["hash"])
    words = vikalp(dsn, "audit", "verify", "--session", "s", "--head", head["hash"])
    assert words.exit_code == 0
    assert f"head {head['hash']}" in words.stderr
    assert f"{head['hash']} is event {head['offset']} of s" in words.stderr


def test_an_altered_row_is_named_with_what_it_was_and_exits_1(server: PostgresServer, dsn: str) -> None:
    behind_the_desk_s_back(server.dsn, "fills", "UPDATE fills SET price_paise = 9000 WHERE trade_id = $1", "T1")
    try:
        done = vikalp(dsn, "audit", "verify")
        asked = vikalp(dsn, "audit", "verify", "--json")
    finally:
        behind_the_desk_s_back(server.dsn, "fills", "UPDATE fills SET price_paise = 10000 WHERE trade_id = $1", "T1")
    assert (done.exit_code, asked.exit_code) == (1, 1)
    assert "s: first altered: fills seq 1 tag A1 (event " in done.stderr
    assert "expected price_paise 10000, found price_paise 9000" in done.stderr
    assert json.loads(asked.stdout)["sessions"][0]["problem"]["what"] == "altered"
    assert vikalp(dsn, "audit", "verify").exit_code == 0


def test_a_trigger_left_off_and_a_hash_that_is_gone_exit_1(server: PostgresServer, dsn: str) -> None:
    run(server.dsn, "ALTER TABLE fills DISABLE TRIGGER append_only")
    try:
        done = vikalp(dsn, "audit", "verify")
    finally:
        run(server.dsn, "ALTER TABLE fills ENABLE ALWAYS TRIGGER append_only")
    assert done.exit_code == 1
    assert "trigger append_only of fills is missing or switched off" in done.stderr
    gone = vikalp(dsn, "audit", "verify", "--head", "ab" * 32)
    assert gone.exit_code == 1
    assert "no event carries abab" in gone.stderr


def test_words_for_what_is_asked_wrongly(dsn: str) -> None:
    for words, said in (
        (("audit", "verify", "--session", "elsewhere"), "no session 'elsewhere'"),
        (("audit", "verify", "--head", "ab"), "64 hexadecimal digits"),
        (("audit", "log", "--session", "elsewhere"), "no session 'elsewhere'"),
        (("events", "--topic", "orders.lost"), "there are orders.submitted"),
        (("events", "--topic", "market.data"), "expected --index, one of NIFTY"),
        (("events", "--topic", "market.data", "--topic", "orders.submitted"), "ask for it alone"),
        (("events", "--topic", "market.data", "--index", "NIFTY", "--tape", "nowhere"), "no ticks on the tape"),
    ):
        done = vikalp(dsn, *words)
        assert done.exit_code == 2
        assert said in done.stderr


def test_the_log_lists_who_did_what_from_where_and_what_changed(dsn: str) -> None:
    done = vikalp(dsn, "audit", "log", "--entity", "order:A1")
    assert done.exit_code == 0, done.output
    assert "manual" in done.stdout
    assert "state JOURNALLED → OPEN" in done.stdout
    assert "pid" in done.stdout
    found = json.loads(vikalp(dsn, "audit", "log", "--user", "trader", "--json").stdout)
    assert [(line["action"], line["new_value"]["why"]) for line in found] == [("kill", "enough")]
    assert len(json.loads(vikalp(dsn, "audit", "log", "--limit", "3", "--json").stdout)) == 3
    assert "no such line" in vikalp(dsn, "audit", "log", "--user", "nobody").stderr


def test_events_are_lines_of_json_from_any_offset_and_by_topic(dsn: str) -> None:
    done = vikalp(dsn, "events", "--json")
    everything = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["offset"] for event in everything] == list(range(1, len(everything) + 1))
    later = [json.loads(line) for line in vikalp(dsn, "events", "--from", "5", "--json").stdout.splitlines()]
    assert later == everything[4:]
    trades = vikalp(dsn, "events", "--topic", "orders.executed", "--topic", "orders.rejected", "--json").stdout
    assert [json.loads(line)["key"] for line in trades.splitlines()] == ["A1", "A1", "A2"]
    assert everything[-1]["body"]["detail"]["user"] == "trader"
    assert "system.alerts  ledger" in vikalp(dsn, "events", "--topic", "system.alerts").stdout


def test_following_tells_what_comes_once_and_in_order(dsn: str) -> None:
    reader, ledger = LedgerReader(dsn), PostgresLedger(dsn, "followed", timeout_s=10)
    ledger.audit("x", "first", {})
    lines = told(reader, "followed", 0, ["ledger.audit_log"], follow=True, poll_s=0)
    assert json.loads(next(lines).body)["action"] == "first"
    for turn in range(3):
        ledger.audit("x", str(turn), {})
        assert json.loads(next(lines).body)["action"] == str(turn)
    reader.close()
    ledger.close()


def test_an_owner_elsewhere_prepares_the_desk_s_role(server: PostgresServer) -> None:
    run(server.dsn, "CREATE DATABASE elsewhere")
    run(server.dsn, "CREATE ROLE trader LOGIN PASSWORD 'p'")
    there = server.dsn.replace("/postgres?", "/elsewhere?")
    done = vikalp("", "audit", "prepare", "--dsn", there, "--role", "trader")
    assert done.exit_code == 0, done.output
    assert "trader may write it" in done.stderr
    ledger = PostgresLedger(there.replace(there.split("//")[1].split("@")[0], "trader:p"), "s", timeout_s=10)
    assert ledger.take_epoch() == 1
    ledger.close()
    assert vikalp("", "audit", "verify", "--dsn", there).exit_code == 0
    assert "no role nobody_there" in vikalp("", "audit", "prepare", "--dsn", there, "--role", "nobody_there").stderr
