"""Following the broker: the state of every order, matched by tag, and every trade, by its id. Recovery is this, too.

Positions are made of trades alone, and the broker's book may run ahead of its list of trades: two requests are never
one moment. So what the book says is filled, and an end that says more is filled than the trades explain, is believed
once they do. Until then the order lives, and nothing that it may have taken off is sold again.
"""

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from actors.oms.broker_link import OutOfTime
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.waited import Waited
from core.errors import InputError, UnknownDate, VikalpError
from core.orders.answer import printable
from core.orders.asked import is_asked
from core.orders.machine import event_of, in_words_of, terms
from core.orders.positions import market_date
from core.orders.windows import trades_on
from core.ports import Broker, Clock
from core.records import LIVE, Alert, Fill, Order, OrderEvent, Terms
from core.risk.resting import has_limit


class Follower:
    """Brings the journal up to what the broker says. Raises what broker and ledger raise; may be called again."""

    def __init__(self, journal: Journal, broker: Broker, risk: RiskLink, clock: Clock) -> None:
        self._journal, self._broker, self._risk, self._clock = journal, broker, risk, clock
        self._absent_after_ns = broker.unlisted_ms * 1_000_000
        self._absent = Waited(clock)  # by tag: every book of the broker was without the order
        self._unexplained = Waited(clock)  # by tag: its trades explain less than the book says
        self.vanished: set[str] = set()  # tags the broker took and no longer lists: nobody waits for them any more
        self._endless: set[str] = set()  # tags of entries that ended, and whose trades do not explain how
        self._warned: set[str] = set()
        self._trades: tuple[Fill, ...] = ()
        self.seen: tuple[tuple[Order, ...], tuple[Fill, ...]] | None = None  # the last look: the book, the trades

    def told(self, order: Order) -> Order:
        """`order` with whether it is lost: the broker lists it no more, or its end is one that no trade explains.

        An exit of the latter kind is not: until it is explained nothing else may sell what it may have sold.
        """
        tag = order.intent.tag
        lost = order.state in LIVE and (tag in self.vanished or tag in self._endless)
        return msgspec.structs.replace(order, lost=True) if lost else order

    def believe(self) -> None:
        """Start and recovery: whatever this process and risk knew, the ledger is right."""
        self._risk.doubt()
        self._journal.replay()

    def recover(self) -> None:
        """After `believe`: follow the broker from its first trade, bring risk to the same."""
        self.reconcile()
        self._risk.settle()

    def match(self, ticks: pa.RecordBatch) -> None:
        """Show a broker that is no exchange the market, so that it can fill what is live; count what it filled.

        An exchange is not asked: its calls have a budget, and the timer follows it.
        """
        if self._broker.on_ticks(ticks):
            self.collect()

    def collect(self) -> None:
        """Count every trade of the broker with a new id, each in the ledger before risk hears of it.

        Nobody promises that the list grows at its end alone.
        """
        self._trades = tuple(self._broker.trades())
        for fill in self._trades:
            if fill.trade_id in self._journal.trades or fill.trade_id in self._warned:
                continue
            if fill.tag not in self._journal.orders:
                self._warn(
                    fill.trade_id, f"trade {fill.trade_id} of {fill.symbol} has the tag {fill.tag!r}: no order of ours"
                )
            else:
                self._try(fill)

    def reconcile(self, *, whole: bool = True) -> None:
        """Bring live orders to the broker's state; one the broker does not know becomes UNKNOWN, in time REJECTED.

        Not `whole`: its list of trades is read only if the book has more of ours filled than is counted here.
        """
        try:
            book = self._broker.book()
            theirs = self._once(book)
            self._rest(theirs)
            if whole or self._behind(theirs):
                self.collect()  # after the book, so that every trade of an order that ended in it can be here
        except OutOfTime:
            raise  # the turn had no time to ask for the rest, which is no sign that the broker is unwell
        except VikalpError:
            self._absent.clear()  # nobody knows what the broker held meanwhile
            raise
        self.seen = tuple(book), self._trades
        self._look_for([order for order in self._journal.live() if order.intent.tag not in theirs])
        for tag, found in theirs.items():
            ours = self._journal.orders.get(tag)
            if ours is not None and (ours.state in LIVE or _tells(found, ours)):
                self._believe(found)
            self._stray(tag, found)

    def sent(self) -> None:
        """After an order was sent: count what it has traded with, where that can be at once."""
        if self._broker.trades_at_once:
            self.collect()

    def learn(self, event: OrderEvent, *, broker_id: str = "", now: Terms | None = None) -> Order:
        """Commit news of an order, `now` its terms; risk is told of an end and of other terms.

        Of those also where the limit stays: it may count another, which was asked for before and never came to rest.
        """
        before = self._journal.orders[event.tag]
        order = self._journal.learn(event, broker_id=broker_id, now=now)
        if before.state in LIVE and order.state not in LIVE:
            self._risk.release(event.tag)
        elif terms(order) != terms(before) and has_limit(order):
            self._risk.rests(order)
        return order

    def _rest(self, theirs: Mapping[str, Order]) -> None:
        """What became of modifications, before what traded by them: an order that ends keeps the terms it has then.

        Words of the book at the old terms are the exchange's, which turned away what the broker had taken.
        """
        for tag, found in theirs.items():
            ours = self._journal.orders.get(tag)
            if ours is None or not ours.modifications or ours.state not in LIVE:
                continue
            now = terms(found if found.resting_type else ours)
            seen = msgspec.structs.replace(
                event_of(ours), at_ns=max(ours.updated_ns, found.updated_ns), message=f"rests as {in_words_of(now)}"
            )
            if is_asked(self.learn(seen, now=now)) and found.state in LIVE and found.message:
                self._journal.note(tag, printable(found.message))

    def _once(self, book: Sequence[Order]) -> dict[str, Order]:
        """The book by tag; of two orders with one tag the first, and an alarm: only a fault of ours can make them."""
        theirs: dict[str, Order] = {}
        for order in book:
            first = theirs.setdefault(order.intent.tag, order)
            if first is not order:
                ids = f"{first.broker_id} and {order.broker_id}"
                self._warn(
                    f"{first.intent.tag} doubled", f"DOUBLED: the broker has {ids} with the tag {first.intent.tag}"
                )
        return theirs

    def _try(self, fill: Fill) -> None:
        """A trade that no book can hold must not hold up those after it: a person has to look at it."""
        try:
            self._count(fill)
        except (InputError, UnknownDate) as error:
            self._warn(fill.trade_id, f"trade {fill.trade_id} of order {fill.tag} is in no position here: {error}")

    def _count(self, fill: Fill) -> None:
        before = self._journal.orders[fill.tag]
        if before.state in {"REJECTED", "REFUSED"}:
            self._late(before, fill.quantity)  # first: once it is counted nobody would look at it again after a crash
        counted = self._journal.fill(fill)
        if counted is None:
            return
        self._risk.book(counted)
        if before.state in LIVE and self._journal.orders[fill.tag].state not in LIVE:
            self._risk.release(fill.tag)

    def _behind(self, theirs: Mapping[str, Order]) -> bool:
        """Whether a trade of ours is to be had that is not counted here."""
        ours = ((tag, found) for tag, found in theirs.items() if tag in self._journal.orders)
        return any(_claimed(found) > self._journal.filled(tag) for tag, found in ours)

    def _believe(self, found: Order) -> None:
        """Of an order of ours, what the broker's book says of it and the trades explain."""
        tag, counted = found.intent.tag, self._journal.filled(found.intent.tag)
        claimed = _claimed(found)
        event = msgspec.structs.replace(event_of(found), filled_quantity=counted, message=printable(found.message))
        if claimed > counted:
            self._unsure(found, claimed, counted)
            event = msgspec.structs.replace(event, state="OPEN", message="")
        else:
            self._unexplained.forget(tag)
            self._endless.discard(tag)
        self.learn(event, broker_id=found.broker_id, now=terms(found) if found.resting_type else None)

    def _unsure(self, found: Order, claimed: int, counted: int) -> None:
        tag = found.intent.tag
        if self._unexplained.more(tag) >= self._absent_after_ns:
            if found.state not in LIVE and found.intent.purpose == "entry":
                self._endless.add(tag)
            self._warn(
                f"{tag} unexplained",
                f"order {tag} is {found.state} at the broker with {claimed} filled, and its trades make {counted}: "
                "until they explain it, it is live here, and what it may have filled is neither held nor sold again",
            )
        if self._journal.orders[tag].state in {"REJECTED", "REFUSED"}:
            self._late(self._journal.orders[tag], claimed - counted)

    def _look_for(self, missing: list[Order]) -> None:
        """Live orders that the broker's book is without."""
        tags = {order.intent.tag for order in missing}
        self._absent.keep(tags)
        self.vanished &= tags
        for order in missing:
            waited_ns = self._absent.more(order.intent.tag)
            if order.state == "OPEN":
                self._gone(order, waited_ns)
            else:
                self._never_had(order, waited_ns)

    def _never_had(self, order: Order, waited_ns: int) -> None:
        tag = order.intent.tag
        if order.state == "JOURNALLED":
            message = "sent or not, no answer is known; looked up by its tag, not sent again"
            self.learn(OrderEvent(tag=tag, state="UNKNOWN", at_ns=self._clock.now_ns(), message=message))
        if waited_ns >= self._absent_after_ns:
            message = f"the broker has no such order after {waited_ns / 1e9:.1f} s of looks at its book; not sent again"
            self.learn(OrderEvent(tag=tag, state="REJECTED", at_ns=self._clock.now_ns(), message=message))

    def _gone(self, order: Order, waited_ns: int) -> None:
        """The broker took it and does not list it: over with its day, else for a person, and nobody waits for it."""
        tag, now_ns = order.intent.tag, self._clock.now_ns()
        held = f"the broker took order {tag} as {order.broker_id} and no longer lists it"
        if trades_on(order.intent) < market_date(now_ns):
            message = "it was for a day that has ended, and the broker no longer lists it"
            self.learn(OrderEvent(tag=tag, state="CANCELLED", at_ns=now_ns, message=message))
            self._warn(
                tag, f"{held}: its day has ended, so it is CANCELLED here; compare the positions with the broker's"
            )
        elif waited_ns >= self._absent_after_ns:
            self.vanished.add(tag)
            self._warn(
                tag, f"{held}: it stays OPEN here, and holds no exit up; compare the positions with the broker's"
            )

    def _late(self, order: Order, quantity: int) -> None:
        """Nobody counted on this: whoever sent it has decided anew since."""
        tag = order.intent.tag
        message = (
            f"order {tag} was given up as {order.state} and has filled {quantity} at the broker: "
            f"{order.intent.side} {order.intent.symbol} of {order.intent.strategy} is a position now"
        )
        if f"{tag} late" not in self._warned:
            self._journal.event("late fill", tag, message)
            self._warn(f"{tag} late", message)

    def _stray(self, tag: str, theirs: Order) -> None:
        """An order live at the broker, not here: ours, given up too early, is cancelled; a foreign one is left.

        One that is COMPLETE here has filled since the book was read: its trades, which were read later, say so.
        """
        ours = self._journal.orders.get(tag)
        if theirs.state not in LIVE or (ours is not None and (ours.state in LIVE or ours.state == "COMPLETE")):
            return
        if ours is None:
            self._warn(tag, f"the broker holds an order with tag {tag!r} that this desk did not send; left alone")
            return
        self._journal.check_epoch()  # a newer order manager may rely on it
        self._warn(tag, f"order {tag} is {ours.state} here and open at the broker; it is being cancelled there")
        answer = self._broker.cancel(theirs.broker_id)
        if answer.kind != "ACK":
            self._warn(
                f"{tag} not cancelled", f"order {tag} is still open at the broker, asked again: {answer.message}"
            )

    def _warn(self, subject: str, message: str) -> None:
        if subject in self._warned:
            return
        self._journal.alert(
            Alert(at_wall_ns=self._clock.wall_ns(), severity="alarm", subject=f"orders {subject}", message=message)
        )
        self._warned.add(subject)


def _claimed(found: Order) -> int:
    """Units of an order that its broker's book says are filled."""
    return found.intent.quantity if found.state == "COMPLETE" else found.filled_quantity


def _tells(found: Order, ours: Order) -> bool:
    """Whether the broker knows of an order that has ended here what is not known here."""
    return not ours.broker_id or found.filled_quantity > ours.filled_quantity
