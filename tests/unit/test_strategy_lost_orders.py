"""Orders of a strategy that stay live for good, not listed or explained by no trade; and what fills late.

The order manager is the real one, so what it says of such an order is what the strategy gets to hear.
"""

import msgspec
import pytest

from actors.strategies.orders import Follow
from core.orders.answer import Answer
from core.records import Order
from core.strategies.events import EntryDropped, EntryFilled, Event, ExitDropped
from tests.fakes_orders import LOT, SECOND, SYMBOL, intent
from tests.unit.test_strategy_orders import Slow, fall, golden, order  # noqa: F401 a fixture
from tests.world_oms import World

REST_NS = 30 * SECOND


class Desk(World):
    """The order manager, and what one strategy follows there: `events` it was told, `cancels` the broker got."""

    def __init__(self) -> None:
        super().__init__()
        self.cancels: list[str] = []
        self.events: list[Event] = []
        cancel = self.broker.cancel

        def count(broker_id: str) -> Answer:
            self.cancels.append(broker_id)
            return cancel(broker_id)

        self.broker.cancel = count  # type: ignore[method-assign]
        self.long(2 * LOT)

    def follow(self) -> Follow:
        self.strategy = Follow("s", "SENSEX")
        self.strategy.adopt(self.oms.orders(), self.clock.wall_ns())
        return self.strategy

    def seconds(self, count: int) -> None:
        """As the strategy's timer does."""
        for _ in range(count):
            self.later(1)
            orders, wall_ns = self.oms.orders(), self.clock.wall_ns()
            self.events += self.strategy.look(orders, wall_ns)
            for tag in self.strategy.resting(orders, self.clock.now_ns() - REST_NS, wall_ns):
                self.oms.cancel(tag)


@pytest.fixture
def desk() -> Desk:
    """Two lots are held, and an exit of them is at the broker."""
    desk = Desk()
    desk.oms.submit(intent("OUT", side="SELL", quantity=2 * LOT, purpose="exit"))
    desk.follow()
    return desk


def test_an_exit_that_vanished_is_over_for_its_strategy_and_no_cancel_is_asked_for(desk: Desk) -> None:
    del desk.broker.orders["OUT"]
    desk.seconds(10)
    early = list(desk.events)
    desk.seconds(590)

    assert (early, desk.events, desk.strategy.waiting) == ([], [ExitDropped()], False)
    assert (desk.order("OUT").state, desk.order("OUT").lost) == ("OPEN", True)
    assert desk.cancels == []


def test_what_a_vanished_exit_fills_after_all_is_counted(desk: Desk) -> None:
    gone = desk.broker.orders.pop("OUT")
    desk.seconds(900)
    desk.broker.orders["OUT"] = gone
    desk.broker.fill("OUT", 2 * LOT, 35_000)
    looks = desk.strategy.open_ends(desk.clock.wall_ns())
    desk.seconds(1)

    assert looks
    assert (desk.strategy.units(SYMBOL), desk.order("OUT").lost) == (0, False)


def test_an_order_that_turns_up_again_is_cancelled(desk: Desk) -> None:
    gone = desk.broker.orders.pop("OUT")
    desk.seconds(60)
    desk.broker.orders["OUT"] = gone
    desk.seconds(400)

    assert (desk.cancels, desk.order("OUT").state) == ([gone.broker_id], "CANCELLED")
    assert not desk.strategy.open_ends(desk.clock.wall_ns())


def test_an_entry_its_trades_do_not_explain_is_held_with_what_they_do(desk: Desk) -> None:
    desk.oms.submit(intent("IN", quantity=2 * LOT))
    desk.follow()
    desk.broker.fill("IN", LOT, 35_000)
    desk.seconds(1)
    desk.broker.lags(True)
    desk.broker.fill("IN", LOT, 35_000)
    desk.seconds(20)
    held = [one for one in desk.events if isinstance(one, EntryFilled)]
    desk.broker.lags(False)
    desk.seconds(1)

    assert [(one.symbol, one.quantity) for one in held] == [(SYMBOL, LOT)]
    assert desk.strategy.units(SYMBOL) == 4 * LOT
    assert (desk.order("IN").state, desk.order("IN").lost) == ("COMPLETE", False)


def test_an_exit_its_trades_do_not_explain_is_waited_for(desk: Desk) -> None:
    """Nothing else may sell what it may have sold, so another exit would only be refused."""
    desk.broker.lags(True)
    desk.broker.fill("OUT", 2 * LOT, 35_000)
    desk.seconds(60)

    assert (desk.events, desk.strategy.waiting, desk.order("OUT").lost) == ([], True, False)


def test_an_order_the_broker_does_not_let_go_is_asked_for_every_few_seconds(desk: Desk) -> None:
    desk.broker.slow = True
    desk.seconds(31)
    first = len(desk.cancels)
    desk.seconds(60)

    assert (first, len(desk.cancels)) == (1, 13)


def test_an_end_that_left_a_rest_is_looked_at_for_some_minutes_and_no_longer() -> None:
    desk = Desk()
    desk.oms.submit(intent("IN", quantity=2 * LOT))
    desk.follow()
    desk.oms.cancel("IN")
    desk.seconds(60)
    soon = desk.strategy.open_ends(desk.clock.wall_ns())
    desk.seconds(600)

    assert desk.events == [EntryDropped()]
    assert (soon, desk.strategy.open_ends(desk.clock.wall_ns())) == (True, False)


def lost(made: Order) -> Order:
    return msgspec.structs.replace(made, lost=True)


def test_the_stop_is_sent_anew_when_its_first_exit_vanished_and_both_count(
    golden: tuple[object, object, Slow],  # noqa: F811
) -> None:
    actor, clock, manager = golden
    manager.answer = order("OPEN")
    fall(actor, clock)
    first = manager.book[-1]
    manager.book[-1] = lost(first)
    actor.on_timer()
    clock.now += 10 * SECOND
    fall(actor, clock)
    sold = [one.intent.tag for one in manager.book if one.intent.side == "SELL"]

    assert len(set(sold)) == len(sold) == 2


def test_a_given_up_exit_that_fills_after_all_ends_the_position(
    golden: tuple[object, object, Slow],  # noqa: F811
) -> None:
    actor, clock, manager = golden
    manager.answer = order("OPEN")
    fall(actor, clock)
    made = manager.book[-1]
    manager.book[-1] = lost(made)
    actor.on_timer()
    before = actor._state.held
    manager.book[-1] = order("COMPLETE", 60)(made.intent)
    actor.on_timer()

    assert (before is not None, actor._state.held) == (True, None)
