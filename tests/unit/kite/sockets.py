"""A server that plays a script a connection, a receiver that keeps everything, and a stage for both; loopback only."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from brokers.kite.stream import State, Stream, StreamConfig
from core.kite import Mode, Packets, Segment, encode, token_of

INDEX, OPTION = token_of(1001, Segment.INDICES), token_of(39804, Segment.NFO)
WANTED = {INDEX: Mode.FULL, OPTION: Mode.FULL}
ASKED = [
    {"a": "subscribe", "v": [INDEX, OPTION]},
    {"a": "mode", "v": ["full", [INDEX, OPTION]]},
]
HEARTBEAT = b"\0"
DEADLINE_S = 20
Script = Callable[[ServerConnection], Awaitable[None]]


def ticks(*tokens: int) -> bytes:
    packets = Packets.zeros(len(tokens))
    packets.token[:] = tokens
    return encode(packets, Mode.FULL)


class Server:
    """Plays one script a connection, the last for every later one; `refuse` tokens get a 403."""

    def __init__(self, *scripts: Script, refuse: tuple[str, ...] = (), status: int = 403) -> None:
        self.scripts, self.refuse, self.status = scripts, refuse, status
        self.paths: list[str] = []
        self.versions: list[str | None] = []
        self.asked: list[list[dict[str, Any]]] = []

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        self.versions.append(request.headers.get("X-Kite-Version"))
        (token,) = parse_qs(urlsplit(request.path).query)["access_token"]
        return connection.respond(self.status, "no\n") if token in self.refuse else None

    async def handle(self, connection: ServerConnection) -> None:
        turn = len(self.asked)
        self.asked.append([])
        listening = asyncio.create_task(self.listen(connection, self.asked[turn]))
        try:
            await self.scripts[min(turn, len(self.scripts) - 1)](connection)
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()

    async def listen(self, connection: ServerConnection, asked: list[dict[str, Any]]) -> None:
        while True:
            asked.append(json.loads(await connection.recv()))


class Got:
    """A receiver that keeps everything."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.texts: list[tuple[str, Any]] = []
        self.states: list[tuple[State, str]] = []

    def on_frame(self, frame: bytes, received_ns: int) -> None:
        self.frames.append((frame, received_ns))

    def on_text(self, kind: str, data: Any, received_ns: int) -> None:
        self.texts.append((kind, data))

    def on_state(self, state: State, why: str) -> None:
        self.states.append((state, why))

    def whys(self, state: State) -> list[str]:
        return [why for its, why in self.states if its is state]


async def steady(connection: ServerConnection) -> None:
    """A healthy server: an index tick every 20 ms."""
    while True:
        await connection.send(ticks(INDEX, OPTION))
        await asyncio.sleep(0.02)


async def drop(connection: ServerConnection) -> None:
    await connection.send(ticks(INDEX))
    connection.transport.abort()


async def stall(connection: ServerConnection) -> None:
    await connection.send(ticks(INDEX))
    await connection.wait_closed()


async def heartbeats(connection: ServerConnection) -> None:
    """Bytes and ticks of an option, and none of an index."""
    while True:
        await connection.send(HEARTBEAT)
        await connection.send(ticks(OPTION))
        await asyncio.sleep(0.02)


async def one_way(connection: ServerConnection) -> None:
    """Ticks come, and nothing of ours arrives."""
    connection.transport.pause_reading()
    await steady(connection)


def config(root: str, **changed: Any) -> StreamConfig:
    quick = {"silent_s": 0.3, "no_ticks_s": 0.6, "first_delay_s": 0.02, "most_delay_s": 0.1, "open_timeout_s": 5.0}
    return StreamConfig(api_key="vikalp", root=root, **(quick | changed))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 whatever the condition is of, nothing signals it
            await asyncio.sleep(0.005)


def play(
    server: Server,
    scene: Callable[[Stream, Got], Coroutine[Any, Any, None]],
    *,
    market_open: bool = True,
    tls: ssl.SSLContext | None = None,
    receiver: Got | None = None,
    **changed: Any,
) -> tuple[Stream, Got]:
    """Run a stream against `server` until `scene` is over; what either raised comes out."""

    async def stage() -> tuple[Stream, Got]:
        got = receiver or Got()
        # a server that neither pings nor answers slowly: what is seen is the client's doing
        async with serve(
            server.handle, "127.0.0.1", 0, process_request=server.admit, ping_interval=None, close_timeout=0.1, ssl=tls
        ) as listening:
            port = next(iter(listening.sockets)).getsockname()[1]
            changed.setdefault("root", f"{'wss' if tls else 'ws'}://127.0.0.1:{port}")
            stream = Stream(
                config(**changed), got, market_open=lambda: market_open, wall_ns=lambda: 42, jitter=lambda: 0.0
            )
            stream.login("good")
            stream.subscribe(WANTED)
            running = asyncio.create_task(stream.run())
            acting = asyncio.create_task(scene(stream, got))
            await asyncio.wait([running, acting], return_when=asyncio.FIRST_COMPLETED)
            try:
                if running.done():
                    await running
                await acting
            finally:
                for task in (running, acting):
                    task.cancel()
                await asyncio.gather(running, acting, return_exceptions=True)
        return stream, got

    return asyncio.run(stage())
