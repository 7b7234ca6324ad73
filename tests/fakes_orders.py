"""In-memory stand-ins for what the order manager asks of the world, with switches for every way it fails."""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa

from core.errors import DeskError, LedgerDown, LedgerFenced
from core.market import to_ns
from core.orders.answer import Answer
from core.records import Alert, Fill, Intent, LimitUse, Margin, Order, OrderEvent, Position, RiskEvent, Verdict
from core.risk.verdict import in_words
from core.schemas import DEPTH, TICKS

IST = dt.timezone(dt.timedelta(hours=5, minutes=30))
DAY = dt.date(2025, 9, 5)
NOON = to_ns(dt.datetime(2025, 9, 5, 12, 0, tzinfo=IST))
SYMBOL, INDEX, LOT = "SENSEX2591180500PE", "SENSEX", 20
SECOND = 1_000_000_000


class HandClock:
    """Stands still until moved by hand."""

    def __init__(self, now_ns: int = NOON) -> None:
        self.now = now_ns
        self.wall = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return self.wall

    def advance(self, to_ns: int) -> None:
        self.now = max(self.now, to_ns)

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.wall += int(seconds * SECOND)


class ListBus:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def publish(self, topic: str, payload: object, *, index: str = "") -> None:
        self.sent.append((topic, index))


class MemoryLedger:
    """`down` raises before a commit, `lost` after it: the commit happened and its answer did not arrive."""

    def __init__(self) -> None:
        self.epoch = 0
        self.table: dict[str, Order] = {}
        self.trades: list[Fill] = []
        self.events: list[tuple[str, object]] = []
        self.days: list[tuple[str, int, int]] = []
        self.said: tuple[str, str] | None = None
        self.down: Callable[[str], bool] = lambda name: False
        self.lost: Callable[[str], bool] = lambda name: False

    def _write(self, name: str, epoch: int | None, commit: Callable[[], None]) -> None:
        if self.down(name):
            raise LedgerDown(f"{name}: no connection")
        if epoch is not None and epoch != self.epoch:
            raise LedgerFenced(f"epoch {epoch} is not {self.epoch}")
        commit()
        if self.lost(name):
            raise LedgerDown(f"{name}: connection lost after the commit")

    def take_epoch(self) -> int:
        def commit() -> None:
            self.epoch += 1

        self._write("take_epoch", None, commit)
        return self.epoch

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        assert intent.tag not in self.table, "one tag, one order"
        order = Order(intent=intent, state="JOURNALLED", updated_ns=intent.created_ns)
        self._write("journal_intent", epoch, lambda: self.table.update({intent.tag: order}))

    def record_refusal(self, intent: Intent, verdict: Verdict) -> None:
        order = Order(intent=intent, state="REFUSED", message=in_words(verdict), updated_ns=intent.created_ns)
        self._write("record_refusal", None, lambda: self.table.update({intent.tag: order}))

    def record_order(self, epoch: int, order: Order, event: OrderEvent) -> None:
        assert order.intent.tag in self.table
        self._write("record_order", epoch, lambda: self.table.update({order.intent.tag: order}))

    def record_fill(self, epoch: int, fill: Fill, order: Order, position: Position) -> bool:
        known = any(fill.trade_id == other.trade_id for other in self.trades)

        def commit() -> None:
            if not known:
                self.trades.append(fill)
                self.table[order.intent.tag] = order

        self._write("record_fill", epoch, commit)
        return not known

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        def commit() -> None:
            self.said = (state, why)

        self._write("record_standing", epoch, commit)

    def standing(self) -> tuple[str, str] | None:
        self._write("standing", None, lambda: None)
        return self.said

    def orders(self) -> Sequence[Order]:
        self._write("orders", None, lambda: None)
        return list(self.table.values())

    def fills(self) -> Sequence[Fill]:
        self._write("fills", None, lambda: None)
        return list(self.trades)

    def positions(self) -> Sequence[Position]:
        return []

    def record_risk_event(self, event: RiskEvent) -> None:
        self._write("record_risk_event", None, lambda: self.events.append(("risk", event)))

    def record_alert(self, alert: Alert) -> None:
        self._write("record_alert", None, lambda: self.events.append(("alert", alert)))

    def record_daily_pnl(self, date: str, gross_paise: int, charges_paise: int) -> None:
        self._write("record_daily_pnl", None, lambda: self.days.append((date, gross_paise, charges_paise)))

    def audit(self, actor: str, action: str, detail: object) -> None: ...
    def ping(self) -> float:
        return 0.0

    def alerts(self) -> list[str]:
        return [event.message for kind, event in self.events if kind == "alert"]  # type: ignore[attr-defined]


