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
import requests
from kiteconnect import KiteConnect
from ray.job_submission import JobStatus, JobSubmissionClient

from brokers.kite.login import Login
from cluster.account import LOCAL, login_path, own_root
from cluster.attach import Desk, attach
from cluster.auth import admit
from cluster.decide import SupervisionConfig
from cluster.lifecycle import down, up
from cluster.settings import load
from cluster.state import DeskState, read_state, state_path
from core.errors import DeskError
from core.records import ActorStatus, DeskStatus, Order
from core.schemas import Kind
from storage.ledger import PostgresLedger
from storage.secrets import Secrets
from tests.cluster.conftest import free_desk, until

# Room for a test that buys the same lot again and again.
ROOMY: Mapping[str, Any] = {
    "risk.limits.duplicate.window_ms": 0,
    "risk.limits.exposure.max_paise": 10**11,
    "risk.limits.stress.max_loss_paise": 10**11,
    "risk.limits.var.max_loss_paise": 10**11,
    "risk.funds.cash_paise": 10**11,
    "risk.limits.concentration.from_paise": 10**11,
    **{f"risk.limits.{greek}.max_rupees": 10**9 for greek in ("delta", "gamma", "vega", "theta")},
}
FIRST_S = 40.0  # until a desk that is up has bought its first lot
WAIT_WORDS = ("No quote", "stale_quote", "lease", "duplicate", "the ledger is away", "risk cannot be reached")
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


def near_the_money(desk: Desk, kind: Kind = Kind.CALL) -> dict[str, Any]:
    rows = [r for r in desk.chain("NIFTY").to_pylist() if r["kind"] == kind and r["ask_paise"] > 0]
    spot = desk.expiries("NIFTY").to_pylist()[0]["spot_paise"]
    return min(rows, key=lambda r: (abs(r["strike_paise"] - spot), str(r["expiry"])))


def buy_one_lot(desk: Desk) -> str:
    """Buy a lot and wait until it is filled; returns its tag, empty where there is no market yet."""
    contract = near_the_money(desk)
    lot = desk.expiries("NIFTY").to_pylist()[0]["lot"]
    order = desk.place(contract["symbol"], "BUY", lot)
    if any(word in order.message for word in WAIT_WORDS):
        return ""  # whoever has just started again waits for its first full book, who bought just now for a moment
    assert order.state in {"OPEN", "COMPLETE", "UNKNOWN"}, order.message
    tag = order.intent.tag

    def filled() -> bool:
        return any(o.intent.tag == tag and o.state == "COMPLETE" for o in desk.orders())

    until(filled, within_s=10, what="the fill")
    return tag


def trading(state: DeskState) -> Desk:
    """The desk, once it has bought a lot: its chain, risk, order manager and exchange answer, and something is held."""
    desk = attach(state.desk)
    until(lambda: try_(lambda: buy_one_lot(desk)), within_s=FIRST_S, what="a first order")
    return desk


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


def exchange_book(state: DeskState) -> dict[str, Any]:
    """The day as the desk's local exchange has it; asking costs the account nothing of what it may ask in a second."""
    answer = requests.get(f"{own_root(state.desk)}/admin/book", timeout=5)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def fault(state: DeskState, name: str, **how: float) -> None:
    """A fault of the desk's local exchange is on."""
    answer = requests.post(f"{own_root(state.desk)}/admin/faults/{name}", data=how, timeout=5)
    assert answer.status_code == 200, answer.text


def fault_over(state: DeskState, name: str) -> None:
    answer = requests.delete(f"{own_root(state.desk)}/admin/faults/{name}", timeout=5)
    assert answer.status_code == 200, answer.text


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
