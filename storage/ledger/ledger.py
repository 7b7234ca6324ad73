"""core.ports.Ledger over PostgreSQL: calls that return once the fact is committed.

Who writes orders and fills shows its epoch, checked in the same transaction under a lock on the epoch's row: after a
newer order manager has taken it, nothing of the older one is committed any more. A call that raised LedgerDown may have
been committed; repeated, it changes nothing twice, save that an intent's tag can be used once only.
"""

import datetime as dt
from collections.abc import Mapping

from core.records import Alert, Fill, Intent, Order, OrderEvent, Position, RiskEvent, Settled, Verdict
from core.risk.verdict import in_words
from storage.ledger import write
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


class PostgresLedger:
    """The ledger of one session; a picklable description that connects on first use.

    `session_id` names an `up` of a simulated desk, or an account; with `carry`, positions() gives the open ones only,
    since those of an account outlive the day. `timeout_s` bounds each call; `writer` is whose alerts the audit log says
    they are. May be called from several threads.
    """

    def __init__(
        self,
        dsn: str,
        session_id: str,
        carry: bool = False,  # noqa: FBT001, FBT002 agreed
        *,
        timeout_s: float = TIMEOUT_S,
        writer: str = "supervisor",
    ) -> None:
        self._session, self._carry, self._writer = session_id, carry, writer
        self._link = Link(dsn, name="vikalp-ledger", timeout_s=timeout_s, greeting=GREETING, args=(session_id,))

    def __repr__(self) -> str:
        return f"PostgresLedger(session_id={self._session!r}, carry={self._carry})"  # never the password

    def take_epoch(self) -> int:
        return self._link.call("taking the epoch", lambda c: write.take_epoch(c, self._session))

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        """Raises LedgerFenced; InputError if the tag was used before."""
        self._link.call("journalling an intent", lambda c: write.intent(c, self._session, epoch, intent))

    def record_refusal(self, intent: Intent, verdict: Verdict) -> None:
        order = Order(intent=intent, state="REFUSED", updated_ns=intent.created_ns, message=in_words(verdict))
        self._link.call("recording a refusal", lambda c: write.refusal(c, self._session, order, verdict))

    def record_order(self, epoch: int, order: Order, event: OrderEvent) -> None:
        self._link.call("recording an order", lambda c: write.order(c, self._session, epoch, order, event))

    def record_fill(self, epoch: int, fill: Fill, order: Order, position: Position) -> bool:
        """InputError if another trade of the same id was recorded before."""
        return self._link.call(
            "recording a fill", lambda c: write.fill(c, self._session, epoch, fill, after=order, position=position)
        )

    def record_settlement(self, epoch: int, settled: Settled, position: Position) -> Settled:
        return self._link.call(
            "recording a settlement", lambda c: write.settlement(c, self._session, epoch, settled, position)
        )

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        self._link.call("recording a state", lambda c: write.standing(c, self._session, epoch, state, why))

    def standing(self) -> tuple[str, str] | None:
        row = self._link.call("reading the state", lambda c: c.fetchrow(STANDING, self._session))
        return (row["wanted"], row["why"]) if row else None

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
        self._link.call("recording a risk event", lambda c: write.risk_event(c, self._session, event))

    def record_alert(self, alert: Alert) -> None:
        self._link.call("recording an alert", lambda c: write.alert(c, self._session, alert, writer=self._writer))

    def record_daily_pnl(self, date: str, gross_paise: int, charges_paise: int) -> None:
        """`date` is YYYY-MM-DD; a later call for the same date replaces the figures, the audit log keeps both."""
        day = dt.date.fromisoformat(date)
        self._link.call(
            "recording the day's result", lambda c: write.daily_pnl(c, self._session, day, gross_paise, charges_paise)
        )

    def audit(self, actor: str, action: str, detail: Mapping[str, object]) -> None:
        self._link.call("auditing", lambda c: write.audit(c, self._session, actor, action, detail))

    def ping(self) -> float:
        return self._link.call("asking the ledger", write.ping)

    def close(self) -> None:
        """Give the connection back; the next call connects anew."""
        self._link.close()
