"""Snapshots and reports on a real PostgreSQL: kept, read back, never changed, only by who holds the epoch."""

import datetime as dt
import json
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from core.errors import LedgerFenced
from core.market import IST, to_ns
from core.orders.snapshot import Snapshot
from storage.ledger import PostgresLedger
from storage.ledger.reports import Reports
from storage.ledger.verify import verify
from tests.unit.storage.test_ledger import an_intent, rows
from tests.unit.test_snapshot import taken

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def reports(dsn: str) -> Iterator[Reports]:
    made = Reports(dsn)
    yield made
    made.close()


def test_snapshots_come_back_as_they_were_oldest_first(ledger: PostgresLedger, dsn: str) -> None:
    epoch, first, later = ledger.take_epoch(), taken(), taken(at_ns=10**18 * 2)
    ledger.record_snapshot(epoch, later)
    ledger.record_snapshot(epoch, first)

    assert ledger.snapshots() == [first, later]
    assert verify(dsn, session=ledger._session).whole
    with pytest.raises(asyncpg.RestrictViolationError):
        rows(dsn, "UPDATE snapshots SET at_ns = 0")


def test_a_replaced_order_manager_takes_no_snapshot(ledger: PostgresLedger) -> None:
    old = ledger.take_epoch()
    ledger.take_epoch()

    with pytest.raises(LedgerFenced):
        ledger.record_snapshot(old, Snapshot(at_ns=1, state="ACTIVE"))
    assert ledger.snapshots() == []


def test_of_a_days_reports_the_newest_counts_and_the_others_stay(
    ledger: PostgresLedger, reports: Reports, dsn: str
) -> None:
    ledger.take_epoch()
    session = ledger._session
    assert reports.newest(session, DAY) is None
    reports.add(session, DAY, '{"n": 1}', differences=2)
    reports.add(session, DAY, '{"n": 2}', differences=0)

    assert json.loads(reports.newest(session, DAY) or "") == {"n": 2}
    assert reports.newest(session, DAY - dt.timedelta(days=1)) is None
    kept = rows(dsn, "SELECT differences FROM eod_reports WHERE session_id = $1 ORDER BY seq", session)
    assert [row["differences"] for row in kept] == [2, 0]


def test_the_session_of_a_day_is_that_of_its_last_order_by_indias_date(
    make_ledger: Callable[..., PostgresLedger], reports: Reports
) -> None:
    late = dt.datetime(2031, 5, 5, 0, 30, tzinfo=IST)  # the 4th in UTC
    for n, name in enumerate(("early", "late")):
        ledger = make_ledger(name)
        ledger.journal_intent(ledger.take_epoch(), an_intent(created_ns=to_ns(late) + n))

    assert reports.session_of(late.date()) == "late"
    assert reports.session_of(late.date() - dt.timedelta(days=1)) == ""
    assert reports.last_day("early") == late.date()
    assert reports.last_day() >= late.date()  # other tests' sessions lie in this ledger too, some of them later
    assert reports.last_day("nobody") is None


def test_earlier_days_are_those_before(ledger: PostgresLedger, reports: Reports) -> None:
    for day, gross in (("2026-11-18", 100), ("2026-11-20", 300), ("2026-11-19", 200)):
        ledger.record_daily_pnl(day, gross, 10)

    assert reports.earlier_days(ledger._session, DAY) == [90, 190]


def test_a_paper_accounts_earlier_days_are_its_earlier_sessions(
    make_ledger: Callable[..., PostgresLedger], reports: Reports
) -> None:
    for name, day in (("paper-k-2026-11-18", "2026-11-18"), ("paper-k-2026-11-19", "2026-11-19"),
                      ("paper-other-2026-11-19", "2026-11-19"), ("paper-k-2026-11-20", "2026-11-20")):  # fmt: skip
        make_ledger(name).record_daily_pnl(day, int(day[-2:]), 0)

    assert reports.earlier_days("paper-k-2026-11-20", DAY) == [18, 19]
