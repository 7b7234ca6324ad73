"""A whole desk of two indices: actors, supervisor and PostgreSQL killed under load; then a second desk beside it."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from cluster.attach import Desk, attach
from cluster.decide import SupervisionConfig
from cluster.head import tagged
from cluster.lifecycle import down, up
from cluster.ports import in_use
from cluster.settings import load
from cluster.state import ROOT, DeskState, read_state, state_path
from core.errors import ConfigError, DeskError
from core.schemas import CONTRACTS
from tests.cluster.conftest import STUCK_WORDS, free_desk, supervisor_of, until
from tests.cluster.whole_desk import (
    BACK_S,
    ROOMY,
    at_exchange,
    back,
    buy_one_lot,
    few_starts,
    job_session,
    killed_while_placing,
    near_the_money,
    row,
    status,
    try_,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
SETTINGS = {
    "supervision.kill_on_quarantine": False,  # what it does is tests/cluster/test_kill_on_desk.py
    **ROOMY,
    "indices": ["NIFTY", "SENSEX"],
    "market.seed": 11,
    "ray.object_store_mb": 100,
    "ray.cpus": 2,
    "strategies": [{"name": "ema_channel", "index": "NIFTY", "enabled": True}],
}
STUCK_S = SupervisionConfig().stuck_s


# A shard of a busy machine may have no time for the first question.
ELSEWHERE = """
import sys
from cluster.attach import attach
from tests.cluster.conftest import until
from tests.cluster.whole_desk import try_
desk = attach(address=sys.argv[1])
print(until(lambda: try_(lambda: desk.chain("NIFTY")), within_s=60, what="a chain").num_rows)
"""


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


def test_the_desk_is_ready_private_and_says_what_it_is(state: DeskState, desk: Desk) -> None:
    said = desk.status()
    names = {actor.name for actor in said.actors}

    per_index = {f"{kind}.{index}" for kind in ("feed", "shard") for index in ("NIFTY", "SENSEX")}
    assert names == per_index | {"link.0", "risk", "oms", "recorder", "gateway", "strategy.ema_channel"}
    assert said.mode == "SIMULATED"
    assert said.oms_state == "ACTIVE"
    assert "seed 11" in said.market_says
    for path in (state_path(state.desk), Path(state.token_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    table = desk.chain("NIFTY")
    assert table.schema.names == CONTRACTS.names
    assert table.num_rows > 100


def test_what_the_order_manager_raises_is_in_the_desks_status(desk: Desk) -> None:
    assert desk.client.halt("a test of alerts") == "HALTED"
    try:
        until(lambda: any(a.subject == "oms" and a.message == "HALTED: a test of alerts" for a in desk.status().alerts),
              within_s=10, what="its own alert is shown")  # fmt: skip
    finally:
        assert desk.client.resume() == "ACTIVE"


def test_a_second_up_is_refused_and_the_desk_stays(state: DeskState, desk: Desk) -> None:
    with pytest.raises(DeskError, match="already up"):
        list(up(load(overrides=SETTINGS), state.desk))
    assert desk.status().actors


def test_ports_in_use_are_refused_in_words(state: DeskState, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))  # another checkout's desk of the same number
    with pytest.raises(ConfigError, match=rf"port {state.ports['dashboard']} \(dashboard\) is in use by .*--desk"):
        list(up(load(overrides=SETTINGS), state.desk))
    assert not (tmp_path / f"desk-{state.desk}").exists(), "nothing half-started"


@pytest.mark.parametrize(
    "name", ["link.0", "feed.NIFTY", "shard.NIFTY", "risk", "recorder", "gateway", "strategy.ema_channel"]
)
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
    assert any(STUCK_WORDS.search(message) for message in said), said


def test_no_order_is_lost_or_doubled_when_the_order_manager_is_killed_while_it_takes_one(
    state: DeskState, desk: Desk
) -> None:
    """Each kill falls a little later after its order set out: before journal, broker or answer."""
    contract, lot = near_the_money(desk), desk.expiries("NIFTY").to_pylist()[0]["lot"]
    tags, kills, found = list[str](), list[float](), Counter[str]()
    for late_ms in range(0, 16, 5):
        until(lambda: few_starts(kills), within_s=70, what="a minute with room for one more start")
        before = until(lambda: (r := row(desk, "oms")) and r.state == "READY" and r, within_s=BACK_S, what="oms READY")
        until(lambda: try_(lambda: buy_one_lot(desk)), within_s=BACK_S, what="orders are filled")
        tags.append(f"KILL{late_ms:02d}")
        place = partial(desk.place, contract["symbol"], "BUY", lot, tag=tags[-1])
        found[killed_while_placing(state, tags[-1], place, before.pid, late_ms / 1000)] += 1
        kills.append(time.monotonic())
        until(lambda ask=place: try_(ask), within_s=60, what=f"an answer to {tags[-1]}, asked for by its tag")
        back(desk, "oms", before)
    print(f"killed with the order: {dict(found)}")

    ended = {"COMPLETE", "REFUSED", "REJECTED"}

    def known() -> bool:
        """Each is over; of one that never reached the exchange that is known in two minutes, which nobody waits for."""
        there = {order["tag"] for order in at_exchange(state).orders()}
        return all(o.state in ended or o.intent.tag not in there for o in desk.orders())

    until(lambda: try_(known), within_s=40, what="all that reached the exchange is over", every_s=1.0)
    orders = {order.intent.tag: order for order in desk.orders()}
    assert sorted(order.intent.tag for order in desk.orders() if order.intent.tag in tags) == sorted(tags)
    sent = at_exchange(state).orders()
    assert len({order["tag"] for order in sent}) == len(sent), "nothing reached the broker twice"
    assert {order["tag"] for order in sent} == {tag for tag, order in orders.items() if order.broker_id}
    for order in sent:
        assert orders[order["tag"]].filled_quantity == order["filled_quantity"], order
    held = sum(position.quantity for position in desk.positions())
    assert held == sum(order.filled_quantity for order in orders.values())


def test_a_killed_supervisor_adopts_what_runs(state: DeskState, desk: Desk) -> None:
    before = {actor.name: actor.pid for actor in desk.status().actors}
    killed = supervisor_of(state.session_id)
    killed.kill()
    until(lambda: not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE, within_s=5, what="it is gone")

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
    tag = until(lambda: try_(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order after the database's restart")
    assert {order.intent.tag for order in desk.orders()} >= orders | {tag}
    until(lambda: desk.status().ledger_ok, within_s=BACK_S, what="the supervisor sees the ledger")


def test_a_notebook_elsewhere_attaches_through_rays_client(state: DeskState, desk: Desk) -> None:
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": state.token_path}
    said = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, state.client_url],
        env={**os.environ, **token}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-2000:]
    assert int(said.stdout.split()[-1]) == desk.chain("NIFTY").num_rows


def test_two_desks_run_a_job_each_and_one_whose_host_is_killed_is_cleaned_up_and_ends_without_a_trace(
    home: Path, state: DeskState
) -> None:
    ray.shutdown()
    number = free_desk(beside=3)
    one_index = load(overrides={**SETTINGS, "indices": ["SENSEX"], "strategies": []})
    list(up(one_index, number))
    try:
        died = read_state(number)
        assert [job_session(which) for which in (state, died)] == [state.session_id, died.session_id]
        with pytest.raises(DeskError, match="say which one"):
            attach()

        os.kill(died.host.pid, signal.SIGKILL)
        until(lambda: not died.host.alive(), within_s=5, what="the host is gone")
        with pytest.raises(DeskError, match="died"):
            read_state(number)
        steps = list(up(one_index, number))
        assert "cleaning up after a desk that died" in steps[0].text
        assert tagged(died.session_id) == []
        assert not any(pid.alive() for pid in died.pids.values())
        other = read_state(number)
        assert attach(number).chain("SENSEX").num_rows > 0
    finally:
        ray.shutdown()
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
    assert len(others) == 9
    assert until(lambda: try_(lambda: buy_one_lot(desk)), within_s=BACK_S, what="an order beside it")


def test_down_ends_every_process_and_positions_were_not_left_half(state: DeskState) -> None:
    ray.shutdown()
    tree = [psutil.Process(pid.pid) for pid in state.pids.values() if pid.alive()]
    list(down(state.desk))

    assert tagged(state.session_id) == []
    assert not any(process.is_running() for process in tree)
    with pytest.raises(DeskError, match="not running"):
        attach(state.desk)
