"""From what a person asks for, in lots, to the intent the order manager takes, in units."""

import uuid
from contextlib import suppress

from core.errors import InputError, UnknownDate, UnknownName
from core.market import parse_symbol, tick_paise
from core.orders.tag import make_tag
from core.orders.validity import check_option
from core.records import Intent
from core.schemas import Kind
from gateway.models import OrderRequest
from gateway.store import ChainStore

NOT_SENT = (InputError, UnknownName, UnknownDate)  # it was no order; after any other error it may have been sent


def intent_of(request: OrderRequest, store: ChainStore, now_ns: int) -> Intent:
    """An intent with the tag asked for, else a new one; UnknownName for a contract in no chain, InputError for no
    order.
    """
    _refuse_future(request.symbol)
    kept, row = store.find(request.symbol)
    if request.order_type == "LIMIT" and request.limit_paise <= 0:
        raise InputError(f"limit_paise: expected above 0 for a LIMIT order, was {request.limit_paise}")
    tick = tick_paise(kept.index)
    if request.order_type == "LIMIT" and request.limit_paise % tick:
        raise InputError(f"limit_paise: expected a multiple of the tick, {tick}, was {request.limit_paise}")
    return Intent(
        tag=request.tag or make_tag(uuid.uuid4().bytes),
        strategy="manual",
        index=kept.index,
        symbol=request.symbol,
        side=request.side,
        quantity=request.lots * kept.expiry(row["expiry"])["lot"],
        order_type=request.order_type,
        limit_paise=request.limit_paise if request.order_type == "LIMIT" else 0,
        product=request.product,
        purpose=request.purpose,
        reason="a person's order",
        created_ns=now_ns,
    )


def _refuse_future(symbol: str) -> None:
    """A chain has options alone, so that a future would only be told to be in none."""
    with suppress(UnknownName):
        contract = parse_symbol(symbol)
        if contract.kind == Kind.FUTURE:
            check_option(contract)
