"""Which plan has a position when the session closes, or opens: its stop by day, a trigger at the broker by night."""

from core.errors import InputError
from core.orders.plans.bracket import Bracket, Protect
from core.orders.plans.overnight import Overnight
from core.orders.plans.plan import HandOver, PlanBase, tag_of


def successor(plan: PlanBase, step: HandOver, now_ns: int) -> Overnight | Protect:
    """The plan that follows `plan`, with its strategy, product and exits; of one plan always of the same id."""
    if not isinstance(plan, Bracket | Protect | Overnight):
        raise InputError(f"plan {plan.plan_id} holds nothing that another plan could follow")
    kind: type[Overnight | Protect] = Overnight if step.to == "night" else Protect
    return kind(
        plan_id=tag_of(plan.plan_id, step.to), strategy=plan.strategy, index=plan.index, created_ns=now_ns,
        product=plan.product, policy=plan.policy, symbol=plan.symbol, quantity=step.quantity, exit=plan.exit,
    )  # fmt: skip
