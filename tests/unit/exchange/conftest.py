"""A local exchange in a thread of the test's process, and the unmodified client logged in to it."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self, TypeVar
from urllib.parse import parse_qs, urlparse

import pytest
import requests
import uvicorn
from kiteconnect import KiteConnect

from exchange.limits import Rates
from exchange.server.app import build
from exchange.world import World, WorldConfig

T = TypeVar("T")
DATE = dt.date(2026, 11, 20)


class Wall:
    """The clock on the wall, which a test can set on for all of a world."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self._ahead_ns

    def on(self, seconds: float) -> None:
        self._ahead_ns += round(seconds * 1e9)


class Served:
    """The app of a world behind a real socket."""

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        config = uvicorn.Config(build(world), host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        until = time.monotonic() + 60
        while not self._server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True  # an answer that never comes is not waited for
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not end"

    @property
    def root(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def do(self, act: Callable[[], T]) -> T:
        """Change the world between two steps of the server, in its own thread."""

        async def acted() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acted(), self._server.servers[0].get_loop()).result(30)

    def client(self) -> KiteConnect:
        """A client that has been through the login page."""
        kite = KiteConnect(api_key="vikalp", root=self.root)
        answer = requests.get(f"{self.root}/connect/login?v=3&api_key=vikalp", allow_redirects=False, timeout=30)
        token = parse_qs(urlparse(answer.headers["location"]).query)["request_token"][0]
        kite.set_access_token(kite.generate_session(token, api_secret="vikalp")["access_token"])
        return kite


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A market two indices wide, half an hour old, without limits."""
    wall = Wall()
    world = World(WorldConfig(date=DATE, indices=("NIFTY", "SENSEX"), rates=Rates(enforced=False)), wall=wall)
    world.step()
    wall.on(1800)
    world.step()
    with Served(world) as server:
        yield server


@pytest.fixture
def wall(served: Served) -> Wall:
    """The wall of the world that is served."""
    assert isinstance(served.world.wall, Wall)
    return served.world.wall
