"""What every call goes through: who asks, and whether the limits let it; then the envelope."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from exchange.accounts import Session
from exchange.calls import OrderCall
from exchange.faults import FAR_S, NEVER_S, SLOW_S, Fault
from exchange.refusal import Gateway, KiteError, bad_input
from exchange.server.reply import Broken, success
from exchange.world import World

MOST_BYTES = 1_000_000  # of a body; the longest of a client's, 200 rows of JSON, has some 60 kB
Handler = Callable[[Request, Session], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


def call(kind: str) -> Callable[[Handler], Endpoint]:
    """An endpoint of a class of the limits: quote, historical, order or other. What it returns is `data`.

    The limits are an account's, so the token is looked at first: a call with a dead one counts for nobody.
    """

    def wrap(handler: Handler) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            world = world_of(request)
            if request.app.state.moving.done():  # a market that stands still by a fault of ours must not look alive
                request.app.state.moving.result()
            api_key, access_token = credentials(request)
            await body(request)  # what has arrived is taken, also if nobody waits for the answer
            noted = await _note(request, world) if kind == "order" else None
            await _disturb(world)
            session = world.accounts.authorised(api_key, access_token, world.clock.now_ns())
            world.limits[session.user.user_id].take(kind, world.wall())
            data = await handler(request, session)
            if noted is not None:
                noted.take(data, world.wall())
                if await _lose(world):
                    return Broken()
                noted.answered_ns = world.wall()
            return data if isinstance(data, Response) else success(data)

        return endpoint

    return wrap


async def _note(request: Request, world: World) -> OrderCall:
    """Write down that a call about an order is here; by a fault it still has a way to go."""
    tag = parse_qs((await body(request)).decode("ascii", "replace")).get("tag", [""])[-1]
    noted = world.calls.note(request.method, request.url.path, tag, world.wall())
    if world.faults.on(Fault.FAR, world.wall()):
        await asyncio.sleep(FAR_S)
    return noted


async def _lose(world: World) -> bool:
    """The faults that meet the answer to a call about an order; whether the connection breaks instead of it."""
    now, on = world.wall(), world.faults.on
    if on(Fault.ACCEPT_THEN_TIMEOUT, now):
        await asyncio.sleep(NEVER_S)
    if on(Fault.FAR, now):
        await asyncio.sleep(FAR_S)
    return on(Fault.LOST_ANSWER, now)


async def _disturb(world: World) -> None:
    """The faults that meet every call before it is looked at."""
    now, on = world.wall(), world.faults.on
    if on(Fault.SLOW, now):
        await asyncio.sleep(SLOW_S)
    if on(Fault.BAD_GATEWAY, now):
        raise Gateway
    if on(Fault.TOO_MANY, now):
        raise KiteError(429, "NetworkException", "Too many requests")
    if on(Fault.UNAVAILABLE, now):
        raise KiteError(503, "NetworkException", "Gateway is temporarily unavailable")


def credentials(request: Request) -> tuple[str, str]:
    """API key and access token of `Authorization: token key:access`; 403 as for a dead token without them."""
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    api_key, _, access_token = pair.partition(":")
    if scheme != "token" or not access_token:
        raise KiteError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
    return api_key, access_token


async def body(request: Request) -> bytes:
    """All of the body, as often as it is asked for; 413 as soon as it is longer than any of Kite's calls can be."""
    if not hasattr(request.state, "body"):
        read = bytearray()
        async for part in request.stream():
            read += part
            if len(read) > MOST_BYTES:
                raise KiteError(413, "InputException", f"The body is longer than {MOST_BYTES} bytes.")
        request.state.body = bytes(read)
    whole: bytes = request.state.body
    return whole


async def form(request: Request) -> dict[str, str]:
    """The urlencoded body, the last of each name; bytes that are no UTF-8 are refused as bad input."""
    try:
        text = (await body(request)).decode("ascii")
        return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    except ValueError:  # UnicodeDecodeError, or more fields than a form of an order can have
        raise bad_input("Invalid request: the body is no urlencoded form.") from None


def text(request: Request, content: str, media_type: str) -> Response:
    """Text, gzipped where the client takes it, as the instrument dump is."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            gzip.compress(content.encode(), mtime=0), media_type=media_type, headers={"Content-Encoding": "gzip"}
        )
    return Response(content, media_type=media_type)
