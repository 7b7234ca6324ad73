"""Getting flat: every cancel and every exit on its own, so that one that fails holds up no other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.gate import leaving
from actors.oms.journal import Journal
from actors.oms.send import Sender
from actors.oms.standing import Standing
from core.errors import VikalpError
from core.market import parse_symbol, tick_paise, usable_freeze
from core.matching.depth import Board, Depth
from core.orders.exits import exit_intents, whole_exit
from core.orders.machine import refused
from core.orders.positions import Holding, market_date
from core.ports import Clock
from core.records import LIVE, Alert, Intent, Order

_BAD = frozenset({"REFUSED", "REJECTED", "UNKNOWN"})
AGAIN_NS = 1_000_000_000  # wall; between two tries of what the broker refused: its calls have a budget
GIVE_UP_NS = 60_000_000_000  # wall; what cannot be done for so long, though the broker lists it, is a person's


class Flattener:
    """`exit_all`, and on the timer what it had to leave: an order it cancelled may live on until the broker says so.

    What such an order may still fill is neither exited twice nor forgotten: when it is over, what of it the exits did
    not foresee is exited, and no more: what has been bought or sold anew since is not touched. The wish lives as long
    as this process: whoever asked has been told that it was not done yet.
    """

    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        send: Sender,
        account: Account,
        *,
        broker: BrokerLink,
        standing: Standing,
        clock: Clock,
        exit_cross: float,
    ) -> None:
        self._journal, self._follow, self._send, self._broker = journal, follow, send, broker
        self._standing, self._account = standing, account
        self._clock, self._exit_cross = clock, exit_cross
        self._wish: dict[str, str] = {}  # tag of an order that was not over yet → why the cancel was not taken
        self._foreseen: dict[str, int] = {}  # tag of the same → units filled in the end, if the exits are to be enough
        self._unsent = Counter[str]()  # by symbol, units of exits that could not be sent: + long, − short
        self._later = Counter[str]()  # the same, of exits there was no time for, or that were refused for the moment
        self._later_ns = self._ask_ns = 0  # wall, from when on those are tried, and cancels asked for, again
        self._give_up_ns = GIVE_UP_NS + broker.unlisted_ms * 1_000_000
        self._unsure: set[str] = set()  # tags of exits sent, of which nobody knows whether the broker has them
        self._why, self._asked_ns = "", 0  # wall

    def exit_all(self, board: Board, why: str) -> list[Order]:
        """Cancel what is live, then send limits that close every position, whatever the state; raises LedgerFenced.

        Of each no more than the broker says the account has: what somebody else has closed is not to become a short.

        First what is not cancelled yet, as REFUSED with the reason and the tag of the order that still lives; then
        the exits, those that could not be sent as REFUSED.
        """
        self._standing.check()
        self._why, self._asked_ns = why, self._clock.wall_ns()
        said = self._take_back([order.intent.tag for order in self._journal.live()])
        self._wish = {tag: words for tag, words in said.items() if self._journal.orders[tag].state in LIVE}
        self._foreseen = {tag: self._foresee(self._journal.orders[tag]) for tag in self._wish}
        kept = [self._alive(tag, words) for tag, words in self._wish.items()]
        self._later.clear()
        self._compare()
        exits = self._close({one.symbol: one.quantity for one in self._journal.holdings.values()}, board)
        self._unsent = _units(order.intent for order in exits if order.intent.tag not in self._journal.orders)
        self._unsent.subtract(self._later)
        self._watch(exits)
        return kept + exits

    def go_on(self, board: Board) -> None:
        """Exit what there was no time for, and what orders over by now have left; ask for the others once more.

        Exits first: cancels that take long must not keep them waiting for ever. Nothing without ledger and login.
        """
        if not (self._wish or self._later or self._unsure) or self._standing.stop:
            return
        now_ns = self._clock.wall_ns()
        over = [tag for tag in self._wish if self._journal.orders[tag].state not in LIVE]
        self._wish = {tag: words for tag, words in self._wish.items() if tag not in over}
        due = self._due([self._journal.orders[tag] for tag in over])
        due.update(self._never_had())
        if _past(self._later_ns, now_ns):
            due.update(self._later)
            self._later.clear()
        if any(due.values()):
            self._compare()
        exits = self._close(due, board)
        self._watch(exits)
        for order in exits:
            if order.intent.tag in self._journal.orders:  # of the others `_failed` has told
                self._tell(order.intent, f"{order.state} {order.message}", bad=order.state in _BAD)
        if now_ns - self._asked_ns >= self._give_up_ns:
            self._give_up()
        if _past(self._ask_ns, now_ns):
            self._wish |= self._ask([tag for tag, words in self._wish.items() if words])

    def _give_up(self) -> None:
        after = f"given up after {self._give_up_ns / 1e9:.0f} s"
        for tag, words in self._wish.items():
            self._alive(tag, f"{words or self._send.unheard()}; {after}, cancel it by hand")
        for symbol, units in self._later.items():
            self._say(f"exit all, {units:+d} of {symbol}: not sent; {after}, exit it by hand", bad=True)
        self._wish, self._later = {}, Counter()

    def _watch(self, exits: list[Order]) -> None:
        self._unsure |= {order.intent.tag for order in exits if order.state == "UNKNOWN"}
        refused = [order.intent for order in exits if order.intent.tag in self._send.postponed]
        if refused:
            self._later.update(_units(refused))
            self._later_ns = self._clock.wall_ns() + AGAIN_NS
        self._send.postponed.clear()

    def _never_had(self) -> Counter[str]:
        """By symbol, what exits were to take off that have turned out never to have been taken, or to be refused."""
        known = {tag for tag in self._unsure if self._journal.orders[tag].state != "UNKNOWN"}
        self._unsure -= known
        return _units(
            order.intent for order in map(self._journal.orders.__getitem__, known) if order.state == "REJECTED"
        )

    def _foresee(self, order: Order) -> int:
        """Units of a live order that the exits reckon with: an exit takes all of it off, unless nobody waits for it."""
        waited = order.intent.purpose == "exit" and order.intent.tag not in self._follow.vanished
        return order.intent.quantity if waited else order.filled_quantity

    def _due(self, over: list[Order]) -> Counter[str]:
        """By symbol, what orders that are over have made of it beyond what was foreseen, and exits never sent."""
        due = Counter[str]()
        for order in over:
            more = order.filled_quantity - self._foreseen[order.intent.tag]
            due[order.intent.symbol] += more if order.intent.side == "BUY" else -more
        for symbol in due:
            due[symbol] += self._unsent.pop(symbol, 0)
        return due

    def _take_back(self, tags: list[str]) -> dict[str, str]:
        """Why each was not cancelled, empty if the broker took the request: the broker is asked before any write."""
        said = self._ask([tag for tag in tags if self._journal.orders[tag].broker_id])
        if not self._broker.over:
            self._send.look([tag for tag, words in said.items() if not words])
        late = [tag for tag in tags if tag not in said and self._journal.orders[tag].state in LIVE]
        if late:
            said |= (asked := self._ask(late))
            if not self._broker.over:
                self._send.look([tag for tag, words in asked.items() if not words])
        self._standing.attempt(lambda: self._note(said))
        return said

    def _note(self, said: dict[str, str]) -> None:
        for tag, words in said.items():
            self._journal.note(tag, words)

    def _ask(self, tags: list[str]) -> dict[str, str]:
        said: dict[str, str] = {}
        if tags:
            self._ask_ns = self._clock.wall_ns() + AGAIN_NS
        for tag in tags:
            if self._broker.over:
                said[tag] = "not cancelled yet: the broker took long over the others"
                continue
            try:
                said[tag] = self._send.ask_back(self._journal.orders[tag])
            except VikalpError as error:
                said[tag] = f"not cancelled: {error}"
        return said

    def _close(self, due: Mapping[str, int], board: Board) -> list[Order]:
        """Exits of up to `due` units a symbol, + long, − short, of what is held; of shorts before what covers them."""
        seed = f"exit_all {self._clock.wall_ns()}"
        return [
            order
            for holding in sorted(self._journal.holdings.values(), key=lambda holding: holding.quantity)
            for order in self._left(holding, due.get(holding.symbol, 0), board, seed)
        ]

    def _left(self, holding: Holding, due: int, board: Board, seed: str) -> Iterator[Order]:
        kept = max(0, abs(holding.quantity) - max(0, due if holding.quantity > 0 else -due))
        going = leaving(self._journal.orders, holding.symbol, vanished=self._follow.vanished)
        asked = abs(holding.quantity) - max(kept, going)
        if asked <= 0:
            return
        working = min(abs(holding.quantity), max(kept, going + self._account.missing(holding)))
        if asked > (left := abs(holding.quantity) - working):
            yield self._withheld(holding, asked - left, seed)
        if not left:
            return
        try:
            intents = list(self._exits(holding, board.depth(holding.symbol), working, seed))
        except VikalpError as error:
            yield self._failed(whole_exit(holding, working=working, seed=seed, reason=self._why), f"not sent: {error}")
            return
        for intent in intents:
            if self._broker.over:
                self._later.update(_units([intent]))
                yield self._failed(intent, "not sent yet: the broker takes long; it is sent as soon as there is time")
            else:
                yield self._sent(intent)

    def _compare(self) -> None:
        """What the account has now; nobody asks for it without ledger and login."""
        if not self._standing.stop:
            self._standing.attempt(lambda: self._account.compare(now=True))

    def _withheld(self, holding: Holding, units: int, seed: str) -> Order:
        held = abs(holding.quantity)
        intent = whole_exit(holding, working=held - units, seed=f"{seed} withheld", reason=self._why)
        return self._failed(
            msgspec.structs.replace(intent, product=self._product(holding)),
            f"not sent: the broker says that the account has {held - self._account.missing(holding)} of the {held} "
            f"{self._product(holding)} that this desk counts; look at the broker's positions",
        )

    def _product(self, holding: Holding) -> str:
        return self._journal.product(holding.symbol) or "NRML"  # of what was carried over

    def _sent(self, intent: Intent) -> Order:
        try:
            return self._send.submit(intent, "REDUCING")
        except VikalpError as error:
            return self._journal.orders.get(intent.tag) or self._failed(intent, f"not sent: {error}")

    def _exits(self, holding: Holding, depth: Depth | None, working: int, seed: str) -> Iterator[Intent]:
        """The intents that close what `holding` has open and no live exit is already taking off."""
        today = market_date(self._clock.now_ns())
        expiry = parse_symbol(holding.symbol, today).expiry
        assert expiry is not None, "only options are traded"
        exits = exit_intents(
            holding,
            depth,
            working=working,
            most=usable_freeze(holding.index, expiry, today),
            tick=tick_paise(holding.index),
            cross=self._exit_cross,
            seed=seed,
            reason=self._why,
        )
        return (msgspec.structs.replace(intent, product=self._product(holding)) for intent in exits)

    def _alive(self, tag: str, words: str) -> Order:
        order = self._journal.orders[tag]
        return self._failed(order.intent, f"it is still {order.state}: {words or self._send.unheard()}")

    def _failed(self, intent: Intent, why: str) -> Order:
        """The answer, and an alarm: who asked may be gone by now."""
        self._tell(intent, why, bad=True)
        now_ns = self._clock.now_ns()
        return refused(msgspec.structs.replace(intent, created_ns=intent.created_ns or now_ns), now_ns, why)

    def _tell(self, intent: Intent, what: str, *, bad: bool) -> None:
        self._say(f"exit all, {intent.side} {intent.quantity} {intent.symbol} ({intent.tag}): {what}".rstrip(), bad=bad)

    def _say(self, words: str, *, bad: bool) -> None:
        severity: Literal["alarm", "info"] = "alarm" if bad else "info"
        at_ns = self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="orders exit all", message=words))


def _past(at_ns: int, now_ns: int) -> bool:
    """Also for a wall clock that was set back."""
    return not 0 < at_ns - now_ns <= AGAIN_NS


def _units(exits: Iterable[Intent]) -> Counter[str]:
    units = Counter[str]()
    for one in exits:
        units[one.symbol] += one.quantity if one.side == "SELL" else -one.quantity
    return units
