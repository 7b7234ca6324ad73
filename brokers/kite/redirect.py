"""Where the browser comes back to after a login: one address on this machine, for one redirect."""

import errno
import hmac
import queue
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from brokers.kite.login import SUCCESS_PATH, request_token_of
from core.errors import BrokerDown, ConfigError

PAGE = """<!doctype html><meta charset="utf-8"><title>Vikalp</title>
<body style="font-family: system-ui; max-width: 32rem; margin: 4rem auto"><h1>Vikalp</h1><p>{words}</p></body>"""
ARRIVED = "Kite's answer has arrived. The terminal says whose session it is; this page can be closed."
ALIEN = "This redirect does not belong to the login that is waiting. Start again in the terminal: vikalp login"
LATE = "An answer has arrived already. See the terminal."


class Redirect:
    """Listens from `with` on. `state` is what the login page was told to send back: no other page can log one in."""

    def __init__(self, port: int, state: str) -> None:
        self._port, self._state = port, state
        self._queries: queue.Queue[str] = queue.Queue()
        self._first = threading.Lock()  # taken by the one answer that counts

    def __enter__(self) -> Self:
        """Raises ConfigError if the port cannot be had."""
        try:
            self._server = _Server(("127.0.0.1", self._port), _Handler)
        except OSError as error:
            used = error.errno == errno.EADDRINUSE
            why = "is used by another program: end it" if used else f"cannot be opened ({error.strerror})"
            raise ConfigError(
                f"port {self._port} of 127.0.0.1, where the login comes back, {why}; or: vikalp login --token"
            ) from None
        self._server.redirect = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self, timeout_s: float) -> str:
        """The request token. Raises BrokerDown when none comes in time, InputError when Kite says no."""
        try:
            return request_token_of(self._queries.get(timeout=timeout_s))
        except queue.Empty:
            raise BrokerDown(
                f"nobody logged in within {timeout_s:g} s: try again, or paste the address the browser shows: "
                "vikalp login --token"
            ) from None

    def answer(self, path: str) -> tuple[int, str, str | None]:
        """HTTP status and words for a request, and the query to take once they are sent."""
        place, _, query = path.partition("?")
        if place != SUCCESS_PATH:
            return 404, "There is nothing here.", None
        state = parse_qs(query).get("state", [""])[-1]
        if not hmac.compare_digest(state.encode(), self._state.encode()):
            return 400, ALIEN, None
        if not self._first.acquire(blocking=False):
            return 410, LATE, None
        return 200, ARRIVED, query

    def take(self, query: str) -> None:
        self._queries.put(query)


class _Server(ThreadingHTTPServer):
    """A thread a connection: browsers open some that they never use."""

    daemon_threads = True
    redirect: Redirect


class _Handler(BaseHTTPRequestHandler):
    timeout = 10.0
    server_version, sys_version = "Vikalp", ""

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        status, words, query = self.server.redirect.answer(self.path)
        with suppress(ConnectionError):  # a browser that has gone has brought its answer all the same
            self._send(status, PAGE.format(words=words).encode())
        if query is not None:
            self.server.redirect.take(query)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the line would hold the request token."""
