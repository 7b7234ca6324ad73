"""A line to PostgreSQL that can be cut: both ends stay connected, and hear nothing more of each other."""

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

PART = 1 << 16


class Line:
    """Listens on loopback from the start on; `dsn` leads through it."""

    def __init__(self, dsn: str) -> None:
        """`dsn` has the port in its query, and PostgreSQL listens on it on loopback too."""
        parts = urlsplit(dsn)
        self._port = int(parse_qs(parts.query)["port"][0])
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        password = quote(parts.password or "", safe="")
        self.dsn = urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@127.0.0.1:{port}", query=""))
        self._asks, self._answers = threading.Event(), threading.Event()
        self._sockets: list[socket.socket] = []
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, answers_alone: bool = False) -> None:
        """Nothing passes any more; or what is asked does, and is done, and no answer."""
        self._answers.clear()
        if not answers_alone:
            self._asks.clear()

    def heal(self) -> None:
        self._asks.set()
        self._answers.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        for one in [self._listening, *self._sockets]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [near, far]
                for one, other, passes in ((near, far, self._asks), (far, near, self._answers)):
                    threading.Thread(target=_pass, args=(one, other, passes), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket, passes: threading.Event) -> None:
    with suppress(OSError):
        while part := one.recv(PART):
            passes.wait()
            other.sendall(part)
        other.shutdown(socket.SHUT_WR)
