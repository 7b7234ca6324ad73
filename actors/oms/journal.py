"""What the order manager believes: never more than the ledger has committed.

Every method commits first and changes memory last, so that after LedgerDown the memory still says what it said
before; `replay` then reads the truth. Raises LedgerDown and LedgerFenced as the ledger does.

A call that fails may have taken its whole deadline. The ledger is asked nothing after it until `replay` asks anew: a
ledger that hangs holds whoever wants something of the order manager up for one deadline, not for one a write.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import structlog

from core.errors import InputError, LedgerDown
from core.orders.machine import Tally, advance, born, event_of, noted, refused, with_fill
from core.orders.positions import Holding, apply, fold, holding_of, position, settle
from core.ports import Clock, Ledger
from core.records import LIVE, Alert, Fill, Intent, Order, OrderEvent, RiskEvent, Settled, Verdict
from core.risk.verdict import in_words

log = structlog.get_logger()
T = TypeVar("T")
KEPT_ALERTS = 50


class Journal:
    """Orders by tag and trades by id, oldest first, holdings and settlements by symbol.

    `version` grows with every change of them.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock, self._epoch = ledger, clock, 0
        self.orders: dict[str, Order] = {}
        self.holdings: dict[str, Holding] = {}
        self.trades: dict[str, Fill] = {}
        self.settled: dict[str, Settled] = {}
        self.version = 0
        self._tallies: dict[str, Tally] = {}
        self._unsaid: list[Alert] = []
        self.alerts: tuple[Alert, ...] = ()  # the latest, oldest first, in the ledger or not yet
        self.away = ""  # why the ledger was not reached; empty again when `replay` asks it anew

    def take_epoch(self) -> None:
        """Fence every older order manager."""
        self._epoch = self._ledger.take_epoch()

    def replay(self) -> None:
        """Forget everything and believe the ledger."""
        self.away = ""
        orders = {order.intent.tag: order for order in self._call(self._ledger.orders)}
        tallies: dict[str, Tally] = {}
        trades = {fill.trade_id: fill for fill in self._call(self._ledger.fills)}
        for fill in trades.values():
            tallies[fill.tag] = tallies.get(fill.tag, Tally()).add(fill)
        settled = {row.symbol: row for row in self._call(self._ledger.settlements)}
        holdings = fold(trades.values(), settled.values())
        self.orders, self.holdings, self._tallies = orders, holdings, tallies
        self.trades, self.settled = trades, settled
        self.version += 1

    def keep(self, state: str, why: str) -> None:
        """Commit what a person wants, for the next process."""
        self._call(lambda: self._ledger.record_standing(self._epoch, state, why))

    def kept(self) -> tuple[str, str] | None:
        return self._call(self._ledger.standing)

    def live(self) -> list[Order]:
        return [order for order in self.orders.values() if order.state in LIVE]

    def product(self, symbol: str) -> str:
        """NRML or MIS: what `symbol` is held in, or being traded; empty if it is neither. There is one at a time."""
        holding = self.holdings.get(symbol)
        for order in reversed(self.orders.values()):
            own = order.intent.symbol == symbol
            if own and (order.state in LIVE or (holding and holding.quantity and order.filled_quantity)):
                return order.intent.product
        return ""

    def filled(self, tag: str) -> int:
        """Units of the order that its trades add up to."""
        return self._tallies.get(tag, Tally()).quantity

    def intend(self, intent: Intent) -> Order:
        """Commit the intent; from here on the order may be sent, once."""
        self._call(lambda: self._ledger.journal_intent(self._epoch, intent))
        order = born(intent, self._clock.now_ns())
        self.orders[intent.tag] = order
        self.version += 1
        return order

    def refuse(self, intent: Intent, verdict: Verdict) -> Order:
        """Commit an intent that will never be sent, with the reasons."""
        order = refused(intent, intent.created_ns, in_words(verdict))  # as the ledger will tell it again
        self._call(lambda: self._ledger.record_refusal(intent, verdict))
        self.orders[intent.tag] = order
        self.version += 1
        return order

    def learn(self, event: OrderEvent, *, broker_id: str = "") -> Order:
        """Commit what was heard of an order; nothing is written when it says nothing new."""
        order = self.orders[event.tag]
        after = advance(order, event, broker_id=broker_id)
        if after != order:
            self._call(lambda: self._ledger.record_order(self._epoch, after, event))
            self.orders[event.tag] = after
            self.version += 1
        return after

    def note(self, tag: str, message: str) -> None:
        """Commit words about a live order that change nothing else of it; nothing is written when they are not new."""
        order = self.orders[tag]
        after = noted(order, message, self._clock.now_ns())
        if after != order:
            self._call(lambda: self._ledger.record_order(self._epoch, after, event_of(after)))
            self.orders[tag] = after
            self.version += 1

    def fill(self, fill: Fill) -> Fill | None:
        """Commit a trade of one of our orders; None if it was counted before. The order says whose it is."""
        if fill.trade_id in self.trades:
            return None
        order = self.orders[fill.tag]
        fill = msgspec.structs.replace(
            fill, strategy=order.intent.strategy, index=order.intent.index, symbol=order.intent.symbol
        )
        tally = self._tallies.get(fill.tag, Tally()).add(fill)
        holding = apply(holding_of(self.holdings, fill), fill)  # first: it refuses a trade that is none
        after = with_fill(order, fill, tally)
        # False is a trade the ledger has and this memory has not: a commit whose answer was lost. It counts here, once.
        self._call(lambda: self._ledger.record_fill(self._epoch, fill, after, position(holding, fill.price_paise)))
        self.orders[fill.tag], self.holdings[fill.symbol], self._tallies[fill.tag] = after, holding, tally
        self.trades[fill.trade_id] = fill
        self.version += 1
        return fill

    def counted(self) -> list[str]:
        """Ids of every trade and settlement that the holdings are made of."""
        return [*self.trades, *(row.id for row in self.settled.values())]

    def settle(self, settled: Settled) -> Settled:
        """Commit what a contract that is held expired at. The first commit of a contract stands, and comes back."""
        holding = self.holdings[settled.symbol]
        flat = position(settle(holding, settled), settled.value_paise)
        settled = self._call(lambda: self._ledger.record_settlement(self._epoch, settled, flat))
        self.holdings[settled.symbol], self.settled[settled.symbol] = settle(holding, settled), settled
        self.version += 1
        return settled

    def event(self, kind: str, subject: str, message: str) -> None:
        event = RiskEvent(at_ns=self._clock.now_ns(), kind=kind, subject=subject, message=message)
        self._call(lambda: self._ledger.record_risk_event(event))

    def alert(self, alert: Alert) -> None:
        """Record an alert now, or as soon as the ledger is back: an alarm about the ledger cannot wait on it."""
        self.alerts = (*self.alerts, alert)[-KEPT_ALERTS:]
        self._unsaid.append(alert)
        self.say()

    def say(self) -> None:
        """Record the alerts that have had to wait; one the ledger cannot hold goes to the log, and stops no other."""
        while self._unsaid:
            alert = self._unsaid[0]
            try:
                self._call(lambda: self._ledger.record_alert(alert))  # noqa: B023 called at once
            except LedgerDown:
                return
            except InputError as error:
                log.warning(
                    "an alert the ledger cannot hold", subject=alert.subject, said=alert.message, error=f"{error}"
                )
            del self._unsaid[0]

    def _call(self, ask: Callable[[], T]) -> T:
        if self.away:
            raise LedgerDown(self.away)
        try:
            return ask()
        except LedgerDown as error:
            self.away = str(error)
            raise
