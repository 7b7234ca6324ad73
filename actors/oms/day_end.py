"""The day's end: MIS and expiring contracts leave at their moments, by ladders, and are told of before."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from actors.oms.broker_link import LATE
from actors.oms.follow import Follower
from actors.oms.gate import key_of, leaving
from actors.oms.journal import Journal
from actors.oms.plans import PlanRunner
from actors.oms.send import Sender
from core.errors import ConfigError, InputError, UnknownDate, UnknownName, VikalpError
from core.orders.books import Book, Key
from core.orders.days import DayEndConfig, Due, Holds, due, no_entry
from core.orders.leaving import uncovered
from core.orders.plans import Close, Plan, SquareOff, symbols
from core.orders.plans.job import Ladder
from core.orders.positions import market_date
from core.orders.tag import make_tag
from core.ports import Clock
from core.records import LIVE, Alert, Order, Product

EVERY_NS = 1_000_000_000  # between two looks, wall or market, whichever has passed first
URGENT = Ladder(rungs=2, step_ns=1_000_000_000, begin=1)  # half-way to the edge of the band at once, then at the edge
Group = tuple[str, Product, str]  # strategy, product, index
Told = tuple[dt.date, str, str]  # market date, what of, stage or words
Say = Literal["info", "warning", "alarm"]
_BAD = (InputError, UnknownDate, UnknownName, ConfigError)  # of one book or group; it holds up no other


class Listed:
    """Orders that live and are not lost, and their cancels: of what has a broker's id, asked longest ago first."""

    def __init__(self, journal: Journal, follow: Follower, send: Sender, clock: Clock, most: int) -> None:
        self._journal, self._follow, self._send, self._clock = journal, follow, send, clock
        self._most = most  # cancels of a group at once
        self._asked: dict[str, int] = {}  # by tag, wall ns of the last cancel asked for

    def orders(self) -> list[Order]:
        return [order for order in map(self._follow.told, self._journal.live()) if not order.lost]

    def orders_of(self, key: Key) -> list[Order]:
        return [order for order in self.orders() if key_of(order.intent) == key]

    def lost(self, plan_id: str, key: Key) -> bool:
        """Whether an order of the plan in that book is lost."""
        orders = self._journal.of_plan(plan_id).values()
        return any(self._follow.told(order).lost for order in orders if key_of(order.intent) == key)

    def cancel(self, groups: Iterable[list[Order]]) -> None:
        """A few of each group, asked longest ago first. Whom the turn had no time for is the first in the next: none
        whose cancel is refused or answered late keeps another from its own.
        """
        few = [tag for orders in groups for tag in self._few(orders)]
        for tag in self._in_turn(dict.fromkeys(few)):
            order = self._send.cancel(tag).order
            if order.state in LIVE and LATE in order.message:
                break
            self._asked[tag] = self._clock.wall_ns()
        self._asked = {tag: at_ns for tag, at_ns in self._asked.items() if self._journal.orders[tag].state in LIVE}

    def _few(self, orders: list[Order]) -> list[str]:
        return self._in_turn(one.intent.tag for one in orders if one.broker_id)[: self._most]

    def _in_turn(self, tags: Iterable[str]) -> list[str]:
        return sorted(tags, key=lambda tag: self._asked.get(tag, 0))


