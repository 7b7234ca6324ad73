"""What the tests of a whole desk ask it, and how long they wait."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from kiteconnect import KiteConnect
from ray.job_submission import JobStatus, JobSubmissionClient

from brokers.kite.login import Login
from cluster.account import LOCAL, login_path, own_root
from cluster.attach import Desk
from cluster.auth import admit
from cluster.decide import SupervisionConfig
from cluster.lifecycle import down, up
from cluster.settings import load
from cluster.state import DeskState, read_state, state_path
from core.errors import DeskError
from core.records import ActorStatus, DeskStatus, Order
from storage.ledger import PostgresLedger
from storage.secrets import Secrets
from tests.cluster.conftest import free_desk, until

BACK_S = 20.0  # five on a quiet machine, which is what benchmarks/recovery.py measures; CI's may be busy


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
    if "No quote" in order.message or "stale_quote" in order.message:
        return ""  # whoever has just started again waits for its first full book
    assert order.state in {"OPEN", "COMPLETE", "UNKNOWN"}, order.message
    tag = order.intent.tag

    def filled() -> bool:
        return any(o.intent.tag == tag and o.state == "COMPLETE" for o in desk.orders())

    until(filled, within_s=10, what="the fill")
    return tag


def try_(action: Any) -> Any:
    """None instead of a DeskError: whoever answers is starting again; ask once more."""
    try:
        return action()
    except DeskError:
        return None


@contextmanager
def own_desk(settings: Mapping[str, Any]) -> Iterator[DeskState]:
    """A desk in a home of its own, ended and forgotten afterwards; DrainError if its end was not in order."""
    with tempfile.TemporaryDirectory(prefix="vko", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL, which never runs as root, must reach its data below
        before = os.environ.get("VIKALP_HOME")
        os.environ["VIKALP_HOME"] = folder
        number = free_desk()
        try:
            list(up(load(overrides=settings), number))
            yield read_state(number)
        finally:
            ray.shutdown()
            try:
                if state_path(number).exists():
                    list(down(number))
            finally:
                os.environ.pop("VIKALP_HOME")
                if before is not None:
                    os.environ["VIKALP_HOME"] = before


def at_exchange(state: DeskState) -> KiteConnect:
    """The desk's account at its local exchange, through the plain client."""
    root = own_root(state.desk)
    login = Secrets(login_path(root), LOCAL, Login).load()
    assert login is not None
    return KiteConnect(login.api_key, login.access_token, root=root)


def job_session(state: DeskState) -> str:
    admit(state.token_path)
    client = JobSubmissionClient(state.dashboard_url)
    job = client.submit_job(entrypoint="python -c 'import os, cluster.state; print(os.environ[\"VIKALP_SESSION\"])'")
    ended = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
    until(lambda: client.get_job_status(job) in ended, within_s=90, what="the job has ended")
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, client.get_job_logs(job)
    return client.get_job_logs(job).strip().splitlines()[-1]


def few_starts(kills: Sequence[float]) -> bool:
    """Another kill is no crash in a loop yet; `kills` are monotonic seconds."""
    allowed = SupervisionConfig().starts_per_minute - 1
    return sum(time.monotonic() - kill < 65 for kill in kills) < allowed


def killed_while_placing(state: DeskState, tag: str, place: Callable[[], Order], pid: int, late_s: float) -> str:
    """Kill the order manager, process `pid`, `late_s` after order `tag` set out; what it had done with it, in words."""
    killer = threading.Timer(late_s, os.kill, (pid, signal.SIGKILL))
    killer.start()
    answer = try_(place)
    killer.join()
    if answer is not None:
        return "answered"
    # The next one takes longer to start than these two look-ups.
    ledger = PostgresLedger(state.dsn, state.session_id)
    try:
        journal = next((order.state for order in ledger.orders() if order.intent.tag == tag), "not journalled")
    finally:
        ledger.close()
    taken = any(order["tag"] == tag for order in at_exchange(state).orders())
    return f"{journal}, {'at' if taken else 'not at'} the broker"
