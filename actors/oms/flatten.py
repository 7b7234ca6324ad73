"""Getting flat: every cancel and every exit on its own, so that one that fails holds up no other."""

from collections import Counter

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.closing import Closer, units_of
from actors.oms.follow import Follower
from actors.oms.gate import key_of
from actors.oms.journal import Journal
from actors.oms.send import Sender
from actors.oms.standing import Standing
from core.errors import VikalpError
from core.matching.depth import Board
from core.orders.books import Key
from core.ports import Clock
from core.records import LIVE, Order

_BAD = frozenset({"REFUSED", "REJECTED", "UNKNOWN"})
AGAIN_NS = 1_000_000_000  # wall; between two tries of what the broker refused: its calls have a budget
GIVE_UP_NS = 60_000_000_000  # wall; what cannot be done for so long, though the broker lists it, is a person's


class Flattener:
    """`exit_all`, and on the timer what it had to leave: an order it cancelled may live on until the broker says so.

    What such an order may still fill is neither exited twice nor forgotten: when it is over, what of it the exits did
    not foresee is exited, and no more: what has been bought or sold anew since is not touched. Shorts are bought back
    before the longs that cover them are sold, by fills and not by requests: such a long waits until it covers nothing
    (core/risk/plain_exit.py). The wish lives as long as this process: whoever asked has been told that it was not done
    yet.
    """

    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        send: Sender,
        account: Account,
        *,
        closer: Closer,
        broker: BrokerLink,
        standing: Standing,
        clock: Clock,
    ) -> None:
        self._journal, self._follow, self._send, self._broker = journal, follow, send, broker
        self._standing, self._account, self._closer, self._clock = standing, account, closer, clock
        self._wish: dict[str, str] = {}  # tag of an order that was not over yet → why the cancel was not taken
        self._foreseen: dict[str, int] = {}  # tag of the same → units filled in the end, if the exits are to be enough
        self._unsent = Counter[Key]()  # by book, units of exits that could not be sent: + long, − short
        self._later_ns = self._ask_ns = 0  # wall, from when on those are tried, and cancels asked for, again
        self._give_up_ns = GIVE_UP_NS + broker.unlisted_ms * 1_000_000
        self._unsure: set[str] = set()  # tags of exits sent, of which nobody knows whether the broker has them
        self._asked_ns = 0  # wall

    @property
    def busy(self) -> bool:
        """Whether something of the last exit_all is left to do."""
        return bool(self._wish or self._closer.later or self._closer.waiting or self._unsure)

    @property
    def unsure(self) -> bool:
        """Whether an order of the last exit_all is not known to be over, or not known to be there."""
        return bool(self._wish or self._unsure)

    def exit_all(self, board: Board, why: str) -> list[Order]:
        """Cancel what is live, then send limits that close every position, whatever the state; raises LedgerFenced.

        Of each no more than the broker says the account has: what somebody else has closed is not to become a short.

        First what is not cancelled yet, as REFUSED with the reason and the tag of the order that still lives; then
        the exits, those that could not be sent as REFUSED.
        """
        self._standing.check()
        self._closer.why, self._asked_ns = why, self._clock.wall_ns()
        said = self._take_back([order.intent.tag for order in self._journal.live()])
        self._wish = {tag: words for tag, words in said.items() if self._journal.orders[tag].state in LIVE}
        self._foreseen = {tag: self._foresee(self._journal.orders[tag]) for tag in self._wish}
        kept = [self._alive(tag, words) for tag, words in self._wish.items()]
        self._closer.later.clear()
        self._closer.waiting.clear()
        self._compare()
        exits = self._closer.close({key: book.quantity for key, book in self._journal.open_books().items()}, board)
        self._unsent = units_of(order.intent for order in exits if order.intent.tag not in self._journal.orders)
        self._unsent.subtract(self._closer.later)
        self._unsent.subtract(self._closer.waiting)
        self._watch(exits)
        return kept + exits

    def go_on(self, board: Board) -> None:
        """Exit what there was no time for, and what orders over by now have left; ask for the others once more.

        Exits first: cancels that take long must not keep them waiting for ever. Nothing without ledger and login.
        """
        if not self.busy or self._standing.stop:
            return
        now_ns = self._clock.wall_ns()
        over = [tag for tag in self._wish if self._journal.orders[tag].state not in LIVE]
        self._wish = {tag: words for tag, words in self._wish.items() if tag not in over}
        due = self._due([self._journal.orders[tag] for tag in over])
        due.update(self._never_had())
        if _past(self._later_ns, now_ns):
            due.update(self._closer.later)
            self._closer.later.clear()
        due.update(self._closer.waiting)
        waited, self._closer.waiting = self._closer.waiting, Counter[Key]()
        if any(units for key, units in due.items() if not waited[key]):
            self._compare()
        exits = self._closer.close(due, board)
        self._watch(exits)
        for order in exits:
            if order.intent.tag in self._journal.orders:  # of the others `_failed` has told
                self._closer.tell(order.intent, f"{order.state} {order.message}", bad=order.state in _BAD)
        if now_ns - self._asked_ns >= self._give_up_ns:
            self._give_up()
        if _past(self._ask_ns, now_ns):
            self._wish |= self._ask([tag for tag, words in self._wish.items() if words])

    def _give_up(self) -> None:
        after = f"given up after {self._give_up_ns / 1e9:.0f} s"
        for tag, words in self._wish.items():
            self._alive(tag, f"{words or self._send.unheard()}; {after}, cancel it by hand")
        left = Counter(self._closer.later)
        left.update(self._closer.waiting)  # not `+`, which drops shorts
        for (strategy, symbol, product), units in left.items():
            self._closer.say(
                f"exit all, {units:+d} of {symbol} ({strategy}, {product}): not sent; {after}, exit it by hand",
                bad=True,
            )
        self._wish, self._closer.later, self._closer.waiting = {}, Counter(), Counter()

    def _watch(self, exits: list[Order]) -> None:
        self._unsure |= {order.intent.tag for order in exits if order.state == "UNKNOWN"}
        refused = [order.intent for order in exits if order.intent.tag in self._send.postponed]
        if refused:
            self._closer.later.update(units_of(refused))
            self._later_ns = self._clock.wall_ns() + AGAIN_NS
        self._send.postponed.clear()

    def _never_had(self) -> Counter[Key]:
        """By book, what exits were to take off that have turned out never to have been taken, or to be refused."""
        known = {tag for tag in self._unsure if self._journal.orders[tag].state != "UNKNOWN"}
        self._unsure -= known
        return units_of(
            order.intent for order in map(self._journal.orders.__getitem__, known) if order.state == "REJECTED"
        )

    def _foresee(self, order: Order) -> int:
        """Units of a live order that the exits reckon with: an exit takes all of it off, unless nobody waits for it."""
        waited = order.intent.purpose == "exit" and order.intent.tag not in self._follow.vanished
        return order.intent.quantity if waited else order.filled_quantity

    def _due(self, over: list[Order]) -> Counter[Key]:
        """By book, what orders that are over have made of it beyond what was foreseen, and exits never sent."""
        due = Counter[Key]()
        for order in over:
            more = order.filled_quantity - self._foreseen[order.intent.tag]
            due[key_of(order.intent)] += more if order.intent.side == "BUY" else -more
        for key in due:
            due[key] += self._unsent.pop(key, 0)
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

    def _compare(self) -> None:
        """What the account has now; nobody asks for it without ledger and login."""
        if not self._standing.stop:
            self._standing.attempt(lambda: self._account.compare(now=True))

    def _alive(self, tag: str, words: str) -> Order:
        order = self._journal.orders[tag]
        return self._closer.failed(order.intent, f"it is still {order.state}: {words or self._send.unheard()}")


def _past(at_ns: int, now_ns: int) -> bool:
    """Also for a wall clock that was set back."""
    return not 0 < at_ns - now_ns <= AGAIN_NS
