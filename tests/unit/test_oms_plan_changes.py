"""When a plan asks again for a modification or a cancel that was turned away, or could not even be asked for."""

from typing import Literal

import pytest

from actors.oms.guards import Guards
from core.orders.answer import Answer
from core.orders.machine import terms
from core.records import Purpose, Refusal, Terms
from tests.fakes_orders import LOT
from tests.unit.test_oms_plans import Planned

FULL = Refusal(limit="requests_a_second", allowed="5", asked="6", why="full")


def entered() -> Planned:
    """A bracket that holds a lot, its stop resting."""
    world = Planned()
    entry = world.begin()
    world.broker.fill(entry.intent.tag, LOT, 35_100)
    world.quote(35_000)
    return world


def asked_at(world: Planned, answers: list[str]) -> list[float]:
    """Seconds after which the plan asks the broker for its stop at the target, with `answers` in this order."""
    began, seen, modify = world.clock.wall_ns(), list[float](), world.broker.modify

    def heard(broker_id: str, wanted: Terms) -> Answer:
        seen.append((world.clock.wall_ns() - began) / 1e9)
        world.broker.next_modify = answers.pop(0) if answers else "ack"
        return modify(broker_id, wanted)

    world.broker.modify = heard  # type: ignore[method-assign]
    for _ in range(9):
        world.quote(40_000)
    return seen


@pytest.mark.parametrize(
    ("answers", "at"),
    [(["refuse"], [0.5, 1.0]), (["refuse", "refuse"], [0.5, 1.0, 1.5]), (["lose the request"], [0.5, 3.5])],
)
def test_one_that_was_refused_is_asked_for_again_and_one_not_known_is_waited_for(
    answers: list[str], at: list[float]
) -> None:
    world = entered()

    assert asked_at(world, answers) == at
    assert {terms(one).limit_paise for one in world.of("SELL", live=True)} == {40_000}


@pytest.mark.parametrize(("action", "again"), [("modify", [0.5, 1.0]), ("cancel", [0.5, 1.0])])
def test_one_that_could_not_be_asked_for_waits_half_a_second_whatever_moves(
    monkeypatch: pytest.MonkeyPatch, action: Literal["modify", "cancel"], again: list[float]
) -> None:
    world = entered()
    room, tried, began = Guards.room, list[float](), world.clock.wall_ns()

    def full_once(guards: Guards, what: Literal["place", "modify", "cancel"], purpose: Purpose) -> Refusal | None:
        if what != action:
            return room(guards, what, purpose)
        tried.append((world.clock.wall_ns() - began) / 1e9)
        return FULL if len(tried) == 1 else room(guards, what, purpose)

    monkeypatch.setattr(Guards, "room", full_once)
    if action == "cancel":
        world.oms.end_plan("P1", "enough")
    for _ in range(4):
        world.quote(40_000)
        world.oms.on_timer()

    assert tried == again
