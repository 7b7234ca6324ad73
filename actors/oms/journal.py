"""What the order manager believes: never more than the ledger has committed.

Every method commits first and changes memory last, so that after LedgerDown the memory still says what it said
before; `replay` then reads the truth. Raises LedgerDown and LedgerFenced as the ledger does.

A call that fails may have taken its whole deadline. The ledger is asked nothing after it until `replay` asks anew: a
ledger that hangs holds whoever wants something of the order manager up for one deadline, not for one a write.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from actors.oms.alerts import Alerts
from actors.oms.events import EventKind, Severity, risk_event
from core.errors import LedgerDown
from core.orders import books
from core.orders.asked import asked, with_asked
from core.orders.books import Book, Books, Key, NetKey, OpenBooks, position_of
from core.orders.machine import Tally, advance, born, event_of, noted, refused, resting, with_fill
from core.orders.order_index import OrderIndex
from core.orders.positions import market_date
from core.orders.snapshot import Snapshot
from core.ports import Clock, Ledger
from core.records import (
    Alert,
    Fill,
    Intent,
    Kill,
    Move,
    Order,
    OrderEvent,
    PlanWord,
    Product,
    Settled,
    Terms,
    Verdict,
)
from core.risk.verdict import in_words

T = TypeVar("T")


class Journal:
    """Orders by tag and trades by id, oldest first; each strategy's books; settlements by symbol.

    `version` grows with every change of them. They are of the session, which is an account's whole life where it is
    LIVE: what is asked at every quote and order has an index here, and walks what lives, is open or is of one day.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock, self._epoch = ledger, clock, 0
        self._orders = OrderIndex()
        self.books = Books()
        self._open = OpenBooks(self.books)
        self.trades: dict[str, Fill] = {}
        self.settled: dict[str, Settled] = {}
        self.moves: dict[tuple[str, str], Move] = {}  # by id and phase
        self.version = 0
        self._tallies: dict[str, Tally] = {}
        self._days: dict[dt.date, dict[str, Fill]] = {}  # trades by day and id
        self.why_left: Callable[[Order, int], str] = lambda order, _paise: order.intent.reason  # a plan may know better
        self._alerts = Alerts(lambda alert: self._call(lambda: self._ledger.record_alert(alert)))
        self.away = ""  # why the ledger was not reached; empty again when `replay` asks it anew

    def take_epoch(self) -> None:
        """Fence every older order manager."""
        self._epoch = self._ledger.take_epoch()

    def replay(self) -> None:
        """Forget everything and believe the ledger."""
        self.away = ""
        orders = OrderIndex(self._call(self._ledger.orders))
        tallies, days = dict[str, Tally](), dict[dt.date, dict[str, Fill]]()
        trades = {fill.trade_id: fill for fill in self._call(self._ledger.fills)}
        for fill in trades.values():
            tallies[fill.tag] = tallies.get(fill.tag, Tally()).add(fill)
            days.setdefault(market_date(fill.at_ns), {})[fill.trade_id] = fill
        settled = {row.symbol: row for row in self._call(self._ledger.settlements)}
        moves = self._call(self._ledger.moves)
        self.books = books.books_of(orders.all.values(), trades.values(), settled.values(), moves)
        self.moves = {(move.move_id, move.phase): move for move in moves}
        self._orders, self._tallies = orders, tallies
        self.trades, self.settled, self._days = trades, settled, days
        self.version += 1

    def keep(self, state: str, why: str) -> None:
        """Commit what a person wants, for the next process."""
        self._call(lambda: self._ledger.record_standing(self._epoch, state, why))

    def kept(self) -> tuple[str, str] | None:
        return self._call(self._ledger.standing)

    def kill(self) -> Kill | None:
        """What was last said of the kill switch, in whatever session of this account."""
        return self._call(self._ledger.kill_switch)

    def kills(self, since_ns: int) -> Sequence[Kill]:
        """What this session has said of it since then (market), oldest first."""
        return self._call(lambda: self._ledger.kills(since_ns))

    def record_kill(self, kill: Kill) -> None:
        self._call(lambda: self._ledger.record_kill(kill))

    def check_epoch(self) -> None:
        """Raises LedgerFenced if this is no longer the one order manager."""
        self._call(lambda: self._ledger.check_epoch(self._epoch))

    def plan(self, plan_id: str, body: str, created_ns: int) -> None:
        self._call(lambda: self._ledger.record_plan(self._epoch, plan_id, body, created_ns))
        self.version += 1

    def word(self, word: PlanWord) -> None:
        self._call(lambda: self._ledger.record_plan_word(self._epoch, word))
        self.version += 1

    def plans(self) -> Sequence[tuple[str, str, Sequence[PlanWord]]]:
        """(id, definition, what it has said) of every plan of the session."""
        return self._call(self._ledger.plans)

    def snapshot(self, taken: Snapshot) -> None:
        self._call(lambda: self._ledger.record_snapshot(self._epoch, taken))

    @property
    def orders(self) -> Mapping[str, Order]:
        """Every one of the session, by tag."""
        return self._orders.all

    def live(self) -> list[Order]:
        return list(self._orders.live.values())

    def of_plan(self, plan_id: str) -> Mapping[str, Order]:
        """Every order of a plan, by tag."""
        return self._orders.of_plan(plan_id)

    def of_day(self, day: dt.date) -> list[Order]:
        """Orders made on `day`, and those of other days whose last news are of it."""
        return list(self._orders.of_day(day).values())

    def recent(self, day: dt.date) -> list[Order]:
        """Orders that live, those of `day` or later, and all of the books that hold something or have traded in those.

        Oldest first.
        """
        return self._orders.recent(day, self.open_books())

    def trades_of(self, day: dt.date) -> list[Fill]:
        return list(self._days.get(day, {}).values())

    def open_books(self) -> Mapping[Key, Book]:
        """Those that hold something."""
        self._open = self._open.now(self.books)
        return self._open.books

    def open_nets(self) -> Mapping[NetKey, Book]:
        """Of the account, those that hold something."""
        self._open = self._open.now(self.books)
        return self._open.nets

    def book(self, strategy: str, symbol: str, product: Product) -> Book | None:
        """What `strategy` holds, and has held, of `symbol` in `product`."""
        return self.books.books.get((strategy, symbol, product))

    def held(self) -> Counter[str]:
        """Signed units of the account by contract, over all strategies and products; 0 of any other."""
        units = Counter[str]()
        for book in self.open_nets().values():
            units[book.symbol] += book.quantity
        return units

    def filled(self, tag: str) -> int:
        """Units of the order that its trades add up to."""
        return self._tallies.get(tag, Tally()).quantity

    def intend(self, intent: Intent) -> Order:
        """Commit the intent; from here on the order may be sent, once."""
        self._call(lambda: self._ledger.journal_intent(self._epoch, intent))
        order = born(intent, self._clock.now_ns())
        self._orders.put(order)
        self.version += 1
        return order

    def refuse(self, intent: Intent, verdict: Verdict) -> Order:
        """Commit an intent that will never be sent, with the reasons."""
        order = refused(intent, intent.created_ns, in_words(verdict))  # as the ledger will tell it again
        self._call(lambda: self._ledger.record_refusal(self._epoch, intent, verdict))
        self._orders.put(order)
        self.version += 1
        return order

    def learn(self, event: OrderEvent, *, broker_id: str = "", now: Terms | None = None) -> Order:
        """Commit what was heard of an order, `now` its terms; nothing is written when it says nothing new."""
        order = self.orders[event.tag]
        after = advance(order, event, broker_id=broker_id)
        after = with_asked(order, after if now is None else resting(after, now))
        if after != order:
            self._call(lambda: self._ledger.record_order(self._epoch, after, event))
            self._orders.put(after)
            self.version += 1
        return after

    def note(self, tag: str, message: str) -> None:
        """Commit words about a live order that change nothing else of it; nothing is written when they are not new."""
        order = self.orders[tag]
        after = noted(order, message, self._clock.now_ns())
        if after != order:
            self._call(lambda: self._ledger.record_order(self._epoch, after, event_of(after)))
            self._orders.put(after)
            self.version += 1

    def modifying(self, tag: str, terms: Terms) -> None:
        """Commit that the order's terms are about to be changed: a broker allows so many times an order."""
        order, now_ns = self.orders[tag], self._clock.now_ns()
        after = noted(order, asked(terms), now_ns)
        after = msgspec.structs.replace(after, modifications=order.modifications + 1, updated_ns=now_ns)
        self._call(lambda: self._ledger.record_order(self._epoch, after, event_of(after)))
        self._orders.put(after)
        self.version += 1

    def fill(self, fill: Fill) -> Fill | None:
        """Commit a trade of one of our orders; None if it was counted before. The order says whose it is."""
        if fill.trade_id in self.trades:
            return None
        order = self.orders[fill.tag]
        fill = msgspec.structs.replace(
            fill,
            strategy=order.intent.strategy,
            index=order.intent.index,
            symbol=order.intent.symbol,
            reason=self.why_left(order, fill.price_paise) if order.intent.purpose == "exit" else "",
        )
        tally = self._tallies.get(fill.tag, Tally()).add(fill)
        product = order.intent.product
        all_books = books.with_fill(self.books, fill, product)  # first: it refuses a trade that is none
        told = position_of(all_books.books[fill.strategy, fill.symbol, product], fill.price_paise)
        after = with_asked(order, with_fill(order, fill, tally))
        # False is a trade the ledger has and this memory has not: a commit whose answer was lost. It counts here, once.
        self._call(lambda: self._ledger.record_fill(self._epoch, fill, after, told))
        self._orders.put(after)
        self.books, self._tallies[fill.tag] = all_books, tally
        self.trades[fill.trade_id] = self._days.setdefault(market_date(fill.at_ns), {})[fill.trade_id] = fill
        self.version += 1
        return fill

    def counted(self, day: dt.date | None = None) -> list[str]:
        """Ids of all that the holdings are made of: trades, settlements, what was taken over; or of one day."""
        taken = [move for move in self.moves.values() if (move.kind, move.phase) == ("adopt", "done")]
        beside = [(row.id, row.at_ns) for row in self.settled.values()] + [(move.id, move.at_ns) for move in taken]
        if day is None:
            return [*self.trades, *(row_id for row_id, _ in beside)]
        return [*self._days.get(day, {}), *(row_id for row_id, at_ns in beside if market_date(at_ns) == day)]

    def move(self, move: Move) -> Move:
        """Commit what became of a position's move. The first of its id and phase stands, and comes back."""
        after = books.with_move(self.books, move).books
        mine = (after.get((move.strategy, move.symbol, product)) for product in ("NRML", "MIS"))
        told = [position_of(book, 0) for book in mine if book is not None]
        move = self._call(lambda: self._ledger.record_move(self._epoch, move, told if move.phase == "done" else ()))
        self.books, self.moves[move.move_id, move.phase] = books.with_move(self.books, move), move
        self.version += 1
        return move

    def settle(self, settled: Settled) -> Settled:
        """Commit what a contract that is held expired at. The first commit of a contract stands, and comes back."""
        after = books.with_settled(self.books, settled).books.values()
        flat = [position_of(book, settled.value_paise) for book in after if book.symbol == settled.symbol]
        settled = self._call(lambda: self._ledger.record_settlement(self._epoch, settled, flat))
        self.books, self.settled[settled.symbol] = books.with_settled(self.books, settled), settled
        self.version += 1
        return settled

    def event(self, kind: EventKind, subject: str, message: str, severity: Severity | None = None) -> None:
        event = risk_event(kind, subject, message, self._clock.now_ns(), severity=severity)
        self._call(lambda: self._ledger.record_risk_event(event))

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The latest, oldest first, in the ledger or not yet."""
        return self._alerts.latest

    def alert(self, alert: Alert) -> None:
        """Record an alert now, or as soon as the ledger is back: an alarm about the ledger cannot wait on it."""
        self._alerts.add(alert)

    def say(self) -> None:
        """Record the alerts that have had to wait."""
        self._alerts.say()

    def _call(self, ask: Callable[[], T]) -> T:
        if self.away:
            raise LedgerDown(self.away)
        try:
            return ask()
        except LedgerDown as error:
            self.away = str(error)
            raise
