"""A modification that the broker took and does not show yet: what is answered, why what fills meanwhile left."""

from collections.abc import Callable

import msgspec
import pytest

from core.orders.answer import Answer
from core.orders.machine import terms
from core.records import OrderEvent, Terms
from tests.fakes_orders import LOT, SYMBOL, intent
from tests.unit.test_oms_plans import Planned
from tests.world_oms import World

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


CHEAPER = Terms(order_type="LIMIT", limit_paise=34_500)


def taken_alone(world: World, tag: str = "A") -> None:
    """The broker takes modifications from now on, and its book does not show them."""
    ack = Answer(kind="ACK", broker_id=world.broker.orders[tag].broker_id)
    world.broker.modify = lambda _id, _terms: ack  # type: ignore[method-assign]


@pytest.mark.parametrize("meanwhile", ["before the answer", "later"])
def test_one_that_fills_before_the_change_was_seen_says_so(meanwhile: str) -> None:
    world = World()
    world.oms.submit(intent("A"))
    taken_alone(world)
    if meanwhile == "before the answer":
        world.broker.fill("A", LOT, 35_000)
    answer = world.oms.modify("A", CHEAPER)
    if meanwhile == "later":
        world.broker.fill("A", LOT, 35_000)
        world.later()
        answer = world.order("A")

    words = "asked to be LIMIT at 345.00, and COMPLETE before the broker's book showed that"
    assert (answer.state, answer.message, world.ledger.table["A"].message) == ("COMPLETE", words, words)
    assert world.restart() is not None
    assert world.order("A").message == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "asked to be LIMIT at 345.00, and CANCELLED before the broker's book showed that"),
        ("cancelled by the exchange", "cancelled by the exchange"),
    ],
)
def test_one_that_ends_otherwise_keeps_what_the_broker_said_of_that(said: str, words: str) -> None:
    world = World()
    world.oms.submit(intent("A"))
    taken_alone(world)
    world.oms.modify("A", CHEAPER)
    world.broker.orders["A"] = msgspec.structs.replace(world.broker.orders["A"], state="CANCELLED", message=said)
    world.later()

    assert (world.order("A").state, world.order("A").message) == ("CANCELLED", words)


def test_a_change_that_the_exchange_turns_away_later_has_the_brokers_words() -> None:
    world = World()
    world.oms.submit(intent("A"))
    taken_alone(world)
    world.oms.modify("A", CHEAPER)
    world.later()
    before = world.order("A").message
    world.broker.orders["A"] = msgspec.structs.replace(world.broker.orders["A"], message="16283: outside\0 the band")
    world.later()
    turned_away = world.order("A")
    world.broker.fill("A", LOT, 35_000)
    world.later()

    assert before == "asked to be LIMIT at 345.00"
    assert (turned_away.state, turned_away.message) == ("OPEN", "16283: outside? the band")
    assert (world.order("A").state, world.order("A").message) == ("COMPLETE", "16283: outside? the band")


def test_one_whose_answer_was_lost_and_whose_change_is_shown_needs_no_words() -> None:
    world = World()
    world.oms.submit(intent("A"))
    world.broker.next_modify = "lose the answer"
    answer = world.oms.modify("A", CHEAPER)

    assert (terms(answer), answer.message, world.order("A").message) == (CHEAPER, "", "")


def test_what_rests_is_an_event_of_its_own_at_the_brokers_time() -> None:
    world = World()
    world.oms.submit(intent("A"))
    events, record = list[OrderEvent](), world.ledger.record_order
    world.ledger.record_order = lambda epoch, order, event: (events.append(event), record(epoch, order, event))[1]  # type: ignore[method-assign]
    modify = world.broker.modify
    shown_ns = world.clock.now_ns() + 5_000_000_000

    def at_once(broker_id: str, wanted: Terms) -> Answer:
        answer = modify(broker_id, wanted)
        world.broker.orders["A"] = msgspec.structs.replace(world.broker.orders["A"], updated_ns=shown_ns)
        return answer

    world.broker.modify = at_once  # type: ignore[method-assign]
    world.clock.sleep(3)
    asked_ns = world.clock.now_ns()
    world.oms.modify("A", CHEAPER)
    world.broker.modify = modify  # type: ignore[method-assign]
    world.broker.orders["A"] = msgspec.structs.replace(world.broker.orders["A"], updated_ns=asked_ns - 1)
    world.oms.modify("A", Terms(order_type="LIMIT", limit_paise=34_000))

    assert [(event.message, event.at_ns) for event in events] == [
        ("asked to be LIMIT at 345.00", asked_ns),
        ("rests as LIMIT at 345.00", shown_ns),
        ("asked to be LIMIT at 340.00", asked_ns),
        ("rests as LIMIT at 340.00", asked_ns),
    ]
