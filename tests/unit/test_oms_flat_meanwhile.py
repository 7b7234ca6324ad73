"""Exits and entries the broker no longer lists, and what is bought anew while a cancel is on its way."""

import pytest

from core.records import Order
from tests.fakes_orders import LOT, intent, ticks
from tests.world_oms import World, leave, leaving_world

DAY_S = 86_400


@pytest.fixture
def world() -> World:
    return leaving_world()


@pytest.mark.parametrize("filled", [0, LOT])
def test_what_is_bought_anew_while_a_cancel_is_on_its_way_is_not_sold(filled: int) -> None:
    world = World()
    world.long(2 * LOT)
    world.oms.submit(intent("E", quantity=2 * LOT))
    world.broker.slow = True
    flat = world.oms.exit_all("kill switch")[-1]
    world.broker.fill(flat.intent.tag, 2 * LOT, 35_000)
    world.later(20)
    world.oms.submit(intent("NEW", quantity=3 * LOT))
    world.broker.fill("NEW", 3 * LOT, 35_000)
    if filled:
        world.broker.fill("E", filled, 35_000)
    world.later(0.5)
    world.broker.confirm()
    world.later(0.5)

    assert world.order("E").state == "CANCELLED"
    assert world.sold() == ([("OPEN", filled)] if filled else [])
    assert world.oms.positions()[0].quantity == 3 * LOT + filled


def test_an_exit_that_leaves_less_than_is_held_by_then_is_followed_by_its_own_rest(world: World) -> None:
    world.broker.slow = True
    world.oms.exit_all("kill switch")
    world.oms.submit(intent("NEW", quantity=3 * LOT))
    world.broker.fill("NEW", 3 * LOT, 35_000)
    world.broker.fill("X", LOT, 35_000)
    world.broker.confirm()
    world.later(0.5)

    assert (world.sold(), world.oms.positions()[0].quantity) == ([("OPEN", LOT)], 4 * LOT)


def vanish(world: World) -> Order:
    return world.broker.orders.pop("X")


def test_an_exit_the_broker_no_longer_lists_holds_up_exits_for_a_while_only(world: World) -> None:
    vanish(world)
    world.later(0.5)
    early = world.oms.submit(leave("Y", 2 * LOT))
    world.later(15)
    flat = world.oms.exit_all("kill switch")

    assert (early.state, world.order("X").state) == ("REFUSED", "OPEN")
    assert [(order.intent.tag == "X", order.state) for order in flat] == [(True, "REFUSED"), (False, "OPEN")]
    assert world.sold() == [("OPEN", 2 * LOT)]
    assert len([said for said in world.ledger.alerts() if "no longer lists it: it stays OPEN here" in said]) == 1


def test_one_that_is_listed_again_counts_again(world: World) -> None:
    order = vanish(world)
    world.later(0.5)
    world.later(15)
    world.broker.orders["X"] = order
    world.later(0.5)

    assert world.oms.submit(leave("Y", 2 * LOT)).state == "REFUSED"


def test_an_order_of_an_earlier_day_that_the_broker_no_longer_lists_is_over(world: World) -> None:
    vanish(world)
    world.clock.now += 3 * DAY_S * 1_000_000_000
    world.later(0.5)

    assert world.order("X").state == "CANCELLED"
    assert "its day has ended" in world.ledger.alerts()[-1]
    world.oms.on_ticks(ticks(bids=[(34_000, 500)], asks=[(34_100, 500)], at_ns=world.clock.now))
    assert [order.state for order in world.oms.exit_all("kill switch")] == ["OPEN"]


def test_a_vanished_exit_that_fills_beside_the_one_sent_for_it_is_bought_back(world: World) -> None:
    gone = vanish(world)
    world.later(0.5)
    world.later(15)
    world.oms.exit_all("kill switch")
    world.broker.orders["X"] = gone
    world.broker.fill("X", 2 * LOT, 35_000)
    second = next(tag for tag, one in world.broker.orders.items() if one.state == "OPEN")
    world.broker.fill(second, 2 * LOT, 35_000)
    world.later(0.5)
    back = [one.intent for one in world.broker.orders.values() if one.state == "OPEN"]

    assert world.oms.positions()[0].quantity == -2 * LOT
    assert [(one.side, one.quantity, one.purpose) for one in back] == [("BUY", 2 * LOT, "exit")]
