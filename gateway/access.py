"""Who may talk to the gateway: this machine's own pages, and for orders whoever can read the desk's token.

A page of any site may send requests to 127.0.0.1, or name it as its own host (DNS rebinding). So the Host header must
be a loopback name, and an Origin, where the browser sends one, must be this gateway; web sockets included.
"""

import hmac
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.records import Who

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Of the request that is served: each is a task of its own, and a worker thread it waits for has a copy.
_CALLER: ContextVar[Who | None] = ContextVar("caller", default=None)


def caller() -> Who:
    """Who the gateway speaks to the desk for: the API's or the page's user and where it is; the gateway itself."""
    return _CALLER.get() or Who(user_id="gateway")


def speaks_for(who: Who) -> None:
    """From now on, in this task."""
    _CALLER.set(who)


def loopback_host(host: str) -> bool:
    """Whether a Host header, with or without port, names this machine."""
    return urlsplit(f"//{host}").hostname in LOOPBACK


def own_origin(origin: str, host: str) -> bool:
    """Whether an Origin header is the page of the same host and port that the request was sent to."""
    parts = urlsplit(origin)
    return parts.scheme == "http" and parts.netloc == host and loopback_host(host)


class LoopbackOnly:
    """ASGI middleware: refuses a foreign Host (421) or Origin (403) before anything else sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not loopback_host(host):
            refusal = PlainTextResponse(f"host {host!r} is not this machine: open http://127.0.0.1\n", status_code=421)
        elif origin is not None and not own_origin(origin, host):
            refusal = PlainTextResponse(f"origin {origin!r} is not this page\n", status_code=403)
        else:
            speaks_for(who_of("API", scope.get("client"), headers))
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)


def who_of(name: str, client: tuple[str, int] | None, headers: Headers) -> Who:
    """Whoever sent a request: address and program as the connection and the browser tell them."""
    return Who(user_id=name, ip_address=client[0] if client else "", user_agent=headers.get("user-agent", ""))


def check_bearer(header: str | None, token_path: str) -> None:
    """Raise 401 unless `header` is `Bearer` and the desk's token; 503 when the token cannot be read."""
    try:
        token = Path(token_path).read_text().strip()
    except OSError as error:
        said = f"the desk's token at {token_path!r} cannot be read: {error.strerror}"
        raise HTTPException(503, said) from error
    given = (header or "").removeprefix("Bearer ").strip()
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise HTTPException(
            401,
            "this needs the desk's token: send the header `Authorization: Bearer TOKEN`; `vikalp env` says where it is",
            headers={"WWW-Authenticate": "Bearer"},
        )
