"""What a superuser may do to a ledger behind the desk's back, and a session that has a row of everything."""

import asyncio
from typing import Any

import asyncpg

from core.records import Alert, Kill, Order, OrderEvent, PlanWord, Refusal, RiskEvent, Settled, Verdict
from storage.ledger import PostgresLedger
from tests.unit.storage.test_ledger import a_fill, a_move, a_position, an_intent, done

FACTS = {
    "intents": "reason",
    "order_events": "message",
    "fills": "price_paise",
    "trade_history": "realised_paise",
    "settlements": "value_paise",
    "position_moves": "value_paise",
    "risk_events": "message",
    "system_alerts": "message",
    "plans": "created_ns",
    "plan_words": "message",
    "kill_switch": "why",
    "audit_log": "action",
}
"""Append-only tables and a column worth altering."""

STATES = {
    "orders": "filled_quantity",
    "positions": "charges_paise",
    "daily_pnl": "gross_paise",
    "oms_epoch": "epoch",
}
KEYS = {"orders": "tag", "positions": "symbol", "daily_pnl": "date"}


def fill_in(ledger: PostgresLedger, dsn: str) -> None:
    """A row or more in every table of the chain."""
    epoch, intent = ledger.take_epoch(), an_intent()
    ledger.journal_intent(epoch, intent)
    opened = Order(intent=intent, state="OPEN", broker_id="B1", updated_ns=4)
    ledger.record_order(epoch, opened, OrderEvent(tag="A1", state="OPEN", at_ns=4))
    ledger.record_fill(epoch, a_fill(), done(intent), a_position())
    ledger.record_fill(epoch, a_fill("T2"), done(intent), a_position(quantity=150, average_paise=10_000.1))
    no = Verdict(refusals=(Refusal(limit="order_size", allowed="1800", asked="1875", why="above the freeze"),))
    ledger.record_refusal(epoch, an_intent("A2", reason='विकल्प \\ " \x01 \x7f\n\u2028'), no)
    settled = Settled(
        symbol="NIFTY2590224500CE", index="NIFTY", close_paise=2_457_950, value_paise=7_950, source="close", at_ns=7
    )
    ledger.record_settlement(epoch, settled, [a_position(quantity=0, average_paise=0.0)])
    ledger.record_move(epoch, a_move(), [a_position(product="MIS")])
    ledger.record_plan(epoch, "P1", '{"legs": [1.50, null, 1e3]}', 7)
    ledger.record_plan_word(epoch, PlanWord(plan_id="P1", key="done", severity="info", message="all sold", at_ns=8))
    ledger.record_kill(Kill(pulled=True, who="trader", why="enough", square_off=True, at_ns=9))
    ledger.record_standing(epoch, "REDUCING", "by hand")
    ledger.record_risk_event(RiskEvent(at_ns=1, kind="halt", subject="oms", message="kill switch"))
    ledger.record_alert(Alert(at_wall_ns=2, severity="alarm", subject="ledger", message="was away"))
    ledger.record_daily_pnl("2026-11-20", -12_345, 678)
    ledger.record_daily_pnl("2026-11-20", -12_000, 700)
    ledger.audit("gateway", "login", {"user": "trader", "share": 1e22, "small": 1e-7, "none": None})


def run(dsn: str, sql: str, *args: object) -> list[asyncpg.Record]:
    async def go() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetch(sql, *args)
        finally:
            await connection.close()

    return asyncio.run(go())


def behind_the_desk_s_back(dsn: str, table: str, sql: str, *args: object) -> None:
    """Run `sql` with the triggers of `table` out of the way, and leave no trace of that."""

    async def go() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = replica")  # chain and foreign keys
                guards = await connection.fetch(
                    "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass AND tgenabled = 'A'", table
                )
                for guard in guards:
                    await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard['tgname']}")
                assert (await connection.execute(sql, *args)).split()[-1] != "0", "the attack found nothing to do"
                for guard in guards:
                    await connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard['tgname']}")
        finally:
            await connection.close()

    asyncio.run(go())


def alter(table: str, column: str) -> str:
    change: dict[str, str] = {"message": "'nothing'", "reason": "'nothing'", "action": "'logout'", "why": "'nothing'"}
    return f"UPDATE {table} SET {column} = {change.get(column, f'{column} + 1')} WHERE session_id = $1"


def put_in(dsn: str, table: str) -> str:
    """A copy of a row of `table` under a key of its own."""
    sql = """SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0
        AND attgenerated = '' AND NOT attisdropped ORDER BY attnum"""
    names = [row["attname"] for row in run(dsn, sql, table)]
    forged = dict.fromkeys(("tag", "trade_id", "symbol", "plan_id", "key", "move_id"), "'FORGED'")
    new: dict[str, Any] = forged | {"seq": "999999", "date": "date '2020-01-01'"}
    values = [new.get(name, f'"{name}"') for name in names]
    quoted = [f'"{name}"' for name in names]
    return f"""INSERT INTO {table} ({", ".join(quoted)}) OVERRIDING SYSTEM VALUE
        SELECT {", ".join(values)} FROM {table} WHERE session_id = $1 LIMIT 1"""
