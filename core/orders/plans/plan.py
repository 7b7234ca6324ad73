"""What a plan is: a definition that is written down once, and a pure function from what is known to what to do next.

The contract with the order manager, which runs plans and keeps them in the ledger:

- A plan keeps no state. `steps(plan, view)` follows from the definition, the plan's own orders and the view alone, so
  that after a crash at any point the same steps are decided with the same tags (`step_tag`), and the first order of a
  tag is the one there is. Call it again whenever something in the view is new, at least once a second.
- `View.orders` holds every order of the plan, refused and ended ones included. An intent for which sending raised is
  there too, as REFUSED. `Order.updated_ns` moves with every modification that was asked for and every cancel that was
  refused, as `modifications` grows with every one asked for, whatever became of it: the pace of what follows is taken
  from it. An order's end is told when all its fills are.
- An order of `View.orders` that is `lost` lives, and the broker lists it no more: it counts as working, since it may
  still fill, and is neither modified nor cancelled. A person decides, or the day's end.
- `View.changing` holds the tags with a modification or a cancel whose outcome is not known yet: no step touches them.
- `View.said` is part of the plan's record in the ledger: the key of every Say, and `DONE`, with the market time at
  which it was said. Some of them are the clocks of what comes later. After a crash that lost one it is said again.
- Steps are in the order in which they are to be done. When one is not possible the ones after it still are.
- A step is emitted only while its effect is not there: `steps` twice without news gives nothing the second time.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from core.errors import InputError
from core.market import from_ns, lot, parse_symbol, tick_paise
from core.matching.depth import Depth
from core.orders.tag import TAG, make_tag
from core.records import LIVE, Intent, Order, Product, Purpose, Side, Terms

DONE = "done"  # the key under which a plan's end is said
SECOND = 1_000_000_000
OTHER: Mapping[Side, Side] = {"BUY": "SELL", "SELL": "BUY"}
Severity = Literal["info", "warning", "alarm"]
Outcome = Literal[
    "done",  # as asked
    "closed",  # what was entered has been left again; the reason says why
    "unwound",  # it failed part of the way, and what was done of it has been undone
    "partial",  # some of it as asked, the rest was given up
    "nothing",  # nothing was done of it
    "failed",  # something is left that a person must look at: there was an alarm
]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every kind of plan goes by; nanoseconds of market time."""

    fresh_ns: int = 3 * SECOND  # an older quote moves no order
    retry_ns: int = SECOND // 2  # between two changes of one order, and between two tries of one step
    tries: int = 5  # of a step whose order is refused, before a person is called
    reserve: int = 8  # of an order's modifications, kept for getting out


class PlanBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every plan has. `plan_id` is at most 20 of [A-Z0-9]; `created_ns` is market time."""

    plan_id: str
    strategy: str
    index: str
    created_ns: int
    product: Product = "NRML"
    policy: Policy = Policy()

    def __post_init__(self) -> None:
        if not TAG.fullmatch(self.plan_id):
            raise InputError(f"plan {self.plan_id!r}: expected an id of 1 to 20 characters of A–Z and 0–9")


class Gtt(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that waits at the broker, as its book of triggers shows it (kite.md §9)."""

    name: str  # PlaceGtt's
    quantity: int
    trigger_id: str = ""  # empty while its placing has no answer
    status: Literal["asked", "active", "triggered", "gone", "refused"] = "asked"
    fired: int = -1  # the place of the leg that was sent; −1 none
    order_failed: bool = False  # the order it sent was rejected
    filled_quantity: int = 0  # of the order it sent
    ended: bool = False  # the order it sent lives no more


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All a plan may go by. `held` and `working` are of the same moment as `orders`."""

    now_ns: int  # market time
    wall_ns: int
    orders: Mapping[str, Order]  # the plan's own, by tag
    said: Mapping[str, int]  # what the plan has said, by key, and when
    depth: Mapping[str, Depth] = {}  # of `symbols(plan)`, as far as known
    changing: frozenset[str] = frozenset()
    held: Mapping[str, int] = {}  # the strategy's own position in a symbol, signed units
    working: Mapping[str, int] = {}  # signed units that live orders of the strategy may still fill, outside this plan
    gtts: Mapping[str, Gtt] = {}  # the plan's own, by name
    ending: str = ""  # why the plan shall end now (a person, the day's end, a limit); stays once it is said
    most_modifications: int = 25  # an order (kite.md §3)


class Send(msgspec.Struct, frozen=True, tag=True):
    """One order; a LIMIT or an SL, never a bare MARKET."""

    intent: Intent


class Modify(msgspec.Struct, frozen=True, tag=True):
    """Other terms for an order that is OPEN."""

    order: str  # its tag
    terms: Terms


class Cancel(msgspec.Struct, frozen=True, tag=True):
    order: str  # its tag


class Say(msgspec.Struct, frozen=True, tag=True):
    """Told once a key. An alarm is for a person, now."""

    severity: Severity
    key: str
    message: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """Nothing more will come of this plan. `reason` is "stop", "target", or what ended it; empty: it is as asked."""

    outcome: Outcome
    message: str
    reason: str = ""


class GttLeg(msgspec.Struct, frozen=True, kw_only=True):
    """When the last price reaches `trigger_paise` a LIMIT order at `limit_paise` is sent."""

    trigger_paise: int
    limit_paise: int


class PlaceGtt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A trigger of two legs at the broker, lower trigger first, always NRML (`AccountBroker.place_gtt`).

    `last_paise` must lie between the triggers.
    """

    name: str  # make_tag of the plan and the step; a broker keeps no tag of a trigger: the order manager does
    symbol: str
    side: Side
    quantity: int
    last_paise: int
    legs: tuple[GttLeg, GttLeg]


