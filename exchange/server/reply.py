"""Kite's envelope: every answer has a Content-Type, every error an error_type, else its client crashes (kite.md §2)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from exchange.refusal import KiteError


def success(data: Any) -> JSONResponse:
    return JSONResponse({"status": "success", "data": data})


def error(status: int, error_type: str, message: str) -> JSONResponse:
    body = {"status": "error", "message": message, "data": None, "error_type": error_type}
    return JSONResponse(body, status_code=status)


async def refused(_: Request, why: Exception) -> Response:
    """For Starlette: a KiteError as Kite sends it."""
    assert isinstance(why, KiteError)
    return error(why.status, why.error_type, why.message)


async def unforeseen(_: Request, __: Exception) -> Response:
    """For Starlette, which logs it: a fault of ours, in an envelope that a client can read."""
    return error(500, "GeneralException", "Something unexpected happened")


async def gateway(_: Request, __: Exception) -> Response:
    """For Starlette: what a content network says when the broker behind it does not answer."""
    return HTMLResponse("<html><head><title>502 Bad Gateway</title></head><body>502</body></html>", status_code=502)


class Broken(Response):
    """An answer that ends in its first words: the server closes the connection behind what is not whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 ASGI's
        headers = [(b"content-type", b"application/json"), (b"content-length", b"64")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"status": "succ', "more_body": True})
