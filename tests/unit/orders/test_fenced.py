"""An order manager that was replaced and does not know it yet: it may journal nothing, and so sends nothing."""

from contextlib import suppress

import pytest

from actors.oms.standing import PROVED_NS
from core.errors import LedgerFenced, VikalpError
from tests.fakes_orders import LOT, SECOND, intent
from tests.world_oms import World


@pytest.fixture
def world() -> World:
    """Two lots are held and B rests; `world.oms` is the newer order manager, `old` the one before it.

    For PROVED_NS it may believe what the ledger said last.
    """
    world = World()
    world.long(2 * LOT)
    world.oms.submit(intent("B"))
    world.old = world.oms  # type: ignore[attr-defined]
    world.restart()
    world.clock.sleep(PROVED_NS / SECOND)
    return world


def asked(world: World) -> list[str]:
    """What the broker is asked from now on, beside its book."""
    said: list[str] = []
    place, cancel = world.broker.place, world.broker.cancel
    world.broker.place = lambda one: said.append(f"place {one.tag}") or place(one)  # type: ignore[method-assign,func-returns-value]
    world.broker.cancel = lambda one: said.append(f"cancel {one}") or cancel(one)  # type: ignore[method-assign,func-returns-value]
    return said


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda old: old.submit(intent("C")), id="an entry"),
        pytest.param(lambda old: old.submit(intent("X", side="SELL", purpose="exit")), id="an exit"),
        pytest.param(lambda old: old.cancel("B"), id="a cancel"),
        pytest.param(lambda old: old.exit_all("a test"), id="exit_all"),
    ],
)
def test_a_replaced_order_manager_asks_the_broker_for_nothing(world: World, act: object) -> None:
    said = asked(world)
    with suppress(LedgerFenced):
        act(world.old)  # type: ignore[operator,attr-defined]
    world.later()

    assert said == []
    assert world.old.state() == "HALTED"  # type: ignore[attr-defined]
    assert (world.order("B").state, world.oms.state()) == ("OPEN", "ACTIVE")


def test_a_refusal_of_a_replaced_order_manager_uses_up_no_tag(world: World) -> None:
    refused = world.old.submit(intent("C", quantity=LOT + 1))  # type: ignore[attr-defined]
    assert (refused.state, world.old.state()) == ("REFUSED", "HALTED")  # type: ignore[attr-defined]
    assert "a newer order manager has taken over" in world.old._parts.standing.against  # type: ignore[attr-defined]
    assert "C" not in world.ledger.table
    assert world.oms.submit(intent("C")).state == "OPEN"


def test_a_replaced_order_manager_that_only_waits_learns_of_it(world: World) -> None:
    for _ in range(20):
        world.clock.sleep(1)
        world.old.on_timer()  # type: ignore[attr-defined]

    assert world.old.state() == "HALTED"  # type: ignore[attr-defined]


def test_without_the_ledger_a_cancel_is_still_asked_for(world: World) -> None:
    world.ledger.down = lambda _: True
    said = asked(world)
    with suppress(VikalpError):
        world.oms.cancel("B")

    assert said == ["cancel B2"]
