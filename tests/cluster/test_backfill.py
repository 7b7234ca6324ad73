"""The backfill as a job of a running desk: minutes that its link slept through are on its tape afterwards."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ray.job_submission import JobStatus, JobSubmissionClient

from cluster.account import own_root
from cluster.attach import attach
from cluster.auth import admit
from cluster.state import DeskState
from core.errors import InputError
from core.market import from_ns
from storage.backfilled import backfill_root
from storage.tape import read_partition, read_tape
from tests.cluster.conftest import until
from tests.cluster.whole_desk import own_desk, try_

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(600)]
SETTINGS = {"indices": ["NIFTY"], "market.speed": 20.0, "ray.object_store_mb": 100, "ray.cpus": 2}
MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def state() -> Iterator[DeskState]:
    with own_desk(SETTINGS) as made:
        yield made


def levels(state: DeskState, day: str) -> list[int]:
    """Minutes of the index on the tape."""
    try:
        bars = read_tape(state.tape_url, "bars", day, "NIFTY")
    except InputError:
        return []
    keys = zip(*(bars[name].to_pylist() for name in ("symbol", "seconds", "start_ns")), strict=True)
    return [start for symbol, seconds, start in keys if (symbol, seconds) == ("NIFTY", 60)]


def submit(state: DeskState) -> str:
    """What the job says, once it has ended well."""
    admit(state.token_path)
    client = JobSubmissionClient(state.dashboard_url)
    job = client.submit_job(entrypoint="python -m jobs.backfill --symbols NIFTY --seconds 60")
    ended = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
    until(lambda: client.get_job_status(job) in ended, within_s=120, what="the job has ended")
    said: str = client.get_job_logs(job)
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, said
    return said


def test_what_the_link_slept_through_is_on_the_tape_after_the_job(state: DeskState) -> None:
    desk = attach(state.desk)
    day = str(from_ns(desk.status().market_ns).date())
    first = until(lambda: levels(state, day), within_s=60, what="a first bar")[-1]
    stall = requests.post(f"{own_root(state.desk)}/admin/faults/stall", params={"seconds": 15}, timeout=5)
    assert stall.status_code == 200, stall.text

    def came_again() -> Any:
        there = levels(state, day)
        return there if there[-1] > first + 4 * MINUTE else None

    there = until(came_again, within_s=60, what="bars after the stall")
    lost = set(range(there[0], there[-1], MINUTE)) - set(there)
    assert len(lost) >= 3, "15 s of 20 market seconds each are five minutes"
    until(lambda: (s := try_(desk.status)) and s.market_ns > max(lost) + 3 * MINUTE, within_s=60, what="they are final")

    said = submit(state)
    print(said)
    assert "NIFTY on " in said
    assert lost <= set(levels(state, day))
    filled = read_partition(backfill_root(state.tape_url), "bars", day, "NIFTY")
    assert filled is not None
    assert lost <= set(filled["start_ns"].to_pylist())
