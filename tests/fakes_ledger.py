"""What outlives the order manager, in memory: ledger and broker store, with switches for every way they fail."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from core.errors import InputError, LedgerDown, LedgerFenced
from core.matching.queue import Place
from core.orders.snapshot import Snapshot
from core.records import (
    Alert,
    AuditLine,
    Fill,
    Intent,
    Kill,
    LedgerEvent,
    Move,
    Order,
    OrderEvent,
    PlanWord,
    Position,
    RiskDay,
    RiskEvent,
    Settled,
    Verdict,
)
from core.risk.verdict import in_words


class MemoryLedger:
    """`down` raises before a commit, `lost` after it: the commit happened and its answer did not arrive."""

    def __init__(self) -> None:
        self.epoch = 0
        self.table: dict[str, Order] = {}
        self.trades: list[Fill] = []
        self.settled: dict[str, Settled] = {}
        self.moved: dict[tuple[str, str], Move] = {}
        self.events: list[tuple[str, object]] = []
        self.results: list[object] = []  # of the days, what is known beyond their sums
        self.days: list[tuple[str, int, int]] = []
        self.said: tuple[str, str] | None = None
        self.kill: Kill | None = None
        self.said_of_kill: list[Kill] = []
        self.risk_days: dict[str, RiskDay] = {}
        self.planned: dict[str, str] = {}
        self.words: dict[tuple[str, str], PlanWord] = {}
        self.taken: list[Snapshot] = []
        self.audited: list[dict[str, Any]] = []
        self.limit_versions: list[tuple[int, str, str, str]] = []
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

    def check_epoch(self, epoch: int) -> None:
        self._write("check_epoch", epoch, lambda: None)

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        assert intent.tag not in self.table, "one tag, one order"
        order = Order(intent=intent, state="JOURNALLED", updated_ns=intent.created_ns)
        self._write("journal_intent", epoch, lambda: self.table.update({intent.tag: order}))

    def record_refusal(self, epoch: int, intent: Intent, verdict: Verdict) -> None:
        order = Order(intent=intent, state="REFUSED", message=in_words(verdict), updated_ns=intent.created_ns)
        self._write("record_refusal", epoch, lambda: self.table.update({intent.tag: order}))

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

    def record_settlement(self, epoch: int, settled: Settled, positions: Sequence[Position]) -> Settled:
        self._write("record_settlement", epoch, lambda: self.settled.setdefault(settled.symbol, settled))
        return self.settled[settled.symbol]

    def settlements(self) -> Sequence[Settled]:
        self._write("settlements", None, lambda: None)
        return list(self.settled.values())

    def record_move(self, epoch: int, move: Move, positions: Sequence[Position]) -> Move:
        key = move.move_id, move.phase
        self._write("record_move", epoch, lambda: self.moved.setdefault(key, move))
        return self.moved[key]

    def moves(self) -> Sequence[Move]:
        self._write("moves", None, lambda: None)
        return list(self.moved.values())

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        def commit() -> None:
            self.said = (state, why)

        self._write("record_standing", epoch, commit)

    def standing(self) -> tuple[str, str] | None:
        self._write("standing", None, lambda: None)
        return self.said

    def record_kill(self, switch: Kill) -> None:
        def commit() -> None:
            self.kill = switch
            self.said_of_kill.append(switch)

        self._write("record_kill", None, commit)

    def kill_switch(self) -> Kill | None:
        self._write("kill_switch", None, lambda: None)
        return self.kill

    def kills(self, since_ns: int) -> Sequence[Kill]:
        self._write("kills", None, lambda: None)
        return [one for one in self.said_of_kill if one.at_ns >= since_ns]

    def record_plan(self, epoch: int, plan_id: str, body: str, created_ns: int) -> None:
        assert plan_id not in self.planned, "one id, one plan"
        self._write("record_plan", epoch, lambda: self.planned.update({plan_id: body}))

    def record_plan_word(self, epoch: int, word: PlanWord) -> None:
        self._write("record_plan_word", epoch, lambda: self.words.setdefault((word.plan_id, word.key), word))

    def plans(self) -> Sequence[tuple[str, str, Sequence[PlanWord]]]:
        self._write("plans", None, lambda: None)
        words = self.words.values()
        return [(one, body, [word for word in words if word.plan_id == one]) for one, body in self.planned.items()]

    def record_snapshot(self, epoch: int, taken: Snapshot) -> None:
        self._write("record_snapshot", epoch, lambda: self.taken.append(taken))

    def snapshots(self) -> Sequence[Snapshot]:
        self._write("snapshots", None, lambda: None)
        return list(self.taken)

    def orders(self) -> Sequence[Order]:
        self._write("orders", None, lambda: None)
        return list(self.table.values())

    def fills(self) -> Sequence[Fill]:
        self._write("fills", None, lambda: None)
        return list(self.trades)

    def positions(self) -> Sequence[Position]:
        return []

    def record_limits(self, version: int, body: str, who: str, why: str) -> None:
        if any(version == kept[0] for kept in self.limit_versions):
            raise InputError(f"limits of version {version} are recorded already")
        self._write("record_limits", None, lambda: self.limit_versions.append((version, body, who, why)))

    def limits(self) -> tuple[int, str] | None:
        self._write("limits", None, lambda: None)
        return self.limit_versions[-1][:2] if self.limit_versions else None

    def record_risk_event(self, event: RiskEvent) -> None:
        self._write("record_risk_event", None, lambda: self.events.append(("risk", event)))

    def record_risk_day(self, day: RiskDay) -> None:
        self._write("record_risk_day", None, lambda: self.risk_days.update({day.date: day}))

    def risk_day(self) -> RiskDay:
        self._write("risk_day", None, lambda: None)
        return self.risk_days[max(self.risk_days)] if self.risk_days else RiskDay()

    def record_alert(self, alert: Alert) -> None:
        self._write("record_alert", None, lambda: self.events.append(("alert", alert)))

    def record_daily_pnl(self, date: str, gross_paise: int, charges_paise: int, result: object = None) -> None:
        def commit() -> None:
            self.days.append((date, gross_paise, charges_paise))
            self.results.append(result)

        self._write("record_daily_pnl", None, commit)

    def audit(self, actor: str, action: str, detail: object, **change: Any) -> None:
        line = {"actor": actor, "action": action, "detail": detail, **change}
        self._write("audit", None, lambda: self.audited.append(line))

    def events(self, after: int, topics: Collection[str] = (), limit: int = 500) -> Sequence[LedgerEvent]:
        return []

    def audit_rows(self, **wanted: object) -> Sequence[AuditLine]:
        return []

    def ping(self) -> float:
        return 0.0

    def alerts(self) -> list[str]:
        return [event.message for kind, event in self.events if kind == "alert"]  # type: ignore[attr-defined]


class MemoryStore:
    """A broker's store that outlives the broker; `down` and `lost` as the ledger's."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.kept: dict[str, Place] = {}
        self.down = self.lost = False

    def save(self, order: Order, fills: Sequence[Fill], place: Place) -> None:
        if self.down:
            raise LedgerDown("store: no connection")
        self.orders[order.intent.tag], self.kept[order.intent.tag] = order, place
        self.fills.extend(fills)
        if self.lost:
            raise LedgerDown("store: connection lost after the commit")

    def load(self) -> tuple[Sequence[Order], Sequence[Fill]]:
        if self.down:
            raise LedgerDown("store: no connection")
        return list(self.orders.values()), list(self.fills)

    def places(self) -> Mapping[str, Place]:
        if self.down:
            raise LedgerDown("store: no connection")
        return dict(self.kept)
