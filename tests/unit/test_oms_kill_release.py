"""A release ends HALTED, wherever the order manager dies and whether or not it is up: only a person's resume trades."""

import contextlib
from typing import NoReturn

import pytest

from core.errors import LedgerDown
from core.records import Kill
from tests.fakes_broker import Died
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import intent
from tests.unit.test_oms_kill import Killable


class Beside(MemoryLedger):
    """The session of another desk of the account: its own rows, and one row of the kill switch."""

    def __init__(self, one: MemoryLedger) -> None:
        self.one = one
        super().__init__()

    def record_kill(self, switch: Kill) -> None:
        self._write("record_kill", None, lambda: self.one.record_kill(switch))

    def kill_switch(self) -> Kill | None:
        self._write("kill_switch", None, lambda: None)
        return self.one.kill_switch()


def pair() -> tuple[Killable, Killable]:
    """Two desks of an account; the second pulls by the first one's row alone."""
    one, other = Killable(), Killable()
    other.ledger = Beside(one.ledger)
    other.restart()
    return one, other


def die() -> NoReturn:
    raise Died


def trades(world: Killable) -> bool:
    return world.oms.submit(intent(f"T{len(world.oms.orders())}")).state == "OPEN"


@pytest.mark.parametrize("when", ["down", "lost"])
@pytest.mark.parametrize("where", ["kill_switch", "record_standing", "record_kill", "remove", "nowhere"])
def test_wherever_it_dies_in_a_release_it_does_not_trade_by_itself(where: str, when: str) -> None:
    world = Killable()
    world.ledger.down = lambda name: name == "record_standing"
    world.oms.kill("drill", "asha")  # nothing of HALTED is in the ledger yet
    world.ledger.down = lambda name: False
    remove = world.file.remove
    setattr(world.ledger, when, lambda name: name == where and die())

    def removes() -> None:
        if when == "lost":
            remove()
        die()

    if where == "remove":
        world.file.remove = removes  # type: ignore[method-assign]
    with contextlib.suppress(Died, LedgerDown):
        world.later(1)
        world.later(1)
        world.oms.release("seen", "ravi")
    world.ledger.down = world.ledger.lost = lambda name: False
    world.file.remove = remove  # type: ignore[method-assign]
    world.restart()
    for _ in range(3):
        world.later(1)

    assert (world.oms.state(), trades(world)) == ("HALTED", False)
    if world.oms.killed() is not None:
        world.oms.release("seen", "ravi")
    world.oms.resume()
    assert trades(world)


@pytest.mark.parametrize("word", ["nothing", "resume", "reduce"])
def test_a_desk_that_was_held_and_is_down_while_another_releases_comes_up_halted(word: str) -> None:
    one, other = pair()
    one.oms.kill("drill", "asha")
    other.later(3)
    assert other.oms.killed() is not None
    if word == "resume":
        assert other.oms.resume() == "HALTED", "nobody resumes while it is pulled"
    if word == "reduce":
        assert other.oms.reduce("careful") == "HALTED"
    one.oms.release("seen", "ravi")
    other.restart()
    other.later(3)

    assert (other.oms.killed(), other.oms.state(), trades(other)) == (None, "HALTED", False)
    assert other.oms.resume() == "ACTIVE"
    other.restart()
    assert trades(other)


def test_a_desk_that_was_started_while_it_was_pulled_and_is_down_at_the_release_comes_up_halted() -> None:
    one, other = pair()
    one.oms.kill("drill", "asha")
    other.restart()
    one.oms.release("seen", "ravi")
    other.restart()
    other.later(3)
    assert (other.oms.killed(), other.oms.state()) == (None, "HALTED")


@pytest.mark.parametrize("when", ["down", "lost"])
@pytest.mark.parametrize("where", ["kill_switch", "standing", "record_standing"])
def test_wherever_a_held_desk_dies_it_is_halted_after_the_release(where: str, when: str) -> None:
    """Dead while it was being held, started again, dead again; the other desk releases only then."""
    one, other = pair()
    one.oms.kill("drill", "asha")
    setattr(other.ledger, when, lambda name: name == where and die())
    with contextlib.suppress(Died):
        other.later(3)
    other.ledger.down = other.ledger.lost = lambda name: False
    other.restart()
    one.oms.release("seen", "ravi")
    other.restart()
    other.later(3)
    assert (other.oms.killed(), other.oms.state()) == (None, "HALTED")


def test_a_resume_that_no_ledger_took_is_forgotten_when_the_switch_is_pulled() -> None:
    world = Killable()
    world.oms.halt("lunch")
    world.ledger.down = lambda name: True
    world.oms.resume()
    world.oms.kill("drill", "asha")
    world.ledger.down = lambda name: False
    for _ in range(4):
        world.later(1)
    world.ledger.lost = lambda name: name == "record_kill" and die()
    with pytest.raises(Died):
        world.oms.release("seen", "ravi")
    world.ledger.lost = lambda name: False
    world.file.said = ""
    world.restart()
    assert (world.oms.killed(), world.oms.state()) == (None, "HALTED")


def test_what_a_person_said_before_stays_the_reason() -> None:
    world = Killable()
    world.oms.halt("lunch")
    world.oms.kill("drill", "asha")
    world.later(1)
    assert world.ledger.standing() == ("HALTED", "lunch")


def test_without_the_ledger_that_keeps_it_halted_it_is_not_released() -> None:
    world = Killable()
    world.ledger.down = lambda name: name == "record_standing"
    world.oms.kill("drill", "asha")
    with pytest.raises(LedgerDown):
        world.oms.release("seen", "ravi")
    assert world.oms.killed() is not None
    assert world.ledger.kill is not None
    assert world.ledger.kill.pulled
