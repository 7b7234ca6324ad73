"""`vikalp facts` and `vikalp facts import` as a person types them."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli.main import app
from cluster.facts import facts_dir, install_facts, load_facts
from core.errors import InputError
from core.market import freeze, session
from core.market.overlay import use, user_facts

FILE = """
source: NSE/FAOP/1 of 2026-11-30
published: 2026-11-30
freeze: [{index: NIFTY, since: 2026-12-01, quantity: 1500}]
sessions: [{date: 2026-11-08, kind: muhurat, open: 18:15, close: 19:15}]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    use(())
    yield tmp_path
    use(())


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["facts", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_tables_are_shown_with_source_grade_and_horizon() -> None:
    code, out, _ = run("--on", "2026-11-20", "--table", "freeze")

    assert code == 0
    assert "2026-11-20: normal session 09:15-15:40 IST" in out
    assert "SENSEX Thu 26 Nov (lot 20)" in out
    assert "NSE/FAOP/71540" in out
    assert "provisional" in out
    assert "2026-12-31" in out


def test_json_has_the_same() -> None:
    code, out, _ = run("--json", "--on", "2026-11-20")
    found = json.loads(out)

    assert code == 0
    assert found["today"]["expiries"][0] == {
        "index": "NIFTY", "expiry": "2026-11-23", "lot": 65, "grade": "circular"
    }  # fmt: skip
    assert found["horizons"][0] | {"todo": ""} == {
        "table": "calendar", "last_day": "2026-12-31", "days_left": 41, "todo": ""
    }  # fmt: skip
    assert len(found["rows"]) > 500


def test_an_imported_file_is_kept_used_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FILE)
    code, _, said = run("import", str(file))

    assert code == 0
    assert "1 sessions, 1 freeze" in said.replace("\n", " ")
    use(())
    assert freeze("NIFTY", dt.date(2026, 12, 1)) == 1800
    assert install_facts() == user_facts()
    assert freeze("NIFTY", dt.date(2026, 12, 1)) == 1500
    evening = session("NSE", dt.date(2026, 11, 8))
    assert evening is not None
    assert f"{evening.open:%H:%M}" == "18:15"

    file.write_text(FILE.replace("1500", "1200"))
    assert run("import", str(file), "--json")[0] == 0
    assert len(load_facts()) == 1
    assert freeze("NIFTY", dt.date(2026, 12, 1)) == 1200
    assert "NSE/FAOP/1" in run("--table", "freeze")[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "YAML"), ("source: x", "published"), (FILE.replace("NIFTY", "INFY"), "settled by delivery")],
)
def test_a_bad_file_is_one_line_and_changes_nothing(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    code, out, said = run("import", str(file))

    assert (code, out) == (2, "")
    assert said.startswith("error: ")
    assert says in said
    assert not facts_dir().exists()
    assert user_facts() == ()


@pytest.mark.parametrize(
    "words", [["import"], ["show", "x.yaml"], ["--on", "tomorrow"], ["--table", "nothing"], ["burn"]]
)
def test_what_cannot_be_asked_is_a_usage_error(words: list[str]) -> None:
    assert run(*words)[0] == 2


def test_a_missing_or_broken_kept_file_is_said_with_the_remedy(tmp_path: Path) -> None:
    assert "no such file" in run("import", str(tmp_path / "none.yaml"))[2]
    facts_dir().mkdir(parents=True)
    (facts_dir() / "x.json").write_text("{")
    with pytest.raises(InputError, match="remove it"):
        load_facts()
    assert run()[0] == 2
