"""Every order of the exchange: taken, validated, matched, changed and ended, each step with its delay (kite.md §5.6).

Nothing happens by itself: `advance` does what has come due, and whoever asks for orders calls it first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from core.matching.match import protected_limit
from exchange.accounts import User
from exchange.day import Day
from exchange.orders import matching
from exchange.orders.order import ENDED, Order, Row, Status, Trade
from exchange.orders.request import Asked, check, paise, protection, whole
from exchange.orders.rules import Rules
from exchange.refusal import KiteError, bad_input

Ints = NDArray[np.int64]
STEP_NS = 20_000_000  # between two interim states
Tell = Callable[[User, Row], None]
Book = Callable[[Trade], None]


class Engine:
    """Orders, trades and the open ones by instrument. `day` and `now` are asked each time: both go on."""

    def __init__(self, *, day: Callable[[], Day], now: Callable[[], int], rules: Rules, book: Book, tell: Tell) -> None:
        """`book` is told of each trade, `tell` of each change a client hears of."""
        self._day, self._now, self._rules, self._book, self._tell = day, now, rules, book, tell
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self._live: dict[str, Order] = {}
        self._volume: dict[int, int] = defaultdict(int)  # traded when last looked, by place
        self._sequence = 0

    def place(self, user: User, asked: Asked, *, parent: Order | None = None, hidden_s: float = 0.0) -> Order:
        """Take an order; whether it is any good shows a moment later, and to the user `hidden_s` after that."""
        self._sequence += 1
        now = self._now()
        order = Order(
            order_id=str((now // 1_000_000 << 20) + self._sequence), user=user, one=asked.one, variety=asked.variety,
            side=asked.side, product=asked.product, order_type=asked.order_type, quantity=asked.quantity,
            price_paise=asked.price_paise, trigger_paise=asked.trigger_paise, validity=asked.validity,
            protection=asked.protection, tag=asked.tag, placed_ns=now, visible_ns=now + round(hidden_s * 1e9),
            sequence=self._sequence,
            parent_id=parent.order_id if parent else None, disclosed=asked.disclosed,
        )  # fmt: skip
        self.orders[order.order_id] = self._live[order.order_id] = order
        order.set(Status.RECEIVED, now)
        if asked.variety == "amo":
            order.plan.append((now + STEP_NS, "queue"))
        else:
            order.plan.extend((now + (i + 1) * STEP_NS, step) for i, step in enumerate(("validate", "admit", "arrive")))
        if asked.validity == "TTL":
            order.plan.append((now + asked.ttl_minutes * 60_000_000_000, "expire"))
        return order

    def modify(self, user: User, order_id: str, form: Mapping[str, str], most: int) -> Order:
        """Ask for another price, trigger, quantity or validity of an order that stands; at most `most` times."""
        order = self._standing(user, order_id)
        if order.modifications >= most:
            raise KiteError(429, "NetworkException", "Maximum allowed order modifications exceeded.")
        change: Row = {}
        for field, name in (("price_paise", "price"), ("trigger_paise", "trigger_price")):
            if form.get(name):
                change[field] = paise(form, name)
        if form.get("quantity"):
            change["quantity"] = whole(form, "quantity")
        for name in ("order_type", "validity"):
            if form.get(name):
                change[name] = form[name]
        if form.get("market_protection"):
            change["protection"] = protection(form)
        check(_as_asked(order, change))
        if int(str(change.get("quantity", order.quantity))) <= order.filled:
            raise bad_input(f"Invalid `quantity`: {order.filled} have traded already")
        order.modifications, order.change, now = order.modifications + 1, change, self._now()
        self._change(order, Status.MODIFY_VALIDATION_PENDING, now)
        order.plan.extend([(now + STEP_NS, "modifying"), (now + 2 * STEP_NS, "modified")])
        return order

    def cancel(self, user: User, order_id: str) -> Order:
        """Ask for an order to be cancelled; it can still trade until it is."""
        order = self._standing(user, order_id)
        now = self._now()
        self._change(order, Status.CANCEL_PENDING, now)
        order.plan.clear()
        order.plan.append((now + STEP_NS, "cancelled"))
        return order

    def of(self, user: User) -> list[Order]:
        """The user's orders as the book shows them, oldest first."""
        now = self._now()
        return [order for order in self.orders.values() if order.user == user and order.visible_ns <= now]

    def seen(self, user: User) -> list[Trade]:
        """The user's trades, but for those of an order the book does not show yet."""
        shown = {order.order_id for order in self.of(user)}
        return [trade for trade in self.trades if trade.order.order_id in shown]

    def find(self, user: User, order_id: str) -> Order:
        order = self.orders.get(order_id)
        if order is None or order.user != user or order.visible_ns > self._now():
            raise bad_input(f"Couldn't find that `order_id`: {order_id}.")
        return order

    def advance(self, changed: Iterable[int] = ()) -> None:
        """Do what is due by now, then match what stands in the instruments that changed."""
        now = self._now()
        for order in list(self._live.values()):
            while order.plan and order.plan[0][0] <= now and not order.ended:
                at, step = order.plan.popleft()
                self._do(order, step, at)
        places = set(changed)
        if places:
            self._match(places, now)
        self._live = {name: order for name, order in self._live.items() if not order.ended}

    def end_day(self, now_ns: int) -> None:
        """What has not traded by the close is gone; after-market orders stay for the morning."""
        for order in list(self._live.values()):
            if order.status != Status.AMO_RECEIVED:
                self._end(order, Status.CANCELLED, now_ns)
        self._live = {name: order for name, order in self._live.items() if not order.ended}
        self._volume.clear()

    def _standing(self, user: User, order_id: str) -> Order:
        self.advance()
        order = self.find(user, order_id)
        if order.status in {Status.OPEN, Status.TRIGGER_PENDING, Status.AMO_RECEIVED}:
            return order
        if order.status in ENDED:
            raise bad_input(f"Order cannot be changed as it is {str(order.status).lower()}.")
        raise bad_input("Order cannot be modified as it is being processed, try again later")

    def _do(self, order: Order, step: str, at: int) -> None:
        {
            "validate": lambda: self._change(order, Status.VALIDATION_PENDING, at, say=False),
            "queue": lambda: self._change(order, Status.AMO_RECEIVED, at),
            "admit": lambda: self._admit(order, at),
            "arrive": lambda: self._arrive(order, at),
            "modifying": lambda: self._change(order, Status.MODIFY_PENDING, at),
            "modified": lambda: self._modified(order, at),
            "cancelled": lambda: self._end(order, Status.CANCELLED, at),
            "expire": lambda: self._end(order, Status.CANCELLED, at),
        }[step]()

    def _admit(self, order: Order, at: int) -> None:
        why = self._rules.refuse(order, self._live.values(), self._day(), at)
        if why is not None:
            self._reject(order, why, at)
            return
        self._change(order, Status.OPEN_PENDING, at, say=False)

    def _arrive(self, order: Order, at: int) -> None:
        quotes = self._day().quotes
        order.exchange_id = f"{1_000_000_000_000_000 + order.sequence}"
        order.exchange_ns = at
        last = int(quotes.last[order.one.place])
        if order.waits:
            order.working = True
            self._change(order, Status.TRIGGER_PENDING, at)
            return
        if order.order_type in {"MARKET", "SL-M"}:
            if order.order_type == "MARKET" and not quotes.volume[order.one.place]:
                self._reject(order, "17181 : Market orders are blocked on a contract that has not traded today", at)
                return
            order.price_paise = protection_limit(order, last)
            order.tags = ["mktp", f"mktp:{order.protection:.2f}"]
        order.working = True
        self._change(order, Status.OPEN, at)
        self._fill(matching.arrive(quotes, order), at)
        if order.validity == "IOC" and not order.ended:
            self._end(order, Status.CANCELLED, at)

    def _modified(self, order: Order, at: int) -> None:
        before = order.price_paise, order.quantity
        for field, value in order.change.items():
            setattr(order, field, value)
        order.change = {}
        self._change(order, Status.MODIFIED, at, say=False)
        if not order.working:
            self._change(order, Status.AMO_RECEIVED, at)
        elif order.remaining <= 0:  # it traded while the change was on its way
            order.quantity = order.filled
            self._end(order, Status.COMPLETE, at)
        elif order.waits:
            self._change(order, Status.TRIGGER_PENDING, at)
        else:
            self._change(order, Status.OPEN, at)
            if order.price_paise != before[0] or order.quantity > before[1]:  # its place in the queue is lost
                self._fill(matching.arrive(self._day().quotes, order), at)

    def _match(self, places: set[int], now: int) -> None:
        quotes = self._day().quotes
        by_place: dict[int, list[Order]] = defaultdict(list)
        for order in self._live.values():
            if order.working and not order.ended and order.one.place in places:
                by_place[order.one.place].append(order)
        for place, orders in by_place.items():
            volume = int(quotes.volume[place])
            traded = max(0, volume - self._volume.get(place, volume))
            self._volume[place] = volume
            for order in orders:
                if order.waits and matching.triggered(order, int(quotes.last[place])):
                    order.triggered = True
                    self._arrive(order, now)
            standing = [order for order in orders if not order.ended and not order.waits]
            self._fill(matching.rest(quotes, place, standing, traded), now)

    def _fill(self, fills: Iterable[matching.Fill], at: int) -> None:
        for order, units, price in fills:
            order.filled += units
            order.filled_paise += units * price
            trade = Trade(
                trade_id=str(10_000_000 + len(self.trades)), order=order, quantity=units, paise=price, at_ns=at
            )
            self.trades.append(trade)
            self._book(trade)
            if order.remaining:
                order.updated_ns = at
                order.history.append(order.row())
                self._hear(order, update=True)
            else:
                self._end(order, Status.COMPLETE, at)

    def _hear(self, order: Order, *, update: bool = False) -> None:
        if order.visible_ns <= self._now():
            self._tell(order.user, order.postback(update=update))

    def _change(self, order: Order, status: Status, at: int, *, say: bool = True) -> None:
        order.set(status, at)
        if say:
            self._hear(order)

    def _reject(self, order: Order, why: str, at: int) -> None:
        order.set(Status.REJECTED, at, message=why)
        order.working = False
        self._hear(order)

    def _end(self, order: Order, status: Status, at: int) -> None:
        order.working = False
        self._change(order, status, at)


def protection_limit(order: Order, last_paise: int) -> int:
    """The limit a MARKET order becomes: Kite's automatic band, or the client's per cent, on a tick inside it."""
    tick = order.one.tick_paise
    if order.protection < 0:
        return protected_limit(order.side, last_paise, tick)
    if order.side == "BUY":
        return max(tick, int(last_paise * (1 + order.protection / 100)) // tick * tick)
    return max(tick, -(-int(last_paise * (1 - order.protection / 100)) // tick) * tick)


def _as_asked(order: Order, change: Row) -> Asked:
    """The order as it would be, for the rules that need nothing else."""
    now = {name: change.get(name, getattr(order, name)) for name in
           ("order_type", "validity", "quantity", "price_paise", "trigger_paise", "protection")}  # fmt: skip
    return Asked(
        one=order.one, variety="regular", side=order.side, product=order.product, ttl_minutes=1,
        disclosed=order.disclosed, legs=0, tag=order.tag, autoslice=False, **now,  # type: ignore[arg-type]
    )  # fmt: skip
