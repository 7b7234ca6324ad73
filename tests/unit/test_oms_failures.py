"""The order manager when its process, the ledger or the broker fails it between any two steps."""

import pytest

from core.errors import LedgerDown
from tests.fakes_broker import Died
from tests.fakes_orders import LOT, NOON, SYMBOL, intent, ticks
from tests.world_oms import World


@pytest.fixture
def world() -> World:
    return World()


def test_after_a_crash_mid_send_the_order_is_unsure_and_not_resent(world: World) -> None:
    world.broker.next_place = "die before accept"
    with pytest.raises(Died):
        world.oms.submit(intent())
    world.restart()

    assert world.order().state == "UNKNOWN"
    assert world.oms.submit(intent()).state == "UNKNOWN"
    assert world.broker.placed == ["A"]


def test_an_order_the_broker_never_had_is_rejected_only_after_the_waiting_time(world: World) -> None:
    world.broker.next_place = "die before accept"
    with pytest.raises(Died):
        world.oms.submit(intent())
    world.restart()
    world.later(14.9)
    early = world.order().state
    world.later(0.2)

    assert (early, world.order().state) == ("UNKNOWN", "REJECTED")
    assert "no such order" in world.order().message
    assert world.broker.placed == ["A"]
    assert world.risk.released == ["A"]


def test_time_in_which_the_broker_does_not_answer_proves_nothing(world: World) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.broker.away = True
    world.later(100)
    world.broker.away = False
    world.later(1)

    assert world.order().state == "UNKNOWN"
    assert any("broker cannot be followed" in alert for alert in world.ledger.alerts())


def test_absence_before_and_after_an_outage_proves_nothing_of_the_time_between(world: World) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(0.5)
    world.broker.away = True
    for _ in range(32):
        world.later(0.5)
    world.broker.away = False
    world.later(0.5)
    first = world.order().state
    world.later(14.9)
    early = world.order().state
    world.later(0.2)

    assert (first, early, world.order().state) == ("UNKNOWN", "UNKNOWN", "REJECTED")


@pytest.mark.parametrize("listed", [True, False])
def test_an_order_given_up_too_early_that_has_filled_is_an_alarm_and_a_risk_event(
    world: World, *, listed: bool
) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(1)
    world.later(15)
    gone = world.order().state
    world.broker.place(intent(created_ns=NOON))  # the request that was under way all the time
    world.broker.lags(not listed)
    world.broker.fill("A", LOT, 35_000)
    world.later(1)
    during = list(world.ledger.alerts())
    world.broker.lags(False)
    world.later(1)

    words = f"order A was given up as REJECTED and has filled {LOT} at the broker: BUY {SYMBOL} of s is a position now"
    assert (gone, world.order().state, world.order().filled_quantity) == ("REJECTED", "REJECTED", LOT)
    assert during == [words]
    assert world.ledger.alerts() == [words]
    assert [event.message for kind, event in world.ledger.events if kind == "risk"] == [words]
    assert world.oms.positions()[0].quantity == LOT


def test_after_a_crash_between_the_broker_and_the_journal_the_order_is_found_by_its_tag(world: World) -> None:
    world.broker.next_place = "die after accept"
    with pytest.raises(Died):
        world.oms.submit(intent())
    world.broker.fill("A", LOT, 34_900)
    world.restart()

    assert (world.order().state, world.order().broker_id, world.order().filled_quantity) == ("COMPLETE", "B1", LOT)
    assert world.broker.placed == ["A"]
    assert world.oms.positions()[0].quantity == LOT


def test_an_answer_that_got_lost_is_found_on_the_timer(world: World) -> None:
    world.broker.next_place = "lose the answer"
    unsure = world.oms.submit(intent())
    world.later()

    assert (unsure.state, unsure.message) == ("UNKNOWN", "timed out")
    assert world.order().state == "OPEN"
    assert world.broker.placed == ["A"]


def test_an_order_given_up_too_early_is_cancelled_where_it_turns_up(world: World) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(1)
    world.later(15)
    gone = world.order().state
    world.broker.place(intent())  # the request that was under way all the time
    world.later(1)

    assert gone == "REJECTED"
    assert world.broker.orders["A"].state == "CANCELLED"
    assert any("cancelled" in alert for alert in world.ledger.alerts())


def test_trades_that_are_newer_than_the_book_complete_an_order_and_nothing_is_cancelled(world: World) -> None:
    world.oms.submit(intent())
    book = list(world.broker.book())
    world.broker.fill("A", LOT, 35_000)
    world.broker.book = lambda: book  # type: ignore[method-assign]
    world.later()

    assert (world.order().state, world.broker.cancelling, world.ledger.alerts()) == ("COMPLETE", [], [])


def test_when_the_ledger_is_down_nothing_is_sent(world: World) -> None:
    world.ledger.down = lambda name: True
    order = world.oms.submit(intent())

    assert (order.state, world.oms.state(), world.broker.placed) == ("REFUSED", "HALTED", [])
    assert "nothing was sent" in order.message


def test_when_the_ledger_is_back_the_desk_goes_on_and_says_what_happened(world: World) -> None:
    world.ledger.down = lambda name: True
    world.oms.submit(intent("LOST"))
    world.later()
    down = world.oms.state()
    world.ledger.down = lambda name: False
    world.later()

    assert (down, world.oms.state()) == ("HALTED", "ACTIVE")
    assert world.oms.submit(intent("NEXT")).state == "OPEN"
    world.oms.halt("so that an alert is due")
    assert any("ledger is away" in alert for alert in world.ledger.alerts())


@pytest.mark.parametrize("step", ["journal_intent", "record_order", "record_fill"])
@pytest.mark.parametrize("way", ["down", "lost"])
def test_the_ledger_failing_at_one_step_loses_and_doubles_nothing(world: World, step: str, way: str) -> None:
    setattr(world.ledger, way, lambda name: name == step)
    world.oms.submit(intent())
    if "A" in world.broker.orders:
        world.broker.fill("A", LOT, 35_000)
    world.broker.matches = True
    world.oms.on_ticks(ticks())
    halted = world.oms.state()
    setattr(world.ledger, way, lambda name: False)
    for _ in range(20):
        world.later()

    sent = step != "journal_intent"
    assert halted == "HALTED"
    assert world.oms.state() == "ACTIVE"
    assert world.broker.placed == (["A"] if sent else [])
    if sent:
        assert (world.order().state, len(world.ledger.trades)) == ("COMPLETE", 1)
        assert world.oms.positions()[0].quantity == LOT
    elif way == "lost":
        assert world.order().state == "REJECTED"
    else:
        assert world.oms.orders() == []


def test_a_second_order_manager_stops_the_first_for_good(world: World) -> None:
    old = world.oms
    world.restart()
    order = old.submit(intent())
    old.resume()
    old.on_timer()

    assert (order.state, old.state(), world.oms.state()) == ("REFUSED", "HALTED", "ACTIVE")
    assert world.broker.placed == []
    assert world.oms.submit(intent("B")).state == "OPEN"


def test_open_without_the_ledger_raises_and_can_be_tried_again(world: World) -> None:
    world.ledger.down = lambda name: name == "fills"
    oms = world.make()
    with pytest.raises(LedgerDown):
        oms.open()
    halted = oms.state()
    world.ledger.down = lambda name: False
    oms.open()

    assert (halted, oms.state()) == ("HALTED", "ACTIVE")
