"""The line of one bus to one actor's guard: messages there, an answer back, one call at a time.

Ray finds the other end, starts it again and lets in who may come; the messages do not go through it. An actor call of
80 kB costs 1.9 ms of processor time in its two processes, a line 0.4 ms, and the desk makes some two hundred a second
(docs/decisions.md).
"""

import os
import pickle
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from typing import Any, NamedTuple

import ray
import structlog

from core.errors import DeskError, VikalpError

log = structlog.get_logger()
FIND_S = 2.0  # for an actor to say where its line is
HELLO_S = 5  # to connect, and for each read of a handshake
VANISHED_S = 20  # what was sent and not acknowledged for so long went to a machine that is not there
GONE = (OSError, EOFError)  # nobody is there any more


class Address(NamedTuple):
    """Where an actor's lines end, and the key to them: who may ask it through Ray may call."""

    host: str
    port: int
    key: bytes


class Line:
    """The caller's end. Of one thread at a time."""

    def __init__(self, address: Address) -> None:
        """An error of GONE where nobody answers there, or somebody else."""
        with socket.create_connection((address.host, address.port), HELLO_S) as end:
            end.settimeout(None)
            self._connection: Connection[Any, Any] = Connection(end.detach())
        with _hello(self._connection):
            answer_challenge(self._connection, address.key)
            deliver_challenge(self._connection, address.key)

    @property
    def over(self) -> bool:
        """The other end is gone: nothing was asked, so there is nothing else that could be read."""
        return self._connection.poll(0)

    def ask(self, messages: Any, within_s: float | None = None) -> Any:
        """The answer. DeskError: it refused, in its words; an error of GONE: nobody knows what was taken.

        TimeoutError, which is an OSError, when `within_s` after it was sent; what comes later is lost with this line.
        """
        self._connection.send_bytes(pickle.dumps(messages, protocol=5))
        if within_s is not None and not self._connection.poll(within_s):
            self.close()
            raise TimeoutError(f"no answer within {within_s:g} s")
        answer, error = self._connection.recv()
        if error:
            raise DeskError(error)
        return answer

    def close(self) -> None:
        self._connection.close()


class Switchboard:
    """The called end: a thread for each caller; `take(messages)` gives the answer, a VikalpError refuses."""

    def __init__(self, take: Callable[[Any], Any]) -> None:
        self._take, self._key = take, os.urandom(32)
        self._listener = Listener((ray.util.get_node_ip_address(), 0), backlog=64)
        threading.Thread(target=self._accept, name="lines", daemon=True).start()

    @property
    def address(self) -> Address:
        host, port = self._listener.address
        return Address(str(host), int(port), self._key)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError as error:  # no room for another connection
                log.warning("a line could not be taken", error=str(error))
                time.sleep(1.0)
                continue
            try:
                threading.Thread(target=self._serve, args=(connection,), name="line", daemon=True).start()
            except RuntimeError as error:  # no room for another thread
                log.warning("a line could not be taken", error=str(error))
                connection.close()

    def _serve(self, connection: "Connection[Any, Any]") -> None:
        """Until the caller is gone. One without the key hears nothing."""
        try:
            with _hello(connection):
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
            while True:
                connection.send(self._answer(connection.recv()))
        except GONE:
            pass
        except Exception:  # what was sent cannot be read: whoever sent it counts it, or sends it again
            log.exception("a line ended")
        finally:
            connection.close()

    def _answer(self, messages: Any) -> tuple[Any, str]:
        try:
            return self._take(messages), ""
        except VikalpError as error:
            return None, f"{type(error).__name__}: {error}"


def find(name: str, namespace: str) -> Line:
    """A line to the actor `name`; ValueError, RayError or an error of GONE where there is none yet, or no more.

    DeskError while it is opening.
    """
    where = ray.get(ray.get_actor(name, namespace).line.remote(), timeout=FIND_S)
    return Line(where)


@contextmanager
def _hello(connection: "Connection[Any, Any]") -> Iterator[None]:
    """A handshake, each read of it within HELLO_S, or an error of GONE; afterwards the line waits as long as it takes.

    Small messages do not wait for more, and a machine that vanished is noticed after some 20 s.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_S * 1000)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, VANISHED_S // 4)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, VANISHED_S // 4)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", HELLO_S, 0))
        try:
            yield
        except (AuthenticationError, AssertionError) as error:  # AssertionError: another program, another language
            raise ConnectionRefusedError(f"no line of ours: {error}") from error
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
