"""From what a person asks for, in lots, to the intent the order manager takes, in units."""

import uuid
from contextlib import suppress

from core.errors import InputError, UnknownDate, UnknownName
from core.market import parse_symbol, tick_paise
from core.orders.machine import terms
from core.orders.tag import make_tag
from core.orders.validity import check_option
from core.ports import DeskClient
from core.records import Intent, Order, Terms
from core.schemas import Kind
from gateway.models import ModifyRequest, OrderRequest
from gateway.store import ChainStore

NOT_SENT = (InputError, UnknownName, UnknownDate)  # it was no order; after any other error it may have been sent


def intent_of(request: OrderRequest, store: ChainStore, now_ns: int) -> Intent:
    """An intent with the tag asked for, else a new one; UnknownName for a contract in no chain, InputError for no
    order.
    """
    _refuse_future(request.symbol)
    kept, row = store.find(request.symbol)
    _check_prices(request, tick_paise(kept.index))
    if request.strategy != "manual" and request.purpose != "exit":
        raise InputError(
            f"strategy: whose position an exit leaves; what a person enters is manual, was {request.strategy}"
        )
    return Intent(
        tag=request.tag or make_tag(uuid.uuid4().bytes),
        strategy=request.strategy,
        index=kept.index,
        symbol=request.symbol,
        side=request.side,
        quantity=request.lots * kept.expiry(row["expiry"])["lot"],
        order_type=request.order_type,
        limit_paise=request.limit_paise if request.order_type != "MARKET" else 0,
        trigger_paise=request.trigger_paise if request.order_type == "SL" else 0,
        product=request.product,
        validity=request.validity,
        variety=request.variety,
        purpose=request.purpose,
        reason="a person's order",
        created_ns=now_ns,
    )


def modified(desk: DeskClient, tag: str, request: ModifyRequest) -> Order:
    """Ask for other terms of an order; what was not given stays as it rests. UnknownName for a tag of no order."""
    if request == ModifyRequest():
        raise InputError("nothing to modify was given: limit_paise, trigger_paise or order_type")
    order = next((order for order in desk.orders() if order.intent.tag == tag), None)
    if order is None:
        raise UnknownName(f"no order that lives has the tag {tag}")
    now = terms(order)
    kind = request.order_type or now.order_type
    wanted = Terms(
        order_type=kind,
        limit_paise=request.limit_paise or now.limit_paise,
        trigger_paise=(request.trigger_paise or now.trigger_paise) if kind == "SL" else 0,
    )
    return desk.modify(tag, wanted)


def _check_prices(request: OrderRequest, tick: int) -> None:
    """InputError for a price that the order's type needs and that is none, or not on a tick."""
    needed = {"LIMIT": ("limit_paise",), "SL": ("limit_paise", "trigger_paise"), "MARKET": ()}[request.order_type]
    for name in needed:
        price = getattr(request, name)
        if price <= 0:
            raise InputError(f"{name}: expected above 0 for a {request.order_type} order, was {price}")
        if price % tick:
            raise InputError(f"{name}: expected a multiple of the tick, {tick}, was {price}")


def _refuse_future(symbol: str) -> None:
    """A chain has options alone, so that a future would only be told to be in none."""
    with suppress(UnknownName):
        contract = parse_symbol(symbol)
        if contract.kind == Kind.FUTURE:
            check_option(contract)
