"""`vikalp facts` and `vikalp facts import` as a person types them."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli.main import app
from cluster.facts import facts_dir, import_facts, install_facts, load_facts, remove_facts
from core.errors import InputError
from core.market import freeze, session
from core.market.overlay import use, user_facts
from tests.unit.cli.fake_world import Place

FILE = """
source: NSE/FAOP/1 of 2026-11-13
published: 2026-11-13
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
    assert "SENSEX Thu 26 Nov (lot 20 provisional)" in out
    assert "NSE/FAOP/71540" in out
    assert "provisional" in out
    assert "2026-12-31" in out


def test_without_an_option_only_what_is_in_force_and_comes_next_is_shown() -> None:
    code, out, said = run("--on", "2026-11-20")

    assert code == 0
    assert len(out.splitlines()) < 80
    found = [line.split() for line in out.splitlines()]
    assert ["freeze", "NIFTY", "2026-07-01"] in [words[:3] for words in found]
    assert [words[2] for words in found if words[:2] == ["lot", "NIFTY"]] == ["2026-01-06"]
    assert [words[2] for words in found if words[:2] == ["expiry", "NIFTY"]] == ["2026-11-23", "2026-12-01"]
    assert [words[1] for words in found if words[:1] == ["calendar"] and "closed" in words] == [
        "2026-11-24",
        "2026-12-25",
    ]
    assert re.search(r"of \d{3} rows those in force and the next; .* --all", " ".join(said.split()))


def test_a_filter_shows_every_row_with_its_source() -> None:
    both = run("--on", "2026-11-20", "--table", "lot", "--index", "nifty")[1]
    index = run("--on", "2026-11-20", "--index", "SENSEX")[1]
    holidays = run("--on", "2026-11-20", "--table", "calendar", "--index", "NIFTY")[1]
    every = run("--on", "2026-11-20", "--all")[1]

    assert "75 units" in both
    assert "NSE/FAOP/70616" in both
    assert {line.split()[1] for line in both.splitlines() if line.startswith("lot ")} == {"NIFTY"}
    assert {line.split()[0] for line in index.splitlines() if " SENSEX " in line} >= {"lot", "freeze", "expiry"}
    assert "2024-12-25" in holidays
    assert len(every.splitlines()) > 500
    assert run("--index", "DAX")[0] == 2
    assert len(json.loads(run("--json", "--table", "lot", "--index", "NIFTY")[1])["rows"]) < 12


