"""Good till triggered: orders that wait at the broker for a price, a year at most (kite.md §9).

A trigger fires when the published last price reaches its value from where it stood when the trigger was made; of two
legs the first to be reached, and the other is gone. `triggered` says that an order was sent, not that it traded.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from core.market import from_ns, to_ns
from exchange.accounts import User
from exchange.day import Day
from exchange.listing import Instrument
from exchange.orders.engine import Engine
from exchange.orders.order import Order, Row, Status, stamp
from exchange.orders.request import Asked, paise, parse
from exchange.refusal import KiteError, bad_input

LISTED_NS = 7 * 86_400 * 1_000_000_000  # how long one that is over stays in the list
MOST_ACTIVE = 500
KINDS = {"single": 1, "two-leg": 2}
Form = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A trigger as it is asked for: the condition without its values, a form of each value and of each order."""

    kind: str
    condition: Form
    values: Sequence[Form]
    orders: Sequence[Form]


class State(StrEnum):
    ACTIVE = "active"
    TRIGGERED = "triggered"
    EXPIRED = "expired"
    DELETED = "deleted"


@dataclass
class Leg:
    """An order as it was asked for, the price that sends it, and what came of it."""

    form: Form
    asked: Asked
    value_paise: int
    order: Order | None = None
    fired_ns: int = 0
    at_paise: int = 0  # the last price that fired it
    refusal: str = ""

    def row(self, trigger_id: int, user_id: str) -> Row:
        asked = self.asked
        own: Row = {
            "exchange": asked.one.exchange, "tradingsymbol": asked.one.symbol, "product": asked.product,
            "order_type": asked.order_type, "transaction_type": asked.side, "quantity": asked.quantity,
            "price": asked.price_paise / 100,
        }  # fmt: skip
        if not self.fired_ns:
            return own | {"result": None}
        rejected = self.order is None or self.order.status == Status.REJECTED
        result = {
            "account_id": user_id, **own, "validity": asked.validity,
            "meta": json.dumps({"app_id": 1, "gtt": trigger_id}), "timestamp": stamp(self.fired_ns),
            "triggered_at": self.at_paise / 100,
            "order_result": {
                "status": "failed" if rejected else "success",
                "order_id": self.order.order_id if self.order else "",
                "rejection_reason": self.refusal or (self.order and rejected and self.order.message) or "",
            },
        }  # fmt: skip
        return own | {"result": result}


@dataclass
class Trigger:
    """One of a user's; `last_paise` is the price the user saw, from which the values are reached."""

    trigger_id: int
    user: User
    kind: str
    one: Instrument
    last_paise: int
    legs: list[Leg]
    created_ns: int
    updated_ns: int
    expires_ns: int
    state: State = State.ACTIVE

    def row(self) -> Row:
        return {
            "id": self.trigger_id, "user_id": self.user.user_id, "parent_trigger": None, "type": self.kind,
            "created_at": stamp(self.created_ns), "updated_at": stamp(self.updated_ns),
            "expires_at": stamp(self.expires_ns), "status": str(self.state),
            "condition": {
                "exchange": self.one.exchange, "last_price": self.last_paise / 100,
                "tradingsymbol": self.one.symbol, "trigger_values": [leg.value_paise / 100 for leg in self.legs],
                "instrument_token": self.one.token,
            },
            "orders": [leg.row(self.trigger_id, self.user.user_id) for leg in self.legs],
            "meta": {},
        }  # fmt: skip

    def reached(self, last_paise: int) -> Leg | None:
        """The leg that a last price sends."""
        for leg in self.legs:
            up = leg.value_paise > self.last_paise
            if last_paise > 0 and (last_paise >= leg.value_paise if up else last_paise <= leg.value_paise):
                return leg
        return None


