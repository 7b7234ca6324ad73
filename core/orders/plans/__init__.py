"""Order kinds that are more than one order, as pure functions; docs/plans.md.

`steps` is all the order manager calls; core/orders/plans/plan.py is the contract of what goes in and comes out.
"""

from core.market import exchange_of, phase
from core.orders.machine import terms
from core.orders.plans.basket import Basket, BasketLeg
from core.orders.plans.bracket import Bracket, Protect
from core.orders.plans.exit_rules import ExitRules, Trail
from core.orders.plans.handover import successor
from core.orders.plans.job import Ladder
from core.orders.plans.multi_leg import Leg, MultiLeg, Short
from core.orders.plans.over_time import Iceberg, Twap
from core.orders.plans.overnight import Overnight
from core.orders.plans.plan import (
    DONE,
    Cancel,
    CancelGtt,
    Done,
    Gtt,
    GttLeg,
    HandOver,
    Modify,
    Outcome,
    PlaceGtt,
    PlanBase,
    Policy,
    Say,
    Send,
    Severity,
    Step,
    View,
    movable,
    step_tag,
)
from core.orders.plans.rollover import Roll, Rollover
from core.orders.plans.sliced import Sliced
from core.orders.plans.square_off import Close, SquareOff
from core.orders.plans.target import TargetPosition
from core.records import Order

Plan = (
    Basket | Bracket | Iceberg | MultiLeg | Overnight | Protect | Rollover | Sliced | SquareOff | TargetPosition | Twap
)

__all__ = [
    "DONE",
    "Basket",
    "BasketLeg",
    "Bracket",
    "Cancel",
    "CancelGtt",
    "Close",
    "Done",
    "ExitRules",
    "Gtt",
    "GttLeg",
    "HandOver",
    "Iceberg",
    "Ladder",
    "Leg",
    "Modify",
    "MultiLeg",
    "Outcome",
    "Overnight",
    "PlaceGtt",
    "Plan",
    "PlanBase",
    "Policy",
    "Protect",
    "Roll",
    "Rollover",
    "Say",
    "Send",
    "Severity",
    "Short",
    "Sliced",
    "SquareOff",
    "Step",
    "TargetPosition",
    "Trail",
    "Twap",
    "View",
    "exit_reason",
    "is_over",
    "step_tag",
    "steps",
    "successor",
    "symbols",
]


def steps(plan: Plan, view: View) -> tuple[Step, ...]:
    """What to do next, in this order; empty when there is nothing, and for ever after the plan's end.

    Raises UnknownDate as core.market does, on a day whose session no table knows.
    """
    if DONE in view.said:
        return ()
    is_open = phase(exchange_of(plan.index), view.now_ns) == "open"
    found: list[Step] = []
    keys: set[str] = set()
    for step in plan.decide(view):
        if isinstance(step, Say):
            if step.key in keys:
                continue
            keys.add(step.key)
        if _is_news(plan, view, step, is_open=is_open):
            found.append(step)
    return tuple(found)


def symbols(plan: Plan) -> frozenset[str]:
    """The contracts whose books the plan goes by, from its beginning to its end."""
    return plan.symbols()


def is_over(plan: Plan, view: View) -> bool:
    """Whether nothing more will come of the plan."""
    return DONE in view.said or any(isinstance(step, Done) for step in steps(plan, view))


def exit_reason(plan: Plan, view: View, order: Order, paise: float) -> str:
    """Why an exit left at `paise`: "stop", "target", or what ended the plan.

    The intent's own reason is what it was sent as, and a target is sent as a stop.
    """
    return plan.exit_reason(view, order, paise) if isinstance(plan, Bracket | Protect) else order.intent.reason


def _is_news(plan: Plan, view: View, step: Step, *, is_open: bool) -> bool:
    """Whether a step's effect is not there yet and can be had now: without a session nothing is sent or modified."""
    if isinstance(step, Send):
        return is_open and step.intent.tag not in view.orders
    if isinstance(step, Modify):
        order = view.orders[step.order]
        spent = order.modifications >= view.most_modifications
        return is_open and not spent and movable(plan, view, order) and terms(order) != step.terms
    if isinstance(step, Cancel):
        return movable(plan, view, view.orders[step.order])
    if isinstance(step, Say):
        return step.key not in view.said
    if isinstance(step, PlaceGtt):
        return step.name not in view.gtts
    return not isinstance(step, CancelGtt) or step.name not in view.changing
