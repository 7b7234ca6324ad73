"""A whole desk for a benchmark, on a number of its own, ended whatever happens."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from cluster.head import tagged
from cluster.state import DeskState, read_state

VIKALP = str(Path(sys.executable).with_name("vikalp"))
DESK = 31


@contextlib.contextmanager
def running(*arguments: str, desk: int = DESK) -> Iterator[tuple[DeskState, float]]:
    """`vikalp up --detach` with `arguments`; yields the desk's state and the seconds until it answered."""
    began = time.monotonic()
    subprocess.run([VIKALP, "up", "--detach", "--desk", str(desk), *arguments], check=True, stdout=sys.stderr)
    try:
        state = read_state(desk)
        wait_chains(state)
        yield state, time.monotonic() - began
    finally:
        subprocess.run([VIKALP, "down", "--desk", str(desk)], check=True, stdout=sys.stderr)


def get(state: DeskState, path: str) -> object:
    with urllib.request.urlopen(f"{state.page_url}{path}", timeout=5) as answer:
        return json.load(answer)


def wait_chains(state: DeskState, within_s: float = 120.0) -> None:
    """Return when the page answers and every index has a chain with vols in it."""
    from cluster.settings import INDICES  # noqa: PLC0415 imports every actor's settings, not part of the timing

    deadline = time.monotonic() + within_s
    for index in INDICES:
        while True:
            try:
                get(state, f"/api/chain/{index}")
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def memory_mb(session_id: str) -> float:
    """Proportional set size of every process of a desk: shared pages are counted once over all of them."""
    total = 0
    for process in tagged(session_id):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6
