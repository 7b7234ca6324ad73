"""A cut of the recorded day through a whole desk: slowly, a second process looking on, then at full speed."""

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "../shared/data/market/option_chain/NSE_NIFTY_chain_2025-08-27_29.parquet"
COLLECTIONS = 36
PACE = "90"  # the cut then takes about half a minute

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.beside,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not DAY.is_file(), reason=f"no recorded chain at {DAY}"),
]

LOOK = """
import sys, time
import pyarrow as pa
from cluster.attach import attach
from core.errors import DeskError
from core.schemas import CONTRACTS
with attach(int(sys.argv[1])) as desk:
    deadline = time.monotonic() + 60
    while True:
        try:
            chain = desk.chain("NIFTY")
            break
        except DeskError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert isinstance(chain, pa.Table) and chain.schema.equals(CONTRACTS)
    print(chain.num_rows, desk.status().mode)
"""


def run(home: Path, *words: str, within_s: float = 300, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | {"VIKALP_HOME": str(home)} | env, capture_output=True,
        text=True, timeout=within_s, check=False,
    )  # fmt: skip


def vikalp(*words: str) -> tuple[str, ...]:
    return ("-m", "cluster.cli.main", *words)


def desk_of(home: Path, replay: "subprocess.Popen[str]") -> int:
    """The number of the desk the replay has brought up."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for file in home.glob("desk-*/state.json"):
            state = json.loads(file.read_text())
            if state["phase"] == "READY":
                return int(state["desk"])
        assert replay.poll() is None, replay.communicate()[1]
        time.sleep(0.1)
    raise AssertionError("no desk was READY within 240 s")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Short (Unix sockets) and open to PostgreSQL's own user."""
    made = Path(tempfile.mkdtemp(prefix="vkr"))
    made.chmod(0o711)
    yield made
    for file in made.glob("desk-*/state.json"):
        run(made, *vikalp("down", "--desk", str(json.loads(file.read_text())["desk"])))
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def cut(home: Path) -> Path:
    """The first collections of the day, in the file's own schema."""
    table = pq.read_table(DAY)
    table = table.filter(pc.equal(pc.cast(table["date"], pa.string()), "2025-08-29"))
    times = sorted(pc.unique(table["collection_timestamp"]).to_pylist())[:COLLECTIONS]
    file = home / "cut.parquet"
    pq.write_table(table.filter(pc.is_in(table["collection_timestamp"], pa.array(times))), file)
    return file


