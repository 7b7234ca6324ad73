"""How a plan works at one side of one contract: its orders of one step, slices in, and a ladder of limits out.

A step's orders are numbered: "exit 0", "exit 1", … Each is at most the freeze quantity. Nothing here remembers: how
far a ladder has come follows from when its order was decided.
"""

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import msgspec

from core.errors import InputError
from core.market import from_ns, lot, parse_symbol, usable_freeze
from core.orders.machine import remaining, terms
from core.orders.plans.job import Job, entry_limit, rung_limit
from core.orders.plans.plan import (
    SECOND,
    Cancel,
    Modify,
    PlanBase,
    Say,
    Send,
    Step,
    View,
    failed,
    intent,
    live,
    tag_of,
)
from core.orders.price_guard import worse
from core.orders.slicing import sizes
from core.records import Order, Terms

_BLOCK = 32  # numbers looked at together; of slices decided at once some may be missing, so many in a row are not


class Worked(NamedTuple):
    """Where a job stands: units traded, units that may still trade, and what to do next."""

    steps: list[Step]
    asked: int
    filled: int
    working: int
    gave_up: bool = False  # it will not be finished: slices were turned away, or the tries are used up

    @property
    def complete(self) -> bool:
        return self.filled >= self.asked

    @property
    def stuck(self) -> bool:
        """Whether nothing more will come of it, and it is not complete."""
        return self.gave_up and not self.working and not self.complete


def series(plan: PlanBase, view: View, step: str) -> list[Order]:
    """The orders of a step, in the order of their numbers."""
    return [order for _, order in _numbered(plan, view, step)]


def _numbered(plan: PlanBase, view: View, step: str) -> list[tuple[int, Order]]:
    found: list[tuple[int, Order]] = []
    for block in count():
        tags = enumerate(_tags(plan.plan_id, step, block), block * _BLOCK)
        more = [(number, view.orders[tag]) for number, tag in tags if tag in view.orders]
        if not more:
            break
        found += more
    return found


@lru_cache(4096)
def _tags(plan_id: str, step: str, block: int) -> tuple[str, ...]:
    return tuple(tag_of(plan_id, f"{step} {number}") for number in range(block * _BLOCK, (block + 1) * _BLOCK))


def next_number(plan: PlanBase, view: View, step: str) -> int:
    """The number of the next order of a step."""
    found = _numbered(plan, view, step)
    return found[-1][0] + 1 if found else 0


def filled_of(orders: list[Order]) -> int:
    return sum(order.filled_quantity for order in orders)


def working_of(orders: list[Order]) -> int:
    return sum(remaining(order) for order in orders)


def lot_of(plan: PlanBase, view: View, symbol: str) -> int:
    """Units of a lot of `symbol` today."""
    return lot_on(plan, symbol, from_ns(view.now_ns).date())


def lot_on(plan: PlanBase, symbol: str, on: dt.date) -> int:
    """Units of a lot of an option on a day; raises as core.market."""
    contract = parse_symbol(symbol, from_ns(plan.created_ns).date())
    if contract.expiry is None:
        raise InputError(f"plan {plan.plan_id}: {symbol} is no option")
    return lot(contract.index, contract.expiry, on)


def most_of(plan: PlanBase, view: View, symbol: str) -> int:
    """The most units one order of `symbol` may have today."""
    contract = parse_symbol(symbol, from_ns(plan.created_ns).date())
    assert contract.expiry is not None, "an option has an expiry"
    return usable_freeze(plan.index, contract.expiry, from_ns(view.now_ns).date())


def sends(plan: PlanBase, view: View, step: str, job: Job, now: Terms) -> list[Step]:
    """New orders of a step for the units of `job`, sliced."""
    first = next_number(plan, view, step)
    return [
        Send(
            intent(
                plan, view, f"{step} {first + place}", symbol=job.symbol, side=job.side, quantity=size,
                terms=now, purpose=job.purpose, reason=job.reason,
            )
        )
        for place, size in enumerate(sizes(job.quantity, most_of(plan, view, job.symbol)))
    ]  # fmt: skip


def cancels(orders: list[Order]) -> list[Step]:
    """A cancel for each that lives; those that cannot be cancelled now are left out where steps are sifted."""
    return [Cancel(order.intent.tag) for order in orders if live(order)]


