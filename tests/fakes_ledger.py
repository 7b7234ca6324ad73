"""What outlives the order manager, in memory: ledger and broker store, with switches for every way they fail."""

from collections.abc import Callable, Sequence

from core.errors import LedgerDown, LedgerFenced
from core.records import Alert, Fill, Intent, Order, OrderEvent, Position, RiskEvent, Settled, Verdict
from core.risk.verdict import in_words


class MemoryLedger:
    """`down` raises before a commit, `lost` after it: the commit happened and its answer did not arrive."""

    def __init__(self) -> None:
        self.epoch = 0
        self.table: dict[str, Order] = {}
        self.trades: list[Fill] = []
        self.settled: dict[str, Settled] = {}
        self.events: list[tuple[str, object]] = []
        self.days: list[tuple[str, int, int]] = []
        self.said: tuple[str, str] | None = None
        self.down: Callable[[str], bool] = lambda name: False
        self.lost: Callable[[str], bool] = lambda name: False

    def _write(self, name: str, epoch: int | None, commit: Callable[[], object]) -> None:
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

    def record_settlement(self, epoch: int, settled: Settled, position: Position) -> Settled:
        self._write("record_settlement", epoch, lambda: self.settled.setdefault(settled.symbol, settled))
        return self.settled[settled.symbol]

    def settlements(self) -> Sequence[Settled]:
        self._write("settlements", None, lambda: None)
        return list(self.settled.values())

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
