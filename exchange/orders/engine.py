"""Every order of the exchange: taken, validated, matched, changed and ended, each step with its delay (kite.md §5.6).

Nothing happens by itself: `advance` does what has come due, and whoever asks for orders calls it first.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exchange.accounts import User
from exchange.day import Day
from exchange.orders import matching, steps
from exchange.orders.order import ENDED, Iceberg, Order, Row, Status, Trade
from exchange.orders.request import Asked
from exchange.orders.rules import Rules
from exchange.refusal import KiteError, bad_input

Ints = NDArray[np.int64]
Tell = Callable[[User, Row], None]
Book = Callable[[Trade], None]


class Engine:
    """Orders, trades and the open ones by instrument. `day`, `now` and `wall` are asked each time: they go on."""

    def __init__(
        self, *, day: Callable[[], Day], now: Callable[[], int], wall: Callable[[], int], rules: Rules, book: Book,
        tell: Tell,
    ) -> None:  # fmt: skip
        """`book` is told of each trade, `tell` of each change a client hears of; `wall` is no faster than a client."""
        self._day, self._now, self._wall, self._rules, self._book, self._tell = day, now, wall, rules, book, tell
        self.orders: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self._live: dict[str, Order] = {}
        self._touched: set[int] = set()  # places whose book our orders have taken from
        self._sequence = self._trades = self._joined = 0

    def place(
        self, user: User, asked: Asked, *, parent: Order | None = None, hidden_s: float = 0.0, forced: bool = False
    ) -> Order:
        """Take an order; whether it is any good shows a moment later, and to the user `hidden_s` after that.

        Of an iceberg the first leg; each other one is placed when the one before it is complete. `forced`: by the
        broker, whom no rule refuses.
        """
        ice = Iceberg(1, asked.legs, asked.leg_quantity, asked.quantity) if asked.variety == "iceberg" else None
        return self._place(user, asked, parent=parent, hidden_s=hidden_s, forced=forced, ice=ice)

    def _place(
        self, user: User, asked: Asked, *, parent: Order | None, hidden_s: float = 0.0, forced: bool = False,
        ice: Iceberg | None,
    ) -> Order:  # fmt: skip
        self._sequence += 1
        now = self._now()
        order = Order(
            order_id=str((now // 1_000_000 << 20) + self._sequence), user=user, iceberg=ice, forced=forced,
            asked=replace(asked, quantity=ice.quantity) if ice else asked, placed_ns=now, sequence=self._sequence,
            visible_ns=self._wall() + round(hidden_s * 1e9), parent_id=parent.order_id if parent else None,
        )  # fmt: skip
        self.orders[order.order_id] = self._live[order.order_id] = order
        order.set(Status.RECEIVED, now)
        steps.plan(order, now, *(("queue",) if asked.variety == "amo" else steps.ENTERING))
        steps.plan_expiry(order, now)
        return order

    def modify(self, user: User, order_id: str, form: Mapping[str, str], most: int) -> Order:
        """Ask for another price, trigger, quantity or validity of an order that stands; at most `most` times."""
        order = self._standing(user, order_id)
        if order.modifications >= most:
            raise KiteError(429, "NetworkException", "Maximum allowed order modifications exceeded.")
        change, now = steps.change_of(order, form), self._now()
        order.modifications, order.change = order.modifications + 1, change
        self._change(order, Status.MODIFY_VALIDATION_PENDING, now)
        steps.plan(order, now, "modifying", "modified")
        return order

    def cancel(self, user: User, order_id: str) -> Order:
        """Ask for an order to be cancelled; it can still trade until it is."""
        order = self._standing(user, order_id)
        now = self._now()
        self._change(order, Status.CANCEL_PENDING, now)
        order.plan.clear()
        steps.plan(order, now, "cancelled")
        return order

    def live(self, user: User) -> list[Order]:
        """The user's orders that have not ended."""
        return [order for order in self._live.values() if order.user == user and not order.ended]

    def withdraw(self, orders: Iterable[Order], at_ns: int) -> None:
        """End orders at once, as the broker can."""
        for order in orders:
            self._end(order, Status.CANCELLED, at_ns)

    def of(self, user: User) -> list[Order]:
        """The user's orders as the book shows them, oldest first."""
        wall = self._wall()
        return [order for order in self.orders.values() if order.user == user and order.visible_ns <= wall]

    def seen(self, user: User) -> list[Trade]:
        """The user's trades, but for those of an order the book does not show yet."""
        shown = {order.order_id for order in self.of(user)}
        return [trade for trade in self.trades if trade.order.order_id in shown]

    def find(self, user: User, order_id: str) -> Order:
        order = self.orders.get(order_id)
        if order is None or order.user != user or order.visible_ns > self._wall():
            raise bad_input(f"Couldn't find that `order_id`: {order_id}.")
        return order

    def advance(self, changed: Iterable[int] = ()) -> None:
        """Match what stands in the instruments that changed, then do what is due by now, then trigger stops.

        What has been cancelled by now trades no more; what comes, changes or is triggered now does so behind what
        stood there, by the book that this leaves and by no volume from before.
        """
        now, places = self._now(), set(changed)
        self._due(now, steps.LEAVING)
        self._match(places, now)
        self._due(now)
        self._trigger(places, now)
        self._live = {name: order for name, order in self._live.items() if not order.ended}

    def _due(self, now: int, only: Collection[str] = steps.EVERY) -> None:
        for order in list(self._live.values()):
            while order.plan and order.plan[0][0] <= now and order.plan[0][1] in only and not order.ended:
                at, step = order.plan.popleft()
                self._do(order, step, at)

    def drain(self) -> set[int]:
        """Places of which orders have taken since the last call: their book is to be published."""
        touched, self._touched = self._touched, set()
        return touched

    def end_day(self, now_ns: int) -> None:
        """What has not traded by the close is gone; after-market orders stay for the morning."""
        self.advance()
        self.withdraw([order for order in self._live.values() if not steps.waits_for_morning(order)], now_ns)
        self._live = {name: order for name, order in self._live.items() if not order.ended}

    def new_day(self) -> None:
        """A new book of orders and trades, with what was left for the morning on its way to the market."""
        now = self._now()
        self.orders, self.trades = dict(self._live), []
        self._touched = set()
        for order in self._live.values():
            listed = self._day().listing.by_name.get((order.one.exchange, order.one.symbol))
            if listed is None:
                self._reject(order, "The instrument you are placing an order for has either expired or does not exist.",
                             now)  # fmt: skip
                continue
            order.revise(one=listed)
            order.plan.clear()
            steps.plan(order, now, *steps.ENTERING)

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
        if (why := self._rules.refuse(order, self._live.values(), self._day(), at)) is not None:
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
        if order.asked.order_type in {"MARKET", "SL-M"}:
            if (why := steps.blocked(order, quotes)) is not None:
                self._reject(order, why, at)
                return
            order.revise(price_paise=steps.protection_limit(order, last))
            order.tags = ["mktp", f"mktp:{order.asked.protection:.2f}"]
        order.working = True
        if not steps.changing(order):  # a trigger while a change is on its way leaves the status with the change
            self._change(order, Status.OPEN, at)
        self._meet(order, at)

    def _meet(self, order: Order, at: int) -> None:
        """Trade what the published book offers; what is left joins the queue, or ends if it must trade at once."""
        self._joined += 1
        order.joined = self._joined
        self._fill(matching.arrive(self._day().quotes, order), at)
        if order.asked.validity == "IOC" and not order.ended:
            self._end(order, Status.CANCELLED, at)

    def _modified(self, order: Order, at: int) -> None:
        before, change, waited = order.asked, order.change, order.waits
        order.change = {}
        order.revise(**change)
        if order.asked.order_type == "MARKET" and order.working:
            last = int(self._day().quotes.last[order.one.place])
            order.revise(price_paise=steps.protection_limit(order, last))
        day, why = self._day(), None
        if order.working:
            why = steps.blocked(order, day.quotes) or self._rules.refuse(order, self._live.values(), day, at)
        if why is not None:
            order.asked = before
            order.message = order.message_raw = why
        else:
            self._change(order, Status.MODIFIED, at, say=False)
            if change.keys() & {"validity", "ttl_minutes"}:
                steps.plan_expiry(order, at)
        if not order.working:
            self._change(order, Status.AMO_RECEIVED, at)
        elif order.remaining <= 0:  # it traded while the change was on its way
            order.revise(quantity=order.filled)
            self._end(order, Status.COMPLETE, at)
        elif order.waits:
            self._change(order, Status.TRIGGER_PENDING, at)
        else:
            self._change(order, Status.OPEN, at)
            later = waited or order.price_paise != before.price_paise or order.quantity > before.quantity
            if later or order.asked.validity == "IOC":
                self._meet(order, at)  # its place in the queue is lost

    def _match(self, places: set[int], now: int) -> None:
        standing = [order for order in self._working(places) if not order.waits]
        for place in {order.one.place for order in standing}:
            own = [order for order in standing if order.one.place == place]
            self._fill(matching.rest(self._day().quotes, place, own), now)

    def _trigger(self, places: set[int], now: int) -> None:
        for order in self._working(places):
            if order.waits and matching.triggered(order, int(self._day().quotes.last[order.one.place])):
                order.triggered = True
                self._arrive(order, now)

    def _working(self, places: set[int]) -> list[Order]:
        return [one for one in self._live.values() if one.working and not one.ended and one.one.place in places]

    def _fill(self, fills: Iterable[matching.Fill], at: int) -> None:
        for order, units, price in fills:
            self._touched.add(order.one.place)
            order.filled += units
            order.filled_paise += units * price
            self._trades += 1
            name = str((at // 1_000_000 << 20) + self._trades)  # by time, as an order's: no two starts give the same
            trade = Trade(trade_id=name, order=order, quantity=units, paise=price, at_ns=at)
            self.trades.append(trade)
            self._book(trade)
            if order.remaining:
                order.updated_ns = at
                order.history.append(order.row())
                self._hear(order, update=True)
            else:
                self._end(order, Status.COMPLETE, at)
                self._next_leg(order)

    def _next_leg(self, order: Order) -> None:
        if order.iceberg is not None and order.iceberg.left and not steps.leaving(order):
            parent = self.orders.get(order.parent_id or order.order_id, order)
            ice = order.iceberg._replace(leg=order.iceberg.leg + 1)
            self._place(order.user, order.asked, parent=parent, ice=ice)

    def _hear(self, order: Order, *, update: bool = False) -> None:
        if order.visible_ns <= self._wall():
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
