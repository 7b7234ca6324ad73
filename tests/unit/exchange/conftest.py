"""A local exchange in a thread of the test's process, and the unmodified client logged in to it."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Self
from urllib.parse import parse_qs, urlparse

import pytest
import requests
import uvicorn
from kiteconnect import KiteConnect

from exchange.limits import Rates
from exchange.server.app import build
from exchange.world import World, WorldConfig

DATE = dt.date(2026, 11, 20)


class Served:
    """The app of a world behind a real socket."""

    def __init__(self, world: World) -> None:
        self.world = world
        config = uvicorn.Config(build(world), host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True  # an answer that never comes is not waited for
        self._thread.join(10)

    @property
    def root(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def client(self) -> KiteConnect:
        """A client that has been through the login page."""
        kite = KiteConnect(api_key="vikalp", root=self.root)
        answer = requests.get(f"{self.root}/connect/login?v=3&api_key=vikalp", allow_redirects=False, timeout=5)
        token = parse_qs(urlparse(answer.headers["location"]).query)["request_token"][0]
        kite.set_access_token(kite.generate_session(token, api_secret="vikalp")["access_token"])
        return kite


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A market two indices wide, half an hour old, without limits."""
    world = World(WorldConfig(date=DATE, indices=("NIFTY", "SENSEX"), rates=Rates(enforced=False)))
    world.step()
    world.clock.jump(1800 * 1_000_000_000)
    world.step()
    with Served(world) as server:
        yield server