class Died(Exception):
    """The process ended here: nothing after this line ran."""


class FakeBroker:
    """Takes whatever it is sent, twice if sent twice. `next_place` says what becomes of the next request."""

    def __init__(self) -> None:
        self.placed: list[str] = []  # every request that reached it, by tag
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.next_place = "ack"
        self.away = False

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
        for tag, order in self.orders.items():
            if order.broker_id == broker_id and order.state == "OPEN":
                self.orders[tag] = msgspec.structs.replace(order, state="CANCELLED")
                return Answer(kind="ACK", broker_id=broker_id)
        return Answer(kind="REFUSED", message="already processed")

    def find(self, tag: str) -> Order | None:
        return self.orders.get(tag)

    def book(self) -> Sequence[Order]:
        if self.away:
            raise DeskError("broker: connection refused")
        return list(self.orders.values())

    def trades(self, since: int = 0) -> Sequence[Fill]:
        if self.away:
            raise DeskError("broker: connection refused")
        return self.fills[since:]

    def on_ticks(self, ticks: pa.RecordBatch) -> None: ...


class FakeRisk:
    """Lets everything through; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[str] = []
        self.booked: list[str] = []
        self.released: list[str] = []
        self.answer = Verdict()

    def _reach(self) -> None:
        if self.away:
            raise DeskError("risk does not answer")

    def check(self, intent: Intent) -> Verdict:
        self._reach()
        self.asked.append(intent.tag)
        return self.answer

    def book(self, fill: Fill) -> None:
        self._reach()
        self.booked.append(fill.trade_id)

    def release(self, tag: str) -> None:
        self._reach()
        self.released.append(tag)

    def limits(self) -> Sequence[LimitUse]:
        return []

    def margin(self, intent: Intent) -> Margin:
        return Margin(premium_paise=0, span_paise=0, exposure_paise=0, charges_paise=0, estimate=True)


class MemoryStore:
    """A broker's store that outlives the broker; `down` and `lost` as the ledger's."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.down = self.lost = False

    def save(self, order: Order, fills: Sequence[Fill]) -> None:
        if self.down:
            raise LedgerDown("store: no connection")
        self.orders[order.intent.tag] = order
        self.fills.extend(fills)
        if self.lost:
            raise LedgerDown("store: connection lost after the commit")

    def load(self) -> tuple[Sequence[Order], Sequence[Fill]]:
        if self.down:
            raise LedgerDown("store: no connection")
        return list(self.orders.values()), list(self.fills)


def intent(tag: str = "A", **changes: object) -> Intent:
    """A buy of one lot at 350.00."""
    made = Intent(
        tag=tag,
        strategy="s",
        index=INDEX,
        symbol=SYMBOL,
        side="BUY",
        quantity=LOT,
        order_type="LIMIT",
        limit_paise=35_000,
    )
    return msgspec.structs.replace(made, **changes)


def ticks(
    bids: Sequence[tuple[int, int]] = (), asks: Sequence[tuple[int, int]] = (), *, last: int = 35_000, at_ns: int = NOON
) -> pa.RecordBatch:
    """One row of SYMBOL with (paise, quantity) levels, best first."""

    def side(levels: Sequence[tuple[int, int]], place: int) -> list[int]:
        return [level[place] for level in levels] + [0] * (DEPTH - len(levels))

    row = {
        "index": INDEX,
        "symbol": SYMBOL,
        "kind": 3,
        "expiry": dt.date(2025, 9, 11),
        "strike_paise": 8_050_000,
        "exchange_ns": at_ns,
        "received_ns": at_ns,
        "last_paise": last,
        "prev_close_paise": 34_000,
        "volume": 1_000,
        "oi": 1_000,
        "prev_oi": -1,
        "bid_paise": side(bids, 0),
        "bid_qty": side(bids, 1),
        "bid_orders": [0] * DEPTH,
        "ask_paise": side(asks, 0),
        "ask_qty": side(asks, 1),
        "ask_orders": [0] * DEPTH,
    }
    return pa.RecordBatch.from_pylist([row], schema=TICKS)
