"""Kite's rows of orders and trades as the desk's records. Prices come as rupees, times as naive IST (kite.md §5)."""

import datetime as dt
import math
import re
from collections.abc import Container, Mapping
from typing import Any, Literal, get_args

from core.errors import UnknownDate, UnknownName
from core.market import IST, parse_symbol, to_ns
from core.orders.gtt import Trigger
from core.orders.plans.plan import GttLeg
from core.orders.tag import TAG
from core.records import Fill, Funds, Intent, Order, OrderState, OrderType, Side
from core.schemas import Kind

Row = Mapping[str, Any]
MADE = re.compile(r"[A-Z2-7]{20}")  # core.orders.tag.make_tag
ELSEWHERE = frozenset({"NSE", "BSE", "CDS", "BCD", "MCX", "NCO"})  # no exchange that an order of ours goes to
GTT_STATES: Mapping[str, Literal["active", "triggered"]] = {"active": "active", "triggered": "triggered"}
MOST_UNITS = 1 << 53  # above it a float is no exact number of units
TYPES: Mapping[str, OrderType] = {"MARKET": "MARKET", "LIMIT": "LIMIT", "SL": "SL", "SL-M": "SL"}
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

    Its terms are those that rest now, whatever was asked for first: the row does not tell. So are a stop's that waits
    (TRIGGER PENDING) and one's that was triggered (OPEN). `modifications` is 1 for any number above 0.

    Raises KeyError, TypeError, ValueError, OverflowError or VikalpError for a row that is no order.
    """
    quantity, filled = whole(row["quantity"]), whole(row["filled_quantity"])
    if not 0 <= filled <= quantity != 0:
        raise ValueError(f"{filled} filled of {quantity}")
    symbol, at = str(row["tradingsymbol"]), moment_ns(row["order_timestamp"])
    kind = TYPES.get(str(row["order_type"]), "LIMIT")
    limit, trigger = paise(row["price"]), paise(row.get("trigger_price")) if kind == "SL" else 0
    intent = Intent(
        tag=str(row["tag"]), strategy="", index=parse_symbol(symbol).index, symbol=symbol, side=side_of(row),
        quantity=quantity, order_type=kind, limit_paise=limit, trigger_paise=trigger, created_ns=at,
        product="MIS" if row["product"] == "MIS" else "NRML", validity="IOC" if row.get("validity") == "IOC" else "DAY",
        variety="amo" if row.get("variety") == "amo" else "regular",
    )  # fmt: skip
    return Order(
        intent=intent, state=STATES.get(text(row, "status"), "OPEN"), broker_id=text(row, "order_id"),
        filled_quantity=filled, average_paise=rupees(row["average_price"]) * 100,
        message=str(row.get("status_message") or ""), updated_ns=moment_ns(row.get("exchange_update_timestamp")) or at,
        resting_type=kind, resting_limit_paise=limit, resting_trigger_paise=trigger,
        modifications=int(bool(row.get("modified"))),
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
    if not _is_option_or_future(symbol):
        return None
    return (symbol, text(row, "product")), -whole(-units) if units < 0 else whole(units)


def funds_of(row: Row, at_ns: int) -> Funds:
    """A segment of the margins call: its net is what may still be blocked, and may be below 0. Raises as `order_of`."""
    used, free = row["utilised"]["debits"], row["net"]
    span, exposure = row["utilised"]["span"], row["utilised"]["exposure"]
    for said in (used, free, span, exposure):
        if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
            raise ValueError(f"funds are numbers, was {said!r}")
    margin = round((span + exposure) * 100)
    return Funds(available_paise=round(free * 100), used_paise=round(used * 100), at_ns=at_ns, margin_paise=margin)


def gtt_of(row: Row) -> Trigger | None:
    """A trigger of the list; None for one of another contract than our indices'. Raises as `order_of`."""
    condition, orders = row["condition"], row["orders"]
    symbol = text(condition, "tradingsymbol")
    if condition["exchange"] in ELSEWHERE or not _is_option_or_future(symbol):
        return None
    legs = tuple(
        GttLeg(trigger_paise=paise(value), limit_paise=paise(order["price"]))
        for value, order in zip(condition["trigger_values"], orders, strict=True)
    )
    results = [(place, order["result"]) for place, order in enumerate(orders) if order.get("result")]
    fired, said = (results[0][0], results[0][1]["order_result"]) if results else (-1, {})
    first, number = orders[0], whole(row["id"])
    if not (number and whole(first["quantity"])):
        raise ValueError("a trigger has an id and a quantity")
    return Trigger(
        trigger_id=str(number), status=GTT_STATES.get(text(row, "status"), "gone"), symbol=symbol,
        side=side_of(first), quantity=whole(first["quantity"]), product="MIS" if first["product"] == "MIS" else "NRML",
        legs=legs, fired=fired, order_id=str(said.get("order_id") or ""),
        order_failed=bool(said) and said.get("status") != "success", message=str(said.get("rejection_reason") or ""),
        created_ns=moment_ns(row["created_at"]),
    )  # fmt: skip


def _is_option_or_future(symbol: str) -> bool:
    try:
        return parse_symbol(symbol).kind != Kind.INDEX
    except (UnknownName, UnknownDate):
        return False


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
