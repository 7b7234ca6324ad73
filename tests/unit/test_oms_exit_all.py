"""Getting flat when something is in the way, and what the broker answers to a cancel."""

import pytest

from core.errors import DeskError, UnknownDate
from core.orders.answer import Answer
from tests.fakes_orders import LOT, NOON, intent, ticks
from tests.world_oms import World

OTHER = "NIFTY2590924500CE"  # a contract of an index with a freeze table of its own


@pytest.fixture
def world() -> World:
    return World()


def answers(world: World, kind: str, message: str) -> None:
    world.broker.cancel = lambda broker_id: Answer(kind=kind, message=message)  # type: ignore[method-assign,arg-type]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("REFUSED", "the broker refused to cancel it: too late"), ("UNKNOWN", "no clear answer to the cancel: too late")],
)
def test_the_brokers_answer_to_a_cancel_reaches_the_order_and_the_journal(world: World, kind: str, words: str) -> None:
    world.oms.submit(intent())
    answers(world, kind, "too late")
    order = world.oms.cancel("A")

    assert (order.state, order.message) == ("OPEN", words)
    assert world.ledger.table["A"] == order
    assert world.restart().cancel("A") == order


def test_a_refused_cancel_said_twice_is_journalled_once_and_a_done_one_clears_it(world: World) -> None:
    world.oms.submit(intent())
    cancel = world.broker.cancel
    answers(world, "REFUSED", "too late")
    world.oms.cancel("A")
    world.ledger.down = lambda name: name == "record_order"
    again = world.oms.cancel("A")
    world.ledger.down = lambda name: False
    world.broker.cancel = cancel  # type: ignore[method-assign]
    done = world.oms.cancel("A")

    assert (again.state, world.oms.state()) == ("OPEN", "ACTIVE")
    assert (done.state, done.message) == ("CANCELLED", "")


def test_a_cancel_that_comes_too_late_says_so_on_the_completed_order(world: World) -> None:
    world.oms.submit(intent())
    world.broker.fill("A", LOT, 35_000)
    order = world.oms.cancel("A")

    assert (order.state, order.message) == ("COMPLETE", "the broker refused to cancel it: already processed")


def test_a_refused_cancel_is_told_though_the_ledger_is_away(world: World) -> None:
    world.oms.submit(intent())
    answers(world, "REFUSED", "too late")
    world.ledger.down = lambda name: True
    order = world.oms.cancel("A")

    assert (order.state, order.message) == ("OPEN", "the broker refused to cancel it: too late")


def test_an_order_the_broker_has_not_been_heard_of_yet_is_not_cancelled_and_says_so(world: World) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    order = world.oms.cancel("A")

    assert order.state == "UNKNOWN"
    assert "not cancelled: the broker has not said yet" in order.message


def test_a_stray_order_that_cannot_be_cancelled_is_an_alarm(world: World) -> None:
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(1)
    world.later(15)
    world.broker.place(intent())
    answers(world, "REFUSED", "not now")
    world.later(1)
    world.later(1)

    assert len([said for said in world.ledger.alerts() if "not now" in said]) == 1


def two_positions(world: World) -> None:
    """One lot each of two contracts, and an order that rests in each."""
    for tag, more in (("L1", {}), ("L2", {"symbol": OTHER, "index": "NIFTY", "quantity": 75})):
        order = world.oms.submit(intent(tag, **more))
        world.broker.fill(tag, order.intent.quantity, 35_000)
        world.oms.submit(intent(f"{tag}R", **more))
    world.oms.on_timer()
    world.oms.on_ticks(ticks(bids=[(34_000, 500)], asks=[(34_100, 500)]))


def test_a_cancel_that_raises_holds_up_no_exit_and_is_told(world: World) -> None:
    two_positions(world)
    cancel, bad = world.broker.cancel, world.order("L1R").broker_id

    def some(broker_id: str) -> Answer:
        if broker_id == bad:
            raise DeskError("broker: connection reset")
        return cancel(broker_id)

    world.broker.cancel = some  # type: ignore[method-assign]
    sent = world.oms.exit_all("kill switch")
    refused = [order for order in sent if order.state == "REFUSED"]

    assert (world.order("L1R").state, world.order("L2R").state) == ("OPEN", "CANCELLED")
    assert sorted(order.intent.symbol for order in sent if order.state == "OPEN") == sorted(
        [world.order("L1").intent.symbol, OTHER]
    )
    assert [order.intent.tag for order in refused] == ["L1R"]
    assert refused[0].message == "it is still OPEN: not cancelled: broker: connection reset"
    assert any("connection reset" in said for said in world.ledger.alerts())


def test_a_cancel_the_broker_refuses_is_told_by_exit_all(world: World) -> None:
    two_positions(world)
    answers(world, "REFUSED", "too late")
    sent = world.oms.exit_all("kill switch")

    assert [order.state for order in sent] == ["REFUSED", "REFUSED", "OPEN", "OPEN"]
    assert "it is still OPEN: the broker refused to cancel it: too late" in sent[0].message


def test_a_holding_without_a_freeze_quantity_holds_up_no_other_exit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_positions(world)

    def some(index: str, expiry: object, on: object) -> int:
        if index == "SENSEX":
            raise UnknownDate(f"the freeze quantity of {index} on {on} is not known")
        return 1_800 // 75 * 75

    monkeypatch.setattr("actors.oms.closing.usable_freeze", some)
    sent = world.oms.exit_all("kill switch")

    assert [(order.state, order.intent.symbol == OTHER) for order in sent] == [("REFUSED", False), ("OPEN", True)]
    assert (sent[0].intent.side, sent[0].intent.quantity, sent[0].intent.purpose) == ("SELL", LOT, "exit")
    assert sent[0].intent.created_ns == NOON
    assert "freeze quantity of SENSEX" in sent[0].message
    assert any("freeze quantity of SENSEX" in said for said in world.ledger.alerts())


def test_an_exit_whose_rules_are_not_known_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_positions(world)
    known = __import__("core.orders.validity", fromlist=["lot"]).lot

    def some(index: str, *days: object) -> int:
        if index == "SENSEX":
            raise UnknownDate(f"the lot of {index} is not known")
        return int(known(index, *days))

    monkeypatch.setattr("core.orders.validity.lot", some)
    sent = world.oms.exit_all("kill switch")

    assert [(order.state, order.intent.symbol == OTHER) for order in sent] == [("REFUSED", False), ("OPEN", True)]
    assert sent[0].message == "not sent: the lot of SENSEX is not known"


def test_a_flat_symbol_needs_no_freeze_quantity(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.long(LOT)
    world.oms.submit(intent("X", side="SELL", purpose="exit"))
    world.broker.fill("X", LOT, 35_000)
    world.oms.on_timer()

    def unknown(index: str, expiry: object, on: object) -> int:
        raise UnknownDate(f"the freeze quantity of {index} on {on} is not known")

    monkeypatch.setattr("actors.oms.closing.usable_freeze", unknown)
    assert world.oms.exit_all("flat") == []


def test_without_the_ledger_every_exit_comes_back_refused(world: World) -> None:
    two_positions(world)
    world.ledger.down = lambda name: True
    sent = world.oms.exit_all("kill switch")

    assert [order.state for order in sent[-2:]] == ["REFUSED", "REFUSED"]
    assert all("nothing was sent" in order.message for order in sent[-2:])
