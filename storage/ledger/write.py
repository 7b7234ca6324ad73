"""What each record writes, on an open transaction. Every one leaves a line in the audit log."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from core.errors import InputError, LedgerFenced
from core.records import Alert, Fill, Intent, Order, OrderEvent, Position, RiskEvent, Settled, Verdict
from storage.ledger.audit import COLUMNS as AUDIT
from storage.ledger.audit import Change, audit, cells
from storage.ledger.together import NEW, Write, before, together
from storage.ledger.trades import DETAILS, NET_PNL, details
from storage.rows import (
    EVENT,
    FILL,
    INTENT,
    ORDER,
    POSITION,
    SETTLED,
    fill_of,
    insert,
    put,
    select,
    settled_of,
    values,
)

ORDER_ROW = ("tag", *ORDER)
HISTORY = (*FILL, "position_quantity", "realised_paise", "charges_paise", *DETAILS, "net_pnl_paise")
TAKE = """INSERT INTO oms_epoch (session_id, epoch) VALUES ($1, 1)
    ON CONFLICT (session_id) DO UPDATE SET epoch = oms_epoch.epoch + 1, taken_at = clock_timestamp() RETURNING epoch"""
# A newer order manager's take waits for this transaction, or this one for that.
HOLD = "SELECT epoch FROM oms_epoch WHERE session_id = $1 FOR SHARE"
HOLD_ALONE = "SELECT epoch FROM oms_epoch WHERE session_id = $1 FOR UPDATE"  # of two that share neither could change it
PUT_STANDING = """UPDATE oms_epoch SET wanted = $2, why = $3 WHERE session_id = $1 RETURNING
    (SELECT jsonb_build_object('state', wanted, 'why', why)::text FROM oms_epoch WHERE session_id = $1)"""
PUT_ORDER = Write("orders", ORDER_ROW, key=("tag",))
PUT_POSITION = Write("positions", POSITION, key=("strategy", "symbol", "product"))
ADD_INTENT, ADD_EVENT = Write("intents", INTENT, NEW), Write("order_events", EVENT)
ADD_HISTORY = Write("trade_history", HISTORY, said={"net_pnl_paise": NET_PNL})
ADD_LINE = Write("audit_log", AUDIT)
JOURNAL = together(ADD_INTENT, PUT_ORDER, ADD_EVENT, ADD_LINE, fenced=True)
CHANGE = together(PUT_ORDER, ADD_EVENT, Write("audit_log", AUDIT, said=before("orders")), fenced=True)
FILLED = together(
    Write("fills", FILL, NEW),
    PUT_ORDER,
    ADD_EVENT,
    PUT_POSITION,
    ADD_HISTORY,
    Write("audit_log", AUDIT, said=before("positions")),
    fenced=True,
)
GET_FILL = select(FILL, "FROM fills WHERE session_id = $1 AND trade_id = $2")
SETTLE_POSITION = put("positions", PUT_POSITION.key, POSITION)
ADD_SETTLED = insert("settlements", SETTLED, "ON CONFLICT DO NOTHING RETURNING seq")
GET_SETTLED = select(SETTLED, "FROM settlements WHERE session_id = $1 AND symbol = $2")
BREACH = together(Write("risk_events", RiskEvent.__struct_fields__), ADD_LINE)
ALERT = together(Write("system_alerts", Alert.__struct_fields__), ADD_LINE)
PNL = ("date", "gross_paise", "charges_paise")
RESULT = ("realised_paise", "unrealised_paise", "trades", "winners", "losers", "max_drawdown_paise", "sharpe")


async def take_epoch(connection: Any, session: str) -> int:
    epoch = int(await connection.fetchval(TAKE, session))
    change = Change(entity=("oms", session), old={"epoch": epoch - 1}, new={"epoch": epoch})
    await audit(connection, session, "oms", "take_epoch", {"epoch": epoch}, change=change)
    return epoch


async def check_epoch(connection: Any, session: str, epoch: int) -> None:
    _compare(await connection.fetchval("SELECT epoch FROM oms_epoch WHERE session_id = $1", session), epoch)


async def intent(connection: Any, session: str, epoch: int, record: Intent) -> None:
    born = Order(intent=record, state="JOURNALLED", updated_ns=record.created_ns)
    change = Change(entity=("order", record.tag), new=_columns(born, ORDER))
    line = cells(record.strategy, "intent", {"epoch": epoch, **_plain(record)}, change)
    row = await connection.fetchrow(JOURNAL, session, epoch, *_new_order(born), *line)
    _compare(row["epoch"], epoch)
    _was_new(row, session, record)


async def refusal(connection: Any, session: str, epoch: int, record: Order, verdict: Verdict) -> None:
    detail = {"epoch": epoch, **_plain(record.intent), "refusals": msgspec.to_builtins(verdict.refusals)}
    change = Change(entity=("order", record.intent.tag), new=_columns(record, ORDER))
    line = cells("risk", "refusal", detail, change)
    row = await connection.fetchrow(JOURNAL, session, epoch, *_new_order(record), *line)
    _compare(row["epoch"], epoch)
    _was_new(row, session, record.intent)


async def order(connection: Any, session: str, epoch: int, record: Order, event: OrderEvent) -> None:
    now = _columns(record, ORDER)
    change = Change(entity=("order", event.tag), new=now)
    line = _without_old(cells("oms", "order", {"epoch": epoch, "tag": event.tag, **now}, change))
    row = await connection.fetchrow(CHANGE, session, epoch, *_order(record), *values(event, EVENT), *line)
    _compare(row["epoch"], epoch)


async def fill(connection: Any, session: str, epoch: int, record: Fill, *, after: Order, position: Position) -> bool:
    now, of_fill = _plain(position), values(record, FILL)
    state = (position.quantity, position.realised_paise, position.charges_paise)
    change = Change(entity=("position", f"{position.symbol} {position.product} {position.strategy}"), new=now)
    line = cells("oms", "fill", {"epoch": epoch, **_plain(record), "position": now}, change)
    row = await connection.fetchrow(
        FILLED,
        session,
        epoch,
        *of_fill,
        *_order(after),
        *values(_event(after, at_ns=record.at_ns), EVENT),
        *values(position, POSITION),
        *(*of_fill, *state, *details(record, after)),
        *_without_old(line),
    )
    _compare(row["epoch"], epoch)
    if not row["done"]:
        known = fill_of(await connection.fetchrow(GET_FILL, session, record.trade_id))
        if msgspec.structs.replace(known, reason=record.reason) != record:  # the reason is ours, not the broker's
            raise InputError(f"trade {record.trade_id} was recorded as {known}, now it is said to be {record}")
    return bool(row["done"])


async def settlement(
    connection: Any, session: str, epoch: int, record: Settled, positions: Sequence[Position]
) -> Settled:
    """The settlement that stands: `record`, or one of its contract that was written before."""
    await holds(connection, session, epoch)
    if await connection.fetchval(ADD_SETTLED, session, *values(record, SETTLED)) is None:
        return settled_of(await connection.fetchrow(GET_SETTLED, session, record.symbol))
    for position in positions:
        await connection.execute(SETTLE_POSITION, session, *values(position, POSITION))
    detail = {"epoch": epoch, **_plain(record), "positions": [_plain(position) for position in positions]}
    change = Change(entity=("contract", record.symbol), new=_plain(record))
    await audit(connection, session, "oms", "settlement", detail, change=change)
    return record


async def standing(connection: Any, session: str, epoch: int, state: str, why: str) -> None:
    await holds(connection, session, epoch, alone=True)
    was = await connection.fetchval(PUT_STANDING, session, state, why)
    change = Change(entity=("oms", session), old=was, new={"state": state, "why": why})
    await audit(connection, session, "oms", "standing", {"epoch": epoch, "state": state, "why": why}, change=change)


async def risk_event(connection: Any, session: str, record: RiskEvent) -> None:
    line = cells("risk", "risk_event", _plain(record), Change(entity=("risk", record.subject), new=_plain(record)))
    await connection.execute(BREACH, session, *values(record, RiskEvent.__struct_fields__), *line)


async def alert(connection: Any, session: str, record: Alert, *, writer: str) -> None:
    line = cells(writer, "alert", _plain(record), Change(entity=("alert", record.subject)))
    await connection.execute(ALERT, session, *values(record, Alert.__struct_fields__), *line)


async def daily_pnl(connection: Any, session: str, figures: Mapping[str, Any]) -> None:
    """`figures` by column; what they do not name stays. InputError for one that there is not."""
    columns = (*PNL, *(name for name in RESULT if name in figures))
    if unknown := figures.keys() - {*PNL, *RESULT}:
        raise InputError(f"a day's result has {', '.join(RESULT)}; there is no {', '.join(sorted(unknown))}")
    was = await connection.fetchval(put("daily_pnl", ("date",), columns), session, *(figures[c] for c in columns))
    said = {**figures, "date": figures["date"].isoformat()}
    change = Change(entity=("day", said["date"]), old=was, new=said)
    await audit(connection, session, "risk", "daily_pnl", said, change=change)


async def ping(connection: Any) -> float:
    """Monotonic seconds of one SELECT 1."""
    began = time.perf_counter()
    await connection.fetchval("SELECT 1")
    return time.perf_counter() - began


async def holds(connection: Any, session: str, epoch: int, *, alone: bool = False) -> None:
    """Raise LedgerFenced unless `epoch` is the session's; `alone` for who changes the epoch's row."""
    _compare(await connection.fetchval(HOLD_ALONE if alone else HOLD, session), epoch)


def _compare(held: int | None, epoch: int) -> None:
    if held != epoch:
        raise LedgerFenced(
            f"order manager of epoch {epoch} was replaced by epoch {held}: it writes nothing any more and must stop"
        )


def _was_new(row: Any, session: str, record: Intent) -> None:
    if not row["done"]:
        raise InputError(f"tag {record.tag} was used before in session {session}: a tag names one order for ever")


def _new_order(record: Order) -> tuple[Any, ...]:
    """The values of an intent, of its order and of its first event."""
    return (*values(record.intent, INTENT), *_order(record), *values(_event(record), EVENT))


def _order(record: Order) -> tuple[Any, ...]:
    return (record.intent.tag, *values(record, ORDER))


def _event(record: Order, *, at_ns: int | None = None) -> OrderEvent:
    return OrderEvent(
        tag=record.intent.tag,
        state=record.state,
        at_ns=record.updated_ns if at_ns is None else at_ns,
        filled_quantity=record.filled_quantity,
        message=record.message,
    )


def _without_old(line: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """What a statement is given of a line whose `old_value` it says itself."""
    return tuple(cell for name, cell in zip(AUDIT, line, strict=True) if name != "old_value")


def _plain(record: msgspec.Struct) -> dict[str, object]:
    return _columns(record, record.__struct_fields__)


def _columns(record: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}
