"""A strategy whose bar was lost on the way: its averages are those of a strategy that heard every one."""

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pytest

from actors.strategies.strategy import StrategyActor
from core.strategies.events import Bar
from jobs.recorded import load_days
from tests.unit.test_strategy_actor import DATA, Manager, actor_with, batch, row

LOST, MANY = 20, 30


@pytest.fixture(scope="module")
def bars() -> Sequence[Bar]:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    return load_days(DATA, "SENSEX", 180, [dt.date(2025, 9, 5)])[0].index_bars[:MANY]


def rows(bars: Sequence[Bar], seconds: int = 180) -> pa.RecordBatch:
    return batch([row("SENSEX", bar) | {"seconds": seconds} for bar in bars])


def heard(bars: Sequence[Bar], *, loses: int = -1) -> tuple[StrategyActor, list[str]]:
    """A strategy that heard `bars`, told of the gap by the one after the lost one as its host does."""
    actor, clock, bus = actor_with(Manager())
    bus.sent.clear()
    for at, bar in enumerate(bars):
        clock.now = bar.end_ns
        if at == loses:
            continue
        if at == loses + 1 and at:
            actor.on_gap("feed.SENSEX")
        actor.on_bars(rows([bar]))
        if bus.sent:
            bus.sent.clear()
            actor.on_past_bars(rows(bars[: at + 1], seconds=60))  # the feed gives each length for itself
            actor.on_past_bars(rows(bars[: at + 1]))
    return actor, bus.sent


def test_a_lost_bar_is_asked_for_and_taken_in_its_place(bars: Sequence[Bar]) -> None:
    whole, _ = heard(bars)
    again, _ = heard(bars, loses=LOST)

    assert again._state == whole._state
    assert again._last_start_ns == whole._last_start_ns


def test_until_the_feed_has_answered_it_is_asked_with_every_bar_and_nothing_is_decided(bars: Sequence[Bar]) -> None:
    actor, clock, bus = actor_with(Manager())
    actor.on_bars(rows(bars[:LOST]))
    before = actor._state
    bus.sent.clear()
    actor.on_gap("feed.SENSEX")
    for bar in bars[LOST + 1 : LOST + 3]:
        clock.now = bar.end_ns
        actor.on_bars(rows([bar]))

    assert bus.sent == ["refresh.SENSEX", "refresh.SENSEX"]
    assert actor._state == before


def test_a_gap_in_what_others_send_is_nothing_to_it(bars: Sequence[Bar]) -> None:
    actor, _, bus = actor_with(Manager())
    bus.sent.clear()
    actor.on_gap("shard.SENSEX")
    actor.on_bars(rows(bars[:1]))

    assert bus.sent == []
    assert actor._last_start_ns == bars[0].start_ns
