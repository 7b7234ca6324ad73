"""What the order manager tells of the guards before its broker."""

from core.orders.budget import BudgetConfig
from core.risk.breaker import BreakerConfig
from tests.fakes_orders import intent
from tests.world_oms import World


def test_the_circuit_breakers_state_and_reason_are_told_while_it_is_not_closed() -> None:
    world = World(breaker=BreakerConfig(failures=2, open_ms=5_000))
    assert world.oms.tells() == ("ACTIVE", "")
    for tag in ("A", "B"):
        world.broker.next_place = "refuse"
        world.oms.submit(intent(tag))
    state, broken = world.oms.tells()
    assert (state, broken.split(":")[0]) == ("ACTIVE", "OPEN")
    assert "in a row" in broken
    assert world.oms.submit(intent("C")).state == "REFUSED"
    world.later(6)
    assert world.oms.tells()[1].startswith("HALF_OPEN: ")
    world.oms.submit(intent("D"))
    assert world.oms.tells() == ("ACTIVE", "")


def test_it_tells_how_much_of_the_order_budget_is_used() -> None:
    world = World(budget=BudgetConfig())
    world.oms.submit(intent("A"))
    world.oms.cancel("A")

    assert [(use.limit, use.used, use.allowed, use.unit) for use in world.oms.budget()] == [
        ("requests_a_second", 2, 5, "requests a second"),
        ("orders_a_minute", 1, 50, "orders a minute"),
        ("orders_a_day", 1, 1_000, "orders a day"),
    ]
