"""What each record writes, on an open transaction. Every one leaves a line in the audit log."""

import datetime as dt
import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from core.errors import InputError, LedgerFenced
from core.records import Alert, Fill, Intent, Order, OrderEvent, Position, RiskEvent, Settled, Verdict
from storage.rows import (
    EVENT,
    FILL,
    INTENT,
    ORDER,
    POSITION,
    SETTLED,
    fill_of,
    insert,
    select,
    settled_of,
    update_on,
    values,
)

ORDER_ROW = ("tag", *ORDER)
HISTORY = (*FILL, "position_quantity", "realised_paise", "charges_paise")
TAKE = """INSERT INTO oms_epoch (session_id, epoch) VALUES ($1, 1)
    ON CONFLICT (session_id) DO UPDATE SET epoch = oms_epoch.epoch + 1, taken_at = clock_timestamp() RETURNING epoch"""
# SHARE: a newer order manager's take waits for this transaction, or this one for that.
HOLD = "SELECT epoch FROM oms_epoch WHERE session_id = $1 FOR SHARE"
PUT_STANDING = "UPDATE oms_epoch SET wanted = $2, why = $3 WHERE session_id = $1"
ADD_INTENT = insert("intents", INTENT, "ON CONFLICT DO NOTHING RETURNING seq")
PUT_ORDER = insert("orders", ORDER_ROW, update_on("tag", ORDER_ROW))
ADD_EVENT = insert("order_events", EVENT)
ADD_FILL = insert("fills", FILL, "ON CONFLICT DO NOTHING RETURNING seq")
GET_FILL = select(FILL, "FROM fills WHERE session_id = $1 AND trade_id = $2")
ADD_HISTORY = insert("trade_history", HISTORY)
PUT_POSITION = insert("positions", POSITION, update_on("symbol", POSITION))
ADD_SETTLED = insert("settlements", SETTLED, "ON CONFLICT DO NOTHING RETURNING seq")
GET_SETTLED = select(SETTLED, "FROM settlements WHERE session_id = $1 AND symbol = $2")
ADD_RISK_EVENT = insert("risk_events", RiskEvent.__struct_fields__)
ADD_ALERT = insert("system_alerts", Alert.__struct_fields__)
PUT_PNL = insert(
    "daily_pnl", ("date", "gross_paise", "charges_paise"), update_on("date", ("gross_paise", "charges_paise"))
)
ADD_AUDIT = insert("audit_log", ("actor", "action", "detail"))


async def take_epoch(connection: Any, session: str) -> int:
    epoch = int(await connection.fetchval(TAKE, session))
    await audit(connection, session, "oms", "take_epoch", {"epoch": epoch})
    return epoch


async def intent(connection: Any, session: str, epoch: int, record: Intent) -> None:
    await _holds(connection, session, epoch)
    await _new_intent(connection, session, record)
    born = Order(intent=record, state="JOURNALLED", updated_ns=record.created_ns)
    await _put_order(connection, session, born)
    await _event(connection, session, born)
    await audit(connection, session, record.strategy, "intent", {"epoch": epoch, **_plain(record)})


async def refusal(connection: Any, session: str, record: Order, verdict: Verdict) -> None:
    await _new_intent(connection, session, record.intent)
    await _put_order(connection, session, record)
    await _event(connection, session, record)
    detail = {**_plain(record.intent), "refusals": msgspec.to_builtins(verdict.refusals)}
    await audit(connection, session, "risk", "refusal", detail)


async def order(connection: Any, session: str, epoch: int, record: Order, event: OrderEvent) -> None:
    await _holds(connection, session, epoch)
    await _put_order(connection, session, record)
    await connection.execute(ADD_EVENT, session, *values(event, EVENT))
    await audit(connection, session, "oms", "order", {"epoch": epoch, "tag": event.tag, **_columns(record, ORDER)})


