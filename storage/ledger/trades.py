"""What is known of a trade beyond the fill, when it is written: its lot, its charges by kind, what it realised."""

import json
from decimal import Decimal
from typing import Any

from core.errors import InputError, UnknownDate, UnknownName
from core.market import brokerage, lot, parse_symbol, turnover_charges, whole_paise
from core.orders.positions import market_date
from core.records import Fill, Order

DETAILS = ("lot_size", "commission_paise", "tax_paise", "broker_order_id", "metadata")
WIDEST = 2**63  # of PostgreSQL's bigint
# What the trade added to its position's realised less charges, NULL where that is too wide. In SQL: the statement that
# writes it replaces the position, and what that was is known there.
NET_PNL = f"""(SELECT CASE WHEN net >= {-WIDEST} AND net < {WIDEST} THEN net::bigint END FROM (
    SELECT {{realised_paise}}::bigint::numeric - {{charges_paise}}::bigint
        - coalesce((was ->> 'realised_paise')::numeric - (was ->> 'charges_paise')::numeric, 0) AS net
    FROM (SELECT before::jsonb AS was FROM wrote_positions) p) g)"""  # noqa: S608 our own names


def details(fill: Fill, order: Order) -> tuple[Any, ...]:
    """The values of DETAILS; lot and charges are None where no table covers the contract and the day."""
    intent = order.intent
    metadata = {name: getattr(intent, name) for name in ("product", "purpose", "reason", "variety", "validity", "plan")}
    first = order.filled_quantity <= fill.quantity
    said = (_lot(fill), *_charges(fill, first=first), order.broker_id, json.dumps(metadata))
    return tuple(None if isinstance(value, int) and not -WIDEST <= value < WIDEST else value for value in said)


def _lot(fill: Fill) -> int | None:
    try:
        return lot(fill.index, parse_symbol(fill.symbol).expiry, market_date(fill.at_ns))
    except (InputError, UnknownDate, UnknownName, AttributeError):
        return None


def _charges(fill: Fill, *, first: bool) -> tuple[int | None, int | None]:
    """Commission and taxes in paise, their sum rounded as charges are; an order's first trade bears its brokerage."""
    try:
        on = market_date(fill.at_ns)
        cost = turnover_charges(fill.index, fill.side, fill.quantity, fill.price_paise, on)
        cost = cost + brokerage(on) if first else cost
    except (InputError, UnknownDate, UnknownName):
        return None, None
    commission: Decimal = cost.brokerage + cost.exchange + cost.ipft + cost.sebi
    return whole_paise(commission), cost.total_paise - whole_paise(commission)
