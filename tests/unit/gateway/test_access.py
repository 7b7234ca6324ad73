"""Sockets pass the same door as requests: a foreign page must not reach NiceGUI's."""

import asyncio
from typing import Any

import pytest

from gateway.access import LoopbackOnly


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
