"""A strategy's own orders: sent with a tag made of the decision, followed until they are over."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from core.errors import DeskError, VikalpError
from core.orders.tag import make_tag
from core.ports import Orders
from core.records import LIVE, Intent, Order
from core.strategies.events import Enter, EntryDropped, EntryFilled, Event, ExitDropped, ExitFilled, Leave

_LOST_NS = 15_000_000_000  # wall; a call is not run after its deadline of 5 s, so what is absent then never will be
_LATE_NS = 300_000_000_000  # wall; so long after the end of an order its late fills are looked for
_AGAIN_NS = 5_000_000_000  # wall; between two requests to cancel the same order


class _Over(NamedTuple):
    """An order that is over, and what has been counted of it."""

    intent: Intent
    units: int = 0
    paise: int = 0
    until_ns: int = 0  # wall; it is looked at so long
    lives: bool = False  # for the order manager, which has no end of it yet: it is looked at until it has


class Follow:
    """What of `name`'s orders on `index` is still open, and what the closed ones brought in and cost."""

    def __init__(self, name: str, index: str) -> None:
        self._name, self._index = name, index
        self._waiting: dict[str, Intent] = {}
        self._sent_wall_ns: dict[str, int] = {}
        self._cancel_wall_ns: dict[str, int] = {}  # when it was last asked for
        self._units: Counter[str] = Counter()
        self._over: dict[str, _Over] = {}
        self._entries: dict[str, Order] = {}  # symbol → the last entry that filled
        self._exits: Counter[str] = Counter()  # symbol → exits that are over: the next is another decision
        self.net_paise = 0  # premiums received less premiums paid, of this session

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def units(self, symbol: str) -> int:
        """Units bought and not sold again by this strategy's own orders that are over."""
        return self._units[symbol]

    def open_ends(self, wall_ns: int) -> bool:
        """Whether an order that is over may still fill: one that was given up too early does, minutes later at most."""
        return any(
            over.units < over.intent.quantity and (over.lives or wall_ns < over.until_ns)
            for over in self._over.values()
        )

    def unwatched(self, held: str) -> EntryFilled | None:
        """What is left of entries of another contract than `held`: they filled after they had been given up."""
        symbol = next((symbol for symbol, units in self._units.items() if units > 0 and symbol != held), "")
        if not symbol:
            return None
        entry, units = self._entries[symbol], self._units[symbol]
        price = round(entry.average_paise)
        return EntryFilled(symbol=symbol, price_paise=price, quantity=units, at_ns=entry.updated_ns)

    def at_most(self, symbol: str, held: int) -> int:
        """The units left to sell now that only `held` are there: somebody else may have sold some."""
        self._units[symbol] = max(0, min(self._units[symbol], held))
        return self._units[symbol]

    def send(self, orders: Orders, action: Enter | Leave, quantity: int, *, wall_ns: int) -> bool:
        """Submit; True if the order lives, has filled or may have been sent, False if it was refused.

        Raises what the order manager raises for an intent that is no order at all.
        """
        entry = isinstance(action, Enter)
        reason = "signal" if isinstance(action, Enter) else action.reason
        # An exit's decision has the time of a quote, which may stand still: after one that failed it is another.
        again = f"|{self._exits[action.symbol]}" if not entry and self._exits[action.symbol] else ""
        intent = Intent(
            tag=make_tag(f"{self._name}|{action.symbol}|{action.at_ns}|{reason}{again}"),
            strategy=self._name,
            index=self._index,
            symbol=action.symbol,
            side="BUY" if entry else "SELL",
            quantity=quantity,
            order_type="MARKET",
            purpose="entry" if entry else "exit",
            reason=reason,
            created_ns=action.at_ns,
        )
        self._waiting[intent.tag], self._sent_wall_ns[intent.tag] = intent, wall_ns
        try:
            order = orders.submit(intent)
        except DeskError:
            return True  # sent or not: `look` finds it by its tag
        except VikalpError:
            self._forget(intent.tag)
            raise
        if order.state in {"REFUSED", "REJECTED"}:
            self._forget(intent.tag)
            return False
        return True

    def look(self, orders: Sequence[Order], wall_ns: int) -> list[Event]:
        """What has become of the waiting orders: an event for each that is over, oldest first.

        A lost one is over too. What one that was over before has filled since is counted, without an event: see
        `unwatched`.
        """
        for order in orders:
            if order.intent.tag in self._over:
                self._again(order)
        over = [
            order for order in orders if order.intent.tag in self._waiting and (order.state not in LIVE or order.lost)
        ]
        known = {order.intent.tag for order in orders}
        lost = [
            tag for tag in self._waiting if tag not in known and wall_ns - self._sent_wall_ns.get(tag, 0) > _LOST_NS
        ]
        return [self._end(order, wall_ns) for order in over] + [self._never(tag, wall_ns) for tag in lost]

    def resting(self, orders: Sequence[Order], before_ns: int, wall_ns: int) -> list[str]:
        """Tags of the orders decided before `before_ns` (market time) that still live, to be cancelled now.

        None that was named in the last seconds, and none that is lost: the broker has nothing to cancel.
        """
        mine = self._waiting.keys() | self._over.keys()
        due = [
            order.intent.tag
            for order in orders
            if order.intent.tag in mine
            and order.state in LIVE
            and not order.lost
            and order.intent.created_ns < before_ns
            and wall_ns - self._cancel_wall_ns.get(order.intent.tag, wall_ns - _AGAIN_NS) >= _AGAIN_NS
        ]
        self._cancel_wall_ns.update(dict.fromkeys(due, wall_ns))
        return due

    def adopt(self, orders: Sequence[Order], wall_ns: int) -> list[Event]:
        """After a restart: every order of this strategy and session, as events in the order they were made."""
        mine = [order for order in orders if order.intent.strategy == self._name]
        self._waiting = {order.intent.tag: order.intent for order in mine}
        self.net_paise, self._units, self._over, self._exits = 0, Counter(), {}, Counter()
        for order in mine:
            if order.state == "REFUSED":
                self._forget(order.intent.tag)
        return self.look(mine, wall_ns)

    def _forget(self, tag: str, until_ns: int = 0) -> Intent:
        """It is not waited for; with `until_ns` it was sent, and is looked at so long."""
        self._sent_wall_ns.pop(tag, None)
        intent = self._waiting.pop(tag)
        if until_ns:
            self._over[tag] = _Over(intent, until_ns=until_ns)
        if intent.purpose == "exit":
            self._exits[intent.symbol] += 1
        return intent

    def _never(self, tag: str, wall_ns: int) -> Event:
        return EntryDropped() if self._forget(tag, wall_ns + _LATE_NS).side == "BUY" else ExitDropped()

    def _end(self, order: Order, wall_ns: int) -> Event:
        symbol = self._forget(order.intent.tag, wall_ns + _LATE_NS).symbol
        self._count(order)
        if order.intent.side == "BUY":
            filled, price = order.filled_quantity, round(order.average_paise)
            if not filled:
                return EntryDropped()
            return EntryFilled(symbol=symbol, price_paise=price, quantity=filled, at_ns=order.updated_ns)
        return ExitDropped() if self._units[symbol] > 0 else ExitFilled()

    def _again(self, order: Order) -> None:
        over = self._over[order.intent.tag]
        if order.filled_quantity > over.units or over.lives != (order.state in LIVE):
            self._count(order)

    def _count(self, order: Order) -> None:
        """Into units and cash what of `order` is not in them yet."""
        intent, units, paise, until_ns, _ = self._over[order.intent.tag]
        filled, worth = order.filled_quantity, round(order.average_paise) * order.filled_quantity
        way = 1 if intent.side == "BUY" else -1
        self._units[intent.symbol] += way * (filled - units)
        self.net_paise -= way * (worth - paise)
        self._over[intent.tag] = _Over(intent, filled, worth, until_ns, order.state in LIVE)
        if filled and intent.side == "BUY":
            self._entries[intent.symbol] = order
