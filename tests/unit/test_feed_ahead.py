"""A source whose clock is ahead of the desk's: its quotes are refused, and people are told why."""

import pyarrow as pa

from core.schemas import Kind
from tests.world_feed import KIND, S, World

OPTIONS = [symbol for symbol, kind in KIND.items() if kind in {Kind.CALL, Kind.PUT}]
WORDS = "the source's clock is {} s ahead of the desk's (feed.max_ahead_ms allows 2 s): quotes are refused"


def ahead_by(world: World, seconds: float, *, lasting: int, others: int = 0) -> None:
    """A batch a second, of NIFTY and two options so far ahead, and of `others` options in time."""
    for _ in range(lasting):
        early = world.rows("NIFTY", *OPTIONS[:2], exchange_ns=world.clock.now + round(seconds * S))
        right = world.rows(*OPTIONS[2 : 2 + others]) if others else early.slice(0, 0)
        world.feed.on_quotes(pa.Table.from_batches([early, right]).combine_chunks().to_batches()[0])
        world.go(1)


def test_it_is_an_alarm_every_ten_minutes_that_says_by_how_much_and_what_to_do() -> None:
    world = World()
    ahead_by(world, 5.0, lasting=2)
    assert world.feed.alerts() == (), "a moment is no clock that is off"

    ahead_by(world, 5.0, lasting=300)
    ahead_by(world, 5.3, lasting=290)
    (said,) = world.feed.alerts()
    assert (said.severity, said.subject) == ("alarm", "feed.NIFTY")
    assert said.message.startswith(WORDS.format("5.0"))
    assert "time service" in said.message
    assert world.feed.check_health() == 0, "nothing was sent, and nobody is told otherwise"
    assert world.feed.counts()["refused_time"] == 3 * 592

    ahead_by(world, 5.3, lasting=20)
    assert [one.message.startswith(WORDS.format("5.3")) for one in world.feed.alerts()] == [False, True]


def test_most_of_a_batch_has_to_be_ahead_and_it_has_to_last() -> None:
    few, short, behind = World(), World(), World()
    ahead_by(few, 5.0, lasting=20, others=3)
    for _ in range(10):
        ahead_by(short, 5.0, lasting=2)
        short.quote("NIFTY")
    ahead_by(behind, -90_000.0, lasting=20)
    behind.feed.on_quotes(pa.record_batch({"exchange_ns": ["no", "such", "table"]}))

    for world in (few, short, behind):
        assert world.feed.counts()["refused_time"] == 60
        assert world.feed.alerts() == ()