async def fill(connection: Any, session: str, epoch: int, record: Fill, *, after: Order, position: Position) -> bool:
    await _holds(connection, session, epoch)
    if await connection.fetchval(ADD_FILL, session, *values(record, FILL)) is None:
        known = fill_of(await connection.fetchrow(GET_FILL, session, record.trade_id))
        if known != record:
            raise InputError(f"trade {record.trade_id} was recorded as {known}, now it is said to be {record}")
        return False
    await _put_order(connection, session, after)
    await _event(connection, session, after, at_ns=record.at_ns)
    await connection.execute(PUT_POSITION, session, *values(position, POSITION))
    state = (position.quantity, position.realised_paise, position.charges_paise)
    await connection.execute(ADD_HISTORY, session, *values(record, FILL), *state)
    await audit(connection, session, "oms", "fill", {"epoch": epoch, **_plain(record), "position": _plain(position)})
    return True


async def settlement(connection: Any, session: str, epoch: int, record: Settled, position: Position) -> Settled:
    """The settlement that stands: `record`, or one of its contract that was written before."""
    await _holds(connection, session, epoch)
    if await connection.fetchval(ADD_SETTLED, session, *values(record, SETTLED)) is None:
        return settled_of(await connection.fetchrow(GET_SETTLED, session, record.symbol))
    await connection.execute(PUT_POSITION, session, *values(position, POSITION))
    detail = {"epoch": epoch, **_plain(record), "position": _plain(position)}
    await audit(connection, session, "oms", "settlement", detail)
    return record


async def standing(connection: Any, session: str, epoch: int, state: str, why: str) -> None:
    await _holds(connection, session, epoch)
    await connection.execute(PUT_STANDING, session, state, why)
    await audit(connection, session, "oms", "standing", {"epoch": epoch, "state": state, "why": why})


async def risk_event(connection: Any, session: str, record: RiskEvent) -> None:
    await connection.execute(ADD_RISK_EVENT, session, *values(record, RiskEvent.__struct_fields__))
    await audit(connection, session, "risk", "risk_event", _plain(record))


async def alert(connection: Any, session: str, record: Alert, *, writer: str) -> None:
    await connection.execute(ADD_ALERT, session, *values(record, Alert.__struct_fields__))
    await audit(connection, session, writer, "alert", _plain(record))


async def daily_pnl(connection: Any, session: str, day: dt.date, gross_paise: int, charges_paise: int) -> None:
    await connection.execute(PUT_PNL, session, day, gross_paise, charges_paise)
    detail = {"date": day.isoformat(), "gross_paise": gross_paise, "charges_paise": charges_paise}
    await audit(connection, session, "risk", "daily_pnl", detail)


async def audit(connection: Any, session: str, actor: str, action: str, detail: Mapping[str, object]) -> None:
    await connection.execute(ADD_AUDIT, session, actor, action, json.dumps(detail, default=str, allow_nan=False))


async def ping(connection: Any) -> float:
    """Monotonic seconds of one SELECT 1."""
    began = time.perf_counter()
    await connection.fetchval("SELECT 1")
    return time.perf_counter() - began


async def _holds(connection: Any, session: str, epoch: int) -> None:
    held = await connection.fetchval(HOLD, session)
    if held != epoch:
        raise LedgerFenced(
            f"order manager of epoch {epoch} was replaced by epoch {held}: it writes nothing any more and must stop"
        )


async def _new_intent(connection: Any, session: str, record: Intent) -> None:
    if await connection.fetchval(ADD_INTENT, session, *values(record, INTENT)) is None:
        raise InputError(f"tag {record.tag} was used before in session {session}: a tag names one order for ever")


async def _put_order(connection: Any, session: str, record: Order) -> None:
    await connection.execute(PUT_ORDER, session, record.intent.tag, *values(record, ORDER))


async def _event(connection: Any, session: str, record: Order, *, at_ns: int | None = None) -> None:
    happened = OrderEvent(
        tag=record.intent.tag,
        state=record.state,
        at_ns=record.updated_ns if at_ns is None else at_ns,
        filled_quantity=record.filled_quantity,
        message=record.message,
    )
    await connection.execute(ADD_EVENT, session, *values(happened, EVENT))


def _plain(record: msgspec.Struct) -> dict[str, object]:
    return _columns(record, record.__struct_fields__)


def _columns(record: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}
