"""When a desk that comes up is one, and what its driver hears meanwhile."""

import os
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from cluster import driver
from core.errors import DeskError
from core.records import ActorStatus, DeskStatus


def status(**states: str) -> DeskStatus:
    actors = tuple(
        ActorStatus(name=name.replace("_", "."), state=state, pid=1, incarnation=6, rss_mb=1, last_progress_ns=0,
                    handled=0, gaps=0, dropped=0, refused=0, why="6 starts in a minute" * (state == "QUARANTINED"))
        for name, state in states.items()
    )  # type: ignore[arg-type]  # fmt: skip
    return DeskStatus(
        desk=0, mode="SIMULATED", market_ns=0, market_says="", phase="open", wall_ns=0, oms_state="ACTIVE",
        ledger_ok=True, actors=actors,
    )  # fmt: skip


def test_a_desk_is_ready_when_every_actor_is() -> None:
    assert driver.ready(status(oms="READY", risk="READY"))
    assert not driver.ready(status(oms="READY", risk="STARTING"))


def test_a_desk_without_one_strategy_is_a_desk() -> None:
    assert driver.ready(status(oms="READY", strategy_ema="QUARANTINED"))
    assert not driver.ready(status(oms="STARTING", strategy_ema="QUARANTINED"))


@pytest.mark.parametrize("name", ["oms", "risk", "recorder", "feed_NIFTY", "shard_NIFTY", "gateway"])
def test_a_desk_without_anything_else_is_none_and_says_why(name: str) -> None:
    states = {"strategy_ema": "QUARANTINED", "other": "STARTING"} | {name: "QUARANTINED"}
    with pytest.raises(DeskError, match=rf"{name.replace('_', '.')}: 6 starts in a minute") as caught:
        driver.ready(status(**states))
    assert "strategy" not in str(caught.value)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """The host's end of the driver's stdin."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as theirs, os.fdopen(writing, "w") as ours:
        monkeypatch.setattr(sys, "stdin", theirs)
        yield ours


def test_the_driver_hears_its_host_while_it_waits_for_the_actors(host: TextIO) -> None:
    assert driver._heard(0) is None
    host.write("drain\n")
    host.flush()
    assert driver._heard(None) == "drain"


def test_a_host_that_is_gone_is_heard_too(host: TextIO) -> None:
    host.close()
    assert driver._heard(None) == ""
