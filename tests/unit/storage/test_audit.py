"""Who did what, from where, and what it was before; the views that people read; the outbox in its order."""

import json
import os
from collections.abc import Callable, Iterator
from decimal import Decimal

import asyncpg
import pytest

from core.errors import InputError
from core.market import charges_at
from core.orders.positions import market_date
from core.records import AuditLine, Order, OrderEvent, RiskEvent, Who
from storage.ledger import PostgresLedger
from storage.ledger.read import TOPICS, LedgerReader, Wanted
from storage.ledger.roles import READER, prepare_own
from storage.postgres import PostgresServer
from tests.unit.storage.attacks import fill_in, run
from tests.unit.storage.test_ledger import a_fill, a_position, an_intent, done

MakeLedger = Callable[..., PostgresLedger]


@pytest.fixture
def reader(server: PostgresServer, dsn: str) -> Iterator[LedgerReader]:
    """As people read: by a role that may do nothing else."""
    prepare_own(server)
    made = LedgerReader(server.dsn_of(READER))
    yield made
    made.close()


def line(ledger: PostgresLedger, action: str) -> AuditLine:
    return ledger.audit_rows(action=action)[-1]


def test_an_action_of_a_person_says_who_from_where_what_and_what_it_was(ledger: PostgresLedger) -> None:
    who = Who(user_id="asha", ip_address="203.0.113.7", user_agent="Firefox")
    ledger.audit(
        "gateway", "change", {"why": "calmer"}, who=who, entity=("limit", "daily_loss"), old={"rupees": 25_000},
        new={"rupees": 20_000},
    )  # fmt: skip
    found = line(ledger, "change")
    assert (found.actor, found.user_id, found.ip_address, found.user_agent) == (
        "gateway", "asha", "203.0.113.7", "Firefox",
    )  # fmt: skip
    assert (found.entity_type, found.entity_id) == ("limit", "daily_loss")
    assert (json.loads(found.old_value), json.loads(found.new_value)) == ({"rupees": 25_000}, {"rupees": 20_000})


