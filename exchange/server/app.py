"""One ASGI app, Kite's root paths, REST and the socket on one port (kite.md §0.3, §4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from core.kite import warm
from exchange.refusal import Gateway, KiteError
from exchange.server import admin, gtt, margins, market, orders, users
from exchange.server.hub import Hub
from exchange.server.postbacks import Postbacks
from exchange.server.reply import error, gateway, refused, unforeseen
from exchange.server.stream import pump, stream
from exchange.world import World

ROUTES: tuple[BaseRoute, ...] = (
    WebSocketRoute("/", stream),
    Route("/admin", admin.state),
    Route("/admin/book", admin.book),
    Route("/admin/faults/{fault}", admin.start, methods=["POST"]),
    Route("/admin/faults/{fault}", admin.stop, methods=["DELETE"]),
    Route("/connect/login", users.login, methods=["GET", "POST"]),
    Route("/session/token", users.open_session, methods=["POST"]),
    Route("/session/token", users.close_session, methods=["DELETE"]),
    Route("/session/refresh_token", users.renew, methods=["POST"]),
    Route("/user/profile", users.profile),
    Route("/user/margins", margins.user_margins),
    Route("/user/margins/{segment}", margins.user_margins),
    Route("/margins/orders", margins.order_margins, methods=["POST"]),
    Route("/margins/basket", margins.basket_margins, methods=["POST"]),
    Route("/charges/orders", margins.contract_note, methods=["POST"]),
    Route("/gtt/triggers", gtt.listed),
    Route("/gtt/triggers", gtt.place, methods=["POST"]),
    Route("/gtt/triggers/{trigger_id}", gtt.single),
    Route("/gtt/triggers/{trigger_id}", gtt.modify, methods=["PUT"]),
    Route("/gtt/triggers/{trigger_id}", gtt.delete, methods=["DELETE"]),
    Route("/orders", orders.orders),
    Route("/orders/{variety}", orders.place, methods=["POST"]),
    Route("/orders/{order_id}", orders.history),
    Route("/orders/{order_id}/trades", orders.order_trades),
    Route("/orders/{variety}/{order_id}", orders.modify, methods=["PUT"]),
    Route("/orders/{variety}/{order_id}", orders.cancel, methods=["DELETE"]),
    Route("/trades", orders.trades),
    Route("/portfolio/positions", orders.positions),
    Route("/portfolio/positions", orders.convert, methods=["PUT"]),
    Route("/portfolio/holdings", orders.holdings),
    Route("/portfolio/holdings/auctions", orders.holdings),
    Route("/instruments", market.instruments),
    Route("/instruments/{exchange}", market.instruments),
    Route("/instruments/historical/{token}/{interval}", market.historical),
    Route("/quote", market.quote),
    Route("/quote/ohlc", market.ohlc),
    Route("/quote/ltp", market.ltp),
)


def build(world: World) -> Starlette:
    """The app of `world`: its lifespan moves the market."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        warm()  # nothing compiles once clients are connected
        world.step()
        world.funds.margining.warm()
        async with Postbacks() as postbacks:
            app.state.postbacks = postbacks
            moving = app.state.moving = asyncio.create_task(pump(world, app.state.hub, postbacks))
            moving.add_done_callback(lambda _: app.state.hub.drop_all())
            yield
            moving.cancel()
            with suppress(asyncio.CancelledError):
                await moving

    app = Starlette(
        routes=list(ROUTES),
        exception_handlers={KiteError: refused, Gateway: gateway, HTTPException: _http, Exception: unforeseen},
        lifespan=lifespan,
    )
    app.state.world, app.state.hub = world, Hub()
    return app


async def _http(_: Request, why: Exception) -> Response:
    """A path or a method that is not there, in Kite's envelope."""
    assert isinstance(why, HTTPException)
    return error(why.status_code, "GeneralException", "Route not found" if why.status_code == 404 else why.detail)
