"""Kite's rows of orders and trades as the desk's records. Prices come as rupees, times as naive IST (kite.md §5)."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, get_args

from core.errors import UnknownDate, UnknownName
from core.market import IST, parse_symbol, to_ns
from core.orders.tag import TAG
from core.records import Fill, Intent, Order, OrderState, OrderType, Side
from core.schemas import Kind

Row = Mapping[str, Any]
STATES: Mapping[str, OrderState] = {"COMPLETE": "COMPLETE", "CANCELLED": "CANCELLED", "REJECTED": "REJECTED"}


def is_ours(row: Row) -> bool:
    """Whether an order has a tag of ours and a contract the desk trades; another program's may have either."""
    if not TAG.fullmatch(str(row.get("tag") or "")):
        return False
    try:
        return parse_symbol(str(row["tradingsymbol"])).kind != Kind.INDEX
    except (UnknownName, UnknownDate):
        return False


def order_of(row: Row) -> Order:
    """An order as the book has it. A status nobody knows is one that lives: the list of them is open-ended."""
    symbol, at = str(row["tradingsymbol"]), moment_ns(row["order_timestamp"])
    kind: OrderType = "MARKET" if row["order_type"] == "MARKET" else "LIMIT"
    intent = Intent(
        tag=str(row["tag"]), strategy="", index=parse_symbol(symbol).index, symbol=symbol, side=side_of(row),
        quantity=int(row["quantity"]), order_type=kind, limit_paise=paise(row["price"]), created_ns=at,
        product="MIS" if row["product"] == "MIS" else "NRML",
    )  # fmt: skip
    return Order(
        intent=intent, state=STATES.get(str(row["status"]), "OPEN"), broker_id=str(row["order_id"]),
        filled_quantity=int(row["filled_quantity"]), average_paise=float(row["average_price"] or 0) * 100,
        message=str(row.get("status_message") or ""), updated_ns=moment_ns(row.get("exchange_update_timestamp")) or at,
    )  # fmt: skip


def fill_of(row: Row, tag: str) -> Fill:
    """A trade of the order with that tag; the order manager knows whose it is.

    Its id names the order too: an exchange promises its trade numbers for one day, and an order id is never used again.
    """
    symbol = str(row["tradingsymbol"])
    return Fill(
        trade_id=f"{row['order_id']}-{row['trade_id']}", tag=tag, strategy="", index=parse_symbol(symbol).index,
        symbol=symbol, side=side_of(row), quantity=int(row["quantity"]), price_paise=paise(row["average_price"]),
        at_ns=moment_ns(row["fill_timestamp"]),
    )  # fmt: skip


def side_of(row: Row) -> Side:
    side = str(row["transaction_type"])
    if side not in get_args(Side):
        raise UnknownName(f"Kite's transaction_type is BUY or SELL, was {side!r}")
    return "BUY" if side == "BUY" else "SELL"


def paise(rupees: Any) -> int:
    """Rupees of the wire, which have two decimals, in paise."""
    return round(float(rupees or 0) * 100)


def moment_ns(said: Any) -> int:
    """UTC ns of Kite's naive IST time, as text or as the client has parsed it; 0 for none."""
    if not said:
        return 0
    at = said if isinstance(said, dt.datetime) else dt.datetime.fromisoformat(str(said))
    return to_ns(at.replace(tzinfo=IST))
