"""Good-till-triggered orders (kite.md §9)."""

from starlette.requests import Request

from exchange.accounts import Session
from exchange.orders.gtt import Wish
from exchange.orders.order import Row
from exchange.server.body import one, rows
from exchange.server.call import call, form, world_of


@call("other")
async def place(request: Request, session: Session) -> Row:
    """POST /gtt/triggers."""
    return {"trigger_id": world_of(request).triggers.place(session.user, await _asked(request))}


@call("other")
async def modify(request: Request, session: Session) -> Row:
    """PUT /gtt/triggers/{trigger_id}."""
    triggers, named = world_of(request).triggers, request.path_params["trigger_id"]
    return {"trigger_id": triggers.modify(session.user, named, await _asked(request))}


@call("other")
async def delete(request: Request, session: Session) -> Row:
    """DELETE /gtt/triggers/{trigger_id}."""
    return {"trigger_id": world_of(request).triggers.delete(session.user, request.path_params["trigger_id"])}


@call("other")
async def listed(request: Request, session: Session) -> list[Row]:
    """GET /gtt/triggers."""
    world = world_of(request)
    world.engine.advance()
    return [trigger.row() for trigger in world.triggers.of(session.user)]


@call("other")
async def single(request: Request, session: Session) -> Row:
    """GET /gtt/triggers/{trigger_id}."""
    world = world_of(request)
    world.engine.advance()
    return world.triggers.find(session.user, request.path_params["trigger_id"]).row()


async def _asked(request: Request) -> Wish:
    """The form's three fields, of which two are JSON."""
    fields = await form(request)
    condition, values = one(fields.get("condition", ""), "condition", leave="trigger_values")
    orders = rows(fields.get("orders", ""), "orders")
    return Wish(kind=fields.get("type", ""), condition=condition, values=values, orders=orders)
