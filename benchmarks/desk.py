"""A whole desk for a benchmark, on a number of its own, ended whatever happens."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from cluster.head import tagged
from cluster.state import DeskState, read_state
from core.errors import DeskError
from core.market import INDICES

if TYPE_CHECKING:
    from cluster.client import RayDeskClient

VIKALP = str(Path(sys.executable).with_name("vikalp"))
DESK = 31
QUIET_S = 1.5  # without a change
Counts = dict[str, dict[str, int]]  # of each actor


@contextlib.contextmanager
def running(*arguments: str, desk: int = DESK, indices: Sequence[str] = INDICES) -> Iterator[tuple[DeskState, float]]:
    """`vikalp up --detach` with `arguments`; yields the desk's state and the seconds until `indices` had chains."""
    began = time.monotonic()
    subprocess.run([VIKALP, "up", "--detach", "--desk", str(desk), *arguments], check=True, stdout=sys.stderr)
    try:
        state = read_state(desk)
        wait_chains(state, indices)
        yield state, time.monotonic() - began
    finally:
        subprocess.run([VIKALP, "down", "--desk", str(desk)], check=True, stdout=sys.stderr)


def get(state: DeskState, path: str) -> object:
    with urllib.request.urlopen(f"{state.page_url}{path}", timeout=5) as answer:
        return json.load(answer)


def wait_chains(state: DeskState, indices: Sequence[str] = INDICES, within_s: float = 120.0) -> None:
    """Return when the page answers and each of `indices` has a chain with vols in it."""
    deadline = time.monotonic() + within_s
    for index in indices:
        while True:
            try:
                get(state, f"/api/chain/{index}")
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def at_rest(state: DeskState, client: "RayDeskClient", within_s: float = 120.0) -> tuple[int, Counts, Counts]:
    """Packets published, ticks of each link and rows of each feed, refused ones included, once nothing is on its way.

    The desk's own exchange publishes nothing from now on. Packets carry whole seconds, so that no moment of the market
    divides those before it from those after it: what is compared is the whole life of the desk.
    """
    from cluster.account import own_root  # noqa: PLC0415 imports the broker, not part of the timing

    admin = f"{own_root(state.desk)}/admin"
    ask(urllib.request.Request(f"{admin}/faults/stall", data=b"seconds=600", method="POST"))
    deadline, before = time.monotonic() + within_s, None
    while time.monotonic() < deadline:
        time.sleep(QUIET_S)
        actors = [actor.name for actor in client.status().actors]
        links, feeds = ([name for name in actors if name.startswith(kind)] for kind in ("link.", ("feed.", "pair.")))
        try:
            taken = client.call("recorder", "status").get("ticks", 0)
            now = [{name: client.call(name, "counts") for name in names} for names in (links, feeds)]
        except DeskError as error:  # it is starting again
            print(error, file=sys.stderr)
            continue
        if (taken, now) == before:
            return int(ask(urllib.request.Request(admin))["data"]["packets"]), now[0], now[1]
        before = taken, now
    raise RuntimeError(f"the desk still takes ticks {within_s:g} s after the exchange has stopped")


def rows(counts: dict[str, int]) -> int:
    """What a link or a feed has counted, refused ones included."""
    refused = (many for name, many in counts.items() if name.startswith("refused_") and "_by_" not in name)
    return counts["ticks"] + sum(refused)


def on_tape(state: DeskState, index: str) -> int:
    """Ticks of `index` that this desk's session has recorded."""
    from storage.tape import read_tape  # noqa: PLC0415

    dates = [folder.name.removeprefix("date=") for folder in Path(state.tape_url, "ticks").glob("date=*")]
    return sum(read_tape(state.tape_url, "ticks", date, index).num_rows for date in dates)


def ask(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def memory_mb(session_id: str) -> float:
    """Proportional set size of every process of a desk: shared pages are counted once over all of them."""
    total = 0
    for process in tagged(session_id):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6
