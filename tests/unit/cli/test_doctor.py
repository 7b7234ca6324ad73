import datetime as dt
import importlib.metadata
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from typer.testing import CliRunner

from cluster import doctor
from cluster.cli.main import app
from cluster.doctor import Machine, examine, probe, read_pins, with_ledger
from core.market import INDICES, IST
from core.market.facts import table_horizons, today
from core.market.overlay import use
from tests.unit.storage.conftest import free_port

DAY = dt.date(2026, 11, 20)
GOOD: dict[str, Any] = {
    "python": (3, 11, 7), "system": "Linux", "cores": 4, "memory_mb": 16_000, "available_mb": 12_000, "disk_mb": 50_000,
    "shm_mb": 8_000, "desk": 0, "desk_runs": False, "ports": (), "pinned": {"ray": "2.60.0"},
    "installed": {"ray": "2.60.0", "other": "1"}, "kernels": 9, "postgres": "/pg/bin", "postgres_why": "", "zone": "",
    "wall": dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC), "newest_file": dt.datetime(2026, 11, 19, tzinfo=dt.UTC),
    "synchronised": True, "market": today("NSE", DAY, INDICES), "horizons": table_horizons(dt.date(2026, 8, 30)),
    "files": 65_536, "processes": -1,
}  # fmt: skip


def outcomes(**changed: Any) -> dict[str, str]:
    return {check.name: check.outcome for check in examine(Machine(**(GOOD | changed)))}


def test_a_good_machine_is_all_ok() -> None:
    assert set(outcomes().values()) == {"ok"}


@pytest.mark.parametrize(
    ("name", "outcome", "changed"),
    [
        ("Python", "fail", {"python": (3, 10, 1)}),
        ("cores", "warn", {"cores": 1}),
        ("memory", "fail", {"available_mb": 900}),
        ("memory", "warn", {"available_mb": 3_000}),
        ("memory", "ok", {"available_mb": 900, "desk_runs": True}),
        ("disk", "fail", {"disk_mb": 100}),
        ("disk", "warn", {"disk_mb": 5_000}),
        ("shared memory", "warn", {"shm_mb": 64}),
        ("shared memory", "warn", {"shm_mb": None}),
        ("ports", "fail", {"ports": ("port 8000 (page) is in use by pid 7 (nginx)",)}),
        ("ports", "ok", {"ports": ("port 8000 (page) is in use by pid 7 (python)",), "desk_runs": True}),
        ("packages", "fail", {"pinned": {"ray": "2.60.0", "numba": "0.68"}}),
        ("packages", "warn", {"installed": {"ray": "2.59.0"}}),
        ("packages", "warn", {"pinned": {}}),
        ("numba cache", "warn", {"kernels": 0}),
        ("PostgreSQL", "fail", {"postgres": "", "postgres_why": "no PostgreSQL programs"}),
        ("PostgreSQL", "fail", {"ledger": True, "ledger_why": "ledger.dsn: the ledger does not answer"}),
        ("PostgreSQL", "ok", {"ledger": True, "postgres": "", "postgres_why": "no PostgreSQL programs"}),
        ("clock", "fail", {"zone": "Asia/Kolkata is unknown"}),
        ("clock", "fail", {"newest_file": dt.datetime(2027, 1, 1, tzinfo=dt.UTC)}),
        ("clock", "warn", {"synchronised": False}),
        ("clock", "ok", {"synchronised": None}),
        ("facts", "ok", {"facts": 2}),
        ("facts", "fail", {"facts_why": "facts/x.json: not readable"}),
        ("calendar", "warn", {"horizons": table_horizons(dt.date(2026, 8, 31))}),
        ("calendar", "warn", {"horizons": table_horizons(dt.date(2026, 12, 1))}),
        ("calendar", "warn", {"horizons": table_horizons(dt.date(2027, 3, 5))}),
        ("limits", "fail", {"files": 1_024}),
        ("limits", "warn", {"processes": 500}),
    ],
)
def test_one_thing_wrong_is_one_check_that_says_what_to_do(name: str, outcome: str, changed: dict[str, Any]) -> None:
    found = outcomes(**changed)
    assert found.pop(name) == outcome
    assert set(found.values()) == {"ok"}
    (check,) = [check for check in examine(Machine(**(GOOD | changed))) if check.name == name]
    assert check.found
    assert (check.todo != "") == (outcome != "ok")


def said(name: str, **changed: Any) -> tuple[str, str]:
    (check,) = [check for check in examine(Machine(**(GOOD | changed))) if check.name == name]
    return check.found, check.todo


