"""When a plan asks again for a modification or a cancel that was turned away, or could not even be asked for."""

from itertools import pairwise
from typing import Literal

import pytest

from actors.oms.guards import Guards
from core.orders.answer import Answer
from core.orders.machine import terms
from core.records import Order, Purpose, Refusal, Terms
from tests.fakes_orders import LOT, SECOND
from tests.unit.test_oms_plans import Planned

Kind = Literal["REFUSED", "UNKNOWN"]
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


def slowly(world: Planned, bad: set[str], seconds: float, kind: Kind = "REFUSED") -> list[tuple[str, float]]:
    """The broker does none of the cancels of these orders, after that time; which it was asked for, and when."""
    asked, cancel = list[tuple[str, float]](), world.broker.cancel

    def heard(broker_id: str) -> Answer:
        if broker_id not in bad:
            return cancel(broker_id)
        asked.append((broker_id, world.clock.wall_ns() / SECOND))
        world.clock.sleep(seconds)
        return Answer(kind=kind, message="no")

    world.broker.cancel = heard  # type: ignore[method-assign]
    return asked


def resting(*plans: str) -> tuple[Planned, dict[str, Order]]:
    """A bracket each, its entry resting."""
    world = Planned()
    for plan_id in plans:
        world.oms.start_plan(world.bracket(plan_id))
    world.quote(35_000)
    return world, {order.intent.plan: order for order in world.of("BUY")}


@pytest.mark.parametrize("seconds", [0.1, 2.1, 2.5])
@pytest.mark.parametrize("slow", [1, 5])
@pytest.mark.parametrize("kind", ["REFUSED", "UNKNOWN"])
def test_no_plans_slow_changes_take_another_ones_turns(kind: Kind, slow: int, seconds: float) -> None:
    bad = [f"P{n}" for n in range(slow)]
    world, entries = resting(*bad, "LAST")
    slowly(world, {entries[plan_id].broker_id for plan_id in bad}, seconds, kind)
    for plan_id in bad:
        world.oms.end_plan(plan_id, "enough")
    for _ in range(6):
        world.quote(35_000)
    world.broker.fill(entries["LAST"].intent.tag, 2 * LOT, 35_100)
    filled_ns = world.clock.now_ns()
    for _ in range(slow + 1):
        world.quote(35_000)

    (stop,) = world.of("SELL", live=True)
    assert (stop.intent.plan, stop.intent.quantity) == ("LAST", 2 * LOT)
    assert (stop.updated_ns - filled_ns) / SECOND <= (slow + 1) * (seconds + 0.5)


@pytest.mark.parametrize(("seconds", "between"), [(0, 0.5), (0.4, 0.9), (1.0, 4.0), (2.5, 10.0)])
def test_a_refusal_that_took_long_is_left_alone_three_times_as_long(seconds: float, between: float) -> None:
    world, entries = resting("P1")
    asked = slowly(world, {entries["P1"].broker_id}, seconds)
    world.oms.end_plan("P1", "enough")
    while len(asked) < 3:
        world.quote(35_000)
        world.oms.on_timer()

    times = [at for _, at in asked]
    assert [pytest.approx(between)] * 2 == [later - at for at, later in pairwise(times)]


def test_one_not_known_after_a_long_time_is_waited_for_as_after_a_short_one() -> None:
    world, entries = resting("P1")
    asked = slowly(world, {entries["P1"].broker_id}, 2.5, "UNKNOWN")
    world.oms.end_plan("P1", "enough")
    while len(asked) < 3:
        world.quote(35_000)

    assert [later - at for (_, at), (_, later) in pairwise(asked)] == [5.5, 5.5]


def test_where_the_market_stands_still_meanwhile_its_time_alone_counts() -> None:
    """A replay's clock: what the wall's does while an answer is on its way changes nothing of what follows."""
    world, entries = resting("P1")
    asked = slowly(world, {entries["P1"].broker_id}, 0)
    ask, market = world.broker.cancel, list[int]()

    def heard(broker_id: str) -> Answer:
        market.append(world.clock.now_ns())
        world.clock.wall += SECOND // 2
        return ask(broker_id)

    world.broker.cancel = heard  # type: ignore[method-assign]
    world.oms.end_plan("P1", "enough")
    for _ in range(4):
        world.quote(35_000)

    assert len(asked) == 4
    assert {later - at for at, later in pairwise(market)} == {SECOND // 2}
