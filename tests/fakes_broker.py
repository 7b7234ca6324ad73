"""Whom the order manager asks: broker and risk, in memory, with switches for every way they fail."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec
import pyarrow as pa

from core.errors import DeskError
from core.orders.answer import Answer
from core.orders.positions import signed
from core.records import Fill, Intent, LimitUse, Margin, Order, Verdict


class Died(Exception):
    """The process ended here: nothing after this line ran."""


class FakeBroker:
    """Takes whatever it is sent, twice if sent twice. `next_place` says what becomes of the next request.

    `lags(True)` freezes its list of trades while its book goes on; while it is `slow` a cancel is only noted, the order
    stays OPEN and may fill, until `confirm`.
    """

    unlisted_ms, trades_at_once = 15_000, True

    def __init__(self) -> None:
        self.placed: list[str] = []  # every request that reached it, by tag
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.next_place = "ack"
        self.away = False
        self.slow = False
        self.matches = False  # what it answers when it is shown ticks
        self.looks = self.listings = self.counts = 0  # how often its book, its trades, its positions were asked for
        self.by_hand = Counter[tuple[str, str]]()  # what somebody else has bought and sold, by contract and product
        self.cancelling: list[str] = []  # broker ids
        self._listed: int | None = None  # how many trades the list shows; None: all

    def lags(self, lag: bool) -> None:  # noqa: FBT001 a switch
        """Whether trades from now on stay out of the list."""
        self._listed = (len(self.fills) if self._listed is None else self._listed) if lag else None

    def confirm(self) -> None:
        """The cancels that were noted are done now, of whatever has not filled meanwhile."""
        noted, self.cancelling = self.cancelling, []
        for broker_id in noted:
            self._cancel(broker_id)

    def place(self, intent: Intent) -> Answer:
        self.placed.append(intent.tag)
        what, self.next_place = self.next_place, "ack"
        if what == "die before accept":
            raise Died
        if what == "refuse":
            return Answer(kind="REFUSED", message="Insufficient funds.")
        if what == "lose the request":
            return Answer(kind="UNKNOWN", message="timed out")
        broker_id = f"B{len(self.placed)}"
        self.orders[intent.tag] = Order(intent=intent, state="OPEN", broker_id=broker_id, updated_ns=intent.created_ns)
        if what == "die after accept":
            raise Died
        if what == "lose the answer":
            return Answer(kind="UNKNOWN", message="timed out")
        return Answer(kind="ACK", broker_id=broker_id)

    def fill(self, tag: str, quantity: int, price_paise: int, *, trade_id: str = "") -> Fill:
        order = self.orders[tag]
        fill = Fill(
            trade_id=trade_id or f"T{len(self.fills) + 1}",
            tag=tag,
            strategy="",
            index=order.intent.index,
            symbol=order.intent.symbol,
            side=order.intent.side,
            quantity=quantity,
            price_paise=price_paise,
            at_ns=order.updated_ns + len(self.fills) + 1,
        )
        self.fills.append(fill)
        filled = min(order.filled_quantity + quantity, order.intent.quantity)
        state = "COMPLETE" if filled == order.intent.quantity else order.state
        self.orders[tag] = msgspec.structs.replace(order, filled_quantity=filled, state=state)
        return fill

    def cancel(self, broker_id: str) -> Answer:
        if self.slow and any(order.broker_id == broker_id and order.state == "OPEN" for order in self.orders.values()):
            self.cancelling.append(broker_id)
            return Answer(kind="ACK", broker_id=broker_id)
        return self._cancel(broker_id)

    def _cancel(self, broker_id: str) -> Answer:
        for tag, order in self.orders.items():
            if order.broker_id == broker_id and order.state == "OPEN":
                self.orders[tag] = msgspec.structs.replace(order, state="CANCELLED")
                return Answer(kind="ACK", broker_id=broker_id)
        return Answer(kind="REFUSED", message="already processed")

    def find(self, tag: str) -> Order | None:
        return self.orders.get(tag)

    def book(self) -> Sequence[Order]:
        self.looks += 1
        if self.away:
            raise DeskError("broker: connection refused")
        return list(self.orders.values())

    def trades(self) -> Sequence[Fill]:
        self.listings += 1
        if self.away:
            raise DeskError("broker: connection refused")
        return self.fills[: self._listed]

    def positions(self) -> Mapping[tuple[str, str], int]:
        self.counts += 1
        if self.away:
            raise DeskError("broker: connection refused")
        net = Counter(self.by_hand)
        for fill in self.fills:
            order = self.orders.get(fill.tag)
            net[fill.symbol, order.intent.product if order else "NRML"] += signed(fill)
        return net

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        return self.matches


class FakeRisk:
    """Lets everything through; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        self.booked: list[str] = []
        self.released: list[str] = []
        self.working: set[str] = set()
        self.answer = Verdict()

    def _reach(self) -> None:
        if self.away:
            raise DeskError("risk does not answer")

    def check(self, intent: Intent) -> Verdict:
        self._reach()
        self.asked.append(intent.tag)
        if not self.answer.refusals:
            self.working.add(intent.tag)
        return self.answer

    def book(self, fill: Fill) -> None:
        self._reach()
        self.booked.append(fill.trade_id)

    def release(self, tag: str) -> None:
        self._reach()
        self.released.append(tag)
        self.working.discard(tag)

    def settle(self, live: Collection[str], trades: Collection[str]) -> None:
        self._reach()
        self.booked += [trade for trade in trades if trade not in self.booked]
        self.released += sorted(self.working - set(live))
        self.working = set(live)

    def limits(self) -> Sequence[LimitUse]:
        return []

    def margin(self, intent: Intent) -> Margin:
        return Margin(premium_paise=0, span_paise=0, exposure_paise=0, charges_paise=0, estimate=True)
