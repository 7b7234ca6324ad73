"""End-of-day reports as rows, and what a report must know of the ledger beyond one session's facts."""

import datetime as dt
import re
from typing import Any

from storage.ledger.ledger import TIMEOUT_S
from storage.link import Link
from storage.rows import insert

ADD_REPORT = insert("eod_reports", ("date", "differences", "body"), "RETURNING seq")
NEWEST = "SELECT body FROM eod_reports WHERE session_id = $1 AND date = $2 ORDER BY seq DESC LIMIT 1"
# An account on paper has a session a day, named by it.
EARLIER = (
    """SELECT net_paise FROM daily_pnl WHERE session_id IN ($1, $3::text || '-' || date) AND date < $2 ORDER BY date"""
)
# The session whose orders or trades of the day came last; those of a day are told by India's time.
LAST = """SELECT session_id FROM intents WHERE (created_at AT TIME ZONE 'Asia/Kolkata')::date = $1
    ORDER BY created_ns DESC LIMIT 1"""
DATE = """SELECT (created_at AT TIME ZONE 'Asia/Kolkata')::date FROM intents
    WHERE $1 IN ('', session_id) ORDER BY created_ns DESC LIMIT 1"""

DAY_OF = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # at the end of a session's name


class Reports:
    """Reports of every session of a ledger. Raises LedgerDown; may be called from several threads."""

    def __init__(self, dsn: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._link = Link(dsn, name="vikalp-reports", timeout_s=timeout_s)

    def add(self, session: str, day: dt.date, body: str, *, differences: int) -> int:
        """Keep a report, JSON, beside earlier ones of the day; its number."""
        return int(
            self._link.call("recording a report", lambda c: c.fetchval(ADD_REPORT, session, day, differences, body))
        )

    def newest(self, session: str, day: dt.date) -> str | None:
        """JSON of the day's last report; None if it has none."""
        found: str | None = self._link.call("reading a report", lambda c: c.fetchval(NEWEST, session, day))
        return found

    def earlier_days(self, session: str, day: dt.date) -> list[int]:
        """Net paise of each day of the session's account that was recorded before `day`, oldest first."""
        account = DAY_OF.sub("", session)
        rows: list[Any] = self._link.call("reading earlier days", lambda c: c.fetch(EARLIER, session, day, account))
        return [row["net_paise"] for row in rows]

    def session_of(self, day: dt.date) -> str:
        """Which session's orders of `day` came last; empty if there are none."""
        return str(self._link.call("reading sessions", lambda c: c.fetchval(LAST, day)) or "")

    def last_day(self, session: str = "") -> dt.date | None:
        """The day of the last order, of a session or of all; None where there is none."""
        found: dt.date | None = self._link.call("reading days", lambda c: c.fetchval(DATE, session))
        return found

    def close(self) -> None:
        self._link.close()
