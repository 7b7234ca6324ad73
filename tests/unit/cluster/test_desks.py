"""Which desk is meant, and when a replay's desk stops trading."""

import os
from pathlib import Path
from typing import cast

import pytest

from cluster.client import Calls
from cluster.clock import ReplayClock
from cluster.playback import Playback
from cluster.state import DeskState, desk_dir, pid_of, read_state, write_state
from core.errors import DeskError, ReplayBroken
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


class Actors:
    """Two feeds of a replay and the order manager, as `Calls` reaches them."""

    def __init__(self) -> None:
        self.done = {"feed.NIFTY": True, "feed.SENSEX": False}
        self.oms, self.why, self.broken = "ACTIVE", [], ""

    def call(self, actor: str, method: str, *args: str) -> FeedProgress | str:
        if (actor, method) == ("oms", "state"):
            return self.oms
        if actor == "oms":
            self.oms = "HALTED"
            self.why.append(args[0])
            return self.oms
        if actor == self.broken:
            raise ReplayBroken(f"{actor} died")
        done = self.done[actor]
        return FeedProgress(index=actor, market_ns=9 if done else 5, batches=1, total=1, ticks=1, done=done, counts={})


def playback() -> tuple[Playback, Actors, ReplayClock, list[str]]:
    actors, clock, alarms = Actors(), ReplayClock(1), []
    return Playback(list(actors.done), cast("Calls", actors), clock, alarm=alarms.append), actors, clock, alarms


def test_a_replay_is_over_when_its_last_feed_is_and_then_nothing_is_traded_whatever_is_restarted() -> None:
    follower, actors, clock, alarms = playback()
    follower.look()
    assert (clock.now_ns(), actors.oms) == (9, "ACTIVE")

    actors.done["feed.SENSEX"] = True
    follower.look()
    assert actors.why == ["the replay is over: no quote moves any more"]
    actors.oms = "ACTIVE"  # a new order manager whose ledger did not take the halt
    follower.look()
    follower.look()
    assert (actors.oms, len(actors.why), alarms) == ("HALTED", 2, [])


def test_a_replay_whose_feed_died_is_over_and_says_so() -> None:
    follower, actors, _, alarms = playback()
    actors.broken = "feed.SENSEX"
    follower.look()
    follower.look()
    assert (actors.oms, actors.why, alarms) == ("HALTED", ["feed.SENSEX died"], ["feed.SENSEX died"])
