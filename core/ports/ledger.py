"""The journal of money."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

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
    Who,
)

if TYPE_CHECKING:
    from core.orders.snapshot import Snapshot  # its package loads the exchanges' tables


class Ledger(Protocol):
    """The journal of money: every call returns only when the fact is committed, or raises LedgerDown."""

    def take_epoch(self) -> int:
        """Become the one order manager; every older holder is fenced from now on."""

    def check_epoch(self, epoch: int) -> None:
        """Raises LedgerFenced if a newer order manager has taken over."""

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        """Commit intent and JOURNALLED order in one transaction that checks `epoch`; raises LedgerFenced."""

    def record_refusal(self, epoch: int, intent: Intent, verdict: Verdict) -> None:
        """Commit an intent that is never sent, with the reasons; it uses up its tag, so raises LedgerFenced too."""

    def record_order(self, epoch: int, order: Order, event: OrderEvent) -> None: ...
    def record_fill(self, epoch: int, fill: Fill, order: Order, position: Position) -> bool:
        """False if this trade_id was already recorded: a fill counts once."""

    def record_settlement(self, epoch: int, settled: Settled, positions: Sequence[Position]) -> Settled:
        """What a contract settled at, and every position in it after it; of two the first stays and comes back."""

    def settlements(self) -> Sequence[Settled]:
        """Settlements of the current session, oldest first."""

    def record_move(self, epoch: int, move: Move, positions: Sequence[Position]) -> Move:
        """What became of a position's move, and every position in it afterwards; of one id and phase the first stays.

        It comes back; raises LedgerFenced.
        """

    def moves(self) -> Sequence[Move]:
        """Moves of the current session, oldest first, each phase by itself."""

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        """What a person wants of the order manager: ACTIVE, REDUCING or HALTED; raises LedgerFenced."""

    def standing(self) -> tuple[str, str] | None:
        """The last recorded state and why; None if nobody has said anything in this session."""

    def record_kill(self, switch: Kill) -> None:
        """The kill switch was pulled or released, whoever holds the epoch."""

    def kill_switch(self) -> Kill | None:
        """What was last said of it, in whatever session of this account; None if nobody ever touched it."""

    def kills(self, since_ns: int) -> Sequence[Kill]:
        """All that the current session has said of it since then (market), oldest first."""

    def record_plan(self, epoch: int, plan_id: str, body: str, created_ns: int) -> None:
        """A plan's definition, JSON; raises LedgerFenced, InputError for an id that was used before."""

    def record_plan_word(self, epoch: int, word: PlanWord) -> None:
        """What a plan has said; of one key the first stays."""

    def plans(self) -> Sequence[tuple[str, str, Sequence[PlanWord]]]:
        """(id, definition as JSON, what it has said) of the current session's plans, oldest first."""

    def record_snapshot(self, epoch: int, taken: "Snapshot") -> None:
        """How the desk stands, every quarter of an hour (core/orders/snapshot.py); raises LedgerFenced."""

    def snapshots(self) -> Sequence["Snapshot"]:
        """Snapshots of the current session, oldest first."""

    def orders(self) -> Sequence[Order]:
        """Orders of the current session, oldest first; refusals included."""

    def fills(self) -> Sequence[Fill]:
        """Fills of the current session, oldest first."""

    def positions(self) -> Sequence[Position]:
        """Positions of the current session; where positions carry over (PAPER, LIVE), every open one."""

    def record_limits(self, version: int, body: str, who: str, why: str) -> None:
        """A version of the risk limits, JSON, and each setting it changes in the audit log; InputError if it exists."""

    def limits(self) -> tuple[int, str] | None:
        """The newest version of the risk limits and its body; None if nobody has changed them."""

    def record_risk_event(self, event: RiskEvent) -> None: ...
    def record_risk_day(self, day: RiskDay) -> None:
        """In place of what was recorded of the same date."""

    def risk_day(self) -> RiskDay:
        """The current session's latest; of no date where there is none."""

    def record_alert(self, alert: Alert) -> None: ...
    def record_daily_pnl(
        self, date: str, gross_paise: int, charges_paise: int, result: Mapping[str, float | None] | None = None
    ) -> None:
        """A day's result so far; `result` has what is known beyond it, by the names of DayResult, and `sharpe`.

        A later call replaces what it says and leaves the rest; the audit log keeps both.
        """

    def audit(
        self,
        actor: str,
        action: str,
        detail: Mapping[str, object],
        *,
        who: Who | None = None,
        entity: tuple[str, str] = ("", ""),
        old: Mapping[str, object] | None = None,
        new: Mapping[str, object] | None = None,
    ) -> None:
        """A line of who did what: `actor` is the program, `who` a person or program and from where it spoke.

        `entity` is what it was done to, type and id; `old` and `new` its value before and after.
        """

    def events(self, after: int, topics: Collection[str] = (), limit: int = 500) -> Sequence[LedgerEvent]:
        """Of the current session, those with an offset above `after`, in order; no topics are all.

        Asked again it gives the same: who keeps the last offset he has dealt with misses none and repeats none.
        """

    def audit_rows(
        self, *, after: int = 0, limit: int = 500, user: str = "", action: str = "", entity: tuple[str, str] = ("", "")
    ) -> Sequence[AuditLine]:
        """Of the current session, the lines with a `seq` above `after`, oldest first; what is empty is not asked."""

    def ping(self) -> float:
        """Seconds one SELECT 1 took."""