class DayEnd:
    """One plan for all that is due of a strategy, product and index: its plans are ended, its entries cancelled first.

    A long is left out while a short that it covers stands in another book. From `force` on what still stands is
    replaced by a plan that goes to the edge of the band at once, whatever entries still rest. No lost order holds any
    of it up. Moments are of the market's clock: at whatever speed it runs, the next look after one sees it.
    """

    def __init__(
        self, config: DayEndConfig, journal: Journal, plans: PlanRunner, clock: Clock, *, listed: Listed
    ) -> None:
        self._config, self._journal, self._plans, self._clock, self._listed = config, journal, plans, clock, listed
        self._told: set[Told] = set()
        self._looked_ns = self._seen_ns = 0  # wall, market

    def go_on(self) -> None:
        """What is due now; called only while orders may be sent. Raises as the ledger."""
        wall_ns, now_ns = self._clock.wall_ns(), self._clock.now_ns()
        if 0 <= wall_ns - self._looked_ns < EVERY_NS and 0 <= now_ns - self._seen_ns < EVERY_NS:
            return
        self._looked_ns, self._seen_ns = wall_ns, now_ns
        found = list(self._due(self._journal.open_books(), now_ns))
        for key, one in found:
            self._once(
                "info" if one.stage == "warn" else "warning", " ".join(key), f"{key[0]}: {one.reason}", one.stage
            )
        free = [(key, one) for key, one in found if one.stage != "warn" and not self._running(key, one)]
        self._listed.cancel([self._opening(now_ns), *(self._exits(key, one) for key, one in free)])
        books, groups = self._journal.open_books(), defaultdict[Group, list[tuple[Key, Due]]](list)
        for key, one in free:
            if key in books:  # not filled meanwhile
                groups[key[0], key[2], one.held.index].append((key, one))
        for group, due_now in groups.items():
            try:
                self._leave(group, due_now, books)
            except _BAD as error:
                self._once("alarm", " ".join(group), f"{' '.join(group)} cannot be squared off: {error}")

    def _due(self, books: Mapping[Key, Book], now_ns: int) -> Iterable[tuple[Key, Due]]:
        by_held: dict[Holds, list[Key]] = defaultdict(list)
        for key, book in books.items():
            held = Holds(symbol=book.symbol, index=book.holding.index, quantity=book.quantity, product=book.product)
            by_held[held].append(key)
        try:
            found = due(by_held, now_ns, self._config)
        except VikalpError as error:
            self._once("alarm", "", f"the day's end cannot be told, nothing leaves by itself: {error}")
            return []
        return [(key, one) for one in found for key in by_held[one.held]]

    def _opening(self, now_ns: int) -> list[Order]:
        """Orders that rest and would open what leaves today, whether or not anything is held."""
        listed, plans = self._listed.orders(), {plan.plan_id for plan in self._plans.running()}
        opening = [one for one in listed if one.intent.purpose != "exit" or self._beyond(one, listed, plans)]
        return [one for one in opening if self._late(one, now_ns)]

    def _exits(self, key: Key, one: Due) -> list[Order]:
        """Those that a square-off of the book replaces; beside an entry that rests they stay until it is forced out."""
        live = self._listed.orders_of(key)
        exits = [order for order in live if order.intent.purpose == "exit"]
        return exits if one.stage == "force" or len(exits) == len(live) else []

    def _beyond(self, order: Order, listed: list[Order], plans: Collection[str]) -> bool:
        """Whether an exit is listed again beside what was sent in its place. A plan that runs takes back its own."""
        key = key_of(order.intent)
        book = self._journal.book(*key)
        held = abs(book.quantity) if book is not None else 0
        return order.intent.plan not in plans and leaving(listed, key) > held

    def _late(self, order: Order, now_ns: int) -> bool:
        intent = order.intent
        try:
            return bool(no_entry(intent.symbol, intent.index, intent.product, now_ns, self._config))
        except VikalpError:
            return False  # `_due` tells what holds the whole day's end up

    def _leave(self, group: Group, found: list[tuple[Key, Due]], books: Mapping[Key, Book]) -> None:
        """Start a plan for what of the group is ready; the rest at a later look."""
        ready = [close for key, one in found if (close := self._ready(group, key, books[key], one)) is not None]
        mine = frozenset(close.symbol for close in ready)
        ready = self._covering_nothing(group, ready, forced=any(one.stage == "force" for _, one in found))
        if not ready:
            return
        stage, reason = next((one.stage, one.reason) for key, one in found if key[1] in mine)
        more = f" (and {len(ready) - 1} more)" if len(ready) > 1 else ""
        words = f"day end {market_date(self._clock.now_ns())} {' '.join(group)} {stage} {self._tries(group)}"
        plan = self._plan(group, ready, make_tag(words), f"day end: {reason}{more}", urgent=stage == "force")
        self._plans.start(msgspec.json.encode(plan).decode())

    def _ready(self, group: Group, key: Key, book: Book, one: Due) -> Close | None:
        """What of the book is to leave now. None while an order of it is on the way: that is ended first.

        What is forced out waits for none: an entry that fills later is squared off at a later look. A book that cannot
        be squared off holds up no other; what ledger, broker and login do is the caller's.
        """
        live = self._listed.orders_of(key)
        if live and one.stage != "force":
            return None
        left = abs(book.quantity) - leaving(live, key)
        for order in live:
            if left <= 0 or order.intent.purpose != "exit":
                self._resists(order)
        close = Close(symbol=book.symbol, quantity=left if book.quantity > 0 else -left)
        if left <= 0:
            return None
        try:
            self._plan(group, [close], "CHECK", one.reason, urgent=False)
        except _BAD as error:
            self._once("alarm", " ".join(key), f"{' '.join(key)} cannot be squared off, close it by hand: {error}")
            return None
        return close

    def _resists(self, order: Order) -> None:
        made = order.intent
        what = f"{made.side} {made.quantity} {made.symbol} of {made.strategy} ({made.tag})"
        self._once("alarm", made.tag, f"{what} still rests in the last minutes, cancel it by hand", "rests")

    def _plan(self, group: Group, found: list[Close], plan_id: str, reason: str, *, urgent: bool) -> SquareOff:
        strategy, product, index = group
        return SquareOff(
            plan_id=plan_id, strategy=strategy, index=index, created_ns=self._clock.now_ns(), product=product,
            positions=tuple(found), reason=reason, ladder=URGENT if urgent else Ladder(),
        )  # fmt: skip

    def _covering_nothing(self, group: Group, ready: list[Close], *, forced: bool) -> list[Close]:
        """Shorts, and longs that leave no short of any book uncovered once the group's own are bought back."""
        plans = [plan for plan in self._plans.running() if isinstance(plan, SquareOff)]
        ids = {plan.plan_id for plan in plans}
        working = [order for order in self._listed.orders() if order.intent.plan not in ids]
        going = [going for plan in plans for going in self._selling(plan)]
        held_back = uncovered(self._journal.held(), [(one.symbol, one.quantity) for one in ready], going, working)
        for symbol in sorted(held_back):
            words = f"{symbol} of {group[0]} is not sold yet: a short stands against it, and is to be bought back first"
            self._once("alarm" if forced else "warning", symbol, words, "force" if forced else "held back")
        return [one for one in ready if one.symbol not in held_back]

    def _selling(self, plan: SquareOff) -> Iterable[tuple[str, int]]:
        """Longs that a plan has not sold yet."""
        for one in plan.positions:
            book = self._journal.book(plan.strategy, one.symbol, plan.product)
            if one.quantity > 0 and book is not None and book.quantity > 0:
                yield one.symbol, min(one.quantity, book.quantity)

    def _running(self, key: Key, one: Due) -> bool:
        """Whether a plan of the book still runs. One that is no square-off is asked to end; when what is left is forced
        out every plan is over that is not urgent itself, whatever it waits for. So is, at once, one that waits for the
        end of a lost order.
        """
        running = [plan for plan in self._plans.running() if (plan.strategy, plan.product) == (key[0], key[2])]
        running = [plan for plan in running if key[1] in symbols(plan)]
        forced = one.stage == "force"
        slow = {
            plan.plan_id for plan in running if (forced and not _urgent(plan)) or self._listed.lost(plan.plan_id, key)
        }
        if slow:
            words = "what is left is forced out" if forced else "an order of it is lost"
            self._plans.abandon(f"day end, {words}: {one.reason}", slow)
            self._plans.take_back()
        left = [plan for plan in running if plan.plan_id not in slow]
        for plan in left if not forced else ():
            if not isinstance(plan, SquareOff):
                self._plans.end(plan.plan_id, f"day end: {one.reason}")
        return bool(left)

    def _tries(self, group: Group) -> int:
        """How many square-offs of the group there have been: each has an id of its own."""
        made = (plan for plan in self._plans.every() if isinstance(plan, SquareOff))
        return sum((plan.strategy, plan.product, plan.index) == group for plan in made)

    def _once(self, severity: Say, what: str, words: str, stage: str = "") -> None:
        told = (market_date(self._clock.now_ns()), what, stage or words)
        if told not in self._told:
            self._told = {one for one in self._told if one[0] == told[0]} | {told}
            at_ns = self._clock.wall_ns()
            self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="day end", message=words))


def _urgent(plan: Plan) -> bool:
    return isinstance(plan, SquareOff) and plan.ladder == URGENT
