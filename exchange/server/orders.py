"""Orders, trades and positions (kite.md §4, §5)."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request

from core.market import freeze, usable_freeze
from exchange.accounts import Session
from exchange.faults import LATE_S, Fault
from exchange.orders.engine import Engine
from exchange.orders.order import Order, Row
from exchange.orders.request import Asked, instrument, one_of, parse, whole
from exchange.orders.rules import square_off_ns
from exchange.refusal import KiteError, bad_input
from exchange.server.call import call, form, world_of
from exchange.world import World

MOST_SLICES = 10


@call("order")
async def place(request: Request, session: Session) -> Row:
    """POST /orders/{variety}."""
    world, fields = world_of(request), await form(request)
    limits, now = world.limits[session.user.user_id], world.wall()
    limits.count_order(now)
    asked = parse(request.path_params["variety"], fields, world.day.listing)
    most = freeze(asked.one.index, world.day.date)
    if asked.autoslice and asked.quantity > most:
        return _slices(world, session, asked)
    for _ in range(asked.legs - 1 if asked.variety == "iceberg" else 0):
        limits.count_order(now)
    late = LATE_S if world.faults.on(Fault.LATE_IN_THE_BOOK, now) else 0.0
    return {"order_id": world.engine.place(session.user, asked, hidden_s=late).order_id}


def _slices(world: World, session: Session, asked: Asked) -> Row:
    """An order above the freeze quantity as children of whole lots, each of which can be refused by itself."""
    size = usable_freeze(asked.one.index, asked.one.expiry_date, world.day.date)
    sizes = [min(size, asked.quantity - at) for at in range(0, asked.quantity, size)]
    if len(sizes) > MOST_SLICES:
        raise bad_input(f"Order would need {len(sizes)} slices. Max permitted is {MOST_SLICES}.")
    children: list[Row] = []
    parent: Order | None = None
    refused: KiteError | None = None
    for i, quantity in enumerate(sizes):
        try:
            child = _slice(world, session, replace(asked, quantity=quantity), parent, first=i == 0)
        except KiteError as why:
            refused = refused or why
            error = {"code": why.status, "error_type": why.error_type, "message": why.message, "data": None}
            children.append({"error": error})
            continue
        parent = parent or child
        child.tags.extend(("autoslice", f"autoslice:{parent.order_id}"))
        children.append({"order_id": child.order_id})
    if parent is None:
        assert refused is not None, "an order above the freeze quantity has two slices or more"
        raise refused
    return {"order_id": parent.order_id, "children": children}


def _slice(world: World, session: Session, asked: Asked, parent: Order | None, *, first: bool) -> Order:
    """Place one; the first has been counted already."""
    if not first:
        world.limits[session.user.user_id].count_order(world.wall())
    short = world.funds.refuse_asked(session.user, asked, world.engine.live(session.user))
    if short is not None:
        raise KiteError(400, "MarginException", short)
    return world.engine.place(session.user, asked, parent=parent)


@call("order")
async def modify(request: Request, session: Session) -> Row:
    """PUT /orders/{variety}/{order_id}."""
    world, fields = world_of(request), await form(request)
    rates, order_id = world.config.rates, request.path_params["order_id"]
    most = rates.modifications if rates.enforced else sys.maxsize
    _check_variety(request, session)
    return {"order_id": world.engine.modify(session.user, order_id, fields, most).order_id}


@call("order")
async def cancel(request: Request, session: Session) -> Row:
    """DELETE /orders/{variety}/{order_id}."""
    _check_variety(request, session)
    return {"order_id": world_of(request).engine.cancel(session.user, request.path_params["order_id"]).order_id}


def _check_variety(request: Request, session: Session) -> None:
    """A change names the order's own variety; there are no cover orders, whose exit any order may stand for."""
    order = world_of(request).engine.find(session.user, request.path_params["order_id"])
    if request.path_params["variety"] not in {order.asked.variety, "co"}:
        raise bad_input(f"Invalid `variety`: {request.path_params['variety']!r}, the order is {order.asked.variety}")


@call("other")
async def orders(request: Request, session: Session) -> list[Row]:
    engine = _now(request)
    return [order.row() for order in engine.of(session.user)]


@call("other")
async def history(request: Request, session: Session) -> list[Row]:
    """GET /orders/{order_id}: a row a state, oldest first."""
    return _now(request).find(session.user, request.path_params["order_id"]).history


@call("other")
async def trades(request: Request, session: Session) -> list[Row]:
    return [trade.row() for trade in _now(request).seen(session.user)]


@call("other")
async def order_trades(request: Request, session: Session) -> list[Row]:
    order = _now(request).find(session.user, request.path_params["order_id"])
    return [trade.row() for trade in world_of(request).engine.trades if trade.order is order]


@call("other")
async def positions(request: Request, session: Session) -> dict[str, list[Row]]:
    world = world_of(request)
    held, quotes = world.positions.of(session.user), world.day.quotes
    today = (position.today() for position in held)
    return {
        "net": [position.row(quotes) for position in held],
        "day": [position.row(quotes) for position in today if position is not None],
    }


@call("other")
async def convert(request: Request, session: Session) -> bool:
    """PUT /portfolio/positions."""
    world, fields = world_of(request), await form(request)
    products: Mapping[str, str] = {
        name: one_of(fields, name, ("NRML", "MIS")) for name in ("old_product", "new_product")
    }
    if one_of(fields, "position_type", ("day", "overnight")) == "overnight":
        raise bad_input("Invalid `position_type`: what was carried overnight is not converted by the local exchange")
    late = world.clock.now_ns() >= square_off_ns(world.day, world.config.square_off)
    if products["new_product"] == "MIS" and late:
        raise bad_input("Positions cannot be converted to MIS after the auto square-off time.")
    world.positions.convert(
        session.user, instrument(fields, world.day.listing), quantity=whole(fields, "quantity"),
        buy=one_of(fields, "transaction_type", ("BUY", "SELL")) == "BUY", old=products["old_product"],
        new=products["new_product"],
    )  # fmt: skip
    return True


@call("other")
async def holdings(_: Request, __: Session) -> list[Row]:
    """Shares: an account of index options holds none."""
    return []


def _now(request: Request) -> Engine:
    engine = world_of(request).engine
    engine.advance()
    return engine
