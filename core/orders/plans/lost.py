"""What a plan does about exits that are lost: the broker took them and lists them no more, but they may still fill.

Nobody waits for a lost order (docs/orders.md), so what it was for leaves by another. Two orders for the same units must
not rest: the lost one is asked back once, and taken back when it is listed again.
"""

from core.orders.machine import remaining
from core.orders.plans.job import WORD, Job
from core.orders.plans.plan import Cancel, Say, Step, View, live
from core.records import Order


def lost_of(orders: list[Order]) -> int:
    """Units that lost exits may still take off."""
    return sum(remaining(order) for order in orders if _is_lost_exit(order))


def put_right(view: View, step: str, job: Job, orders: list[Order]) -> tuple[list[Step], list[Order]]:
    """What lost exits among a step's orders make necessary, and which of the orders stay as they are."""
    filled = sum(order.filled_quantity for order in orders)
    twice = _surplus(view, orders, job.quantity - filled)
    found = [*passed_over(view, orders), *(Cancel(order.intent.tag) for order in twice)]
    if filled > job.quantity:
        text = f"{filled - job.quantity} too many of {job.symbol} were {WORD[job.side]}: undo that by hand"
        found.append(Say("alarm", f"beyond {step}", text))
    return found, [order for order in orders if order not in twice and live(order)]


def lost_again(step: str, symbol: str, orders: list[Order], most: int) -> Say | None:
    """An alarm if more is lost than the `most` units there were to leave: what was sent for lost orders is lost too.

    Then it is no single order that cannot be trusted, and no more are sent.
    """
    if lost_of(orders) <= most:
        return None
    text = f"{symbol}: an order is lost, and so is what was sent in its place; close what is left by hand"
    return Say("alarm", f"lost again {step}", text)


def _is_lost_exit(order: Order) -> bool:
    return order.lost and order.intent.purpose == "exit"


def passed_over(view: View, orders: list[Order]) -> list[Step]:
    """Done once an order: it is told, for the plan to know it by, and asked back."""
    found: list[Step] = []
    for order in filter(_is_lost_exit, orders):
        tag = order.intent.tag
        if _key(tag) not in view.said:
            text = f"{remaining(order)} of {order.intent.symbol}: {tag} is lost, they leave by another order"
            found += [Say("warning", _key(tag), text), Cancel(tag)]
    return found


def _surplus(view: View, orders: list[Order], left: int) -> list[Order]:
    """Orders to take back, so that no more than `left` units can leave: those first that have been lost."""
    alive, found = [order for order in orders if live(order)], list[Order]()
    over = sum(map(remaining, alive)) - left
    for order in sorted(alive, key=lambda one: _key(one.intent.tag) not in view.said):
        if over > 0:
            found.append(order)
            over -= remaining(order)
    return found


def _key(tag: str) -> str:
    return f"lost {tag}"
