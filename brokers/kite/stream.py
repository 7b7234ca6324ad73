"""Kite's socket: kept open, watched, subscribed; what comes is handed on as it came.

KiteTicker cannot see a dead socket, does not check the server's certificate while the access token is in the query, and
lives on a reactor that starts once a process; hence a client of our own.
"""

import asyncio
import ipaddress
import json
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import random
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, Field, field_validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from brokers.kite.subscriptions import Subscriptions
from brokers.kite.watchdog import Backoff, Stall, Watchdog
from core.errors import ConfigError
from core.kite import Mode, ticks_in

FORBIDDEN = 403
MOST_BYTES = 1 << 24  # of one message; 65,535 full packets are 12 MB
LOOK_S = 0.1  # how often the watchdog looks
CLOSE_S = 1.0  # for the server to agree that the connection is over
_log = logging.getLogger("vikalp.kite.socket")
_log.setLevel(logging.INFO)  # below it the handshake is logged, and with it the access token


class State(StrEnum):
    CONNECTING = "connecting"
    OPEN = "open"
    WAITING = "waiting before the next attempt"
    LOGIN_NEEDED = "login needed"


class StreamConfig(BaseModel, frozen=True, extra="forbid"):
    api_key: str
    root: str = Field(default="wss://ws.kite.trade", description="wss://…, or ws:// to this machine's own exchange")
    open_timeout_s: float = Field(default=10, gt=0, description="to connect, TLS and handshake, s")
    silent_s: float = Field(default=4, gt=0, description="no byte for so long: connect anew, s")
    no_ticks_s: float = Field(default=4, gt=0, description="no index tick while the market is open: connect anew, s")
    ping_s: float = Field(default=5, gt=0, description="between our pings, and how long one may go unanswered, s")
    first_delay_s: float = Field(default=0.5, gt=0, description="before the first attempt after a loss, s, at most")
    most_delay_s: float = Field(default=30, gt=0, description="the cap of the doubling delay, s")
    proven_s: float = Field(default=3, ge=0, description="a connection this old makes the next delay short again, s")

    @field_validator("root")
    @classmethod
    def _safe(cls, root: str) -> str:
        parts = urlsplit(root)
        host, more = parts.hostname or "", parts.query or parts.fragment or parts.username
        if not more and ((parts.scheme == "wss" and host) or (parts.scheme == "ws" and _is_loopback(host))):
            return root
        raise ValueError(f"root is wss://host, or ws:// to this machine (127.0.0.1, ::1, localhost), was {root!r}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Receiver(Protocol):
    """Where it all goes, called in the loop of `run`: take and return. An exception here ends `run` with it."""

    def on_frame(self, frame: bytes, received_ns: int) -> None:
        """A binary message, heartbeats included, undecoded; the machine's clock, UTC."""

    def on_text(self, kind: str, data: Any, received_ns: int) -> None:
        """An `order`, `error` or `message`, or what else the server calls it."""

    def on_state(self, state: State, why: str) -> None:
        """On OPEN the order book is to be compared: nothing is repeated of what was said meanwhile."""


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt ended; a count of this name goes up."""

    name: str
    why: str


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Never followed: the address holds the access token."""
        return exc


class Stream:
    """One socket for up to 3,000 instruments. `run` keeps it open until it is cancelled; call all of it in its loop.

    A loss, whichever, is followed by another attempt, and on each connection every instrument wanted is asked for once,
    with its mode. Only a 403 ends the attempts: the access token is dead, and a person has to log in. Have an index
    among the instruments of every socket: while the market is open its ticks prove that prices come; without one any
    tick counts, and a socket of quiet options would be taken for dead.
    """

    def __init__(
        self,
        config: StreamConfig,
        receiver: Receiver,
        *,
        market_open: Callable[[], bool],
        wall_ns: Callable[[], int] = time.time_ns,
        jitter: Callable[[], float] = random,
    ) -> None:
        """`market_open` says whether index ticks are due now."""
        self._config, self._receiver, self._market_open, self._wall_ns = config, receiver, market_open, wall_ns
        self._watchdog = Watchdog(silent_s=config.silent_s, no_ticks_s=config.no_ticks_s)
        self._backoff = Backoff(first_s=config.first_delay_s, most_s=config.most_delay_s, random=jitter)
        self._subscriptions = Subscriptions()
        self._changed, self._logged_in = asyncio.Event(), asyncio.Event()
        self._token = ""
        self._counts: Counter[str] = Counter()

    def login(self, access_token: str) -> None:
        """The day's token; taken for the next connection, and at once where one is waited for."""
        if not access_token:
            raise ConfigError("an access token is not empty; log in for one")
        self._token = access_token
        self._logged_in.set()

    def subscribe(self, modes: Mapping[int, Mode]) -> None:
        """All that this socket shall carry from now on, by token; InputError if that is too much for one."""
        self._subscriptions.want(modes)
        self._changed.set()

    def counts(self) -> Mapping[str, int]:
        """connections, frames, texts, bad_texts (no JSON object with a type); and attempts by how they ended."""
        return dict(self._counts)

    async def run(self) -> None:
        while True:
            if not self._token:
                self._logged_in.clear()
                self._receiver.on_state(State.LOGIN_NEEDED, "there is no valid access token; run: vikalp login")
                await self._logged_in.wait()
            token = self._token
            end = await self._attempt(token)
            self._counts[end.name] += 1
            if end.name == "forbidden":
                self._token = "" if self._token == token else self._token
                continue
            delay_s = self._backoff.next_s()
            self._receiver.on_state(State.WAITING, f"{end.why}; next attempt in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)

    async def _attempt(self, token: str) -> _End:
        self._receiver.on_state(State.CONNECTING, urlsplit(self._config.root).netloc)
        try:
            socket = await self._connect(token)
        except InvalidStatus as error:
            status = error.response.status_code
            if status == FORBIDDEN:
                return _End("forbidden", "the access token was refused")
            return _End("unreachable", f"the handshake was answered with HTTP {status}")
        except (OSError, WebSocketException, ImportError) as error:  # ImportError: for SOCKS a package is missing
            return _End("unreachable", f"{type(error).__name__}: {error}")
        began = asyncio.get_running_loop().time()
        try:
            return await self._live(socket)
        finally:
            if asyncio.get_running_loop().time() - began >= self._config.proven_s:
                self._backoff.reset()
            socket.transport.abort()

    async def _connect(self, token: str) -> ClientConnection:
        config = self._config
        query = urlencode({"api_key": config.api_key, "access_token": token})
        tls: dict[str, Any] = {"proxy": None}
        if urlsplit(config.root).scheme == "wss":
            tls = {"ssl": ssl.create_default_context()}
        return await _Connect(
            f"{config.root}?{query}", additional_headers={"X-Kite-Version": "3"}, compression=None, logger=_log,
            open_timeout=config.open_timeout_s, ping_interval=config.ping_s, ping_timeout=config.ping_s,
            close_timeout=CLOSE_S, max_size=MOST_BYTES, **tls,
        )  # fmt: skip

    async def _live(self, socket: ClientConnection) -> _End:
        self._counts["connections"] += 1
        self._watchdog.opened(asyncio.get_running_loop().time())
        self._subscriptions.opened()
        self._changed.set()
        self._receiver.on_state(State.OPEN, "")
        tasks = [asyncio.create_task(work(socket)) for work in (self._read, self._ask, self._watch)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> _End:
        now = asyncio.get_running_loop().time
        while True:
            try:
                message = await socket.recv()
            except ConnectionClosed as error:
                return _End("dropped", f"the connection was lost: {error}")
            received_ns = self._wall_ns()
            if isinstance(message, bytes):
                self._counts["frames"] += 1
                tick = ticks_in(message, index_only=self._subscriptions.has_index()) > 0
                self._watchdog.heard(now(), tick=tick)
                self._receiver.on_frame(message, received_ns)
            else:
                self._watchdog.heard(now(), tick=False)
                self._text(message, received_ns)

    def _text(self, message: str, received_ns: int) -> None:
        try:
            said = json.loads(message)
            kind, data = str(said["type"]), said.get("data")
        except (ValueError, TypeError, KeyError, RecursionError):
            self._counts["bad_texts"] += 1
            return
        self._counts["texts"] += 1
        self._receiver.on_text(kind, data, received_ns)

    async def _ask(self, socket: ClientConnection) -> _End:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for message in self._subscriptions.messages():
                try:
                    await socket.send(message)
                except ConnectionClosed as error:
                    return _End("dropped", f"the connection was lost: {error}")

    async def _watch(self, _: ClientConnection) -> _End:
        now, late = asyncio.get_running_loop().time, False
        while True:
            began = now()
            await asyncio.sleep(LOOK_S)
            late = not late and now() - began > 2 * LOOK_S
            if late:  # this process stood still, not the line: what has come meanwhile is read first
                continue
            due = bool(self._subscriptions.wanted) and self._market_open()
            stall = self._watchdog.stalled(now(), ticks_due=due)
            if stall:
                limit_s = self._config.silent_s if stall is Stall.SILENT else self._config.no_ticks_s
                return _End(stall.name.lower(), f"{stall.value} for {limit_s:g} s")
