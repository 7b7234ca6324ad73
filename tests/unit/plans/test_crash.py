"""An order manager that dies after any step decides the rest again, with the same tags: nothing twice, nothing lost."""

from collections.abc import Callable

import pytest

from core.orders import plans
from core.orders.plans import (
    Basket,
    BasketLeg,
    Close,
    Iceberg,
    Plan,
    Roll,
    Rollover,
    Sliced,
    SquareOff,
    TargetPosition,
    Twap,
)
from tests.fakes_orders import INDEX, LOT, NOON, SECOND, SYMBOL
from tests.unit.plans.desk import Desk, book
from tests.unit.plans.test_bracket import bracket
from tests.unit.plans.test_multi_leg import CALL, condor
from tests.unit.plans.test_overnight import overnight

OTHER = "SENSEX2591181000PE"
COMMON = {"plan_id": "C1", "strategy": "s", "index": INDEX, "created_ns": NOON}


def nothing_else(desk: Desk) -> None:
    """Every order fills at once."""


def to_the_target(desk: Desk) -> None:
    desk.quote(SYMBOL, 42_000, 42_010)


def jump_the_stop(desk: Desk) -> None:
    desk.quote(SYMBOL, 27_000, 27_010)


def refuse_a_short(desk: Desk) -> None:
    desk.refuse = lambda intent: "margin" if intent.symbol == CALL and intent.purpose == "entry" else ""


def refuse_a_slice(desk: Desk) -> None:
    desk.refuse = lambda intent: "no" if intent.quantity == 500 and intent.purpose == "entry" else ""


def end_it(desk: Desk) -> None:
    desk.ending = "enough"


LEGS = tuple(BasketLeg(symbol=name, side="BUY", quantity=2_000) for name in (SYMBOL, OTHER))
CLOSES = (Close(symbol=SYMBOL, quantity=-2_500), Close(symbol=OTHER, quantity=2_500))
ROLLS = (
    Roll(symbol=SYMBOL, quantity=-1_500, into="SENSEX2591880500PE"),
    Roll(symbol=OTHER, quantity=1_500, into="SENSEX2591881000PE"),
)
CASES: dict[str, tuple[Plan, dict[str, int], Callable[[Desk], None], Callable[[Desk], None]]] = {
    "bracket at its target": (bracket(quantity=2_500), {}, nothing_else, to_the_target),
    "bracket whose stop is jumped": (bracket(quantity=2_500), {}, nothing_else, jump_the_stop),
    "bracket that is ended": (bracket(quantity=2_500), {}, nothing_else, end_it),
    "condor": (condor(), {}, nothing_else, nothing_else),
    "condor that is undone": (condor(), {}, refuse_a_short, nothing_else),
    "slices": (Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=2_500), {}, nothing_else, nothing_else),
    "slices that are undone": (
        Sliced(**COMMON, symbol=SYMBOL, side="BUY", quantity=2_500, refused="unwind"), {}, refuse_a_slice, nothing_else,
    ),
    "basket": (Basket(**COMMON, legs=LEGS), {}, nothing_else, nothing_else),
    "square-off": (SquareOff(**COMMON, positions=CLOSES), {SYMBOL: -2_500, OTHER: 2_500}, nothing_else, nothing_else),
    "target": (TargetPosition(**COMMON, symbol=SYMBOL, target=-2_500), {SYMBOL: 1_500}, nothing_else, nothing_else),
    "iceberg": (
        Iceberg(**COMMON, symbol=SYMBOL, side="BUY", quantity=100, visible=40, limit_paise=35_000),
        {}, nothing_else, nothing_else,
    ),
    "twap": (
        Twap(
            **COMMON, symbol=SYMBOL, side="BUY", quantity=120, slices=3, start_ns=NOON, end_ns=NOON + 3 * SECOND
        ),
        {}, nothing_else, nothing_else,
    ),
    "rollover": (Rollover(**COMMON, legs=ROLLS), {SYMBOL: -1_500, OTHER: 1_500}, nothing_else, nothing_else),
    "trigger": (overnight(), {SYMBOL: 60}, nothing_else, end_it),
}  # fmt: skip


def day(case: str, crash_at: int = -1) -> Desk:
    plan, base, before, after = CASES[case]
    desk = Desk(plan, {name: book(34_990, 35_000) for name in plans.symbols(plan)}, lot=LOT)
    desk.base, desk.crash_at = dict(base), crash_at
    before(desk)
    desk.run(2)
    after(desk)
    desk.run(20)
    return desk


@pytest.mark.parametrize("case", CASES)
def test_dying_after_any_step_leads_to_the_same_orders(case: str) -> None:
    whole = day(case)
    assert whole.done is not None
    assert whole.steps_done > 1
    for place in range(whole.steps_done):
        died = day(case, place)
        assert died.crash_at == -1, "it died"
        assert died.orders.keys() == whole.orders.keys(), place
        assert {tag: order.filled_quantity for tag, order in died.orders.items()} == {
            tag: order.filled_quantity for tag, order in whole.orders.items()
        }
        assert died.done == whole.done
        assert died.said.keys() == whole.said.keys()
