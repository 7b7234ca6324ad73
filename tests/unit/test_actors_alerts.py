"""What the actors raise is there to be shown, also when no ledger takes it."""

from tests.fakes_orders import LOT, intent
from tests.world_oms import World


def messages(world: World) -> list[str]:
    return [alert.message for alert in world.oms.alerts() if alert.severity == "alarm"]


def test_an_order_the_desk_did_not_send_is_an_alarm_that_can_be_shown() -> None:
    world = World()
    world.broker.place(intent("STRAY", quantity=LOT))
    world.later()

    (said,) = messages(world)
    assert "'STRAY' that this desk did not send" in said
    assert world.ledger.alerts()[-1] == said


def test_that_the_ledger_is_away_is_shown_while_it_is_and_written_when_it_is_back() -> None:
    world = World()
    world.long()
    world.ledger.down = lambda name: True
    world.oms.submit(intent("A"))

    (said,) = messages(world)
    assert said.startswith("HALTED, the ledger is away")
    assert said not in world.ledger.alerts()
    world.ledger.down = lambda name: False
    world.later()
    assert said in world.ledger.alerts()
    assert messages(world) == [said], "once"


def test_an_order_manager_keeps_its_latest_alerts() -> None:
    world = World()
    for number in range(120):
        world.oms.halt(f"reason {number}")

    shown = world.oms.alerts()
    assert len(shown) == 50
    assert shown[-1].message == "HALTED: reason 119"
