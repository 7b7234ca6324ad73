"""What a broker's socket says of orders is a nudge to look at its book, and never a fact."""

from itertools import pairwise

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SchemaError
from core.schemas import ORDER_NEWS
from tests.fakes_orders import LOT, intent, news, ticks
from tests.world_oms import World

OURS, NEW = ("B1", "A", "OPEN"), ("", "", "")


@pytest.fixture
def world() -> World:
    """An order that rests; the last look is long ago, and no look has been counted."""
    world = World()
    world.oms.submit(intent("A", quantity=2 * LOT))
    world.later(1)
    world.clock.sleep(1)
    world.broker.looks = world.broker.listings = 0
    return world


def asked(world: World) -> tuple[int, int]:
    return world.broker.looks, world.broker.listings


def test_news_have_the_book_compared_at_once(world: World) -> None:
    world.broker.fill("A", LOT, 35_000)
    world.oms.on_order_news(news(("B1", "A", "UPDATE")))

    assert (asked(world), world.order().filled_quantity) == ((1, 1), LOT)


def test_trades_are_read_only_where_the_book_has_more_filled_than_they_explain(world: World) -> None:
    world.oms.on_order_news(news(OURS))

    assert asked(world) == (1, 0)


def test_a_new_connection_leads_to_a_whole_reconcile(world: World) -> None:
    world.oms.on_order_news(news(NEW))

    assert asked(world) == (1, 1)


def test_a_quarter_of_a_second_has_one_look_and_what_came_meanwhile_is_remembered(world: World) -> None:
    for _ in range(20):
        world.oms.on_order_news(news(OURS))
        world.clock.sleep(0.01)
    early = asked(world)
    world.oms.on_order_news(news(NEW))
    world.oms.on_ticks(ticks())
    still = asked(world)
    world.clock.sleep(0.06)
    world.oms.on_ticks(ticks())
    world.clock.sleep(0.3)
    world.oms.on_ticks(ticks())

    assert (early, still, asked(world)) == ((1, 0), (1, 0), (2, 1))


def test_without_ticks_the_timer_does_what_is_remembered_and_not_too_soon_either(world: World) -> None:
    world.oms.on_order_news(news(OURS))
    world.clock.sleep(0.1)
    world.broker.fill("A", LOT, 35_000)
    world.oms.on_order_news(news(OURS))
    world.later(0.1)
    early = asked(world), world.order().filled_quantity
    world.later(0.1)

    assert early == ((1, 0), 0)
    assert (asked(world), world.order().filled_quantity) == ((2, 1), LOT)


def test_news_just_after_the_timers_look_wait_too(world: World) -> None:
    world.later(0)
    world.clock.sleep(0.2)
    world.oms.on_order_news(news(OURS))

    assert asked(world) == (1, 1)


def test_a_wall_clock_that_was_set_back_holds_no_look_up(world: World) -> None:
    world.oms.on_order_news(news(OURS))
    world.clock.wall -= 3600 * 1_000_000_000
    world.oms.on_order_news(news(OURS))

    assert asked(world) == (2, 0)


def test_news_of_an_order_nobody_here_sent_change_nothing(world: World) -> None:
    before = world.oms.orders()
    world.oms.on_order_news(news(("987", "", "COMPLETE"), ("988", "SOMEBODY", "REJECTED")))

    assert (asked(world), world.oms.orders(), world.ledger.alerts()) == ((1, 0), before, [])


def test_what_the_news_say_of_an_order_is_not_believed(world: World) -> None:
    world.oms.on_order_news(news(("B1", "A", "COMPLETE"), ("B1", "A", "REJECTED")))

    assert world.order().state == "OPEN"


def test_empty_news_ask_nothing_and_what_is_no_news_is_refused(world: World) -> None:
    world.oms.on_order_news(news())
    with pytest.raises(SchemaError, match="order_news"):
        world.oms.on_order_news(ticks())

    assert asked(world) == (0, 0)


def test_before_it_is_open_and_without_the_ledger_news_ask_nothing(world: World) -> None:
    world.make().on_order_news(news(NEW))
    world.ledger.down = lambda name: True
    world.oms.submit(intent("B"))
    world.oms.on_order_news(news(NEW))
    halted = world.oms.state(), asked(world)
    world.ledger.down = lambda name: False
    world.later(0.5)

    assert halted == ("HALTED", (0, 0))
    assert (world.oms.state(), asked(world)) == ("ACTIVE", (1, 1))


def test_a_look_that_fails_is_the_timers_to_try_again(world: World) -> None:
    world.broker.away = True
    world.oms.on_order_news(news(NEW))
    world.broker.away = False
    world.broker.fill("A", 2 * LOT, 35_000)
    world.later(0.5)

    assert world.order().state == "COMPLETE"
    assert world.ledger.alerts()[-1] == "the broker can be followed again"


TEXT = st.text(max_size=6) | st.sampled_from(["", "A", "B", "B1", "B2", "OPEN", "COMPLETE", "REJECTED", "CANCELLED"])
NEWS = st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=4).map(lambda rows: ("news", rows))
STEPS = st.lists(
    NEWS
    | st.tuples(st.just("fill"), st.sampled_from(("A", "B")))
    | st.tuples(st.just("wait"), st.sampled_from((0.01, 0.1, 0.24, 0.3)))
    | st.tuples(st.just("again"), st.just("")),
    max_size=30,
)


@given(STEPS)
def test_whatever_the_news_and_in_whatever_order_the_end_is_that_of_the_brokers_book(
    steps: list[tuple[str, object]],
) -> None:
    world, last, seen = World(), news(OURS), []
    for tag in ("A", "B"):
        world.oms.submit(intent(tag, quantity=3 * LOT))
    for what, how in steps:
        before = world.broker.looks
        if what == "news":
            assert isinstance(how, list)
            last = pa.RecordBatch.from_pylist(
                [dict(zip(ORDER_NEWS.names, row, strict=True)) for row in how], schema=ORDER_NEWS
            )
        if what in {"news", "again"}:
            world.oms.on_order_news(last)
        elif what == "wait":
            assert isinstance(how, float)
            world.clock.sleep(how)
            world.oms.on_ticks(ticks())
        elif world.broker.orders[str(how)].state == "OPEN":
            world.broker.fill(str(how), LOT, 35_000)
        seen += [world.clock.wall] * (world.broker.looks - before)
    world.later(0.5)
    world.later(0.5)

    assert all(after - before >= 250_000_000 for before, after in pairwise(seen))
    assert world.broker.placed == ["A", "B"]
    assert world.ledger.alerts() == []
    for order in world.oms.orders():
        theirs = world.broker.orders[order.intent.tag]
        assert (order.state, order.filled_quantity) == (theirs.state, theirs.filled_quantity)
    assert sum(position.quantity for position in world.oms.positions()) == sum(f.quantity for f in world.broker.fills)
    restarted = msgspec.json.encode(world.oms.orders())
    assert msgspec.json.encode(world.restart().orders()) == restarted