def enter(plan: PlanBase, view: View, step: str, job: Job) -> Worked:
    """Work a quantity in: slices at the job's limit.

    A slice is sent once the one before it is known to stand, so that one turned away or cancelled stops the rest; with
    "continue" all are sent at once. Units of a slice that ended are not sent again.
    """
    orders = series(plan, view, step)
    now = Worked([], job.quantity, filled_of(orders), working_of(orders))
    at_once = job.refused == "continue"
    if any(not live(order) and order.filled_quantity < order.intent.quantity for order in orders) and not at_once:
        return now._replace(steps=cancels(orders), gave_up=True)
    left = job.quantity - sum(order.intent.quantity for order in orders)
    if left <= 0:
        return now._replace(gave_up=now.filled + now.working < job.quantity)
    if not at_once and any(order.state in {"JOURNALLED", "UNKNOWN"} for order in orders):
        return now
    limit = entry_limit(plan, view, job)
    if not limit:
        return now._replace(steps=[Say("warning", f"no price {step}", f"{job.symbol}: waiting for a first price")])
    rest = msgspec.structs.replace(job, quantity=left)
    found = sends(plan, view, step, rest, Terms(order_type="LIMIT", limit_paise=limit))
    return now._replace(steps=found if at_once else found[:1])


def enter_more(plan: PlanBase, view: View, step: str, job: Job) -> list[Step]:
    """The units of `job` as further orders of a step, whatever became of those before; later after each turned away."""
    if not waited(plan, view, series(plan, view, step)):
        return []
    limit = entry_limit(plan, view, job)
    if not limit:
        return [Say("warning", f"no price {step}", f"{job.symbol}: waiting for a price")]
    return sends(plan, view, step, job, Terms(order_type="LIMIT", limit_paise=limit))


def leave(plan: PlanBase, view: View, step: str, job: Job) -> Worked:
    """Work a quantity out: slices at the touch, each walked to the edge of the band, tried again if turned away."""
    orders = series(plan, view, step)
    now = Worked([], job.quantity, filled_of(orders), working_of(orders))
    for order in orders:
        if order.state == "OPEN":
            now.steps.extend(walk(plan, view, order, job, first=orders[0]))
    left = job.quantity - now.filled - now.working
    if left <= 0:
        return now
    word, tries = _WORD[job.side], tried(orders)
    if tries >= plan.policy.tries + job.more_tries:
        text = f"{left} of {job.symbol} could not be {word}: {tries} orders were turned away; close it by hand"
        return now._replace(steps=[*now.steps, Say("alarm", f"gave up {step}", text)], gave_up=True)
    if not waited(plan, view, orders):
        return now
    limit = rung_limit(plan, view, job, job.ladder.begin, first=orders[0] if orders else None)
    if not limit:
        now.steps.append(Say("alarm", f"no price {step}", f"{job.symbol} cannot be {word}: no price of it is known"))
        return now
    rest = msgspec.structs.replace(job, quantity=left)
    now.steps.extend(sends(plan, view, step, rest, Terms(order_type="LIMIT", limit_paise=limit)))
    return now


_WORD = {"BUY": "bought", "SELL": "sold"}


def tried(orders: list[Order]) -> int:
    """How many of them in a row, up to the last one, were turned away."""
    return _in_a_row(orders, failed)


def waited(plan: PlanBase, view: View, orders: list[Order]) -> bool:
    """Whether it is time for another try: twice as long after each in a row that came to nothing, to two minutes.

    One cancelled order is followed by another at once.
    """
    count = _in_a_row(orders, _fell_short)
    if not count or (count == 1 and orders[-1].state == "CANCELLED"):
        return True
    since_ns = max(order.updated_ns for order in orders[-count:])
    return view.now_ns - since_ns >= plan.policy.retry_ns << min(count - 1, 8)


def _in_a_row(orders: list[Order], which: Callable[[Order], bool]) -> int:
    return next((place for place, order in enumerate(reversed(orders)) if not which(order)), len(orders))


def _fell_short(order: Order) -> bool:
    """Whether it ended before its time, within a minute, and not filled."""
    soon: bool = order.updated_ns - order.intent.created_ns < 60 * SECOND
    return soon and not live(order) and order.filled_quantity < order.intent.quantity


def walk(plan: PlanBase, view: View, order: Order, job: Job, *, first: Order | None) -> list[Step]:
    """The next rung for an order that must trade; an alarm where the budget or the band ends.

    With its modifications used up it is cancelled, and another order takes its place once it is over.
    """
    rung = job.ladder.begin + (view.now_ns - (job.since_ns or order.intent.created_ns)) // job.ladder.step_ns
    last = job.ladder.rungs
    wanted, tag = rung_limit(plan, view, job, rung, first=first), order.intent.tag
    found: list[Step] = []
    if rung > last * (2 if job.budget and job.beyond else 1):
        text = f"{remaining(order)} of {job.symbol} not {_WORD[job.side]} at the last price of the ladder"
        found.append(Say("alarm", f"edge {tag}", text))
    elif rung > last and job.budget:
        found.append(Say("alarm", f"budget {tag}", f"{job.symbol}: the slippage budget of {job.budget:.1%} is used up"))
    at = terms(order)
    if at.order_type == "LIMIT" and (not wanted or worse(job.side, wanted, at.limit_paise) == at.limit_paise):
        return found
    if order.modifications >= view.most_modifications:
        return [*found, Cancel(tag)]
    return [*found, Modify(tag, Terms(order_type="LIMIT", limit_paise=wanted))] if wanted else found
