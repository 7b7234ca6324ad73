"""`python -m tests.unit.kite.fuzz_exchange N [SEED]`: N malformed requests, none of which may harm the local exchange.

Most are given to its app in this process, where nothing can hide: an exception that leaves it, or a 500, fails. A part
goes over a real socket, some of it no HTTP at all, and texts to the socket of ticks. Whatever is refused is refused in
Kite's envelope and has changed neither orders nor trades, positions, funds, triggers or sessions; what is answered is
Kite's envelope too; and at the end the market goes on.
"""

import asyncio
import contextlib
import datetime as dt
import json
import logging
import random
import socket
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from core.kite import decode
from core.schemas import Kind
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.listing import Instrument
from exchange.server.app import build
from exchange.world import DEFAULT_USER, World, WorldConfig
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.kite.fuzz_requests import Asked, malformed, sound, text_of

DATE = dt.date(2026, 11, 20)
A_WORLD = 500  # requests; then another one, with an empty book
REFUSALS = frozenset({400, 403, 404, 405, 413})
FAULTS = {Fault.TOO_MANY: 429, Fault.UNAVAILABLE: 503, Fault.BAD_GATEWAY: 502}
ON_A_SOCKET = 0.1  # of the requests
Answer = tuple[int, dict[str, str], bytes]


