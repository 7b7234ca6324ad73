"""The machine's wall clock steps, forward or back: what is waited for is neither given up early nor waited for long."""

import pytest

from actors.oms.waited import MOST_NS, Waited
from tests.fakes_orders import LOT, SECOND, SYMBOL, HandClock, intent
from tests.unit.test_oms_moves import Held
from tests.unit.test_oms_triggers import Night
from tests.world_oms import World

HOUR = 3_600 * SECOND
STEPS = pytest.mark.parametrize("step_ns", [20 * SECOND, HOUR, -HOUR], ids=["20 s on", "1 h on", "1 h back"])


@STEPS
def test_an_order_that_turns_up_late_is_not_given_up(step_ns: int) -> None:
    """15 s on paper: after a second of them it is there."""
    world = World()
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(0.5)
    world.clock.wall += step_ns
    world.later(0.5)
    early = world.order().state
    world.broker.place(intent())
    world.later(0.5)

    assert (early, world.order().state) == ("UNKNOWN", "OPEN")


@STEPS
def test_an_order_the_broker_never_had_is_given_up_when_its_time_is_over(step_ns: int) -> None:
    world = World()
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(0.5)
    world.clock.wall += step_ns
    for _ in range(31):
        world.later(0.5)

    assert world.order().state == "REJECTED"


@STEPS
def test_an_order_no_longer_listed_holds_up_an_exit_as_long_as_ever(step_ns: int) -> None:
    world = World()
    world.long()
    world.oms.submit(intent("X", side="SELL", purpose="exit", quantity=2 * LOT, limit_paise=90_000))
    world.later(0.5)
    del world.broker.orders["X"]
    world.later(0.5)
    world.clock.wall += step_ns
    world.later(0.5)
    early = world.order("X").lost
    for _ in range(31):
        world.later(0.5)

    assert (early, world.order("X").lost) == (False, True)


@STEPS
def test_trades_that_are_late_are_no_alarm_at_once(step_ns: int) -> None:
    world = World()
    world.oms.submit(intent())
    world.broker.lags(True)
    world.broker.fill("A", LOT, 35_000)
    world.later(0.5)
    world.clock.wall += step_ns
    world.later(0.5)
    early = world.ledger.alerts()
    for _ in range(31):
        world.later(0.5)

    assert early == []
    assert "its trades make 0" in world.ledger.alerts()[0]


@STEPS
def test_a_conversion_without_an_answer_is_not_called_undone(step_ns: int) -> None:
    world = Held()
    world.broker.next_convert = "lose the request"
    world.convert()
    world.later(11)
    world.clock.wall += step_ns
    world.later(0.5)
    early = world.convert().phase
    for _ in range(4):
        world.later(11)

    assert (early, world.convert().phase) == ("asked", "refused")


@STEPS
def test_a_trigger_without_an_answer_is_not_called_absent(step_ns: int) -> None:
    world = Night(start=False)
    world.broker.next_gtt = "lose the answer"
    world.broker.hidden = True
    world.oms.start_plan(world.plan())
    world.until(lambda: world.broker.triggers)
    world.turn()
    world.clock.wall += step_ns
    world.turn()
    early = "absent" in world.said()
    world.broker.hidden = False
    for _ in range(8):
        world.turn(seconds=5.5)

    assert (early, "absent" in world.said()) == (False, False)
    assert [one.status for one in world.broker.triggers.values()] == ["active"]


def test_an_outage_is_told_and_entries_are_refused_though_the_clock_was_set_back() -> None:
    world = World()
    world.broker.away = True
    world.later(0.5)
    world.clock.wall -= HOUR
    world.later(0.5)
    assert world.oms.state() == "REDUCING"
    world.broker.away = False
    world.later(0.5)
    assert world.oms.state() == "ACTIVE"


def test_time_between_two_looks_counts_up_to_a_limit_and_never_below_nothing() -> None:
    clock = HandClock()
    waited = Waited(clock)
    assert waited.more("a") == 0
    clock.wall += SECOND
    assert (waited.more("a"), waited.more(SYMBOL)) == (SECOND, 0)
    clock.wall += HOUR
    assert waited.more("a") == SECOND + MOST_NS
    clock.wall -= HOUR
    assert waited.more("a") == SECOND + MOST_NS
    waited.keep({SYMBOL})
    assert waited.more("a") == 0
    waited.forget(SYMBOL)
    waited.clear()
    assert waited.more("a") == 0
