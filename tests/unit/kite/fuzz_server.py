"""A server that answers each request with the bytes of a `Reply`, and does to the connection what it says."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.unit.kite.fuzz_bodies import Reply

BEFORE_A_BYTE_S = 0.05  # of a drip
Answer = Callable[[str, str], Reply]


class Server:
    """Listens on loopback from `with` on. `answer` is asked by method and path, once a request; all are in `asked`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str]] = []
        self.connections = 0
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.root = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                line, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as reading, suppress(OSError):
            while (first := reading.readline()).strip():
                method, path, _ = first.decode("latin-1").split(" ", 2)
                length = 0
                while header := reading.readline().strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                reading.read(length)
                self.asked.append((method, path))
                if not self._say(line, self._answer(method, path.partition("?")[0])):
                    return

    def _say(self, line: socket.socket, reply: Reply) -> bool:
        """Send it; False where the connection is over."""
        if reply.fault == "silence":
            self._over.wait(10)
            return False
        if reply.fault == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply.fault in {"gone", "reset"}:
            return False
        sent = wire(reply)
        if reply.fault == "drip":
            head = sent.index(b"\r\n\r\n") + 4
            line.sendall(sent[:head])
            for byte in sent[head:]:
                line.sendall(bytes([byte]))
                if self._over.wait(BEFORE_A_BYTE_S):
                    break
            return False
        line.sendall(sent)
        return reply.fault in {"", "trailing"} and reply.framing != "none"


def wire(reply: Reply) -> bytes:
    """Every byte that is sent of it."""
    lines = [f"{name}: {value}" for name, value in reply.headers]
    body = reply.body
    if reply.framing == "length":
        more = 50 if reply.fault == "longer" else 0
        lines.append(f"Content-Length: {len(body) + more}")
    elif reply.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        half = len(body) // 2
        parts = [part for part in (body[:half], body[half:]) if part]
        ending = b"zz\r\n" if reply.fault == "longer" else b"0\r\n\r\n"
        body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + ending
    head = "\r\n".join((f"HTTP/1.1 {reply.status} Said", *lines, "", "")).encode("latin-1", "replace")
    if reply.fault == "noise":
        head = b"\x15\x03\x01" + head[9:]
    if reply.fault == "cut":
        whole = head + body
        return whole[: len(whole) - 8 - len(body) * (len(whole) % 3) // 3]  # more than the end of the last chunk
    return head + body + (head + body if reply.fault == "trailing" else b"")
