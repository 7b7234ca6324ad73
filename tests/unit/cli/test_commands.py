import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cluster.cli.main import app
from cluster.cli.out import plain
from cluster.cli.replay import in_words
from cluster.state import ROOT
from core.market import lot, parse_symbol
from tests.unit.cli.fake_world import FakeDesk, Place

CALL = "NIFTY26D0124500CE"


def vikalp(place: Place, *words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, list(words), obj=place.world(), input=typed, env={"COLUMNS": "240"})


def test_an_order_shows_margin_and_charges_and_is_sent_after_a_yes() -> None:
    place = Place()
    done = vikalp(place, "order", CALL, "buy", "--lots", "2", "--limit", "123.45", typed="y\n")
    assert done.exit_code == 0, done.output
    assert "₹8,02,425.00 (an estimate)" in done.stderr
    assert "charges ₹27.34" in done.stderr
    (sent,) = place.client.sent
    contract = parse_symbol(CALL)
    assert contract.expiry is not None
    assert sent.quantity == 2 * lot("NIFTY", contract.expiry, dt.date(2026, 11, 20))
    assert (sent.side, sent.order_type, sent.limit_paise, sent.index) == ("BUY", "LIMIT", 12_345, "NIFTY")
    assert sent.created_ns == 0  # the order manager stamps it


def test_an_order_that_was_not_confirmed_is_not_sent() -> None:
    for typed in ("n\n", ""):
        place = Place()
        done = vikalp(place, "order", CALL, "sell", typed=typed)
        assert done.exit_code == 1
        assert place.client.sent == []


