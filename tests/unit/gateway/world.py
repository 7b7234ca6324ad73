"""A gateway without a server: the API on a store and a desk in this process."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.context import Context
from gateway.poll import DeskPoll
from gateway.server import make_api
from gateway.store import ChainStore
from tests.e2e import synthetic
from tests.e2e.fake_account import FakeClock
from tests.e2e.fake_desk import FakeDesk

TOKEN = "sekrit"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
INDICES = ("NIFTY", "SENSEX")


class Client:
    """Requests to an app in this process, without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("GET", path, more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("POST", path, more)

    def patch(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("PATCH", path, more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("DELETE", path, more)

    def _ask(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


class World:
    def __init__(self, folder: Path, *, keep: int = 3) -> None:
        self.clock = FakeClock()
        self.desk = FakeDesk(self.clock)
        self.store = ChainStore(INDICES, keep)
        self.poll = DeskPoll(self.desk, self.clock, 1.0)
        token = folder / "token"
        token.write_text(TOKEN)
        self.context = Context(
            store=self.store,
            poll=self.poll,
            desk=self.desk,
            clock=self.clock,
            token_path=str(token),
            push_s=0.3,
            stale_s=5.0,
        )
        self.client = Client(make_api(self.context))

    def fill(self, sequences: int = 1) -> None:
        for n in range(1, sequences + 1):
            for index in INDICES:
                self.store.put(synthetic.chain(index, n), self.clock.wall_ns())
        self.poll.once()
