"""Which desk is meant, and when a replay's desk stops trading."""

import os
from pathlib import Path
from typing import cast

import pytest

from cluster.client import Calls
from cluster.clock import ReplayClock
from cluster.playback import Playback
from cluster.state import DeskState, desk_dir, pid_of, read_state, write_state
from core.errors import DeskError
from core.records import FeedProgress


def test_of_several_desks_desk_0_is_meant_and_without_it_one_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    for number in (1, 2):
        desk_dir(number).mkdir(parents=True)
        write_state(
            DeskState(desk=number, session_id="s", phase="READY", step="", mode="REPLAY", host=pid_of(os.getpid()))
        )
    with pytest.raises(DeskError, match="desks 1, 2 are running: say which one"):
        read_state(None)
    desk_dir(0).mkdir()
    write_state(DeskState(desk=0, session_id="s", phase="READY", step="", mode="SIMULATED", host=pid_of(os.getpid())))
    assert read_state(None).desk == 0


class Feeds:
    """Two feeds of a replay and the order manager, as `Calls` reaches them."""

    def __init__(self) -> None:
        self.done = {"feed.NIFTY": True, "feed.SENSEX": False}
        self.halted: list[str] = []

    def call(self, actor: str, method: str, *args: str) -> FeedProgress | str:
        if actor == "oms":
            self.halted.append(args[0])
            return "HALTED"
        done = self.done[actor]
        return FeedProgress(index=actor, market_ns=9 if done else 5, batches=1, total=1, ticks=1, done=done, counts={})


def test_a_replay_is_over_when_its_last_feed_is_and_then_nothing_is_traded() -> None:
    feeds, clock = Feeds(), ReplayClock(1)
    playback = Playback(list(feeds.done), cast("Calls", feeds), clock)

    assert not playback.look()
    assert (clock.now_ns(), feeds.halted) == (9, [])
    feeds.done["feed.SENSEX"] = True
    assert playback.look()
    assert feeds.halted == ["the replay is over: no quote moves any more"]
