"""What the engine does to one order: its next steps, its fields, its protection."""

from collections import deque

from core.matching.match import protected_limit
from exchange.orders.order import Order, Row
from exchange.orders.request import Asked

STEP_NS = 20_000_000  # between two interim states
ENTERING = ("validate", "admit", "arrive")


def plan(order: Order, now_ns: int, *steps: str) -> None:
    """Steps one after the other from now on, before what was planned for later."""
    order.plan = deque(sorted([*order.plan, *((now_ns + (i + 1) * STEP_NS, step) for i, step in enumerate(steps))]))


def assign(order: Order, fields: Row) -> None:
    """Set fields by name."""
    for field, value in fields.items():
        setattr(order, field, value)


def waits_for_morning(order: Order) -> bool:
    """Whether it is an after-market order that has not been to the market."""
    return order.variety == "amo" and order.exchange_id is None


def protection_limit(order: Order, last_paise: int) -> int:
    """The limit a MARKET order becomes: Kite's automatic band, or the client's per cent, on a tick inside it."""
    tick = order.one.tick_paise
    if order.protection < 0:
        return protected_limit(order.side, last_paise, tick)
    if order.side == "BUY":
        return max(tick, int(last_paise * (1 + order.protection / 100)) // tick * tick)
    return max(tick, -(-int(last_paise * (1 - order.protection / 100)) // tick) * tick)


def as_asked(order: Order, change: Row) -> Asked:
    """The order as it would be, for the rules that need nothing else."""
    now = {name: change.get(name, getattr(order, name)) for name in
           ("order_type", "validity", "quantity", "price_paise", "trigger_paise", "protection")}  # fmt: skip
    return Asked(
        one=order.one, variety="regular", side=order.side, product=order.product,
        ttl_minutes=order.ttl_minutes or 1,
        disclosed=order.disclosed, legs=0, leg_quantity=0, tag=order.tag, autoslice=False, **now,  # type: ignore[arg-type]
    )  # fmt: skip
