"""A replay and its desk: it ends its own and no other, knows a stalled feed, and wants every snapshot."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
import pytest

from cluster import lifecycle, replay
from cluster.client import RayDeskClient
from cluster.lifecycle import down
from cluster.ports import DESKS, in_use
from cluster.replay import Plan, Request, run, stalled_s
from cluster.settings import load
from cluster.state import DeskState, desk_dir, find_state, pid_of, write_state
from core.errors import DeskError
from core.records import FeedProgress
from tests.unit.cluster.test_lifecycle import FAKE_HOST


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskState]:
    """Somebody else's desk, which took the number after the plan was made."""
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    monkeypatch.setattr(lifecycle, "HOST", (sys.executable, "-c", FAKE_HOST, "fails"))
    number = next(n for n in range(DESKS - 9, 0, -1) if not in_use(n))
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    state = DeskState(
        desk=number, session_id="theirs", phase="READY", step="ready", mode="REPLAY", host=pid_of(process.pid)
    )
    desk_dir(number).mkdir()
    write_state(state)
    yield state
    process.kill()
    process.wait()


def plan(desk: int = 1, *, speed: float = 0.0, gap_s: float = 60.0) -> Plan:
    request = Request(path=Path("day.parquet"), index="NIFTY", date=dt.date(2025, 8, 29), speed=speed)
    return Plan(
        request=request, desk=desk, settings=load(), total=3, longest_gap_s=gap_s, counts={}, tape="", nse=None,
        nse_why="",
    )  # fmt: skip


def test_a_replay_whose_number_was_taken_goes_elsewhere_and_leaves_that_desk(theirs: DeskState) -> None:
    said: list[str] = []
    with pytest.raises(DeskError, match="did not start: a fake never works"):
        run(plan(theirs.desk), said.append)
    assert said[0].startswith(f"desk {theirs.desk} has been taken meanwhile")
    assert find_state(theirs.desk) == theirs
    assert theirs.alive


def test_a_replay_does_not_end_a_desk_that_took_its_number_while_it_ran(
    theirs: DeskState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "HOST", (sys.executable, "-c", FAKE_HOST, "works"))
    state = [theirs]

    def play(_: Plan, number: int, __: Callable[[str], None]) -> None:
        list(down(number))
        state[0] = msgspec.structs.replace(theirs, desk=number)
        write_state(state[0])
        raise DeskError("feed.NIFTY is down")

    monkeypatch.setattr(replay, "_play", play)
    with pytest.raises(DeskError, match=r"feed\.NIFTY is down"):
        run(plan(theirs.desk), lambda _: None)
    assert find_state(state[0].desk) == state[0]
    assert theirs.alive


def test_a_replay_ends_its_own_desk_when_it_fails_even_if_nobody_reads(
    theirs: DeskState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "HOST", (sys.executable, "-c", FAKE_HOST, "works"))
    mine: list[DeskState] = []
    deaf = [False]

    def tell(_: str) -> None:
        if deaf[0]:
            raise OSError(5, "Input/output error")

    def play(_: Plan, number: int, __: Callable[[str], None]) -> None:
        found = find_state(number)
        assert found is not None
        mine.append(found)
        deaf[0] = True
        raise DeskError("feed.NIFTY is down")

    monkeypatch.setattr(replay, "_play", play)
    with pytest.raises(DeskError, match=r"feed\.NIFTY is down"):
        run(plan(theirs.desk), tell)
    with suppress(DeskError):
        assert not mine[0].alive
    assert find_state(mine[0].desk) is None


class Feed:
    """A feed that answers with one progress after the other, the last one for ever; a look takes a second."""

    def __init__(self, *batches: int, done: bool) -> None:
        self.batches, self.done, self.now = list(batches), done, 0.0

    def call(self, actor: str, method: str, *, deadline_s: float) -> FeedProgress:
        last = len(self.batches) == 1
        sent = self.batches[0] if last else self.batches.pop(0)
        return FeedProgress(
            index="NIFTY", market_ns=0, batches=sent, total=3, ticks=sent, done=last and self.done, counts={}
        )

    def pause(self, _: float) -> None:
        self.now += 1.0


def to_the_end(feed: Feed, wanted: Plan) -> FeedProgress:
    client = cast("RayDeskClient", feed)
    return replay._to_the_end(client, "feed.NIFTY", wanted, lambda _: None, now_s=lambda: feed.now, pause=feed.pause)


def test_every_snapshot_must_have_gone_out() -> None:
    assert to_the_end(Feed(0, 1, 3, done=True), plan()).batches == 3
    with pytest.raises(DeskError, match=r"feed\.NIFTY sent 2 of 3 snapshots"):
        to_the_end(Feed(0, 1, 2, done=True), plan())


@pytest.mark.parametrize(("speed", "limit"), [(0.0, 120.0), (60.0, 121.0), (1.0, 180.0)])
def test_a_feed_has_stalled_when_the_next_snapshot_is_long_due_at_any_pace(speed: float, limit: float) -> None:
    wanted, feed = plan(speed=speed), Feed(0, 1, done=False)
    assert stalled_s(wanted) == limit
    with pytest.raises(DeskError, match=f"has sent nothing for {limit:g} s after snapshot 1 of 3"):
        to_the_end(feed, wanted)
    assert feed.now == pytest.approx(limit, abs=3)
