"""A recorded day through a whole desk of its own: `vikalp replay`.

Everything that can be refused is refused before anything is started. The desk has the next free number, the actors of
one index, its own ledger session and a tape of its own; it ends with the replay unless it is to be kept.
"""

import datetime as dt
import os
import re
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.attach import attach
from cluster.client import RayDeskClient
from cluster.lifecycle import AlreadyUpError, DrainError, Step, down, up
from cluster.ports import DESKS, in_use
from cluster.replay_result import figures, recorded
from cluster.settings import Settings, load
from cluster.state import find_state, home
from core.errors import DeskError, InputError
from core.market import from_ns
from core.records import FeedProgress
from storage.chain_files import ChainFileSource, nse_comparison
from storage.tape_source import TapeSource

POLL_S = 0.2
QUIET_S = 0.6  # the recorder has taken nothing for so long: what was on its way has arrived
STALLED_S = 120.0  # without a batch that is due
FIRST_DESK = 1  # desk 0 is the one people trade on
COVERED = re.compile(r"_(\d{4}-\d{2})_(?:to_)?(\d{4}-\d{2})")

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for; `speed` is market seconds a wall second, 0 is as fast as it goes."""

    path: Path
    index: str
    date: dt.date
    speed: float = 0.0
    spot_bars: Path | None = None
    config: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that can be carried out."""

    request: Request
    desk: int  # free when the plan was made
    settings: Settings
    total: int  # batches the source will give
    longest_gap_s: float  # market time between two of them
    counts: dict[str, int]
    tape: str
    nse: dict[str, float] | None
    nse_why: str  # why there is no comparison


def prepare(request: Request) -> Plan:
    """Check file, index, date, spot bars and settings and choose a desk; nothing is started.

    Raises UnknownName, UnknownDate, InputError or ConfigError saying what to give instead; DeskError when no desk is
    free.
    """
    is_tape = request.path.is_dir()
    source = (TapeSource if is_tape else ChainFileSource)(str(request.path.absolute()), request.index, request.date)
    source.open()
    counts = dict(source.counts())
    nse, why = (None, "a tape holds no vols of NSE") if is_tape else _compare(request)
    desk = free_desk()
    tape = str(home() / "replays" / f"{request.index}-{request.date}-{time.time_ns()}-{os.getpid()}" / "tape")
    settings = load(
        request.config,
        {
            "indices": [request.index],
            "market.source": "tape" if is_tape else "file",
            "market.path": str(request.path.absolute()),
            "market.session_date": request.date,
            "market.speed": request.speed,
            "market.hold": True,
            "tape.url": tape,
            # Flushed by rows alone, so that the same day gives the same files byte for byte.
            "recorder.flush_ms": 0,
            "recorder.timer_ms": 0,
        },
    )
    return Plan(
        request=request, desk=desk, settings=settings, total=counts.get("total", 0),
        longest_gap_s=float(np.diff(source.times_ns()).max(initial=0)) / 1e9, counts=counts, tape=tape,
        nse=nse, nse_why=why,
    )  # fmt: skip


@dataclass
class _Own:
    """The desk of this replay; whatever else has its number is somebody else's."""

    desk: int
    session_id: str = ""  # empty: nothing has been started

    def up(self, plan: Plan, tell: Tell) -> None:
        """Bring it up under the planned number, or where that has been taken since, under the next free one."""
        while True:
            try:
                with closing(up(plan.settings, self.desk)) as steps:  # abandoned, it ends what it started
                    for step in steps:
                        self.session_id = step.session_id
                        _say(step, tell)
                    return
            except AlreadyUpError:
                taken, self.desk = self.desk, free_desk()
                if self.desk == taken:
                    raise
                tell(f"desk {taken} has been taken meanwhile: this replay is desk {self.desk}")

    def down(self, tell: Tell) -> None:
        """End it if it still is there; an end that was not in order is only told: what is on tape is counted."""
        state = find_state(self.desk)
        if state is None or state.session_id != self.session_id:
            return
        try:
            for step in down(self.desk):
                with suppress(OSError, SystemExit):  # nobody reads any more, and it is ended all the same
                    _say(step, tell)
        except DrainError as error:
            with suppress(OSError, SystemExit):
                tell(str(error))


def run(plan: Plan, tell: Tell, *, keep: bool = False) -> dict[str, Any]:
    """Bring the desk up, replay to the end, end the desk (unless `keep`), and return the figures of the day.

    The desk also ends when anything fails or interrupts. Raises DeskError when the replay stalls, a snapshot is lost or
    its tape is not whole.
    """
    began = time.monotonic()
    own = _Own(plan.desk)
    try:
        own.up(plan, tell)
        ready = time.monotonic()
        progress, last = _play(plan, own.desk, tell)
        replayed = time.monotonic()
        if not keep:
            own.down(tell)
        found = figures(plan.tape, plan.request.index, plan.request.date, last)
        return _result(plan, found, progress) | {
            "desk": own.desk,
            "seconds": round(time.monotonic() - began, 2),
            "seconds_up": round(ready - began, 2),
            "seconds_replay": round(replayed - ready, 2),
            "kept": keep,
        }
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            own.down(tell)


