"""A whole desk of two indices: actors, supervisor and PostgreSQL killed under load; then a second desk beside it."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.job_submission import JobStatus, JobSubmissionClient

from cluster.attach import Desk, attach
from cluster.auth import admit
from cluster.decide import SupervisionConfig
from cluster.head import tagged
from cluster.lifecycle import down, up
from cluster.ports import in_use
from cluster.settings import load
from cluster.state import ROOT, DeskState, read_state, state_path
from core.errors import ConfigError, DeskError
from core.records import ActorStatus, DeskStatus
from core.schemas import CONTRACTS
from tests.cluster.conftest import free_desk, supervisor_of, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
SETTINGS = {
    "indices": ["NIFTY", "SENSEX"],
    "market.seed": 11,
    "ray.object_store_mb": 100,
    "ray.cpus": 2,
    "strategies": [{"name": "ema_channel", "index": "NIFTY", "enabled": True}],
}
STUCK_S = SupervisionConfig().stuck_s
BACK_S = 20.0  # five on a quiet machine, which is what benchmarks/ measures; CI's may be busy


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vkd", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL, which never runs as root, must reach its data below
        before = os.environ.get("VIKALP_HOME")
        os.environ["VIKALP_HOME"] = folder
        yield Path(folder)
        os.environ.pop("VIKALP_HOME")
        if before is not None:
            os.environ["VIKALP_HOME"] = before


@pytest.fixture(scope="module")
def state(home: Path) -> Iterator[DeskState]:
    number = free_desk()
    list(up(load(overrides=SETTINGS), number))
    yield read_state(number)
    ray.shutdown()
    if state_path(number).exists():
        list(down(number))


@pytest.fixture(scope="module")
def desk(state: DeskState) -> Desk:
    return attach(state.desk)


def status(desk: Desk) -> DeskStatus | None:
    try:
        return desk.status()
    except DeskError:
        return None


def row(desk: Desk, name: str) -> ActorStatus | None:
    said = status(desk)
    return next((actor for actor in said.actors if actor.name == name), None) if said else None


def back(desk: Desk, name: str, before: ActorStatus, within_s: float = BACK_S) -> ActorStatus:
    """The new incarnation of `name`, once it is READY and has handled data again."""

    def check() -> Any:
        now = row(desk, name)
        fresh = (
            now and now.state == "READY" and now.pid != before.pid and now.last_progress_ns > before.last_progress_ns
        )
        return now if fresh else None

    return until(check, within_s=within_s, what=f"{name} is back with data")


def near_the_money(desk: Desk) -> dict[str, Any]:
    rows = [r for r in desk.chain("NIFTY").to_pylist() if r["kind"] == 2 and r["ask_paise"] > 0]
    spot = desk.expiries("NIFTY").to_pylist()[0]["spot_paise"]
    return min(rows, key=lambda r: (abs(r["strike_paise"] - spot), str(r["expiry"])))


def buy_one_lot(desk: Desk) -> str:
    """Buy a lot and wait until it is filled; returns its tag, empty where there is no market yet."""
    contract = near_the_money(desk)
    lot = desk.expiries("NIFTY").to_pylist()[0]["lot"]
    order = desk.place(contract["symbol"], "BUY", lot)
    if "No quote" in order.message:
        return ""  # an order manager that has just started again waits for its first full book
    assert order.state in {"OPEN", "COMPLETE", "UNKNOWN"}, order.message
    tag = order.intent.tag

    def filled() -> bool:
        return any(o.intent.tag == tag and o.state == "COMPLETE" for o in desk.orders())

    until(filled, within_s=10, what="the fill")
    return tag


def test_the_desk_is_ready_private_and_says_what_it_is(state: DeskState, desk: Desk) -> None:
    said = desk.status()
    names = {actor.name for actor in said.actors}

    per_index = {f"{kind}.{index}" for kind in ("feed", "shard") for index in ("NIFTY", "SENSEX")}
    assert names == per_index | {"risk", "oms", "recorder", "gateway", "strategy.ema_channel"}
    assert said.mode == "SIMULATED"
    assert said.oms_state == "ACTIVE"
    assert "seed 11" in said.market_says
    for path in (state_path(state.desk), Path(state.token_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    table = desk.chain("NIFTY")
    assert table.schema.names == CONTRACTS.names
    assert table.num_rows > 100


def test_a_second_up_is_refused_and_the_desk_stays(state: DeskState, desk: Desk) -> None:
    with pytest.raises(DeskError, match="already up"):
        list(up(load(overrides=SETTINGS), state.desk))
    assert desk.status().actors


def test_ports_in_use_are_refused_in_words(state: DeskState, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))  # another checkout's desk of the same number
    with pytest.raises(ConfigError, match=rf"port {state.ports['dashboard']} \(dashboard\) is in use by .*--desk"):
        list(up(load(overrides=SETTINGS), state.desk))
    assert not (tmp_path / f"desk-{state.desk}").exists(), "nothing half-started"


@pytest.mark.parametrize("name", ["feed.NIFTY", "shard.NIFTY", "risk", "recorder", "gateway", "strategy.ema_channel"])
def test_a_killed_actor_is_back_with_data_and_its_desk_went_on(desk: Desk, name: str) -> None:
    before = until(lambda: (r := row(desk, name)) and r.state == "READY" and r, within_s=BACK_S, what=name)
    other = row(desk, "feed.SENSEX")
    os.kill(before.pid, signal.SIGKILL)

    assert back(desk, name, before).incarnation == before.incarnation + 1
    again = row(desk, "feed.SENSEX")
    assert other is not None
    assert again is not None
    assert again.pid == other.pid


def test_a_stopped_actor_is_found_stuck_and_is_back_with_data(desk: Desk) -> None:
    before = until(lambda: (r := row(desk, "shard.NIFTY")) and r.state == "READY" and r, within_s=BACK_S, what="ready")
    os.kill(before.pid, signal.SIGSTOP)

    back(desk, "shard.NIFTY", before, within_s=STUCK_S + BACK_S)
    said = [alert.message for alert in desk.status().alerts if alert.subject == "shard.NIFTY"]
    assert any("STUCK: no answer to a health probe" in message for message in said), said


def test_no_order_is_lost_when_the_order_manager_is_killed(desk: Desk) -> None:
    first = until(lambda: _try(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order")
    before = row(desk, "oms")
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    back(desk, "oms", before)
    second = until(lambda: _try(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order after the restart")

    tags = [order.intent.tag for order in desk.orders() if order.state == "COMPLETE"]
    assert tags.count(first) == tags.count(second) == 1
    held = sum(position.quantity for position in desk.positions())
    assert held == sum(order.filled_quantity for order in desk.orders())


def test_a_killed_supervisor_adopts_what_runs(state: DeskState, desk: Desk) -> None:
    before = {actor.name: actor.pid for actor in desk.status().actors}
    supervisor_of(state.session_id).kill()

    def adopted() -> bool:
        said = status(desk)
        return said is not None and all(a.state == "READY" and a.pid == before[a.name] for a in said.actors)

    until(adopted, within_s=BACK_S, what="the supervisor is back and everything READY")


def test_a_killed_database_is_back_and_its_orders_with_it(state: DeskState, desk: Desk) -> None:
    orders = {order.intent.tag for order in desk.orders()}
    before = read_state(state.desk).pids["postgres"]
    os.kill(before.pid, signal.SIGKILL)

    until(
        lambda: read_state(state.desk).pids["postgres"].pid != before.pid, within_s=BACK_S, what="PostgreSQL runs again"
    )
    tag = until(lambda: _try(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order after the database's restart")
    assert {order.intent.tag for order in desk.orders()} >= orders | {tag}
    until(lambda: desk.status().ledger_ok, within_s=BACK_S, what="the supervisor sees the ledger")


def test_a_notebook_elsewhere_attaches_through_rays_client(state: DeskState, desk: Desk) -> None:
    script = "from cluster.attach import attach; import sys; print(attach(address=sys.argv[1]).chain('NIFTY').num_rows)"
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": state.token_path}
    said = subprocess.run(
        [sys.executable, "-c", script, state.client_url],
        env={**os.environ, **token}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-2000:]
    assert int(said.stdout.split()[-1]) == desk.chain("NIFTY").num_rows


def test_two_desks_run_a_job_each_and_one_ends_without_a_trace(home: Path, state: DeskState) -> None:
    ray.shutdown()
    number = free_desk(beside=3)
    one_index = {**SETTINGS, "indices": ["SENSEX"], "strategies": []}
    list(up(load(overrides=one_index), number))
    other = read_state(number)
    try:
        assert [_job(which) for which in (state, other)] == [state.session_id, other.session_id]
        with pytest.raises(DeskError, match="say which one"):
            attach()
    finally:
        list(down(number))

    assert tagged(other.session_id) == []
    assert not any(pid.alive() for pid in other.pids.values())
    assert in_use(number) == []
    assert not state_path(number).exists()
    desk = attach(state.desk)
    until(lambda: all(a.state == "READY" for a in desk.status().actors), within_s=BACK_S, what="the other is untouched")


def test_a_crash_in_a_loop_is_quarantined_and_the_desk_goes_on(state: DeskState) -> None:
    desk = attach(state.desk)
    killed: set[int] = set()

    def quarantined() -> bool:
        now = row(desk, "shard.SENSEX")
        if now is None or now.state == "QUARANTINED":
            return now is not None
        if now.state == "READY" and now.pid not in killed:
            killed.add(now.pid)
            os.kill(now.pid, signal.SIGKILL)
        return False

    until(quarantined, within_s=90, what="shard.SENSEX is quarantined")
    assert any(a.severity == "alarm" and a.subject == "shard.SENSEX" for a in desk.status().alerts)
    others = [actor for actor in desk.status().actors if actor.name != "shard.SENSEX"]
    until(lambda: all(a.state == "READY" for a in desk.status().actors if a.name != "shard.SENSEX"),
          within_s=BACK_S, what="the others are READY")  # fmt: skip
    assert len(others) == 8
    assert until(lambda: _try(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order beside it")


def test_down_ends_every_process_and_positions_were_not_left_half(state: DeskState) -> None:
    ray.shutdown()
    tree = [psutil.Process(pid.pid) for pid in state.pids.values() if pid.alive()]
    list(down(state.desk))

    assert tagged(state.session_id) == []
    assert not any(process.is_running() for process in tree)
    with pytest.raises(DeskError, match="not running"):
        attach(state.desk)


def _try(action: Any) -> Any:
    """None instead of a DeskError: whoever answers is starting again; ask once more."""
    try:
        return action()
    except DeskError:
        return None


def _job(state: DeskState) -> str:
    admit(state.token_path)
    client = JobSubmissionClient(state.dashboard_url)
    job = client.submit_job(entrypoint="python -c 'import os, cluster.state; print(os.environ[\"VIKALP_SESSION\"])'")
    ended = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
    until(lambda: client.get_job_status(job) in ended, within_s=90, what="the job has ended")
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, client.get_job_logs(job)
    return client.get_job_logs(job).strip().splitlines()[-1]


def test_after_its_host_is_killed_the_next_up_ends_what_it_left(home: Path) -> None:
    number = free_desk(beside=3)
    one_index = {**SETTINGS, "indices": ["SENSEX"], "strategies": []}
    list(up(load(overrides=one_index), number))
    died = read_state(number)
    os.kill(died.host.pid, signal.SIGKILL)
    until(lambda: not died.host.alive(), within_s=5, what="the host is gone")
    with pytest.raises(DeskError, match="died"):
        read_state(number)

    steps = list(up(load(overrides=one_index), number))
    try:
        assert "cleaning up after a desk that died" in steps[0].text
        assert tagged(died.session_id) == []
        assert not any(pid.alive() for pid in died.pids.values())
        assert attach(number).chain("SENSEX").num_rows > 0
    finally:
        ray.shutdown()
        list(down(number))
    assert in_use(number) == []
