"""core.ports.Ledger over PostgreSQL: calls that return once the fact is committed.

Who writes orders and fills shows its epoch, checked in the same transaction under a lock on the epoch's row: after a
newer order manager has taken it, nothing of the older one is committed any more. A call that raised LedgerDown may have
been committed; repeated, it changes nothing twice, save that an intent's tag can be used once only.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from core.orders.snapshot import Snapshot
from core.records import (
    Alert,
    AuditLine,
    Fill,
    Intent,
    Kill,
    LedgerEvent,
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
from core.risk.verdict import in_words
from storage.ledger import kill, limits, plans, read, risk_days, snapshots, write
from storage.ledger.audit import Change
from storage.ledger.moves import Moves
from storage.link import Link
from storage.rows import FILL, INTENT, ORDER, POSITION, SETTLED, fill_of, order_of, position_of, select, settled_of

COLUMNS = (*(f"i.{name}" for name in INTENT), *(f"o.{name}" for name in ORDER))
ORDERS = select(COLUMNS, "FROM intents i JOIN orders o USING (session_id, tag) WHERE session_id = $1 ORDER BY i.seq")
FILLS = select(FILL, "FROM fills WHERE session_id = $1 ORDER BY seq")
POSITIONS = select(POSITION, "FROM positions WHERE session_id = $1 AND (quantity <> 0 OR NOT $2) ORDER BY seq")
SETTLEMENTS = select(SETTLED, "FROM settlements WHERE session_id = $1 ORDER BY seq")
GREETING = "INSERT INTO sessions (session_id) VALUES ($1) ON CONFLICT DO NOTHING"
STANDING = "SELECT wanted, why FROM oms_epoch WHERE session_id = $1 AND wanted <> ''"

TIMEOUT_S = 2.0  # of one call; an order waits for risk and for two of these at most, and must not look stuck meanwhile


class PostgresLedger(Moves):
    """The ledger of one session; a picklable description that connects on first use.

    `session_id` names an `up` of a simulated desk, or an account; with `carry`, positions() gives the open ones only,
    since those of an account outlive the day. `timeout_s` bounds each call; `writer` is whose alerts the audit log says
    they are; `scope` is whose kill switch holds here: an account outlives its sessions. May be called from several
    threads.
    """

    def __init__(
        self,
        dsn: str,
        session_id: str,
        carry: bool = False,  # noqa: FBT001, FBT002 agreed
        *,
        timeout_s: float = TIMEOUT_S,
        writer: str = "supervisor",
        scope: str = "",
    ) -> None:
        self._session, self._carry, self._writer = session_id, carry, writer
        self._scope = scope or session_id
        self._link = Link(
            dsn, name="vikalp-ledger", timeout_s=timeout_s, greeting=GREETING, args=(session_id,), writer=writer
        )

    def __repr__(self) -> str:
        return f"PostgresLedger(session_id={self._session!r}, carry={self._carry})"  # never the password

    def take_epoch(self) -> int:
        return self._link.call("taking the epoch", lambda c: write.take_epoch(c, self._session))

    def check_epoch(self, epoch: int) -> None:
        self._link.call("asking for the epoch", lambda c: write.check_epoch(c, self._session, epoch))

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        """Raises LedgerFenced; InputError if the tag was used before."""
        self._link.call("journalling an intent", lambda c: write.intent(c, self._session, epoch, intent), single=True)

    def record_refusal(self, epoch: int, intent: Intent, verdict: Verdict) -> None:
        """Raises LedgerFenced; InputError if the tag was used before."""
        order = Order(intent=intent, state="REFUSED", updated_ns=intent.created_ns, message=in_words(verdict))
        self._link.call(
            "recording a refusal", lambda c: write.refusal(c, self._session, epoch, order, verdict), single=True
        )

    def record_order(self, epoch: int, order: Order, event: OrderEvent) -> None:
        self._link.call("recording an order", lambda c: write.order(c, self._session, epoch, order, event), single=True)

    def record_fill(self, epoch: int, fill: Fill, order: Order, position: Position) -> bool:
        """InputError if another trade of the same id was recorded before."""
        return self._link.call(
            "recording a fill",
            lambda c: write.fill(c, self._session, epoch, fill, after=order, position=position),
            single=True,
        )

    def record_settlement(self, epoch: int, settled: Settled, positions: Sequence[Position]) -> Settled:
        return self._link.call(
            "recording a settlement", lambda c: write.settlement(c, self._session, epoch, settled, positions)
        )

    def record_kill(self, switch: Kill) -> None:
        self._link.call("recording the kill switch", lambda c: kill.record(c, self._session, self._scope, switch))

    def kill_switch(self) -> Kill | None:
        return self._link.call("reading the kill switch", lambda c: kill.newest(c, self._scope))

    def kills(self, since_ns: int) -> list[Kill]:
        return self._link.call("reading the kill switch", lambda c: kill.since(c, self._session, self._scope, since_ns))

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        self._link.call("recording a state", lambda c: write.standing(c, self._session, epoch, state, why))

    def record_limits(self, version: int, body: str, who: str, why: str) -> None:
        """InputError if this version of the account's limits is another already."""
        self._link.call(
            "recording limits",
            lambda c: limits.record(c, self._session, self._scope, version=version, body=body, who=who, why=why),
        )

    def limits(self) -> tuple[int, str] | None:
        return self._link.call("reading limits", lambda c: limits.newest(c, self._scope))

    def standing(self) -> tuple[str, str] | None:
        row = self._link.call("reading the state", lambda c: c.fetchrow(STANDING, self._session))
        return (row["wanted"], row["why"]) if row else None

    def record_plan(self, epoch: int, plan_id: str, body: str, created_ns: int) -> None:
        plan = (plan_id, body, created_ns)
        self._link.call("recording a plan", lambda c: plans.record(c, self._session, epoch, plan))

    def record_plan_word(self, epoch: int, word: PlanWord) -> None:
        self._link.call("recording a plan's words", lambda c: plans.word(c, self._session, epoch, word))

    def plans(self) -> list[tuple[str, str, list[PlanWord]]]:
        return self._link.call("reading plans", lambda c: plans.read(c, self._session))

    def record_snapshot(self, epoch: int, taken: Snapshot) -> None:
        self._link.call("recording a snapshot", lambda c: snapshots.record_snapshot(c, self._session, epoch, taken))

    def snapshots(self) -> list[Snapshot]:
        return self._link.call("reading snapshots", lambda c: snapshots.snapshots(c, self._session))

    def orders(self) -> list[Order]:
        return [order_of(row) for row in self._link.call("reading orders", lambda c: c.fetch(ORDERS, self._session))]

    def fills(self) -> list[Fill]:
        return [fill_of(row) for row in self._link.call("reading fills", lambda c: c.fetch(FILLS, self._session))]

    def settlements(self) -> list[Settled]:
        rows = self._link.call("reading settlements", lambda c: c.fetch(SETTLEMENTS, self._session))
        return [settled_of(row) for row in rows]

    def positions(self) -> list[Position]:
        rows = self._link.call("reading positions", lambda c: c.fetch(POSITIONS, self._session, self._carry))
        return [position_of(row) for row in rows]

    def record_risk_event(self, event: RiskEvent) -> None:
        self._link.call("recording a risk event", lambda c: write.risk_event(c, self._session, event), single=True)

    def record_risk_day(self, day: RiskDay) -> None:
        self._link.call("recording risk's day", lambda c: risk_days.record(c, self._session, day))

    def risk_day(self) -> RiskDay:
        return self._link.call("reading risk's day", lambda c: risk_days.newest(c, self._session))

    def record_alert(self, alert: Alert) -> None:
        self._link.call(
            "recording an alert", lambda c: write.alert(c, self._session, alert, writer=self._writer), single=True
        )

    def record_daily_pnl(
        self, date: str, gross_paise: int, charges_paise: int, result: Mapping[str, float | None] | None = None
    ) -> None:
        """`date` is YYYY-MM-DD; InputError for a figure there is not."""
        figures = {"date": dt.date.fromisoformat(date), "gross_paise": gross_paise, "charges_paise": charges_paise}
        self._link.call(
            "recording the day's result", lambda c: write.daily_pnl(c, self._session, figures | dict(result or {}))
        )

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
        change = Change(entity=entity, old=old, new=new, who=who)
        self._link.call("auditing", lambda c: write.audit(c, self._session, actor, action, detail, change=change))

    def events(self, after: int, topics: Collection[str] = (), limit: int = 500) -> list[LedgerEvent]:
        return self._link.call("reading events", lambda c: read.events(c, self._session, after, topics, limit))

    def audit_rows(
        self, *, after: int = 0, limit: int = 500, user: str = "", action: str = "", entity: tuple[str, str] = ("", "")
    ) -> list[AuditLine]:
        wanted = read.Wanted(user=user, action=action, entity=entity)
        return self._link.call("reading the audit log", lambda c: read.lines(c, self._session, wanted, after, limit))

    def ping(self) -> float:
        return self._link.call("asking the ledger", write.ping)

    def close(self) -> None:
        """Give the connection back; the next call connects anew."""
        self._link.close()
