"""The socket at `GET /`, and the pump that moves the market and fills every socket's queue."""

import asyncio
import json
import time
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from exchange.faults import Fault
from exchange.refusal import KiteError
from exchange.server.hub import Hub, Socket
from exchange.server.postbacks import Postbacks
from exchange.world import World

PERIOD_S = 0.1  # wall seconds between two steps of the market


async def stream(websocket: WebSocket) -> None:
    """Refused with 403 before the handshake for a dead token or one socket too many; then both ways until it ends."""
    world: World = websocket.app.state.world
    hub: Hub = websocket.app.state.hub
    asked = websocket.query_params
    try:
        session = world.accounts.authorised(
            asked.get("api_key", ""), asked.get("access_token", ""), world.clock.now_ns()
        )
    except KiteError:
        await websocket.close()
        return
    own = [one for one in hub.sockets if one.session.user == session.user]
    if world.config.rates.enforced and len(own) >= world.config.rates.sockets:
        await websocket.close()
        return
    await websocket.accept()
    socket = Socket(session, world.day.listing, world.config.rates)
    hub.sockets.append(socket)
    sender = asyncio.create_task(_send(websocket, socket))
    try:
        await _hear(websocket, socket)
    finally:
        hub.drop(socket)
        await sender


async def _hear(websocket: WebSocket, socket: Socket) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        wrong = socket.hear(message.get("text") or "")
        if wrong is not None and not socket.put(json.dumps({"type": "error", "data": wrong})):
            return


async def _send(websocket: WebSocket, socket: Socket) -> None:
    """Frames in order, until the end of the queue or of the connection."""
    with suppress(WebSocketDisconnect, RuntimeError):  # Starlette's word for a socket the client has closed
        while (frame := await socket.queue.get()) is not None:
            if isinstance(frame, bytes):
                await websocket.send_bytes(frame)
            else:
                await websocket.send_text(frame)
        await websocket.close(1008)


async def pump(world: World, hub: Hub, postbacks: Postbacks) -> None:
    """Move the market every PERIOD_S and tell who listens, for ever; run beside the server, one a process."""
    listing = world.day.listing
    while True:
        began = time.monotonic()
        changed = world.step()
        if world.day.listing is not listing:
            listing = world.day.listing
            hub.relist(listing)
        for socket in [one for one in hub.sockets if not world.accounts.lives(one.session, world.clock.now_ns())]:
            hub.drop(socket)
        now, on = world.wall(), world.faults.on
        stalled = on(Fault.STALL, now)
        _tell(world, hub, postbacks, silent=stalled)
        if world.cut_all:
            world.cut_all = False
            hub.drop_all()
        elif not stalled:
            ticks, cut = not on(Fault.HEARTBEATS_ONLY, now), on(Fault.MALFORMED, now)
            hub.publish(listing, world.day.quotes, changed, began, ticks=ticks, cut=cut)
        await asyncio.sleep(max(0.0, PERIOD_S - (time.monotonic() - began)))


def _tell(world: World, hub: Hub, postbacks: Postbacks, *, silent: bool) -> None:
    """Order updates to their users' servers and sockets; to these by a fault none, or each twice and the last first."""
    news = list(world.news)
    world.news.clear()
    for user, row in news:
        postbacks.put(user, row)
    if silent:
        return
    if news and world.faults.on(Fault.UPDATES_OUT_OF_ORDER, world.wall()):
        news = [*reversed(news), *news]
    for user, row in news:
        hub.tell(user.user_id, "order", row)
