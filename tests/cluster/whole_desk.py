"""What the tests of a whole desk ask it, and how long they wait."""

import threading
from collections.abc import Sequence
from typing import Any

from ray.job_submission import JobStatus, JobSubmissionClient

from cluster.attach import Desk
from cluster.auth import admit
from cluster.state import DeskState
from core.errors import DeskError
from core.records import ActorStatus, DeskStatus
from tests.cluster.conftest import until

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
    if "No quote" in order.message:
        return ""  # an order manager that has just started again waits for its first full book
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


def job_session(state: DeskState) -> str:
    admit(state.token_path)
    client = JobSubmissionClient(state.dashboard_url)
    job = client.submit_job(entrypoint="python -c 'import os, cluster.state; print(os.environ[\"VIKALP_SESSION\"])'")
    ended = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
    until(lambda: client.get_job_status(job) in ended, within_s=90, what="the job has ended")
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, client.get_job_logs(job)
    return client.get_job_logs(job).strip().splitlines()[-1]


def send_until_answered(desk: Desk, symbol: str, quantity: int, tags: list[str], stop: threading.Event) -> None:
    """Buy again and again, a tag each; no answer is asked again with the same tag, as a person would. Position and
    trade limits leave room for 34.
    """
    while len(tags) < 34 and not stop.wait(0.6):
        tag = f"LOAD{len(tags):02d}"
        tags.append(tag)
        until(lambda tag=tag: try_(lambda: desk.place(symbol, "BUY", quantity, tag=tag)), within_s=60, what=tag)


def filled_from(desk: Desk, tags: Sequence[str], first: int) -> None:
    """Wait until one of the orders from the `first` tag on is filled: they flow."""

    def flows() -> bool:
        return any(o.state == "COMPLETE" and o.intent.tag in tags[first:] for o in try_(desk.orders) or ())

    until(flows, within_s=BACK_S, what="orders flow")