def test_the_market_check_says_todays_session_and_the_next_expiries_with_lots() -> None:
    found, _ = said("market")
    assert found.startswith("normal session 09:15-15:40 IST; next expiries: NIFTY Mon 23 Nov (lot 65 provisional), B")
    assert "SENSEX Thu 26 Nov (lot 20 provisional)" in found
    assert "Saturday" in said("market", market=today("NSE", dt.date(2026, 11, 21), ()))[0]
    later = said("market", market=today("NSE", dt.date(2027, 1, 4), ("NIFTY",)))[0]
    assert later.startswith(
        "normal session 09:15-15:40 IST, provisional; next expiries: NIFTY Tue 05 Jan provisional ("
    )


def test_thirty_days_before_a_table_ends_the_calendar_check_says_which_and_what_to_do() -> None:
    assert "holidays of 2027" not in said("calendar", horizons=table_horizons(dt.date(2026, 11, 30)))[1]
    found, todo = said("calendar", horizons=table_horizons(dt.date(2026, 12, 1)))
    assert "calendar to 2026-12-31 (30 days)" in found
    assert "import the holidays of 2027" in todo
    assert "vikalp facts import FILE" in todo


def test_pins_are_read_without_hashes_extras_and_other_systems() -> None:
    lines = ["# comment", "ray[client,default]==2.60.0 \\", "    --hash=sha256:aa", "Some_Name==1.0"]
    text = "\n".join([*lines, "colorama==0.4 ; sys_platform == 'win32' \\"])
    assert read_pins(text) == {"ray": "2.60.0", "some-name": "1.0"}


def test_a_ledger_elsewhere_is_asked_and_its_password_is_not_shown() -> None:
    machine = with_ledger(Machine(**GOOD), f"postgresql://someone:secret@127.0.0.1:{free_port()}/desk")
    (check,) = [check for check in examine(machine) if check.outcome == "fail"]
    assert check.found.startswith("ledger.dsn: the ledger does not answer")
    assert "secret" not in check.found + check.todo
    assert with_ledger(Machine(**GOOD), "") == Machine(**GOOD)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    yield tmp_path
    use(())


def test_this_machine_is_looked_at_as_it_is(own_home: Path) -> None:
    machine = probe(11)

    assert machine.installed["ray"] == importlib.metadata.version("ray")
    assert "ray" in machine.pinned
    assert machine.cores == len(psutil.Process().cpu_affinity())
    assert machine.disk_mb == pytest.approx(shutil.disk_usage(own_home).free / 2**20, rel=0.05)
    assert (machine.desk, machine.desk_runs) == (11, False)
    assert abs(machine.wall.timestamp() - time.time()) < 60
    assert machine.market.on == machine.wall.astimezone(IST).date()
    assert (machine.facts, machine.facts_why) == (0, "")


def test_facts_that_cannot_be_used_are_a_failed_check_and_the_others_go_on(own_home: Path) -> None:
    (own_home / "facts").mkdir()
    (own_home / "facts" / "bad.json").write_text("{")
    (check,) = [check for check in examine(probe(11)) if check.name == "facts"]

    assert (check.outcome, "bad.json" in check.found, "remove it" in check.found) == ("fail", True, True)
    done = CliRunner().invoke(app, ["doctor", "--desk", "11", "--json"])
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["checks"]) == len(doctor.CHECKS)


def test_the_command_exits_1_exactly_when_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for changed, code in (({}, 0), ({"disk_mb": 1}, 1)):
        monkeypatch.setattr(doctor, "probe", lambda desk, c=changed: Machine(**(GOOD | c | {"desk": desk})))
        done = CliRunner().invoke(app, ["doctor", "--json"])
        assert done.exit_code == code
        found = json.loads(done.stdout)
        assert found["ok"] is (code == 0)
        assert found["desk"] == 0
        assert len(found["checks"]) == len(doctor.CHECKS)
        assert msgspec.convert(found["checks"][0], dict)["name"] == "Python"


@pytest.mark.parametrize(("words", "desk"), [([], 0), (["--desk", "3"], 3)])
def test_the_command_says_for_which_desk_it_looked(
    monkeypatch: pytest.MonkeyPatch, words: list[str], desk: int
) -> None:
    monkeypatch.setattr(doctor, "probe", lambda desk: Machine(**(GOOD | {"desk": desk})))
    done = CliRunner().invoke(app, ["doctor", *words])

    assert done.stdout.splitlines()[0] == f"for desk {desk}; --desk N looks at the ports of another"
