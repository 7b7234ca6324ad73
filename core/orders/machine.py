"""The order's life as pure functions: (order, what was learned) → order.

JOURNALLED → UNKNOWN → OPEN → COMPLETE | CANCELLED | REJECTED, with any step left out; REFUSED is born so.
News may come late, twice or out of order, so three rules hold whatever comes: an ended order stays ended in the
state it has; a state never goes back; the filled quantity only grows and never passes what was asked. A fill
that comes after the end still counts: the money moved.

The states are one table, TRANSITIONS; nothing else here decides what state follows.
"""

from collections.abc import Mapping

import msgspec

from core.errors import InputError
from core.records import LIVE, Fill, Intent, Order, OrderEvent, OrderState, Terms

# Row: the state an order is in. Column: the state that was heard of it. What fills the last of it is heard as COMPLETE;
# REFUSED is heard of no order that was journalled, so it moves none.
# fmt: off
_TABLE: tuple[tuple[OrderState, ...], ...] = (
    # heard        JOURNALLED    UNKNOWN      OPEN         COMPLETE     CANCELLED    REJECTED     REFUSED
    ("JOURNALLED", "JOURNALLED", "UNKNOWN",   "OPEN",      "COMPLETE",  "CANCELLED", "REJECTED",  "JOURNALLED"),
    ("UNKNOWN",    "UNKNOWN",    "UNKNOWN",   "OPEN",      "COMPLETE",  "CANCELLED", "REJECTED",  "UNKNOWN"),
    ("OPEN",       "OPEN",       "OPEN",      "OPEN",      "COMPLETE",  "CANCELLED", "REJECTED",  "OPEN"),
    ("COMPLETE",   "COMPLETE",   "COMPLETE",  "COMPLETE",  "COMPLETE",  "COMPLETE",  "COMPLETE",  "COMPLETE"),
    ("CANCELLED",  "CANCELLED",  "CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED"),
    ("REJECTED",   "REJECTED",   "REJECTED",  "REJECTED",  "REJECTED",  "REJECTED",  "REJECTED",  "REJECTED"),
    ("REFUSED",    "REFUSED",    "REFUSED",   "REFUSED",   "REFUSED",   "REFUSED",   "REFUSED",   "REFUSED"),
)
# fmt: on
STATES: tuple[OrderState, ...] = tuple(row[0] for row in _TABLE)
TRANSITIONS: Mapping[tuple[OrderState, OrderState], OrderState] = {
    (now, heard): after for now, *row in _TABLE for heard, after in zip(STATES, row, strict=True)
}


class Tally(msgspec.Struct, frozen=True):
    """Sum of an order's distinct fills: units, and units × paise."""

    quantity: int = 0
    value_paise: int = 0

    def add(self, fill: Fill) -> "Tally":
        return Tally(self.quantity + fill.quantity, self.value_paise + fill.quantity * fill.price_paise)


def born(intent: Intent, at_ns: int) -> Order:
    """The order of an intent that has just been committed to the ledger."""
    return Order(intent=intent, state="JOURNALLED", updated_ns=at_ns)


def refused(intent: Intent, at_ns: int, message: str) -> Order:
    """The order of an intent that was never sent, with the reason in words."""
    return Order(intent=intent, state="REFUSED", updated_ns=at_ns, message=message)


def terms(order: Order) -> Terms:
    """What rests at the broker, as far as is known: the intent's own terms until a modification was seen there."""
    if order.resting_type:
        return Terms(
            order_type=order.resting_type,
            limit_paise=order.resting_limit_paise,
            trigger_paise=order.resting_trigger_paise,
        )
    intent = order.intent
    return Terms(order_type=intent.order_type, limit_paise=intent.limit_paise, trigger_paise=intent.trigger_paise)


def resting(order: Order, now: Terms) -> Order:
    """`order` with the terms it has now; the same order once it has ended or if they are not new.

    Words about it were about the modification, and that has been done.
    """
    if order.state not in LIVE or now == terms(order):
        return order
    return msgspec.structs.replace(
        order,
        resting_type=now.order_type,
        resting_limit_paise=now.limit_paise,
        resting_trigger_paise=now.trigger_paise,
        message="",
    )


def advance(order: Order, event: OrderEvent, *, broker_id: str = "") -> Order:
    """`order` after `event`; the same order if the event says nothing new. InputError if it is another order's."""
    _same(order, event.tag)
    filled = min(order.intent.quantity, max(order.filled_quantity, event.filled_quantity))
    whole = filled == order.intent.quantity and event.state in LIVE
    state = TRANSITIONS[order.state, "COMPLETE" if whole else event.state]
    known_as = order.broker_id or broker_id
    if (state, filled, known_as) == (order.state, order.filled_quantity, order.broker_id):
        return order
    return msgspec.structs.replace(
        order,
        state=state,
        filled_quantity=filled,
        broker_id=known_as,
        message=event.message or order.message if state != order.state else order.message,
        updated_ns=max(order.updated_ns, event.at_ns),
    )


def noted(order: Order, message: str, at_ns: int) -> Order:
    """`order` with other words about it; the same order once it has ended or if they are not new."""
    if order.state not in LIVE or message == order.message:
        return order
    return msgspec.structs.replace(order, message=message, updated_ns=max(order.updated_ns, at_ns))


def with_fill(order: Order, fill: Fill, tally: Tally) -> Order:
    """`order` after a new fill; `tally` is the sum of its distinct fills with this one. A fill proves it OPEN."""
    _same(order, fill.tag)
    event = OrderEvent(tag=fill.tag, state="OPEN", at_ns=fill.at_ns, filled_quantity=tally.quantity)
    return msgspec.structs.replace(advance(order, event), average_paise=tally.value_paise / tally.quantity)


def event_of(order: Order) -> OrderEvent:
    """The event that brings any earlier version of `order` to this one."""
    return OrderEvent(
        tag=order.intent.tag,
        state=order.state,
        at_ns=order.updated_ns,
        filled_quantity=order.filled_quantity,
        message=order.message,
    )


def remaining(order: Order) -> int:
    """Units that may still fill; 0 once the order has ended."""
    return order.intent.quantity - order.filled_quantity if order.state in LIVE else 0


def _same(order: Order, tag: str) -> None:
    if tag != order.intent.tag:
        raise InputError(f"news of order {tag} was given to order {order.intent.tag}")


def in_words_of(terms: Terms) -> str:
    trigger = f", trigger {terms.trigger_paise / 100:.2f}" if terms.trigger_paise else ""
    return f"{terms.order_type} at {terms.limit_paise / 100:.2f}{trigger}"