def test_what_a_program_does_names_the_program_and_its_process(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(writer="oms")
    ledger.take_epoch()
    found = line(ledger, "take_epoch")
    assert found.user_id == found.actor == "oms"
    assert found.user_agent.startswith(f"oms pid {os.getpid()} on ")
    assert found.ip_address == ""  # a Unix socket has none


def test_an_order_s_line_has_what_the_order_was(ledger: PostgresLedger) -> None:
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    opened = Order(intent=intent, state="OPEN", broker_id="B1", updated_ns=4)
    ledger.record_order(epoch, opened, OrderEvent(tag="A1", state="OPEN", at_ns=4))
    found = line(ledger, "order")
    old, new = json.loads(found.old_value), json.loads(found.new_value)
    assert (found.entity_type, found.entity_id, old["state"], new["state"]) == ("order", "A1", "JOURNALLED", "OPEN")
    assert (old["broker_id"], new["broker_id"]) == ("", "B1")

    ledger.record_fill(epoch, a_fill(), done(intent), a_position())
    ledger.record_fill(epoch, a_fill("T2"), done(intent), a_position(quantity=150))
    found = line(ledger, "fill")
    assert (json.loads(found.old_value)["quantity"], json.loads(found.new_value)["quantity"]) == (75, 150)

    ledger.record_standing(epoch, "HALTED", "enough")
    ledger.record_standing(epoch, "ACTIVE", "again")
    assert json.loads(line(ledger, "standing").old_value) == {"state": "HALTED", "why": "enough"}
    ledger.record_daily_pnl("2026-11-20", 5, 1)
    ledger.record_daily_pnl("2026-11-20", 7, 2)
    assert json.loads(line(ledger, "daily_pnl").old_value)["gross_paise"] == 5


def test_lines_are_found_by_user_action_and_thing(ledger: PostgresLedger, dsn: str, reader: LedgerReader) -> None:
    fill_in(ledger, dsn)
    everything = ledger.audit_rows()
    assert [row.seq for row in everything] == sorted(row.seq for row in everything)
    assert ledger.audit_rows(after=everything[3].seq) == everything[4:]
    assert ledger.audit_rows(limit=2) == everything[:2]
    assert {row.action for row in ledger.audit_rows(user="oms")} >= {"take_epoch", "order", "fill"}
    assert [row.action for row in ledger.audit_rows(entity=("order", "A1"))] == ["intent", "order"]
    newest = reader.audit_rows(ledger._session, Wanted(), limit=2)
    assert newest == everything[-2:]


def test_a_trade_knows_its_lot_its_charges_by_kind_and_what_it_realised(ledger: PostgresLedger, dsn: str) -> None:
    """Two trades of one order to open, one to close half: the brokerage is the first's, the sum is the book's."""
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    part = Order(intent=intent, state="OPEN", broker_id="B1", filled_quantity=75, average_paise=1.0, updated_ns=4)
    ledger.record_fill(epoch, a_fill("T1"), part, a_position(charges_paise=4_000))
    ledger.record_fill(epoch, a_fill("T2"), done_of(intent, 150), a_position(quantity=150, charges_paise=5_000))
    sold = a_fill("T3", side="SELL", price_paise=11_000)
    after = a_position(quantity=75, charges_paise=9_000, realised_paise=75_000)
    ledger.record_fill(epoch, sold, done_of(an_intent(side="SELL"), 75), after)
    sql = "SELECT * FROM reporting.trade_history WHERE session_id = $1 ORDER BY id"
    first, second, third = run(dsn, sql, ledger._session)

    cost = charges_at("NIFTY", "BUY", 75, 10_000, market_date(a_fill().at_ns))
    assert (first["lot_size"], first["price"], first["broker_order_id"]) == (75, Decimal("100.00"), "B1")
    assert first["commission"] + first["tax"] == Decimal(cost.total_paise) / 100
    assert first["commission"] - second["commission"] == Decimal(20)  # brokerage, once an order
    assert [row["net_pnl"] for row in (first, second, third)] == [Decimal(-40), Decimal(-10), Decimal(710)]
    assert json.loads(third["metadata"])["product"] == "NRML"


def test_a_trade_of_which_no_table_knows_lot_or_charges_says_so(ledger: PostgresLedger, dsn: str) -> None:
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    ledger.record_fill(epoch, a_fill(index="ELSEWHERE", symbol="X"), done(an_intent()), a_position())
    (row,) = run(dsn, "SELECT * FROM reporting.trade_history WHERE session_id = $1", ledger._session)
    assert (row["lot_size"], row["commission"], row["tax"]) == (None, None, None)
    assert row["net_pnl"] == Decimal("-43.21")


COLUMNS = {
    "audit_log": "id timestamp user_id action entity_type entity_id old_value new_value ip_address user_agent",
    "trade_history": "id trade_id timestamp symbol side quantity price lot_size commission tax net_pnl strategy "
    "broker_order_id metadata",
    "daily_pnl": "trade_date realized_pnl unrealized_pnl total_pnl total_trades winning_trades losing_trades "
    "max_drawdown sharpe_ratio created_at",
    "risk_events": "id timestamp event_type severity description triggered_by action_taken metadata",
    "trading_sessions": "session_id opened_at",
    "risk_status": "session_id wanted_state why",
    "system_alerts": "id timestamp severity component message",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_the_views_have_the_columns_that_were_asked_for(
    server: PostgresServer, ledger: PostgresLedger, dsn: str, view: str
) -> None:
    fill_in(ledger, dsn)
    prepare_own(server)
    rows = run(server.dsn_of(READER), f"SELECT * FROM reporting.{view} WHERE session_id = $1", ledger._session)
    assert rows
    assert set(COLUMNS[view].split()) <= set(rows[0].keys())
    with pytest.raises(asyncpg.PostgresError):
        run(server.dsn_of(READER), f"DELETE FROM reporting.{view}")


def test_what_nobody_knows_of_a_day_is_null_and_what_is_told_stays(ledger: PostgresLedger, dsn: str) -> None:
    ledger.record_daily_pnl("2026-11-20", 12_345, 345)
    day = "SELECT * FROM reporting.daily_pnl WHERE session_id = $1"
    (row,) = run(dsn, day, ledger._session)
    assert (row["total_pnl"], row["realized_pnl"], row["total_trades"]) == (Decimal(120), None, None)
    ledger.record_daily_pnl("2026-11-20", 12_345, 345, {"realised_paise": 12_000, "trades": 3, "winners": 2})
    ledger.record_daily_pnl("2026-11-20", 12_445, 345)
    (row,) = run(dsn, day, ledger._session)
    assert (row["total_pnl"], row["realized_pnl"], row["winning_trades"]) == (Decimal(121), Decimal(120), 2)
    with pytest.raises(InputError, match="there is no colour"):
        ledger.record_daily_pnl("2026-11-20", 1, 1, {"colour": 3})


def test_a_risk_event_says_how_grave_by_whom_and_what_was_done(ledger: PostgresLedger, dsn: str) -> None:
    ledger.record_risk_event(RiskEvent(at_ns=1, kind="limit", subject="daily_loss", message="₹25,100 of ₹25,000"))
    graver = RiskEvent(
        at_ns=2, kind="kill", subject="desk", message="by hand", severity="alarm", triggered_by="asha",
        action_taken="12 orders cancelled",
    )  # fmt: skip
    ledger.record_risk_event(graver)
    sql = """SELECT severity, triggered_by, action_taken FROM reporting.risk_events WHERE session_id = $1 ORDER BY id"""
    assert [tuple(row) for row in run(dsn, sql, ledger._session)] == [
        (None, "daily_loss", None),
        ("alarm", "asha", "12 orders cancelled"),
    ]


def test_events_come_in_order_without_a_gap_and_again_from_any_offset(
    ledger: PostgresLedger, dsn: str, reader: LedgerReader
) -> None:
    fill_in(ledger, dsn)
    everything = ledger.events(0)
    assert [event.offset for event in everything] == list(range(1, len(everything) + 1))
    assert ledger.events(7, limit=3) == everything[7:10]
    assert reader.events(ledger._session, 7, limit=3) == everything[7:10]
    assert ledger.events(len(everything)) == []
    assert reader.session(ledger._session) == ledger._session
    with pytest.raises(InputError, match="no session 'nowhere'"):
        reader.session("nowhere")


def test_each_topic_tells_what_its_name_says(ledger: PostgresLedger, dsn: str) -> None:
    fill_in(ledger, dsn)
    told = {topic: ledger.events(0, [topic]) for topic in TOPICS}
    assert [event.key for event in told["orders.submitted"]] == ["A1", "A2"]
    assert [(event.key, json.loads(event.body)["state"]) for event in told["orders.rejected"]] == [("A2", "REFUSED")]
    assert [json.loads(event.body)["trade_id"] for event in told["orders.executed"]] == ["T1", "T2"]
    assert [json.loads(event.body)["position_quantity"] for event in told["trades.completed"]] == [75, 150]
    assert [json.loads(event.body)["quantity"] for event in told["positions.updated"]] == [75, 150, 0, 75]
    assert [event.key for event in told["risks.breached"]] == ["oms"]
    assert [json.loads(event.body)["message"] for event in told["system.alerts"]] == ["was away"]
    assert told["orders.executed"][0].at_ns == a_fill().at_ns
    both = ledger.events(0, ["orders.executed", "system.alerts"])
    assert both == sorted([*told["orders.executed"], *told["system.alerts"]], key=lambda event: event.offset)


def test_an_event_is_there_with_its_fact_or_neither_is(ledger: PostgresLedger) -> None:
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    before = ledger.events(0)
    with pytest.raises(InputError, match="recording a fill"):
        ledger.record_fill(epoch, a_fill(), done(intent), a_position(realised_paise=2**63))
    with pytest.raises(InputError, match="was used before"):
        ledger.journal_intent(epoch, intent)
    assert ledger.events(0) == before
    ledger.record_fill(epoch, a_fill(), done(intent), a_position())
    assert ledger.events(len(before))[0].offset == len(before) + 1
    again = ledger.events(0)
    assert ledger.record_fill(epoch, a_fill(), done(intent), a_position()) is False
    assert ledger.events(0) == again


def done_of(intent: object, filled: int) -> Order:
    assert hasattr(intent, "tag")
    return Order(
        intent=intent, state="COMPLETE", broker_id="B1", filled_quantity=filled, average_paise=1.0, updated_ns=5
    )
