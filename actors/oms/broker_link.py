"""The order manager's way to its broker, which may be slow or away, and must not hold the order manager up for long.

Every call here happens under the actor's lock: whoever wants something waits, and a supervisor ends an actor whose call
has been in flight for supervision.stuck_s. So a turn, which is one call of the order manager, begins no question to the
broker once it is TURN_NS old; what it left undone is told, and the timer's. And after a read that failed the book is
left alone for PAUSE times as long as the failure took: a broker that hangs takes a quarter of the order manager's time
at most. Orders and cancels are not: they wait for nobody's pause.

A turn is over after TURN_NS, the broker's longest call, which began just before, one deadline of the ledger and one of
risk: 2 + 2.5 + 2 + 1 = 7.5 s, below 8 (tests/unit/test_oms_turn.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pyarrow as pa

from core.errors import BrokerDown, LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.orders.plans import PlaceGtt
from core.ports import BrokerAnswer, Clock
from core.ports.account import AccountBroker
from core.records import Fill, Funds, Intent, Order, Product, Terms

TURN_NS = 2_000_000_000  # wall
PAUSE = 3
LATE = "the broker takes long: not asked any more in this turn"
T = TypeVar("T")


class OutOfTime(BrokerDown):
    """Not asked, as the turn is old: no sign of how the broker is; what was asked before may have been answered."""


class BrokerLink:
    """core.ports.AccountBroker of one broker; `begin` at the start of every turn."""

    def __init__(self, broker: AccountBroker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock
        self.unlisted_ms, self.trades_at_once = broker.unlisted_ms, broker.trades_at_once
        self.keeps_triggers = broker.keeps_triggers
        self._begun_ns = self._failed_ns = self._cost_ns = 0  # wall
        self._lasts_ns = TURN_NS
        self._why = ""  # of the last read that failed, until one has not

    def begin(self, lasts_ns: int = TURN_NS) -> None:
        self._begun_ns, self._lasts_ns = self._clock.wall_ns(), lasts_ns
        self._broker.begin(lasts_ns)

    @property
    def over(self) -> bool:
        """Whether the turn is old: nothing more is asked in it."""
        return self._clock.wall_ns() - self._begun_ns >= self._lasts_ns

    def hope(self) -> None:
        """Something says that the broker is back: its book may be read again."""
        self._cost_ns = 0

    def place(self, intent: Intent) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.place(intent)

    def cancel(self, broker_id: str) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.cancel(broker_id)

    def modify(self, broker_id: str, terms: Terms) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.modify(broker_id, terms)

    def find(self, tag: str) -> Order | None:
        return self._read(lambda: self._broker.find(tag))

    def book(self) -> Sequence[Order]:
        return self._read(self._broker.book)

    def trades(self) -> Sequence[Fill]:
        return self._read(self._broker.trades)

    def positions(self) -> Mapping[tuple[str, str], int]:
        """Not a read of the book: that it fails holds the book up for nothing, and is the caller's to pace."""
        if self.over:
            raise OutOfTime(LATE)
        return self._broker.positions()

    def margins(self) -> Funds:
        """Not a read of the book, as `positions`."""
        if self.over:
            raise OutOfTime(LATE)
        return self._broker.margins()

    def convert(
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, *, overnight: bool = False
    ) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.convert(symbol, product_from, product_to, quantity, overnight=overnight)

    def averages(self) -> Mapping[tuple[str, str], float]:
        """Not a read of the book, as `positions`."""
        if self.over:
            raise OutOfTime(LATE)
        return self._broker.averages()

    def place_gtt(self, asked: PlaceGtt) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.place_gtt(asked)

    def cancel_gtt(self, trigger_id: str) -> BrokerAnswer:
        if self.over:
            return Answer(kind="REFUSED", message=f"not sent: {LATE}", again=True)
        return self._broker.cancel_gtt(trigger_id)

    def gtts(self) -> Sequence[Trigger]:
        """Not a read of the book, as `positions`."""
        if self.over:
            raise OutOfTime(LATE)
        return self._broker.gtts()

    def adopt(self, broker_id: str, tag: str) -> None:
        self._broker.adopt(broker_id, tag)

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        return self._broker.on_ticks(ticks)

    def _read(self, ask: Callable[[], T]) -> T:
        began_ns = self._clock.wall_ns()
        if self.over:
            raise OutOfTime(LATE)
        if self._why and 0 <= began_ns - self._failed_ns < PAUSE * self._cost_ns:
            raise BrokerDown(self._why)
        try:
            answer = ask()
        except (LedgerDown, LedgerFenced, NotLoggedIn):
            raise  # not the broker's fault, or told without asking it
        except VikalpError as error:
            self._why, self._failed_ns = f"{error}", self._clock.wall_ns()
            self._cost_ns = self._failed_ns - began_ns
            raise
        self._why = ""
        return answer
