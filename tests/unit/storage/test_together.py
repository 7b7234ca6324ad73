"""What one call writes is one statement: in its order, whole, and nothing of it under another's epoch."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from core.errors import InputError, LedgerFenced
from core.records import Alert, Order, OrderEvent
from storage.ledger import PostgresLedger, migrate
from storage.ledger.migrate import FOLDER
from storage.ledger.together import Write, together
from storage.ledger.verify import verify
from storage.postgres import PostgresServer
from tests.unit.storage.attacks import run
from tests.unit.storage.test_ledger import NO, a_fill, a_position, an_intent, done

MakeLedger = Callable[..., PostgresLedger]
ASKED = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH held AS%'"


def opened(tag: str = "A1") -> tuple[Order, OrderEvent]:
    order = Order(intent=an_intent(tag), state="OPEN", broker_id="B1", updated_ns=4)
    return order, OrderEvent(tag=tag, state="OPEN", at_ns=4)


def test_the_chain_tells_the_rows_of_a_call_in_the_order_they_belong_in(ledger: PostgresLedger, dsn: str) -> None:
    epoch = ledger.take_epoch()
    begun = len(ledger.events(0))
    ledger.journal_intent(epoch, an_intent())
    ledger.record_order(epoch, *opened())
    ledger.record_fill(epoch, a_fill(), done(an_intent()), a_position())
    ledger.record_alert(Alert(at_wall_ns=1, severity="info", subject="x", message="y"))
    sql = """SELECT fact FROM events WHERE session_id = $1 AND "offset" > $2 ORDER BY "offset" """
    assert [row["fact"] for row in run(dsn, sql, ledger._session, begun)] == [
        "intents", "orders", "order_events", "audit_log",
        "orders", "order_events", "audit_log",
        "fills.2", "orders", "order_events", "positions", "trade_history.2", "audit_log",
        "system_alerts", "audit_log",
    ]  # fmt: skip


@pytest.mark.parametrize("call", ["journal_intent", "record_refusal", "record_order", "record_fill"])
def test_who_waits_for_a_newer_order_manager_s_take_is_fenced_by_it(
    ledger: PostgresLedger, dsn: str, call: str
) -> None:
    """The take is not committed yet when the statement begins: what it sees then is the old epoch."""
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    acts: dict[str, Callable[[], object]] = {
        "journal_intent": lambda: ledger.journal_intent(epoch, an_intent("A2")),
        "record_refusal": lambda: ledger.record_refusal(epoch, an_intent("A2"), NO),
        "record_order": lambda: ledger.record_order(epoch, *opened()),
        "record_fill": lambda: ledger.record_fill(epoch, a_fill(), done(an_intent()), a_position()),
    }
    raised: list[BaseException] = []

    def late() -> None:
        try:
            acts[call]()
        except LedgerFenced as error:
            raised.append(error)

    async def take(thread: threading.Thread) -> None:
        newer, looker = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        async with newer.transaction():
            await newer.execute("UPDATE oms_epoch SET epoch = epoch + 1 WHERE session_id = $1", ledger._session)
            thread.start()
            while not await looker.fetchval(ASKED):
                assert thread.is_alive(), raised
        await newer.close()
        await looker.close()

    before = [event for event in ledger.events(0) if event.topic != "ledger.oms_epoch"]
    waits = threading.Thread(target=late)
    asyncio.run(take(waits))
    waits.join(10)
    assert [str(error).split(":")[0] for error in raised] == [
        f"order manager of epoch {epoch} was replaced by epoch {epoch + 1}"
    ]
    assert [event for event in ledger.events(0) if event.topic != "ledger.oms_epoch"] == before


def test_a_take_waits_for_what_is_being_written(ledger: PostgresLedger, make_ledger: MakeLedger, dsn: str) -> None:
    epoch = ledger.take_epoch()
    taken: list[int] = []
    take = threading.Thread(target=lambda: taken.append(make_ledger().take_epoch()))

    async def go() -> None:
        writer, looker = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        sql = together(Write("system_alerts", ("at_wall_ns", "severity", "subject", "message")), fenced=True)
        async with writer.transaction():
            row = await writer.fetchrow(sql, ledger._session, epoch, 1, "info", "x", "written before the take")
            assert (row["epoch"], row["done"]) == (epoch, True)
            take.start()
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%oms_epoch%'"
            )
            while not await looker.fetchval(waiting):
                assert take.is_alive()
            assert taken == []
        await writer.close()
        await looker.close()

    asyncio.run(go())
    take.join(10)
    assert taken == [epoch + 1]
    told = [event.topic for event in ledger.events(0)]
    assert told.index("system.alerts") < len(told) - 1 - told[::-1].index("ledger.oms_epoch")


def test_of_a_tag_used_before_nothing_is_written(ledger: PostgresLedger) -> None:
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    before = ledger.events(0)
    with pytest.raises(InputError, match="a tag names one order for ever"):
        ledger.journal_intent(epoch, an_intent(strategy="other"))
    assert ledger.events(0) == before


def test_a_chain_begun_by_an_earlier_release_goes_on_and_verifies(server: PostgresServer, tmp_path: Path) -> None:
    for path in sorted(FOLDER.glob("00*.sql")):
        if int(path.name[:4]) < 15:
            (tmp_path / path.name).write_text(path.read_text())
    run(server.dsn, "CREATE DATABASE steps")
    dsn = server.dsn.replace("/postgres?", "/steps?")
    migrate(dsn, folder=tmp_path)
    ledger = PostgresLedger(dsn, "s")
    epoch = ledger.take_epoch()
    ledger.journal_intent(epoch, an_intent())
    before = verify(dsn).sessions[0]

    migrate(dsn)

    ledger.record_order(epoch, *opened())
    ledger.record_fill(epoch, a_fill(), done(an_intent()), a_position())
    PostgresLedger(dsn, "new").take_epoch()
    report = verify(dsn, head=before.head)
    assert report.whole
    assert report.noted_at == f"event {before.events} of s"