def test_a_refused_order_says_why_and_exits_1() -> None:
    place = Place(FakeDesk(refuses="order_size: 3,000 units asked, 1,800 allowed"))
    done = vikalp(place, "order", CALL, "buy", "--yes", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["state"] == "REFUSED"
    assert answer["message"].startswith("order_size")


def test_a_refusal_is_one_line_with_the_tag() -> None:
    place = Place(FakeDesk(refuses="tick: the limit price is not on a tick (asked ₹10.03, allowed ₹0.05 × n)"))
    done = vikalp(place, "order", CALL, "buy", "--limit", "10.03", "--yes")
    assert done.exit_code == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: refused: tick: the limit price")
    assert place.client.sent[0].tag in last


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("order", "NIFTYX", "buy", "--yes"), "NIFTYX"),
        (("order", "NIFTY", "buy", "--yes"), "not a contract"),
        (("order", "NIFTY26DECFUT", "buy", "--yes"), "is a future: this desk reads its price and trades options alone"),
        (("order", CALL, "hold", "--yes"), "expected BUY or SELL"),
        (("order", CALL, "buy", "--limit", "1.234", "--yes"), "at most two decimals"),
        (("order", CALL, "buy", "--limit", "free", "--yes"), "expected rupees"),
        (("order", CALL, "buy", "--product", "CNC", "--yes"), "expected NRML or MIS"),
        (("order", "NIFTY26D0199900CE", "buy", "--yes"), "strikes from 24,450 to 24,550"),
        (("order", "NIFTY26DEC24500CE", "buy", "--yes"), "there are 2026-12-01, 2026-12-08"),
        (("cancel", "not a tag"), "A–Z"),
        (("chain", "NIFTX"), "NIFTX"),
        (("chain", "NIFTY", "--expiry", "tomorrow"), "expected a day"),
        (("chain", "NIFTY", "--expiry", "2026-11-25"), "2026-12-01, 2026-12-08"),
        (("replay", "no.parquet", "--index", "NIFTY", "--date", "2025-08-29"), "no such file"),
        (("replay", "no.parquet", "--index", "NIFTY", "--date", "29.8.25"), "expected a day"),
        (("replay", "no.parquet", "--index", "NIFTY", "--date", "2025-08-29", "--speed", "0"), "above 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_nothing_is_sent(words: tuple[str, ...], says: str) -> None:
    place = Place()
    done = vikalp(place, *words)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert place.client.sent == []


@pytest.mark.parametrize("words", [("status",), ("orders",), ("env",), ("exit-all", "--yes"), ("chain", "NIFTY")])
def test_without_a_desk_every_command_says_how_to_start_one(words: tuple[str, ...]) -> None:
    done = vikalp(Place(runs=False), *words)
    assert done.exit_code == 1
    assert done.stderr == "error: no desk is running; start one: vikalp up\n"


HAVE_DESK = ("status", "up", "backup", "report eod", "snapshots", "restore /nowhere", "events", "login",
             "audit reader", "audit verify", "doctor")  # fmt: skip


@pytest.mark.parametrize("words", HAVE_DESK)
def test_a_desk_s_number_has_the_same_bounds_everywhere(words: str) -> None:
    for number, said in (("-1", "greater than or equal to 0"), ("40", "less than or equal to 39")):
        done = vikalp(Place(), *words.split(), "--desk", number)
        assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_an_end_of_nothing_is_an_error_unless_it_was_asked_for_as_make_stop_does() -> None:
    nothing = "no desk is running; nothing to end\n"
    done = vikalp(Place(runs=False), "down")
    assert (done.exit_code, done.stderr) == (1, f"error: {nothing}")

    (recipe,) = re.findall(r"^stop: .*\n\t\$\(BIN\)/vikalp (.*)\n", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = recipe.replace("$(DESK)", "3").split()
    done = vikalp(Place(runs=False), *words)
    assert (done.exit_code, done.stderr) == (0, nothing)
    place = Place()
    assert vikalp(place, *words).exit_code == 0
    assert place.ended == [3]


def test_errors_are_json_on_stderr_when_json_was_asked_for() -> None:
    done = vikalp(Place(runs=False), "positions", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stderr) == {"error": "no desk is running; start one: vikalp up", "kind": "DeskError"}
    assert done.stdout == ""


def test_a_second_up_is_refused_and_the_first_is_left_alone() -> None:
    place = Place()
    done = vikalp(place, "up", "--detach")
    assert done.exit_code == 1
    assert "already up" in done.stderr
    assert place.ended == []


def test_up_detached_and_down() -> None:
    place = Place(runs=False)
    assert vikalp(place, "up", "--detach", "--desk", "3").exit_code == 0
    assert place.started == [3]
    assert vikalp(place, "down", "--desk", "3").exit_code == 0
    assert place.ended == [3]


def test_status_shows_mode_clock_urls_actors_order_manager() -> None:
    done = vikalp(Place(), "status")
    assert done.exit_code == 0, done.output
    for text in ("SIMULATED", "2026-11-20 15:15:00 IST", "oms ACTIVE", "ledger ok", "127.0.0.1:8000", "DEAD", "killed"):
        assert text in done.stdout
    found = json.loads(vikalp(Place(), "status", "--json").stdout)
    assert found["status"]["actors"][1]["name"] == "oms"
    assert found["urls"]["page"] == "http://127.0.0.1:8000"


def test_chain_as_table_and_as_json() -> None:
    shown = vikalp(Place(), "chain", "NIFTY").stdout
    assert "24,500" in shown
    assert "chain 9" in shown
    assert "12.00" in shown  # IV in percent
    assert "450" in shown  # change of open interest
    found = json.loads(vikalp(Place(), "chain", "NIFTY", "--json").stdout)
    assert (found["sequence"], found["expiry"], len(found["contracts"])) == (9, "2026-12-01", 6)
    assert found["contracts"][0]["delta"] is None  # NaN has no place in JSON


def test_before_the_first_chain_the_command_says_so() -> None:
    done = vikalp(Place(FakeDesk(chain_made=False)), "chain", "NIFTY")
    assert done.exit_code == 1
    assert "no chain yet" in done.stderr


def test_exit_all_asks_before_it_cancels_orders_although_nothing_is_held() -> None:
    place = Place()
    place.client.positions = list  # type: ignore[method-assign]
    assert vikalp(place, "order", CALL, "buy", "--yes").exit_code == 0
    (working,) = place.client.sent
    asked = vikalp(place, "exit-all", typed="n\n")

    assert asked.exit_code == 1
    assert f"1 working orders: BUY {CALL} {working.tag}" in asked.stderr
    assert "0 open positions: none" in asked.stderr
    assert place.client.sent == [working]
    place.client.exit_all = lambda why: []  # type: ignore[method-assign]
    assert "no working order and no open position is left" in vikalp(place, "exit-all", typed="y\n").stdout


def test_env_can_be_evaluated_by_a_shell() -> None:
    text = vikalp(Place(), "env").stdout
    shell = ["/bin/sh", "-c", f'{text}echo "$RAY_AUTH_MODE|$RAY_AUTH_TOKEN_PATH|$RAY_ADDRESS|$PATH"']
    said = subprocess.run(shell, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    mode, token, address, path = said.stdout.strip().split("|")
    assert (mode, token) == ("token", "/desk/to ken")
    assert not address  # ray.init would take the jobs' server for a cluster
    # README: after it, `vikalp` and `ray` are this checkout's.
    assert path.split(":")[0] == str(Path(sys.executable).parent)


def test_orders_of_earlier_days_are_told_when_they_are_asked_for() -> None:
    place = Place()
    vikalp(place, "order", CALL, "buy", "--yes")
    tag = place.client.sent[0].tag
    told = [json.loads(vikalp(place, "orders", "--json", *more).stdout) for more in ((), ("--all",))]
    assert [[row["intent"]["tag"] for row in rows] for rows in told] == [[tag], [f"OLD{tag}"[:20], tag]]


def test_positions_orders_and_exit_all() -> None:
    place = Place()
    shown = vikalp(place, "positions").stdout
    assert "₹224.25" in shown
    assert "₹199.25" in shown  # net of charges
    assert json.loads(vikalp(place, "positions", "--json").stdout)[0]["net_paise"] == 19_925
    assert "no orders" in vikalp(place, "orders").stdout
    asked = vikalp(place, "exit-all", typed="n\n")
    assert asked.exit_code == 1
    assert "cancel every working order and close every position?" in asked.stderr
    assert "0 working orders: none" in asked.stderr
    assert place.client.sent == []
    assert "mark" in shown
    assert "last" not in shown
    assert vikalp(place, "exit-all", "--yes", "--why", "lunch").exit_code == 0
    assert place.client.sent[0].reason == "lunch"
    assert json.loads(vikalp(place, "orders", "--json").stdout)[0]["intent"]["tag"] == "X"


def test_status_shows_a_circuit_breaker_that_is_not_closed() -> None:
    place = Place()
    assert "circuit breaker" not in vikalp(place, "status").stdout
    broken = msgspec.structs.replace(place.client.status(), breaker="OPEN: 5 orders in a row failed")
    place.client.status = lambda: broken  # type: ignore[method-assign]
    assert "circuit breaker OPEN: 5 orders in a row failed" in vikalp(place, "status").stdout
    assert json.loads(vikalp(place, "status", "--json").stdout)["status"]["breaker"] == broken.breaker


@pytest.mark.parametrize(("word", "state"), [("halt", "HALTED"), ("reduce", "REDUCING"), ("resume", "ACTIVE")])
def test_a_person_halts_reduces_and_resumes(word: str, state: str) -> None:
    assert f"oms {state}" in vikalp(Place(), word).stdout
    assert json.loads(vikalp(Place(), word, "--json").stdout) == {"oms_state": state}


def test_status_shows_the_latest_alerts_and_an_index_may_be_typed_small() -> None:
    assert "[dead] again" in vikalp(Place(), "status").stdout
    assert "NIFTY 2026-12-01" in vikalp(Place(), "chain", "nifty").stdout


def test_a_replays_figures_are_words_for_a_person() -> None:
    said = in_words({"avg_iv": 0.1830792, "rows": 446132, "iv_vs_nse": {"median": 0.2119, "p95": 2.27, "rows": 39026},
                     "counts": {"rows": 1}, "atm_strike": 24600.0, "kept": False})  # fmt: skip
    assert said == {
        "avg_iv": "18.31%", "rows": "446,132", "atm_strike": "24,600.00", "kept": "False",
        "iv_vs_nse": "|our IV − NSE's| in vol points, under NSE's convention: median 0.21, p95 2.27, over 39,026 rows",
    }  # fmt: skip


def test_json_has_no_nan() -> None:
    assert plain({"a": float("nan"), "b": [float("inf"), 1.5]}) == {"a": None, "b": [None, 1.5]}


def test_help_imports_neither_ray_nor_arrow_nor_numpy() -> None:
    code = (
        "import sys; from cluster.cli.main import app; "
        "print(sorted({'ray', 'pyarrow', 'numpy', 'numba', 'pydantic', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
