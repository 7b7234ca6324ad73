"""Topic `symbols`: a feed keeps watching what is held and what may still trade, whoever has just started anew."""

from core.schemas import SYMBOLS
from tests.fakes_broker import Died
from tests.fakes_orders import INDEX, LOT, SYMBOL, intent
from tests.world_oms import World

OTHER = "SENSEX2591180600PE"


def told(world: World) -> list[tuple[str, list[str]]]:
    said, world.bus.symbols = world.bus.symbols, []
    return said


def test_at_the_start_the_empty_set_is_told_and_before_it_nothing() -> None:
    world = World()
    started = told(world)
    world.make().on_timer()

    assert (started, told(world)) == ([(INDEX, [])], [])
    assert SYMBOLS.names == ["symbol"]


def test_an_order_that_lives_and_then_its_position_are_told_at_once_and_once() -> None:
    world = World()
    told(world)
    world.oms.submit(intent("A"))
    sent = told(world)
    world.oms.submit(intent("B", symbol=OTHER))
    both = told(world)
    world.oms.cancel("B")
    one = told(world)
    world.broker.fill("A", LOT, 35_000)
    world.later(0.5)
    held = told(world)
    world.oms.submit(intent("X", side="SELL", purpose="exit"))
    world.broker.fill("X", LOT, 35_000)
    world.later(0.5)

    assert (sent, both, one, held) == ([(INDEX, [SYMBOL])], [(INDEX, [SYMBOL, OTHER])], [(INDEX, [SYMBOL])], [])
    assert told(world) == [(INDEX, [])]


def test_an_order_that_is_unsure_keeps_its_symbol_until_it_is_known_to_be_over() -> None:
    world = World()
    told(world)
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    world.later(1)
    unsure = told(world)
    world.later(10)
    told(world)
    world.later(5)

    assert (unsure, world.order().state) == ([(INDEX, [SYMBOL])], "REJECTED")
    assert told(world) == [(INDEX, [])]


def test_every_set_is_told_again_every_few_seconds_also_the_empty_one() -> None:
    world = World()
    told(world)
    for _ in range(16):
        world.later(0.5)

    assert told(world) == [(INDEX, [])] * 4


def test_after_a_crash_the_sets_are_those_of_the_ledger() -> None:
    world = World()
    world.long()
    world.broker.next_place = "die after accept"
    try:
        world.oms.submit(intent("A", symbol=OTHER))
    except Died:
        told(world)
    world.restart()

    assert told(world) == [(INDEX, [SYMBOL, OTHER])]


def test_while_the_ledger_is_away_what_was_known_stays_told_and_then_what_it_says() -> None:
    world = World()
    world.long()
    told(world)
    world.ledger.down = lambda name: True
    world.oms.submit(intent("A", symbol=OTHER))
    for _ in range(8):
        world.later(0.5)
    away = told(world)
    world.ledger.down = lambda name: False
    world.later(0.5)

    assert (away, told(world)) == ([(INDEX, [SYMBOL])] * 2, [(INDEX, [SYMBOL])])


def test_a_symbol_of_an_index_the_desk_does_not_run_is_told_to_nobody() -> None:
    world = World()
    told(world)
    world.oms.submit(intent("A", symbol="NIFTY2590924500CE", index="NIFTY", quantity=75))

    assert told(world) == []
