"""What the engine does to one order: its next steps, its fields, its protection."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.matching.match import protected_limit
from exchange.orders.order import Order, Row
from exchange.orders.request import ORDER_TYPES, VALIDITIES, check, one_of, paise, protection, whole
from exchange.quotes import Quotes
from exchange.refusal import bad_input

STEP_NS = 20_000_000  # between two interim states
ENTERING = ("validate", "admit", "arrive")
LEAVING = ("cancelled", "expire")
EVERY = (*ENTERING, "queue", "modifying", "modified", *LEAVING)


def plan(order: Order, now_ns: int, *steps: str) -> None:
    """Steps one after the other from now on, before what was planned for later."""
    order.plan = deque(sorted([*order.plan, *((now_ns + (i + 1) * STEP_NS, step) for i, step in enumerate(steps))]))


def plan_expiry(order: Order, now_ns: int) -> None:
    """A TTL order ends so many minutes from now on; any other not by itself."""
    order.plan = deque(step for step in order.plan if step[1] != "expire")
    if order.asked.validity == "TTL":
        order.plan.append((now_ns + order.asked.ttl_minutes * 60_000_000_000, "expire"))
        order.plan = deque(sorted(order.plan))


def changing(order: Order) -> bool:
    """Whether a modification or a cancel is on its way."""
    return "modified" in _planned(order) or leaving(order)


def leaving(order: Order) -> bool:
    """Whether a cancel is on its way."""
    return "cancelled" in _planned(order)


def _planned(order: Order) -> set[str]:
    return {step for _, step in order.plan}


def change_of(order: Order, form: Mapping[str, str]) -> Row:
    """Fields that a form changes, as numbers; KiteError 400 where the order would be none any more."""
    change: dict[str, Any] = {}
    for field, name in (("price_paise", "price"), ("trigger_paise", "trigger_price")):
        if form.get(name):
            change[field] = paise(form, name)
    for field, name in (("quantity", "quantity"), ("ttl_minutes", "validity_ttl")):
        if form.get(name):
            change[field] = whole(form, name)
    for name, allowed in (("order_type", ORDER_TYPES), ("validity", VALIDITIES)):
        if form.get(name):
            change[name] = one_of(form, name, allowed)
    if form.get("market_protection"):
        change["protection"] = protection(form)
    asked = replace(order.asked, **change)
    check(replace(asked, variety="regular"))  # a leg of an iceberg is an order like any other
    if asked.quantity <= order.filled:
        raise bad_input(f"Invalid `quantity`: {order.filled} have traded already")
    if order.iceberg is not None and asked.quantity != order.quantity:
        raise bad_input("Invalid `quantity`: the legs of an iceberg keep theirs")
    return change


def waits_for_morning(order: Order) -> bool:
    """Whether it is an after-market order that has not been to the market."""
    return order.asked.variety == "amo" and order.exchange_id is None


def protection_limit(order: Order, last_paise: int) -> int:
    """The limit a MARKET order becomes: Kite's automatic band, or the client's per cent, on a tick inside it."""
    tick, part = order.one.tick_paise, order.asked.protection / 100
    if part < 0:
        return protected_limit(order.side, last_paise, tick)
    if order.side == "BUY":
        return max(tick, int(last_paise * (1 + part)) // tick * tick)
    return max(tick, -(-int(last_paise * (1 - part)) // tick) * tick)


def blocked(order: Order, quotes: Quotes) -> str | None:
    """Why a MARKET order cannot go to the market now."""
    if order.asked.order_type != "MARKET" or order.forced or quotes.volume[order.one.place]:
        return None
    return "17181 : Market orders are blocked on a contract that has not traded today"
