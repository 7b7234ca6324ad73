"""Kite's rows of orders and trades as the desk's records. Prices come as rupees, times as naive IST (kite.md §5)."""

import datetime as dt
import math
import re
from collections.abc import Container, Mapping
from typing import Any, get_args

from core.errors import UnknownDate, UnknownName
from core.market import IST, parse_symbol, to_ns
from core.orders.tag import TAG
from core.records import Fill, Intent, Order, OrderState, OrderType, Side
from core.schemas import Kind

Row = Mapping[str, Any]
MADE = re.compile(r"[A-Z2-7]{20}")  # core.orders.tag.make_tag
ELSEWHERE = frozenset({"NSE", "BSE", "CDS", "BCD", "MCX", "NCO"})  # no exchange that an order of ours goes to
MOST_UNITS = 1 << 53  # above it a float is no exact number of units
STATES: Mapping[str, OrderState] = {"COMPLETE": "COMPLETE", "CANCELLED": "CANCELLED", "REJECTED": "REJECTED"}


def is_ours(row: Row, sent: Container[str] = ()) -> bool:
    """Whether an order has a tag of ours and a contract the desk trades; another program's may have either.

    sent: tags that are ours for certain. One of them, or one as `make_tag` makes them, with a contract nobody can read
    is no stranger's: to leave it out would say that an order of ours does not exist. Raises VikalpError or ValueError
    for a row of which it cannot be said whose it is.
    """
    tag = row.get("tag") or ""
    if not isinstance(tag, str):
        raise ValueError(f"a tag is text, was {tag!r}")  # noqa: TRY004 to the caller it is a row that cannot be read
    if not TAG.fullmatch(tag):
        return False
    try:
        if parse_symbol(str(row["tradingsymbol"])).kind != Kind.INDEX:
            return True
    except (UnknownName, UnknownDate):
        if tag in sent or (MADE.fullmatch(tag) and row["exchange"] not in ELSEWHERE):
            raise
        return False
    if tag in sent:
        raise ValueError(f"an order of ours for {row['tradingsymbol']!r}")
    return False


def order_of(row: Row) -> Order:
    """An order as the book has it. A status nobody knows is one that lives: the list of them is open-ended.

    Raises KeyError, TypeError, ValueError, OverflowError or VikalpError for a row that is no order.
    """
    quantity, filled = whole(row["quantity"]), whole(row["filled_quantity"])
    if not 0 <= filled <= quantity != 0:
        raise ValueError(f"{filled} filled of {quantity}")
    symbol, at = str(row["tradingsymbol"]), moment_ns(row["order_timestamp"])
    kind: OrderType = "MARKET" if row["order_type"] == "MARKET" else "LIMIT"
    intent = Intent(
        tag=str(row["tag"]), strategy="", index=parse_symbol(symbol).index, symbol=symbol, side=side_of(row),
        quantity=quantity, order_type=kind, limit_paise=paise(row["price"]), created_ns=at,
        product="MIS" if row["product"] == "MIS" else "NRML",
    )  # fmt: skip
    return Order(
        intent=intent, state=STATES.get(text(row, "status"), "OPEN"), broker_id=text(row, "order_id"),
        filled_quantity=filled, average_paise=rupees(row["average_price"]) * 100,
        message=str(row.get("status_message") or ""), updated_ns=moment_ns(row.get("exchange_update_timestamp")) or at,
    )  # fmt: skip


def fill_of(row: Row, tag: str) -> Fill:
    """A trade of the order with that tag; the order manager knows whose it is.

    Its id names the order too: an exchange promises its trade numbers for one day, and an order id is never used again.
    Raises as `order_of`.
    """
    symbol, quantity, price = str(row["tradingsymbol"]), whole(row["quantity"]), paise(row["average_price"])
    trade_id = f"{text(row, 'order_id')}-{text(row, 'trade_id')}"
    if not (quantity and price and row["fill_timestamp"]):
        raise ValueError("a trade has a quantity, a price and a time")
    return Fill(
        trade_id=trade_id, tag=tag, strategy="", index=parse_symbol(symbol).index,
        symbol=symbol, side=side_of(row), quantity=quantity, price_paise=price,
        at_ns=moment_ns(row["fill_timestamp"]),
    )  # fmt: skip


def position_of(row: Row) -> tuple[tuple[str, str], int] | None:
    """Contract and product, signed units, of a row of `net`; None for what is no contract of our indices.

    Raises as `order_of`.
    """
    symbol, units = text(row, "tradingsymbol"), row["quantity"]
    if row["exchange"] in ELSEWHERE:
        return None
    try:
        if parse_symbol(symbol).kind == Kind.INDEX:
            return None
    except (UnknownName, UnknownDate):
        return None
    return (symbol, text(row, "product")), -whole(-units) if units < 0 else whole(units)


def side_of(row: Row) -> Side:
    side = str(row["transaction_type"])
    if side not in get_args(Side):
        raise UnknownName(f"Kite's transaction_type is BUY or SELL, was {side!r}")
    return "BUY" if side == "BUY" else "SELL"


def text(row: Row, name: str) -> str:
    """An id or a status; ValueError where there is none, which would be taken for an order called None."""
    said = row[name]
    if not (isinstance(said, str) and said):
        raise ValueError(f"{name} is text, was {said!r}")
    return said


def whole(said: Any) -> int:
    """Units, as Kite says them; ValueError or OverflowError for what is no whole number of 0 or more."""
    number = rupees(said)
    if number != int(number) or number >= MOST_UNITS:
        raise ValueError(f"a quantity is a whole number, was {said!r}")
    return int(number)


def rupees(said: Any) -> float:
    """A number of 0 or more; none is 0."""
    number = float(said or 0)
    if isinstance(said, bool) or not 0 <= number < math.inf:
        raise ValueError(f"a price is a number of 0 or more, was {said!r}")
    return number


def paise(said: Any) -> int:
    """Rupees of the wire, which have two decimals, in paise."""
    return round(rupees(said) * 100)


def moment_ns(said: Any) -> int:
    """UTC ns of Kite's naive IST time, as text or as the client has parsed it; 0 for none."""
    if not said:
        return 0
    at = said if isinstance(said, dt.datetime) else dt.datetime.fromisoformat(str(said))
    return to_ns(at.replace(tzinfo=IST))