@pytest.fixture(scope="module")
def slowly(home: Path, cut: Path) -> dict[str, Any]:
    """Replayed at a pace, with a second process attached while it ran, and ended by `vikalp down` afterwards."""
    words = vikalp("replay", str(cut), "--index", "NIFTY", "--date", "2025-08-29", "--speed", PACE, "--keep", "--json")
    replay = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=os.environ | {"VIKALP_HOME": str(home)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        desk = str(desk_of(home, replay))
        look = run(home, "-c", LOOK, desk)
        still = replay.poll() is None
        out, err = replay.communicate(timeout=300)
    finally:
        replay.kill()
        replay.wait()
    assert replay.returncode == 0, err
    found = {"look": look, "still": still, "result": json.loads(out), "err": err}
    tape = found["result"]["tape"]
    found["status"] = run(home, *vikalp("status", "--desk", desk, "--json"))
    found["attach"] = run(home, "-m", "examples.notebook_attach", "NIFTY", desk)
    found["order"] = run(home, "-m", "examples.place_order", "NIFTY", desk)
    found["tape"] = run(home, "-m", "examples.read_tape", tape, "2025-08-29", "NIFTY")
    found["chain"] = run(home, *vikalp("chain", "NIFTY", "--desk", desk, "--json"))
    found["down"] = run(home, *vikalp("down", "--desk", desk))
    return found


@pytest.fixture(scope="module")
def quickly(home: Path, cut: Path, slowly: dict[str, Any]) -> dict[str, Any]:
    return at_full_speed(home, cut)


@pytest.fixture(scope="module")
def compactly(home: Path, cut: Path, quickly: dict[str, Any]) -> dict[str, Any]:
    return at_full_speed(home, cut, VIKALP_LAYOUT="compact")


def at_full_speed(home: Path, cut: Path, **env: str) -> dict[str, Any]:
    words = vikalp("replay", str(cut), "--index", "NIFTY", "--date", "2025-08-29", "--speed", "max", "--json")
    done = run(home, *words, **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def files(tape: str, name: str) -> list[tuple[str, str]]:
    folder = Path(tape) / name / "date=2025-08-29" / "index=NIFTY"
    return [
        (file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sorted(folder.glob("part-*.parquet"))
    ]


def test_a_second_process_gets_the_chain_as_a_table_while_the_replay_runs(slowly: dict[str, Any]) -> None:
    assert slowly["still"], "the replay had ended before the chain was read"
    assert slowly["look"].returncode == 0, slowly["look"].stderr
    rows, mode = slowly["look"].stdout.split()
    assert int(rows) > 1_000
    assert mode == "REPLAY"


def test_the_result_is_one_object_with_the_figures_of_the_day(slowly: dict[str, Any]) -> None:
    result = slowly["result"]
    assert result["index_name"] == "NIFTY"
    assert result["snapshots"] + result["dropped_repeats"] == COLLECTIONS
    assert result["timestamp"].startswith("2025-08-29T")
    assert result["timestamp"].endswith("+05:30")
    assert result["contracts"] == 1_528
    assert result["rows"] == result["ticks"]  # every snapshot shows every contract of its own collection
    assert result["rows"] <= result["snapshots"] * result["contracts"]
    assert 0.5 < result["iv_share"] <= 1
    assert 24_000 < result["atm_strike"] < 25_000
    assert -1 <= result["sentiment_score"] <= 1
    assert 0 <= result["data_quality_score"] <= 1
    assert result["refused"] == 0
    assert result["iv_vs_nse"] is None  # the cut lies beside no bars
    assert "--spot-bars" in result["iv_vs_nse_why"]
    assert "snapshots" in slowly["err"]


def test_the_same_replay_writes_the_same_bytes_whatever_its_pace(
    slowly: dict[str, Any], quickly: dict[str, Any]
) -> None:
    one, two = slowly["result"], quickly
    assert one["tape"] != two["tape"]
    for name in ("contracts", "expiries"):
        assert files(one["tape"], name)
        assert files(one["tape"], name) == files(two["tape"], name)
        assert one[f"{name}_sha256"] == two[f"{name}_sha256"]


def test_feed_and_shard_in_one_process_write_the_same_bytes_too(
    quickly: dict[str, Any], compactly: dict[str, Any]
) -> None:
    for name in ("ticks", "contracts", "expiries"):
        assert files(quickly["tape"], name)
        assert files(compactly["tape"], name) == files(quickly["tape"], name)
    said = ("snapshots", "contracts_sha256", "expiries_sha256", "ticks", "counts", "atm_strike", "sentiment_score")
    assert {name: compactly[name] for name in said} == {name: quickly[name] for name in said}


def test_past_its_end_a_kept_replay_shows_the_datas_time_and_trades_no_more(slowly: dict[str, Any]) -> None:
    status = json.loads(slowly["status"].stdout)["status"]
    last = dt.datetime.fromisoformat(slowly["result"]["timestamp"]).timestamp()
    assert status["oms_state"] == "HALTED"
    assert status["market_ns"] / 1e9 == pytest.approx(last, abs=1)
    assert "REFUSED" in slowly["order"].stdout
    assert "the replay is over" in slowly["order"].stdout


def test_the_examples_run_on_a_desk(slowly: dict[str, Any]) -> None:
    for name in ("attach", "order", "tape", "chain", "down"):
        assert slowly[name].returncode == 0, (name, slowly[name].stdout, slowly[name].stderr)
    assert "NIFTY: 1528 contracts" in slowly["attach"].stdout
    assert slowly["order"].stdout.split()[1].endswith("CE")
    assert "1528 contracts" in slowly["tape"].stdout
    assert len(json.loads(slowly["chain"].stdout)["contracts"]) > 50


def test_a_replay_leaves_no_desk_behind(home: Path, quickly: dict[str, Any]) -> None:
    assert not quickly["kept"]
    assert list(home.glob("desk-*/state.json")) == []
