"""Orders by tag, and the few that are asked for all the time: those that live, of a plan, of a day, of what is held.

An account's orders grow for as long as it is traded; what is done at every quote, timer and order must not grow with
them. Each method costs what it gives.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from core.orders.books import Key
from core.orders.positions import market_date
from core.records import LIVE, Order

_NONE: Mapping[str, Order] = {}


class OrderIndex:
    """Kept right by `put`, which is told of every order that is new or has changed. Each mapping is by tag."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self.all: dict[str, Order] = {}  # oldest first
        self.live: dict[str, Order] = {}  # those that may still fill, oldest first
        self._plans: dict[str, dict[str, Order]] = {}
        self._days: dict[dt.date, dict[str, Order]] = {}
        self._books: dict[Key, dict[str, Order]] = {}
        self._places: dict[str, int] = {}  # in `all`
        for order in orders:
            self.put(order)

    def put(self, order: Order) -> None:
        """The order as it is now."""
        tag, before = order.intent.tag, self.all.get(order.intent.tag)
        self.all[tag] = order
        self._places.setdefault(tag, len(self._places))
        self._books.setdefault(_book(order), {})[tag] = order
        if order.state in LIVE:
            self.live[tag] = order
        else:
            self.live.pop(tag, None)
        if order.intent.plan:
            self._plans.setdefault(order.intent.plan, {})[tag] = order
        day = day_of(order)
        if before is not None and (last := day_of(before)) != day:
            del self._days[last][tag]
        self._days.setdefault(day, {})[tag] = order

    def of_plan(self, plan_id: str) -> Mapping[str, Order]:
        """Every order that is a step of the plan."""
        return self._plans.get(plan_id, _NONE)

    def of_day(self, day: dt.date) -> Mapping[str, Order]:
        """Those whose last news are of `day` (IST); an order made on `day` is one until it has news of a later one."""
        return self._days.get(day, _NONE)

    def recent(self, day: dt.date, held: Iterable[Key]) -> list[Order]:
        """Those that live, of `day` or a later one, and all of each book that is `held` or has traded in those.

        Oldest first. So each book's trades add up to what it holds.
        """
        found = dict(self.live)
        for one in self._days:
            if one >= day:
                found.update(self._days[one])
        books = {*held, *(_book(order) for order in found.values() if order.filled_quantity)}
        for key in books:
            found.update(self._books.get(key, _NONE))
        return [found[tag] for tag in sorted(found, key=self._places.__getitem__)]


def day_of(order: Order) -> dt.date:
    """The market date (IST) of the order's last news."""
    return market_date(max(order.updated_ns, order.intent.created_ns))


def _book(order: Order) -> Key:
    return order.intent.strategy, order.intent.symbol, order.intent.product
