"""Exits of what the books hold: sliced, crossing, shorts before what covers them, no more than the account has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.gate import key_of, leaving, moving
from actors.oms.journal import Journal
from actors.oms.send import Sender
from core.errors import VikalpError
from core.market import parse_symbol, tick_paise, usable_freeze
from core.matching.depth import Board, Depth
from core.orders.books import Book, Key
from core.orders.exits import exit_intents, whole_exit
from core.orders.machine import refused
from core.orders.positions import market_date
from core.ports import Clock
from core.records import Alert, Intent, Order
from core.risk.plain_exit import plain_exit


class Closer:
    """What could not be sent is counted by book, + long, − short, for whoever asks again."""

    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        send: Sender,
        account: Account,
        *,
        broker: BrokerLink,
        clock: Clock,
        exit_cross: float,
    ) -> None:
        self._journal, self._follow, self._send, self._account = journal, follow, send, account
        self._broker, self._clock, self._exit_cross = broker, clock, exit_cross
        self.why = ""
        self.later = Counter[Key]()  # exits there was no time for, or that were refused for the moment
        self.waiting = Counter[Key]()  # longs that still cover a short

    def close(self, due: Mapping[Key, int], board: Board) -> list[Order]:
        """Exits of up to `due` units a book, + long, − short, of what is held; of shorts before what covers them."""
        seed = f"exit_all {self._clock.wall_ns()}"
        return [
            order
            for key, book in sorted(self._journal.open_books().items(), key=lambda one: one[1].quantity)
            for order in self._left(key, book, due.get(key, 0), board, seed)
        ]

    def _left(self, key: Key, book: Book, due: int, board: Board, seed: str) -> Iterator[Order]:
        held, seed = abs(book.quantity), f"{seed} {book.strategy} {book.product}"
        kept = max(0, held - max(0, due if book.quantity > 0 else -due))
        going = leaving(self._journal.live(), key, vanished=self._follow.vanished)
        asked = held - max(kept, going)
        if asked <= 0:
            return
        working = min(held, max(kept, going + self._account.missing(book)))
        if asked > (left := held - working):
            yield self._withheld(book, asked - left, seed)
        if not left:
            return
        whole = self._of(book, whole_exit(book.holding, working=working, seed=seed, reason=self.why))
        try:
            intents = list(self._exits(book, board.depth(book.symbol), working, seed))
        except VikalpError as error:
            yield self.failed(whole, f"not sent: {error}")
            return
        if self._covers(whole):
            yield self._wait(key, whole)
            return
        for intent in intents:
            if self._broker.over:
                self.later.update(units_of([intent]))
                yield self.failed(intent, "not sent yet: the broker takes long; it is sent as soon as there is time")
            else:
                yield self._sent(intent)

    def _covers(self, intent: Intent) -> bool:
        """Whether what is to be sold still covers a short."""
        known = map(self._follow.told, self._journal.live())
        working = moving(order for order in known if not order.lost)
        return intent.side == "SELL" and not plain_exit(self._journal.held(), intent, working)

    def _wait(self, key: Key, intent: Intent) -> Order:
        first = not self.waiting[key]
        self.waiting[key] += intent.quantity
        why = "not sent yet: it covers a short that is being bought back; it is sold once that is done"
        if first:
            self.tell(intent, why, bad=False)
        return refused(msgspec.structs.replace(intent, created_ns=self._clock.now_ns()), self._clock.now_ns(), why)

    def _withheld(self, book: Book, units: int, seed: str) -> Order:
        held = abs(book.quantity)
        intent = whole_exit(book.holding, working=held - units, seed=f"{seed} withheld", reason=self.why)
        return self.failed(
            self._of(book, intent),
            f"not sent: the broker says that the account has {held - self._account.missing(book)} of the {held} "
            f"{book.product} that this desk counts; look at the broker's positions",
        )

    def _of(self, book: Book, intent: Intent) -> Intent:
        return msgspec.structs.replace(intent, strategy=book.strategy, product=book.product)

    def _sent(self, intent: Intent) -> Order:
        try:
            return self._send.submit(intent, "REDUCING", flat=True)
        except VikalpError as error:
            return self._journal.orders.get(intent.tag) or self.failed(intent, f"not sent: {error}")

    def _exits(self, book: Book, depth: Depth | None, working: int, seed: str) -> Iterator[Intent]:
        """The intents that close what `book` has open and no live exit is already taking off."""
        today, index = market_date(self._clock.now_ns()), book.holding.index
        expiry = parse_symbol(book.symbol, today).expiry
        assert expiry is not None, "only options are traded"
        exits = exit_intents(
            book.holding,
            depth,
            working=working,
            most=usable_freeze(index, expiry, today),
            tick=tick_paise(index),
            cross=self._exit_cross,
            seed=seed,
            reason=self.why,
        )
        return (self._of(book, intent) for intent in exits)

    def failed(self, intent: Intent, why: str) -> Order:
        """The answer, and an alarm: who asked may be gone by now."""
        self.tell(intent, why, bad=True)
        now_ns = self._clock.now_ns()
        return refused(msgspec.structs.replace(intent, created_ns=intent.created_ns or now_ns), now_ns, why)

    def tell(self, intent: Intent, what: str, *, bad: bool) -> None:
        self.say(f"exit all, {intent.side} {intent.quantity} {intent.symbol} ({intent.tag}): {what}".rstrip(), bad=bad)

    def say(self, words: str, *, bad: bool) -> None:
        severity: Literal["alarm", "info"] = "alarm" if bad else "info"
        at_ns = self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="orders exit all", message=words))


def units_of(exits: Iterable[Intent]) -> Counter[Key]:
    units = Counter[Key]()
    for one in exits:
        units[key_of(one)] += one.quantity if one.side == "SELL" else -one.quantity
    return units