def free_desk() -> int:
    """The lowest desk number from 1 on that nobody uses; raises DeskError when all are taken."""
    for desk in range(FIRST_DESK, DESKS):
        state = find_state(desk)
        if (state is None or not state.alive) and not in_use(desk):
            return desk
    raise DeskError(f"no desk number from {FIRST_DESK} to {DESKS - 1} is free; end one: vikalp down --desk N")


def find_spot_bars(path: Path, index: str, date: dt.date) -> Path | None:
    """The index bars beside a recorded chain that cover `date`: ../bars/NIFTY_3m_2025-07_2026-04….parquet."""
    month = f"{date:%Y-%m}"
    for file in sorted((path.absolute().parent.parent / "bars").glob(f"{index}_3m_*.parquet")):
        covered = COVERED.search(file.name)
        if covered and covered[1] <= month <= covered[2]:
            return file
    return None


def _compare(request: Request) -> tuple[dict[str, float] | None, str]:
    """NSE's vols beside ours. Bars that were named must do; bars that were only found may be missing."""
    named = request.spot_bars
    bars = named or find_spot_bars(request.path, request.index, request.date)
    if bars is None:
        return None, f"no bars/{request.index}_3m_*.parquet beside the file covers {request.date}; give --spot-bars"
    try:
        return dict(nse_comparison(str(request.path), request.index, request.date, str(bars))), ""
    except InputError as error:
        if named is not None:
            raise
        return None, str(error)


def _play(plan: Plan, number: int, tell: Tell) -> tuple[FeedProgress, int]:
    """Let the held feed go, wait for its end and the recorder's; returns its progress and the last chain's number."""
    feed, index = f"feed.{plan.request.index}", plan.request.index
    with attach(number) as desk:
        client = desk.client
        client.call(feed, "begin")
        progress = _to_the_end(client, feed, plan, tell)
        chain = client.chain(index)
        if chain is None:
            raise DeskError(f"shard.{index} made no chain of {progress.batches} snapshots; see `vikalp status`")
        last = int(chain.expiries["sequence"][0].as_py())
        _until_recorded(client, plan, progress, last)
    return progress, last


def _to_the_end(
    client: RayDeskClient, feed: str, plan: Plan, tell: Tell, *,
    now_s: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep,
) -> FeedProgress:  # fmt: skip
    """Wait for the last batch; DeskError when none comes that is due, or when not all of them went out."""
    before, since, limit = -1, now_s(), stalled_s(plan)
    while True:
        progress: FeedProgress = client.call(feed, "progress", deadline_s=60.0)
        if progress.batches != before:
            before, since = progress.batches, now_s()
            at = f"{from_ns(progress.market_ns):%H:%M:%S}" if progress.market_ns else "before the open"
            tell(f"snapshots {progress.batches}/{plan.total}, market time {at}")
        if progress.done:
            break
        if now_s() - since > limit:
            raise DeskError(f"{feed} has sent nothing for {limit:g} s after snapshot {before} of {plan.total}")
        pause(POLL_S)
    if progress.batches != plan.total:
        raise DeskError(
            f"{feed} sent {progress.batches} of {plan.total} snapshots: the others held no usable row or were lost; "
            f"counted: {progress.counts}"
        )
    return progress


def stalled_s(plan: Plan) -> float:
    """Wall seconds without a batch after which one that was due has not come, however far apart they are."""
    speed = plan.request.speed
    return STALLED_S + (plan.longest_gap_s / speed if speed else 0.0)


def _until_recorded(client: RayDeskClient, plan: Plan, progress: FeedProgress, last: int) -> None:
    """Wait until the recorder has taken all, then have it flush; what is on disk is counted, not believed."""
    deadline = time.monotonic() + 60.0
    taken: dict[str, int] = {}
    quiet = time.monotonic()
    while time.monotonic() < deadline:
        now: dict[str, int] = client.call("recorder", "status", deadline_s=30.0)
        if now != taken:
            taken, quiet = now, time.monotonic()
        if taken.get("ticks", 0) >= progress.ticks and time.monotonic() - quiet >= QUIET_S:
            client.call("recorder", "close", deadline_s=30.0)  # flushes
            if recorded(plan.tape, plan.request.index, plan.request.date) >= last:
                return
        time.sleep(POLL_S)
    raise DeskError(
        f"the recorder has {taken.get('ticks', 0)} of {progress.ticks} ticks on tape after 60 s; see `vikalp status`"
    )


def _result(plan: Plan, found: dict[str, Any], progress: FeedProgress) -> dict[str, Any]:
    counts = {name: count for name, count in progress.counts.items() if name != "total"}
    return {
        "index_name": plan.request.index,
        **found,
        "iv_vs_nse": plan.nse,
        **({"iv_vs_nse_why": plan.nse_why} if plan.nse is None else {}),
        "dropped_repeats": counts.get("repeated", 0),
        "refused": sum(count for name, count in counts.items() if name.startswith("refused_")),
        "counts": counts,
        "ticks": progress.ticks,
        "speed": plan.request.speed or "max",
        "tape": plan.tape,
    }


def _say(step: Step, tell: Tell) -> None:
    tell(f"{step.seconds:6.1f} s  {step.text}")