@dataclass
class Triggers:
    """Everybody's. `day` and `now` are asked each time."""

    day: Callable[[], Day]
    now: Callable[[], int]
    engine: Engine
    _all: dict[int, Trigger] = field(default_factory=dict)

    def place(self, user: User, wish: Wish) -> int:
        """A new trigger's id; KiteError 400 for what is none."""
        if sum(one.state == State.ACTIVE for one in self._all.values() if one.user == user) >= MOST_ACTIVE:
            raise bad_input(f"Maximum of {MOST_ACTIVE} active triggers reached.")
        made = self._made(100_001 + len(self._all), user, wish)
        self._all[made.trigger_id] = made
        return made.trigger_id

    def modify(self, user: User, trigger_id: str, wish: Wish) -> int:
        """Another condition and other orders for an active one."""
        had = self._active(user, trigger_id)
        made = self._made(had.trigger_id, user, wish)
        made.created_ns, made.expires_ns = had.created_ns, had.expires_ns
        self._all[had.trigger_id] = made
        return had.trigger_id

    def delete(self, user: User, trigger_id: str) -> int:
        had = self._active(user, trigger_id)
        had.state, had.updated_ns = State.DELETED, self.now()
        return had.trigger_id

    def of(self, user: User) -> list[Trigger]:
        """The active ones and those over for less than a week, newest first."""
        since = self.now() - LISTED_NS
        own = [one for one in self._all.values() if one.user == user]
        return [one for one in reversed(own) if one.state == State.ACTIVE or one.updated_ns >= since]

    def find(self, user: User, trigger_id: str) -> Trigger:
        known = trigger_id.isascii() and trigger_id.isdecimal() and len(trigger_id) < 12
        found = self._all.get(int(trigger_id)) if known else None
        if found is None or found.user != user:
            raise KiteError(404, "GeneralException", "Trigger not found")
        return found

    def waiting(self) -> list[Instrument]:
        """The contracts of the active ones."""
        return [one.one for one in self._all.values() if one.state == State.ACTIVE]

    def fire(self, changed: Iterable[int]) -> None:
        """Send the orders whose price the quotes of the places `changed` have reached."""
        day, places, now = self.day(), set(changed), self.now()
        for one in self._all.values():
            if one.state != State.ACTIVE:
                continue
            if now >= one.expires_ns or one.one.expiry_date < day.date:
                one.state, one.updated_ns = State.EXPIRED, now
                continue
            listed = day.listing.by_name.get((one.one.exchange, one.one.symbol))
            if listed is not None and listed.place in places:
                self._look(one, int(day.quotes.last[listed.place]), now)

    def _look(self, one: Trigger, last_paise: int, now: int) -> None:
        leg = one.reached(last_paise)
        if leg is None:
            return
        one.state, one.updated_ns, leg.fired_ns, leg.at_paise = State.TRIGGERED, now, now, last_paise
        try:
            leg.order = self.engine.place(one.user, parse("regular", leg.form, self.day().listing))
        except KiteError as why:  # its lot or tick is another one by now
            leg.refusal = why.message

    def _active(self, user: User, trigger_id: str) -> Trigger:
        found = self.find(user, trigger_id)
        if found.state != State.ACTIVE:
            raise bad_input(f"Trigger is {found.state} and cannot be changed.")
        return found

    def _made(self, trigger_id: int, user: User, wish: Wish) -> Trigger:
        kind, condition, now = wish.kind, wish.condition, self.now()
        if kind not in KINDS:
            raise bad_input(f"Invalid `type`: {kind!r}, expected one of {', '.join(KINDS)}")
        if not len(wish.values) == len(wish.orders) == KINDS[kind]:
            raise bad_input(f"Invalid `trigger_values` or `orders`: a {kind} trigger has {KINDS[kind]} of each")
        listing, last = self.day().listing, paise(condition, "last_price")
        legs = [
            Leg(form, _checked(parse("regular", form, listing), condition), paise(value, "trigger_values"))
            for form, value in zip(wish.orders, wish.values, strict=True)
        ]
        prices = [leg.value_paise for leg in legs]
        if min(*prices, last) <= 0:
            raise bad_input("Invalid `trigger_values` or `last_price`: prices are above 0")
        if kind == "single" and prices[0] == last:
            raise bad_input("Trigger already met: the trigger price is the last price.")
        if kind == "two-leg" and not prices[0] < last < prices[1]:
            raise bad_input("Invalid `trigger_values`: the last price must lie between the two triggers.")
        return Trigger(trigger_id, user, kind, legs[0].asked.one, last, legs, now, now, _year_on(now))


def _checked(asked: Asked, condition: Form) -> Asked:
    """LIMIT orders of the condition's own contract, overnight: what a trigger of index derivatives may send."""
    if asked.order_type != "LIMIT":
        raise bad_input("Invalid `order_type`: a trigger sends LIMIT orders.")
    if asked.product != "NRML":
        raise bad_input("Invalid `product`: a trigger of derivatives is NRML.")
    if (condition.get("exchange"), condition.get("tradingsymbol")) != (asked.one.exchange, asked.one.symbol):
        raise bad_input("Invalid `condition`: its contract is not that of the orders.")
    return asked


def _year_on(ns: int) -> int:
    now = from_ns(ns)
    leap = (now.month, now.day) == (2, 29)
    return to_ns(now.replace(year=now.year + 1, day=28 if leap else now.day))
