"""A modification that the broker took and does not show yet: what is answered, why what fills meanwhile left."""

from collections.abc import Callable

import pytest

from core.orders.answer import Answer
from core.orders.machine import terms
from core.records import Terms
from tests.fakes_orders import LOT, SYMBOL, intent
from tests.unit.test_oms_plans import Planned

TARGET = Terms(order_type="LIMIT", limit_paise=40_000)


def at_its_target(modify: Callable[[Planned, str, Terms], Answer]) -> Planned:
    """A bracket's one lot comes to its target, where `modify` answers for the broker."""
    world = Planned()
    world.oms.start_plan(world.bracket(quantity=LOT))
    world.quote(35_000)
    (entry,) = world.of("BUY")
    world.broker.fill(entry.intent.tag, LOT, 35_100)
    world.quote(35_000)
    world.broker.modify = lambda broker_id, wanted: modify(world, broker_id, wanted)  # type: ignore[method-assign]
    for _ in range(4):
        world.quote(40_000)
    return world


def fills_at_once(world: Planned, broker_id: str, wanted: Terms) -> Answer:
    """As at an exchange: what is changed into a limit within the market is filled by that."""
    answer = type(world.broker).modify(world.broker, broker_id, wanted)
    (exit_,) = (tag for tag, order in world.broker.orders.items() if order.broker_id == broker_id)
    world.broker.fill(exit_, LOT, 40_005)
    return answer


def fills_before_the_book_shows_it(world: Planned, broker_id: str, wanted: Terms) -> Answer:
    """The list of trades is read a moment after the book, which is older than the modification."""
    before = [*world.broker.orders.values()]
    answer = fills_at_once(world, broker_id, wanted)
    shown = [before]
    now = type(world.broker).book
    world.broker.book = lambda: shown.pop() if shown else now(world.broker)  # type: ignore[method-assign]
    return answer


@pytest.mark.parametrize("modify", [fills_at_once, fills_before_the_book_shows_it])
def test_what_left_at_its_target_was_no_stop(modify: Callable[[Planned, str, Terms], Answer]) -> None:
    world = at_its_target(modify)

    assert [fill.reason for fill in world.ledger.trades] == ["", "target"]
    assert "(target)" in world.words()["done"]


def test_an_order_that_fills_by_its_modification_is_kept_with_the_terms_it_filled_at() -> None:
    (exit_,) = at_its_target(fills_at_once).of("SELL")

    assert (exit_.state, terms(exit_), exit_.message) == ("COMPLETE", TARGET, "")


def test_what_was_taken_and_is_not_shown_yet_is_answered_without_words() -> None:
    world = Planned()
    world.oms.submit(intent("A", symbol=SYMBOL))
    wanted = Terms(order_type="LIMIT", limit_paise=34_500)
    ack = Answer(kind="ACK", broker_id=world.broker.orders["A"].broker_id)
    world.broker.modify = lambda _id, _terms: ack  # type: ignore[method-assign]
    taken = world.oms.modify("A", wanted)
    del world.broker.modify  # type: ignore[attr-defined]
    world.broker.modify(ack.broker_id, wanted)
    world.quote(35_000)
    shown = world.order("A")

    assert (taken.state, taken.message, terms(taken).limit_paise) == ("OPEN", "", intent("A").limit_paise)
    assert (shown.state, shown.message, terms(shown)) == ("OPEN", "", wanted)
