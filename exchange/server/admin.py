"""The exchange's own switches, which no broker has: faults, and what the run is."""

import math
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from core.market import from_ns
from exchange.accounts import User
from exchange.faults import Fault
from exchange.orders.order import Row
from exchange.refusal import bad_input
from exchange.roll import charges_of
from exchange.server.call import form, world_of
from exchange.server.reply import success
from exchange.world import World


async def state(request: Request) -> Response:
    """GET /admin: what market, seed, day, market time, faults that are on, packets published, what became of postbacks.

    packets: in the frames put into the queues of all sockets there have been; packets_by_socket: of those there are.
    """
    world, hub = world_of(request), request.app.state.hub
    return success(
        {
            "market": world.day.market,
            "seed": world.config.seed,
            "date": world.day.date.isoformat(),
            "market_time": from_ns(world.clock.now_ns()).isoformat(),
            "speed": world.clock.speed,
            "instruments": len(world.day.listing),
            "faults": world.faults.now(world.wall()),
            "sockets": len(hub.sockets),
            "packets": hub.packets,
            "packets_by_socket": [socket.packets for socket in hub.sockets],
            "postbacks": request.app.state.postbacks.counts(),
        }
    )


async def book(request: Request) -> Response:
    """GET /admin/book: the day as the exchange itself has it, whatever a fault hides; money in paise, times in UTC ns.

    users: of each id its opening cash, what the day's trades have cost and positions; orders with their charges
    (rupees, unrounded), trades, and calls, by the wall's clock: when each request about an order came, was taken and
    answered.
    """
    world = world_of(request)
    engine = world.engine
    engine.advance()
    charges: dict[str, str] = {}
    for user in world.config.users:
        charges |= {order_id: str(each) for order_id, each in charges_of(user, engine, world.day.date).items()}
    orders: list[Row] = [
        {
            "order_id": order.order_id, "user_id": order.user.user_id, "tag": order.tag, "status": str(order.status),
            "symbol": order.one.symbol, "side": order.side, "product": order.product, "quantity": order.quantity,
            "filled": order.filled, "filled_paise": order.filled_paise, "charges": charges.get(order.order_id, "0"),
        }
        for order in engine.orders.values()
    ]  # fmt: skip
    trades: list[Row] = [
        {"trade_id": one.trade_id, "order_id": one.order.order_id, "quantity": one.quantity, "paise": one.paise}
        for one in engine.trades
    ]
    users = {user.user_id: _account(world, user) for user in world.config.users}
    calls = [asdict(one) for one in world.calls.kept]
    return success({"users": users, "orders": orders, "trades": trades, "calls": calls})


def _account(world: World, user: User) -> Row:
    opening = world.funds.purses[user.user_id].opening_paise
    positions: list[Row] = [
        {
            "symbol": held.one.symbol, "product": held.product, "overnight": held.overnight, "bought": held.bought,
            "bought_paise": held.bought_paise, "sold": held.sold, "sold_paise": held.sold_paise,
        }
        for held in world.positions.of(user)
    ]  # fmt: skip
    return {"opening_paise": opening, "spent_paise": opening - world.funds.free_paise(user), "positions": positions}


async def start(request: Request) -> Response:
    """POST /admin/faults/{fault}: seconds (10), uses (0: any number)."""
    world, fields = world_of(request), await form(request)
    world.fault(_named(request), seconds=_number(fields, "seconds", 10.0), uses=int(_number(fields, "uses", 0)))
    return await state(request)


async def stop(request: Request) -> Response:
    """DELETE /admin/faults/{fault}."""
    world_of(request).faults.stop(_named(request))
    return await state(request)


def _named(request: Request) -> Fault:
    name = request.path_params["fault"]
    if name not in set(Fault):
        raise bad_input(f"no fault is named {name!r}; there are {', '.join(Fault)}")
    return Fault(name)


def _number(fields: dict[str, str], name: str, otherwise: float) -> float:
    text = fields.get(name, str(otherwise))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_input(f"Invalid `{name}`: {text!r}, expected a number")
    return value
