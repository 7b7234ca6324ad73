"""The kill switch beside a trigger at the broker: that is taken back first, so that nothing is sold twice."""

import pytest

from core.errors import DeskError
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.records import LIVE, Intent
from tests.fakes_broker import Died
from tests.fakes_orders import LOT, intent
from tests.unit.test_oms_triggers import Night


class Told:
    """What reaches the broker, in order: of triggers the request to delete one, of orders the request to place one."""

    def __init__(self, world: Night) -> None:
        self.calls: list[str] = []
        self.answers, self.dies = True, ""
        self.place, self.cancel_gtt = world.broker.place, world.broker.cancel_gtt
        world.broker.place, world.broker.cancel_gtt = self._place, self._take_back  # type: ignore[method-assign]

    def _place(self, intent: Intent) -> Answer:
        self.calls.append(intent.side)
        return self.place(intent)

    def _take_back(self, trigger_id: str) -> Answer:
        self.calls.append("take back")
        if self.dies == "before":
            raise Died
        answer = self.cancel_gtt(trigger_id) if self.answers else Answer(kind="UNKNOWN", message="timed out")
        if self.dies:
            raise Died
        return answer


def sold(world: Night) -> int:
    """Units that may yet be sold, or have been: by orders and by the trigger."""
    orders = [
        order
        for order in [*world.broker.orders.values(), *world.broker.untagged.values()]
        if order.intent.side == "SELL"
    ]
    live = sum(order.intent.quantity for order in orders if order.state in LIVE)
    return (
        live
        + sum(order.filled_quantity for order in orders if order.state not in LIVE)
        + sum(one.quantity for one in world.waiting())
    )


def test_a_kill_that_squares_off_takes_it_back_before_it_sells() -> None:
    world = Night()
    world.placed()
    told = Told(world)
    world.oms.kill("drill", "asha", True)
    assert told.calls == ["take back", "SELL"]
    assert sold(world) == 2 * LOT


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_kill_that_dies_while_it_takes_it_back_sells_once_after_the_restart(dies: str) -> None:
    world = Night()
    world.placed()
    told = Told(world)
    told.dies = dies
    with pytest.raises(Died):
        world.oms.kill("drill", "asha", True)
    told.dies = ""
    world.restart()
    for _ in range(4):
        world.turn()
    assert told.calls == ["take back", *["take back"] * (dies == "before"), "SELL"]
    assert sold(world) == 2 * LOT


def test_one_that_has_fired_is_an_order_that_a_kill_cancels_before_it_sells() -> None:
    world = Night()
    one = world.placed()
    world.broker.fire(one.trigger_id, 0)
    world.oms.kill("drill", "asha", True)
    assert sold(world) == 2 * LOT
    for _ in range(8):
        world.turn(seconds=1)
    assert sold(world) == 2 * LOT


@pytest.mark.parametrize("how", ["list", "request"])
def test_a_broker_that_does_not_answer_for_triggers_holds_up_no_square_off(how: str) -> None:
    world = Night()
    world.placed()
    told = Told(world)
    gtts = world.broker.gtts
    if how == "list":
        world.broker.gtts = lambda: (_ for _ in ()).throw(DeskError("timed out"))  # type: ignore[method-assign]
    told.answers = how != "request"
    world.oms.kill("drill", "asha", True)
    assert told.calls[-1:] == ["SELL"], "a position that cannot be closed is worse than a trigger that may fire"
    told.answers, world.broker.gtts = True, gtts  # type: ignore[method-assign]
    world.until(lambda: not world.waiting(), seconds=1)
    assert sold(world) == 2 * LOT


def test_triggers_that_the_broker_never_tells_of_take_a_turn_and_hold_up_no_square_off() -> None:
    world = Night()
    world.placed()
    told = Told(world)

    def hangs() -> list[Trigger]:
        world.clock.sleep(2.5)
        raise DeskError("timed out")

    world.broker.gtts = hangs  # type: ignore[method-assign]
    world.oms.kill("drill", "asha", True)
    for _ in range(3):
        world.later(0.5)
    assert told.calls.count("SELL") == 1


def test_after_cancels_that_took_the_whole_turn_it_is_taken_back_before_anything_is_sold() -> None:
    world = Night()
    world.placed()
    world.oms.submit(intent("E", limit_paise=100))
    told, cancel = Told(world), world.broker.cancel

    def slowly(broker_id: str) -> Answer:
        world.clock.sleep(2.1)
        return cancel(broker_id)

    world.broker.cancel = slowly  # type: ignore[method-assign]
    world.oms.kill("drill", "asha", True)
    world.broker.cancel = cancel  # type: ignore[method-assign]
    for _ in range(4):
        world.later(0.5)
    assert told.calls[:2] == ["take back", "SELL"]
    assert sold(world) == 2 * LOT