class CancelGtt(msgspec.Struct, frozen=True, tag=True):
    name: str
    trigger_id: str


class HandOver(msgspec.Struct, frozen=True, tag=True):
    """Start the plan that has the rest of the position by night, or by day (core.orders.plans.successor); then be done.

    Its id follows from this plan's, so that of two starts one counts.
    """

    to: Literal["night", "day"]
    quantity: int  # signed units, as they are held
    message: str


Step = Send | Modify | Cancel | Say | Done | PlaceGtt | CancelGtt | HandOver


def step_tag(plan: PlanBase, step: str) -> str:
    """The tag of a step's order: the same for the same plan and step, always."""
    return tag_of(plan.plan_id, step)


@lru_cache(8192)
def tag_of(plan_id: str, step: str) -> str:
    """The tag of a step of the plan of that id."""
    return make_tag(f"{plan_id} {step}")


def intent(
    plan: PlanBase,
    view: View,
    step: str,
    *,
    symbol: str,
    side: Side,
    quantity: int,
    terms: Terms,
    purpose: Purpose,
    reason: str,
) -> Intent:
    """The order of a step, with the plan's strategy, product and id."""
    return Intent(
        tag=step_tag(plan, step),
        strategy=plan.strategy,
        index=plan.index,
        symbol=symbol,
        side=side,
        quantity=quantity,
        order_type=terms.order_type,
        limit_paise=terms.limit_paise,
        trigger_paise=terms.trigger_paise,
        product=plan.product,
        purpose=purpose,
        reason=reason,
        plan=plan.plan_id,
        created_ns=view.now_ns,
    )


def check_leg(plan: PlanBase, symbol: str, quantity: int, limit_paise: int = 0) -> None:
    """What is wrong with a leg is said when its plan is made.

    InputError for what is no option of the plan's index, no whole number of lots, or no tick; UnknownName and
    UnknownDate as core.market.
    """
    day = from_ns(plan.created_ns).date()
    contract = parse_symbol(symbol, day)
    if contract.index != plan.index or contract.expiry is None or not contract.strike_paise:
        raise InputError(f"plan {plan.plan_id}: expected an option of {plan.index}, was {symbol}")
    units, tick = lot(contract.index, contract.expiry, day), tick_paise(plan.index)
    if quantity <= 0 or quantity % units:
        raise InputError(f"plan {plan.plan_id}: expected whole lots of {units} of {symbol}, was {quantity}")
    if limit_paise < 0 or limit_paise % tick:
        raise InputError(f"plan {plan.plan_id}: expected a limit on a tick of {tick} paise, was {limit_paise}")


def fresh(plan: PlanBase, view: View, symbol: str) -> Depth | None:
    """The book of `symbol` if it is young enough to act upon; else None."""
    depth = view.depth.get(symbol)
    return depth if depth is not None and view.now_ns - depth.at_ns <= plan.policy.fresh_ns else None


def live(order: Order | None) -> bool:
    """Whether it may still fill."""
    return order is not None and order.state in LIVE


def failed(order: Order) -> bool:
    """Whether it was turned away: by risk, the broker or the exchange."""
    return order.state in {"REFUSED", "REJECTED"}


def paced(plan: PlanBase, view: View, order: Order) -> bool:
    """Whether enough time is gone since the last change of `order`, or it never had one.

    Longer from the tenth modification on, up to eight times: a broker counts those it refuses too.
    """
    if not order.modifications and not order.message:
        return True
    return view.now_ns - order.updated_ns >= plan.policy.retry_ns << max(0, order.modifications // 5 - 1)


def movable(plan: PlanBase, view: View, order: Order) -> bool:
    """Whether it can be modified or cancelled now: the broker lists it, and no other change of it is on its way."""
    return (
        order.state == "OPEN"
        and not order.lost
        and bool(order.broker_id)
        and order.intent.tag not in view.changing
        and paced(plan, view, order)
    )
