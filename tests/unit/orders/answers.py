"""What may become of one request about an order, over HTTP: the exchange takes it or not, and the answer comes or not.

It stands between uvicorn and the local exchange, so that the broker's adapter meets real sockets, and the exchange is
the judge of what it has taken.
"""

import asyncio
import json
import socket
import struct
from collections import defaultdict, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qs

import requests

from brokers.kite.wire import Wire
from exchange.faults import Fault
from exchange.world import World
from tests.unit.exchange.conftest import Served

NEVER = 599  # for an answer that never comes: its client finds its time to be over without waiting for that
Message = dict[str, Any]
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


class Says(Enum):
    """How an answer comes that is not the exchange's own."""

    OWN = "the exchange's own"
    NOTHING = "never"
    RESET = "connection reset"
    CUT = "ends in the middle"


@dataclass(frozen=True)
class Answer:
    """`taken`: whether the exchange gets the request; `late`: only once nobody waits any more.

    `status` and `body` are what the client is told instead of the exchange's own words.
    """

    taken: bool = True
    says: Says = Says.OWN
    status: int = 0
    body: bytes = b""
    fault: Fault | None = None  # of the exchange, on from just before
    ends_login: bool = False  # every session ends once it has answered
    late: bool = False


def refusal(status: int, kind: str, words: str) -> Answer:
    body = {"status": "error", "message": words, "error_type": kind, "data": None}
    return Answer(taken=False, status=status, body=json.dumps(body).encode())


# By name, what a broker may answer. The first half proves that nothing was placed, or that it was; the second nothing.
ANSWERS: dict[str, Answer] = {
    "ACK": Answer(),
    "400 input": refusal(400, "InputException", "Invalid price."),
    "400 order": refusal(400, "OrderException", "Quantity is above the freeze quantity."),
    "400 margin": refusal(400, "MarginException", "Insufficient funds."),
    "403 login died before it": Answer(fault=Fault.TOKEN_DEATH),
    "ACK, and the login dies": Answer(ends_login=True),
    "429": refusal(429, "NetworkException", "Too many requests"),
    "429 of a proxy": Answer(taken=False, status=429, body=HTML),
    "500": refusal(500, "GeneralException", "Something went wrong."),
    "502 before it was taken": Answer(taken=False, status=502, body=HTML),
    "502 after it was taken": Answer(status=502, body=HTML),
    "503": refusal(503, "NetworkException", "Gateway is temporarily unavailable"),
    "504 after it was taken": Answer(status=504, body=HTML),
    "timeout, not taken": Answer(taken=False, says=Says.NOTHING),
    "timeout, taken": Answer(says=Says.NOTHING),
    "timeout, taken late": Answer(says=Says.NOTHING, late=True),
    "ACK, 90 s late in the book": Answer(fault=Fault.LATE_IN_THE_BOOK),
    "timeout, 90 s late in the book": Answer(says=Says.NOTHING, fault=Fault.LATE_IN_THE_BOOK),
    "malformed JSON, not taken": Answer(taken=False, status=200, body=b'{"status": "success", "data": {"order_'),
    "malformed JSON, taken": Answer(status=200, body=b'{"status": "success", "data": {"order_'),
    "no order id, taken": Answer(status=200, body=b'{"status": "success", "data": {}}'),
    "ends in the middle, taken": Answer(says=Says.CUT),
    "reset before it was taken": Answer(taken=False, says=Says.RESET),
    "reset after it was taken": Answer(says=Says.RESET),
}


@dataclass
class Script:
    """What becomes of the next requests, by method; without a word they are taken and answered."""

    world: World
    next: defaultdict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, str]] = field(default_factory=list)  # method and tag of each POST, path of the others
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    late: list[asyncio.Task[None]] = field(default_factory=list)

    def clear(self) -> None:
        self.next.clear()
        self.asked.clear()
        self.given_up = asyncio.Event()
        self.late.clear()


class Answering:
    """An ASGI app before that of the exchange."""

    def __init__(self, app: Any, script: Script) -> None:
        self._app, self.script = app, script

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        about_an_order = scope["type"] == "http" and scope["method"] != "GET" and scope["path"].startswith("/orders/")
        if not about_an_order:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        method, queue = scope["method"], self.script.next[scope["method"]]
        tag = parse_qs(body.decode()).get("tag", [""])[0]
        self.script.asked.append((method, tag if method == "POST" else scope["path"]))
        await self._answer(queue.popleft() if queue else ANSWERS["ACK"], scope, body, receive, send)

    async def _answer(self, answer: Answer, scope: Any, body: bytes, receive: Any, send: Any) -> None:
        if answer.fault is not None:
            self.script.world.fault(answer.fault, uses=1)
        said: list[Message] = []
        if answer.late:
            self.script.late.append(asyncio.create_task(self._take_late(scope, body)))
        elif answer.taken:
            await self._app(scope, _replay(body), _collect(said))
        if answer.ends_login:
            self.script.world.fault(Fault.TOKEN_DEATH)
        if answer.says is Says.NOTHING:
            for message in _messages(Answer(status=NEVER)):
                await send(message)
        elif answer.says is Says.RESET:
            _reset(receive)
        elif answer.says is Says.CUT:
            await _cut(said, receive, send)
        else:
            for message in said if answer.status == 0 else _messages(answer):
                await send(message)

    async def _take_late(self, scope: Any, body: bytes) -> None:
        """It was on its way when its sender's time was over."""
        await self.script.given_up.wait()
        await self._app(scope, _replay(body), _collect([]))


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _replay(body: bytes) -> Any:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _collect(said: list[Message]) -> Any:
    async def send(message: Message) -> None:
        said.append(message)

    return send


def _messages(answer: Answer) -> list[Message]:
    kind = b"text/html" if answer.body == HTML else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(answer.body)).encode())]
    return [
        {"type": "http.response.start", "status": answer.status, "headers": headers},
        {"type": "http.response.body", "body": answer.body},
    ]


async def _cut(said: list[Message], receive: Any, send: Any) -> None:
    """The head and half of the body, and no more."""
    await send(said[0])
    body = b"".join(one.get("body", b"") for one in said[1:])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    _transport(receive).close()


def _reset(receive: Any) -> None:
    line: socket.socket = _transport(receive).get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _transport(receive).abort()


def _transport(receive: Any) -> Any:
    """Of uvicorn's cycle of a request and its response, whose method `receive` is."""
    return receive.__self__.transport


class Impatient(Wire):
    """A client whose time is over as soon as it is certain that no answer comes.

    That a real one waits for it is held by tests/unit/exchange/test_oms_faults.py.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(request, *args, **kwargs)
        if response.status_code == NEVER:
            raise requests.exceptions.ReadTimeout("read timed out")
        return response


class Answered(Served):
    """The app of a world behind a real socket, whose answers about orders follow a script."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.script = Script(world)
        config = self._server.config
        config.app = Answering(config.app, self.script)

    def give_up(self) -> None:
        """Whoever sent a request that is taken late waits no more, and it arrives."""
        self.do(self.script.given_up.set)
        while self.do(lambda: any(not task.done() for task in self.script.late)):
            continue