class Exchange:
    """A world whose wall stands still while it is asked, and its app without a server."""

    def __init__(self, seed: int) -> None:
        self._ns = 1_795_000_000_000_000_000
        config = WorldConfig(seed=seed, date=DATE, indices=("NIFTY",), strikes_each_side=3,
                             rates=Rates(enforced=False))  # fmt: skip
        self.world = World(config, wall=lambda: self._ns)
        self.app: Any = build(self.world)
        for _ in range(3):
            self.go_on()
        self.one = self._traded()

    async def __aenter__(self) -> Self:
        """As a server starts it, but that time passes when we say so."""
        self._life = self.app.router.lifespan_context(self.app)
        await self._life.__aenter__()
        self.app.state.moving.cancel()
        self.app.state.moving = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._life.__aexit__(*error)

    def go_on(self, seconds: float = 60.0) -> int:
        """Let time pass; how many quotes changed."""
        self._ns += round(seconds * 1e9)
        return int(self.world.step().size)

    def _traded(self) -> Instrument:
        quotes, listing = self.world.day.quotes, self.world.day.listing
        options = [one for one in listing.instruments if one.kind == Kind.CALL and quotes.volume[one.place]]
        return max(options, key=lambda one: int(quotes.volume[one.place]))

    def auth(self) -> str:
        """A header that is good, of a session that lives."""
        accounts, now = self.world.accounts, self.world.clock.now_ns()
        session = next((one for one in accounts._sessions.values() if accounts.lives(one, now)), None)
        session = session or accounts.open(DEFAULT_USER, now)
        return f"token {session.user.api_key}:{session.access_token}"

    def state(self) -> str:
        """All that a refused request must leave as it was."""
        world, user = self.world, DEFAULT_USER
        orders = [(order.order_id, order.history) for order in world.engine.orders.values()]
        held = [position.row(world.day.quotes) for position in world.positions.of(user)]
        triggers = [trigger.row() for trigger in world.triggers.of(user)]
        sessions = sorted(world.accounts._sessions)
        free = world.funds.free_paise(user)
        return repr((orders, len(world.engine.trades), held, triggers, sessions, free, world.clock.now_ns()))

    async def ask(self, asked: Asked) -> Answer:
        """One request through the app; what it raises comes out."""
        sent: list[Any] = []
        parts = [asked.content()[at : at + 65_536] for at in range(0, len(asked.content()), 65_536)] or [b""]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0) if parts else b"", "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"x"), (b"content-type", asked.kind.encode("latin-1", "replace"))]
        if asked.auth is not None:
            headers.append((b"authorization", asked.auth.encode("latin-1", "replace")))
        path = unquote(asked.path, errors="replace")
        await self.app(
            {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": asked.method,
             "scheme": "http", "path": path, "raw_path": asked.path.encode("latin-1", "replace"),
             "query_string": asked.query_string(),
             "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)},
            receive, send,
        )  # fmt: skip
        head = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def judge(asked: Asked, answer: Answer, fault: Fault | None, *, unchanged: bool) -> None:
    """AssertionError unless the answer is one of Kite's, and a refusal left everything as it was."""
    status, head, body = answer
    kind = head.get("content-type", "")
    if fault is not None and status == FAULTS[fault]:
        assert ("html" in kind) == (fault == Fault.BAD_GATEWAY)
        return
    if status in {302, 307}:  # the login page's redirect, and Starlette's of a slash too many
        assert head.get("location"), "a redirect to nowhere"
        return
    assert status == 200 or status in REFUSALS, f"{status} {body[:200]!r}"
    if asked.method == "HEAD" or "csv" in kind or "html" in kind:
        assert status == 200 or asked.method == "HEAD"
        return
    assert kind.startswith("application/json"), kind
    said = json.loads(body, parse_constant=_no_number)
    if status == 200:
        assert said["status"] == "success" and "data" in said
        return
    assert said["status"] == "error"
    assert isinstance(said["message"], str) and said["message"]
    assert said["error_type"].endswith("Exception")
    assert unchanged, "a refused request has changed something"


def _no_number(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


async def _in_process(count: int, seed: int) -> Counter[str]:
    totals: Counter[str] = Counter()
    for first in range(0, count, A_WORLD):
        async with Exchange(seed + first) as exchange:
            totals += await _ask(exchange, range(first, min(first + A_WORLD, count)), seed)
    return totals


async def _ask(exchange: Exchange, numbers: Iterable[int], seed: int) -> Counter[str]:
    totals: Counter[str] = Counter()
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        world, one = exchange.world, exchange.one
        price = int(world.day.quotes.last[one.place]) / 100
        asked = sound(rng, exchange.auth(), one, price, list(world.engine.orders))
        if rng.random() < 0.9:
            asked = malformed(rng, asked)
        fault = rng.choice(list(FAULTS)) if rng.random() < 0.05 else None
        if fault is not None:
            world.faults.start(fault, world.wall(), uses=1)
        world.engine.advance()  # what is due after a jump of the clock is nobody's doing
        before = exchange.state()
        try:
            answer = await exchange.ask(asked)
            judge(asked, answer, fault, unchanged=exchange.state() == before)
        except Exception as error:
            raise AssertionError(
                f"seed {seed}, number {number}: {type(error).__name__}: {error}; {_short(asked)}"
            ) from error
        totals[f"{answer[0]}"] += 1
        world.faults.stop()
        world.cut_all = False
        if number % 50 == 49:
            exchange.go_on(0.5)
    assert exchange.go_on(1.0) > 0, "the market stands still"
    return totals


def _short(asked: Asked) -> str:
    return repr(asked)[:1500]


def fuzz(count: int, seed: int) -> Counter[str]:
    """How many requests were answered with each status, in process and over a socket (`socket 400`, `text …`)."""
    over = round(count * ON_A_SOCKET)
    logging.disable()
    try:
        totals = asyncio.run(_in_process(count - over, seed))
        return totals + _on_a_socket(over, seed)
    finally:
        logging.disable(logging.NOTSET)


def _on_a_socket(count: int, seed: int) -> Counter[str]:
    """Half of them bytes to the port, half texts to the socket of ticks; a good socket beside both must go on."""
    totals: Counter[str] = Counter()
    config = WorldConfig(seed=seed, date=DATE, indices=("NIFTY",), strikes_each_side=3, rates=Rates(enforced=False))
    world = World(config, wall=Wall())
    with Served(world) as served:
        token = served.do(lambda: world.accounts.open(DEFAULT_USER, world.clock.now_ns())).access_token
        where = f"ws{served.root.removeprefix('http')}/?api_key=vikalp&access_token={token}"
        with connect(where) as steady:
            steady.send(json.dumps({"a": "mode", "v": ["full", [256265]]}))
            _index_comes(steady)
            for number in range(count):
                rng = random.Random(f"{seed} socket {number}")
                if number % 2:
                    totals[_say(where, rng)] += 1
                else:
                    totals[_send(served, rng, token)] += 1
            _index_comes(steady)
            assert served.do(lambda: len(world.engine.orders)) == 0, "a malformed request has placed an order"
    return totals


def _index_comes(socket_: ClientConnection) -> None:
    """Another tick of the index, sent from now on."""
    with contextlib.suppress(TimeoutError):  # what was on its way
        while True:
            socket_.recv(timeout=0)
    while True:
        frame = socket_.recv(timeout=30)
        if isinstance(frame, bytes) and 256265 in decode(frame).packets.token.tolist():
            return


def _say(where: str, rng: random.Random) -> str:
    """Some texts on a socket of their own, which may be ended for it."""
    with connect(where) as own:
        try:
            for _ in range(3):
                own.send(text_of(rng, rng.choice((256265, 7))))
            own.send(json.dumps({"a": "mode", "v": ["full", [256265]]}))
            _index_comes(own)
        except ConnectionClosed as error:
            assert error.rcvd is not None, "the connection was lost"
            return f"text: closed {error.rcvd.code}"
    return "text: goes on"


def _send(served: Served, rng: random.Random, token: str) -> str:
    """Bytes on a connection of their own: a request that is cut, lies about its length, or is none."""
    address = urlsplit(served.root)
    body = rng.choice((b"quantity=65", rng.randbytes(60), b"[" * 5000))
    length = rng.choice(LENGTHS).format(len(body))
    lines = [f"{rng.choice(('POST', 'PUT', 'GET', 'DELETE', 'PRI', chr(233)))} {rng.choice(PATHS)} HTTP/1.1", "Host: x",
             f"Authorization: token vikalp:{token}", length, rng.choice(ODD_HEADERS)]  # fmt: skip
    request = "\r\n".join((*lines, "", "")).encode("latin-1") + body
    what = rng.randrange(4)
    if what == 0:
        request = request[: rng.randrange(len(request))]
    elif what == 1:
        request = rng.randbytes(rng.randrange(1, 300)) + b"\r\n\r\n"
    elif what == 2:
        at = rng.randrange(len(request))
        request = request[:at] + rng.randbytes(1) + request[at + 1 :]
    said = b""
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as line:
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            said = line.recv(1 << 16)
        except ConnectionError:  # refused before all of it was sent
            return "bytes: refused"
    assert not said.startswith(b"HTTP/1.1 5"), said[:300]
    return f"bytes: {said[9:12].decode('latin-1') or 'nothing'}"


PATHS = ("/orders/regular", "/orders", "/", "/quote?i=%ff", "/margins/orders", "//", "*", "/a b", "/\xff",
         "/gtt/triggers", "http://x/orders", "/orders/" + "x" * 9000)  # fmt: skip
LENGTHS = (*["Content-Length: {}"] * 12, "Content-Length: -1", "Content-Length: 99999999999999999999",
           "Content-Length: 5\r\nContent-Length: 7", "Transfer-Encoding: chunked", "X: {}")  # fmt: skip
ODD_HEADERS = (*["X: 1"] * 12, "Expect: 100-continue", "Upgrade: websocket\r\nConnection: Upgrade", "X : y",
               "\0: x", "Connection: x", "X: " + "y" * 70_000, "Transfer-Encoding: gzip")  # fmt: skip


if __name__ == "__main__":
    given = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"fuzz of the exchange: {given[0]} requests, seed {given[1]}", flush=True)
    for what, times in sorted(fuzz(*given).items()):
        print(f"  {what:28} {times}")
