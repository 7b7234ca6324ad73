"""Sockets pass the same door as requests: a foreign page must not reach NiceGUI's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.records import Order
from gateway.access import LoopbackOnly, caller
from tests.unit.gateway.world import BEARER, World


def knock(host: str, origin: str | None) -> tuple[list[str], list[dict[str, Any]]]:
    """(what the app behind the door saw, what was sent back) for one web socket."""
    seen: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    asyncio.run(LoopbackOnly(app)({"type": "websocket", "headers": headers}, receive, send))
    return seen, sent


@pytest.mark.parametrize(
    ("host", "origin"),
    [("evil.example", None), ("127.0.0.1:8000", "http://evil.example"), ("127.0.0.1:8000", "http://127.0.0.1:9000")],
)
def test_a_foreign_socket_is_closed_before_the_app_sees_it(host: str, origin: str | None) -> None:
    seen, sent = knock(host, origin)

    assert seen == []
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_pages_own_socket_passes() -> None:
    assert knock("localhost:8000", "http://localhost:8000") == (["websocket"], [])


def test_the_desk_hears_for_whom_the_gateway_asks_and_from_where(tmp_path: Path) -> None:
    world, heard = World(tmp_path), []
    cancel = world.desk.cancel

    def hears(tag: str) -> Order:
        heard.append(caller())
        return cancel(tag)

    world.desk.cancel = hears  # type: ignore[method-assign]
    for agent in ("curl/8", "Firefox"):
        world.client.delete("/api/orders/T", headers=BEARER | {"user-agent": agent})

    assert [(who.user_id, who.ip_address, who.user_agent) for who in heard] == [
        ("API", "127.0.0.1", agent) for agent in ("curl/8", "Firefox")
    ]
    assert caller().user_id == "gateway"
