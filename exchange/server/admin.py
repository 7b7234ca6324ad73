"""The exchange's own switches, which no broker has: faults, and what the run is."""

import math

from starlette.requests import Request
from starlette.responses import Response

from core.market import from_ns
from exchange.faults import Fault
from exchange.refusal import bad_input
from exchange.server.call import form, world_of
from exchange.server.reply import success


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
