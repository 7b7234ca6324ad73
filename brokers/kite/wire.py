"""What goes to Kite, while it may, and what comes back, looked at before its client looks.

The client reads neither the HTTP status nor the time: a limit on each byte is no limit on an answer that trickles, and
a 500 whose body says success is taken for one.

And an order must not leave long after somebody wanted it. Whoever sends it may be stopped between that and the socket,
by a signal, by swapping, with its machine; so the connection itself looks at the clock, right before it writes. What is
written and not acknowledged the kernel would send again for a quarter of an hour, also for a process that has ended:
after UNACKNOWLEDGED_MS it gives the connection up.
"""

import io
import math
import socket
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import pool_classes_by_scheme

T = TypeVar("T")
UNACKNOWLEDGED_MS = 5_000  # longer than any call of the order manager's broker
WHOLE_S = 30.0  # for all of a body, once its head is here; the instrument dump of an exchange takes seconds
MOST_BYTES = 64 << 20  # of a body, unpacked; the dump of every exchange has some 15 MB
PART = 1 << 16


class Unreadable(requests.RequestException):
    """An answer that says two things at once, or that does not end. Nothing can be concluded from it."""


class TooMany(requests.RequestException):
    """A 429 that is not in Kite's envelope; nobody documents its body, so that of a real one must not matter."""


class TooLate(requests.RequestException):
    """The time for a request was over before all of it was written: nobody can act on what was."""


_until: ContextVar[float] = ContextVar("until", default=math.inf)  # of time.monotonic, in the thread that sends


def no_later(until: float, ask: Callable[[], T]) -> T:
    """What `ask` gives or raises; nothing that it asks of a Wire is written after `until` of time.monotonic."""
    before = _until.set(until)
    try:
        return ask()
    finally:
        _until.reset(before)


class _Timely:
    """A connection that writes a request in time or not at all."""

    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        if time.monotonic() > _until.get():
            raise TooLate("not sent: the time for it was over")
        super().send(data)  # type: ignore[misc]


class _Plain(_Timely, HTTPConnection):
    pass


class _Secure(_Timely, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def _socket_options() -> list[tuple[int, int, int]]:
    most = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
    mine = [] if most is None else [(socket.IPPROTO_TCP, most, UNACKNOWLEDGED_MS)]
    return [*HTTPConnection.default_socket_options, *mine]


def _timely(manager: PoolManager) -> PoolManager:
    if manager.pool_classes_by_scheme is pool_classes_by_scheme:  # a SOCKS proxy's connections are of its own kind
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return manager


class Wire(HTTPAdapter):
    """Writes each request in time, reads each body whole, within WHOLE_S and MOST_BYTES, and never asks twice."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, socket_options=_socket_options(), **kwargs)
        _timely(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        return _timely(super().proxy_manager_for(proxy, socket_options=_socket_options(), **kwargs))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises what requests raises, Unreadable and TooMany."""
        response = super().send(request, *args, **kwargs)
        try:
            _read(response)
        except requests.RequestException as error:
            if response.status_code == requests.codes.too_many_requests:
                raise TooMany(f"too many requests (HTTP 429): {error}") from error
            raise
        return response


def _read(response: requests.Response) -> None:
    """All of its body, which must say what its status says."""
    raw = response.raw
    try:
        response.raw = io.BytesIO(_body(raw))
    except (HTTPError, OSError, ValueError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    finally:
        raw.close()  # all of it was read, and the connection is another call's, or it is of no more use
    _agrees(response)
    if response.status_code == requests.codes.too_many_requests and not _is_refusal(response):
        raise Unreadable("its body is none of Kite's")


def _body(raw: Any) -> bytes:
    read, until = bytearray(), time.monotonic() + WHOLE_S
    while part := raw.read1(PART, decode_content=True):
        read += part
        if len(read) > MOST_BYTES or time.monotonic() > until:
            raise Unreadable(f"the answer did not end within {WHOLE_S:g} s and {MOST_BYTES} bytes; it had {len(read)}")
    return bytes(read)


def _agrees(response: requests.Response) -> None:
    """Unreadable unless status, Content-Type and envelope say the same: done with data, or refused without."""
    kind, done = response.headers.get("content-type", ""), response.status_code == requests.codes.ok
    if "json" not in kind:
        if "csv" in kind and not done:
            raise Unreadable(f"the answer contradicts itself: HTTP {response.status_code} with data")
        return
    try:
        said = response.json()
    except ValueError:
        return  # the client says so itself
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    if not isinstance(said, dict):
        return
    word, kind_of_error = said.get("status"), said.get("error_type")
    accepted = word == "success" and done and not kind_of_error
    refused = word == "error" and kind_of_error != "" and not said.get("data")  # without a name the client invents one
    if not (accepted or refused):
        raise Unreadable(f"the answer contradicts itself: HTTP {response.status_code} with status {word!r:.20}")


def _is_refusal(response: requests.Response) -> bool:
    """Whether the client can read it as an error of Kite's."""
    if "json" not in response.headers.get("content-type", ""):
        return False
    try:
        said = response.json()
    except ValueError:
        return False
    if not (isinstance(said, dict) and said.get("status") == "error" and isinstance(said.get("message"), str)):
        return False
    return str(said.get("error_type")).endswith("Exception")