def test_json_has_the_same() -> None:
    code, out, _ = run("--json", "--on", "2026-11-20")
    found = json.loads(out)

    assert code == 0
    assert found["today"]["expiries"][0] == {
        "index": "NIFTY", "expiry": "2026-11-23", "lot": 65, "grade": "circular", "lot_grade": "provisional"
    }  # fmt: skip
    assert found["horizons"][0] | {"todo": ""} == {
        "table": "freeze", "last_day": "2026-09-30", "days_left": -51, "todo": ""
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
    [
        ("a: [", "YAML"),
        ("source: x", "published"),
        (FILE.replace("NIFTY", "INFY"), "settled by delivery"),
        (FILE.replace("published: 2026-11-13", "published: 2031-11-13"), "after today"),
        ("source: NSE/FAOP/1 of 2026-11-13\npublished: 2026-11-13", "vikalp facts remove SOURCE"),
    ],
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
    "words", [["import"], ["remove"], ["show", "x.yaml"], ["--on", "tomorrow"], ["--table", "nothing"], ["burn"]]
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


def kept(tmp_path: Path, text: str, today: dt.date = dt.date(2026, 12, 20)) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    import_facts(file, today)


def test_what_a_source_said_is_taken_back(tmp_path: Path) -> None:
    kept(tmp_path, FILE)
    assert freeze("NIFTY", dt.date(2026, 12, 1)) == 1500
    code, _, said = run("remove", "NSE/FAOP/2")
    assert (code, "NSE/FAOP/1 of 2026-11-13" in said) == (2, True)

    code, out, _ = run("remove", "NSE/FAOP/1 of 2026-11-13", "--json")
    assert code == 0
    assert json.loads(out)["source"] == "NSE/FAOP/1 of 2026-11-13"
    assert load_facts() == ()
    assert "none" in run("remove", "NSE/FAOP/1 of 2026-11-13")[2]


YEAR = """
source: the list
published: 2026-12-11
years: [2027]
holidays: [2027-01-26, 2027-03-22, 2027-03-26, 2027-04-14, 2027-05-17, 2027-06-16, 2027-10-29, 2027-11-15]
"""
EVENING = """
source: the evening
published: 2026-12-18
sessions: [{date: 2027-10-29, kind: muhurat, open: "18:15", close: "19:15"}]
"""


def test_a_file_that_another_needs_can_be_neither_removed_nor_replaced_without_it(tmp_path: Path) -> None:
    kept(tmp_path, YEAR)
    kept(tmp_path, EVENING)
    before = load_facts()

    for change in (
        lambda: remove_facts("the list"),
        lambda: kept(tmp_path, YEAR.replace("2027-10-29", "2027-10-28")),
    ):
        with pytest.raises(InputError, match=r"sessions 2027-10-29: .*ordinary trading day"):
            change()
        assert load_facts() == before
    remove_facts("the evening")
    remove_facts("the list")
    assert load_facts() == ()


def test_a_kept_file_that_was_edited_by_hand_is_checked_again(tmp_path: Path) -> None:
    kept(tmp_path, FILE)
    (file,) = facts_dir().glob("*.json")
    file.write_text(file.read_text().replace("1500", "-1"))

    with pytest.raises(InputError, match=rf"{file}: freeze NIFTY: .*found -1; remove that file"):
        load_facts()
    remove_facts("NSE/FAOP/1 of 2026-11-13")
    assert load_facts() == ()


BROKEN = ["{", '{"source": "x", "published": "2026-11-13", "of_a_newer_vikalp": 1}']


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["halt"], "HALTED"),
        (["reduce"], "REDUCING"),
        (["resume"], "ACTIVE"),
        (["exit-all", "--yes"], "NIFTY26D0124500CE"),
        (["positions"], "NIFTY26D0124500CE"),
        (["orders"], "no orders"),
        (["status"], "shard.NIFTY"),
        (["env"], "RAY_AUTH_MODE"),
        (["down"], "desk is down"),
    ],
)
def test_a_running_desk_is_reached_and_ended_whatever_the_facts_files_are(
    text: str, words: list[str], says: str
) -> None:
    facts_dir().mkdir(parents=True)
    (facts_dir() / "bad.json").write_text(text)
    done = CliRunner().invoke(app, words, obj=Place().world())

    assert done.exit_code == 0, done.output
    assert says in done.output


def test_an_order_is_cancelled_whatever_the_facts_files_are() -> None:
    facts_dir().mkdir(parents=True)
    (facts_dir() / "bad.json").write_text("{")
    place = Place()
    sent = CliRunner().invoke(app, ["exit-all", "--yes"], obj=place.world())
    assert sent.exit_code == 0
    done = CliRunner().invoke(app, ["cancel", "M1"], obj=place.world())
    assert (done.exit_code, "facts" in done.output) == (0, False), done.output


def test_no_desk_starts_with_facts_that_cannot_be_read() -> None:
    facts_dir().mkdir(parents=True)
    (facts_dir() / "bad.json").write_text("{")
    place = Place(runs=False)

    for words in (["up", "--detach"], ["replay", "x.parquet", "--index", "NIFTY", "--date", "2025-08-29"]):
        done = CliRunner().invoke(app, words, obj=place.world())
        assert (done.exit_code, "bad.json" in done.stderr) == (2, True), done.output
    assert place.started == []
