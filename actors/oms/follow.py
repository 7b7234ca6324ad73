"""Following the broker: trades first, then the state of every order, matched by tag. Recovery is this, too."""

import pyarrow as pa

from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from core.errors import InputError, UnknownDate
from core.orders.machine import event_of
from core.ports import Broker, Clock
from core.records import LIVE, Alert, Fill, Order, OrderEvent


class Follower:
    """Brings the journal up to what the broker says. Raises what broker and ledger raise; may be called again."""

    def __init__(self, journal: Journal, broker: Broker, risk: RiskLink, clock: Clock, *, absent_after_ms: int) -> None:
        self._journal, self._broker, self._risk, self._clock = journal, broker, risk, clock
        self._absent_after_ns = absent_after_ms * 1_000_000
        self._absent: dict[str, int] = {}  # tag → wall ns at which the broker first said it has no such order
        self._warned: set[str] = set()
        self._read = 0

    def recover(self) -> None:
        """Start and recovery: believe the ledger, follow the broker from its first trade, bring risk to the same."""
        self._risk.doubt()
        self._journal.replay()
        self._read = 0
        self.reconcile()
        self._risk.settle()

    def match(self, ticks: pa.RecordBatch) -> None:
        """Show a broker that is no exchange the market, so that it can fill what is live; count what it filled."""
        self._broker.on_ticks(ticks)
        if self._journal.live():
            self.collect()

    def collect(self) -> None:
        """Count every new trade of the broker, each in the ledger before risk hears of it."""
        for fill in self._broker.trades(self._read):
            if fill.tag not in self._journal.orders:
                self._warn(
                    fill.trade_id, f"trade {fill.trade_id} of {fill.symbol} has the tag {fill.tag!r}: no order of ours"
                )
            else:
                self._try(fill)
            self._read += 1

    def reconcile(self) -> None:
        """Bring live orders to the broker's state; one the broker does not know becomes UNKNOWN, in time REJECTED."""
        live = [order.intent.tag for order in self._journal.live()]
        self.collect()
        theirs = {order.intent.tag: order for order in self._broker.book()}
        for tag in live:
            found = theirs.get(tag)
            if found is not None:
                self._absent.pop(tag, None)
                self.learn(event_of(found), broker_id=found.broker_id)
            else:
                self._missing(self._journal.orders[tag])
        for tag, found in theirs.items():
            self._stray(tag, found)

    def learn(self, event: OrderEvent, *, broker_id: str = "") -> Order:
        """Commit news of an order; if it ends it, risk is told that nothing more can fill."""
        was_live = self._journal.orders[event.tag].state in LIVE
        order = self._journal.learn(event, broker_id=broker_id)
        if was_live and order.state not in LIVE:
            self._risk.release(event.tag)
        return order

    def _try(self, fill: Fill) -> None:
        """A trade that no book can hold must not hold up those after it: a person has to look at it."""
        try:
            self._count(fill)
        except (InputError, UnknownDate) as error:
            self._warn(fill.trade_id, f"trade {fill.trade_id} of order {fill.tag} is in no position here: {error}")

    def _count(self, fill: Fill) -> None:
        was_live = self._journal.orders[fill.tag].state in LIVE
        counted = self._journal.fill(fill)
        if counted is not None:
            self._risk.book(counted)
        if was_live and self._journal.orders[fill.tag].state not in LIVE:
            self._risk.release(fill.tag)

    def _missing(self, order: Order) -> None:
        tag, now_ns = order.intent.tag, self._clock.wall_ns()
        if order.broker_id:
            self._warn(tag, f"the broker took order {tag} as {order.broker_id} and no longer lists it")
            return
        waited_ns = now_ns - self._absent.setdefault(tag, now_ns)
        if order.state == "JOURNALLED":
            message = "sent or not, no answer is known; looked up by its tag, not sent again"
            self.learn(OrderEvent(tag=tag, state="UNKNOWN", at_ns=self._clock.now_ns(), message=message))
        if waited_ns >= self._absent_after_ns:
            message = (
                f"the broker has no such order {waited_ns / 1e9:.1f} s after it was first looked up; not sent again"
            )
            self.learn(OrderEvent(tag=tag, state="REJECTED", at_ns=self._clock.now_ns(), message=message))
            del self._absent[tag]

    def _stray(self, tag: str, theirs: Order) -> None:
        """An order live at the broker, not here: ours, given up too early, is cancelled; a foreign one is left."""
        ours = self._journal.orders.get(tag)
        if theirs.state not in LIVE or (ours is not None and ours.state in LIVE):
            return
        if ours is None:
            self._warn(tag, f"the broker holds an order with tag {tag!r} that this desk did not send; left alone")
            return
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
