"""The web server in its own thread: messages of the bus and requests of browsers do not wait for each other."""

import socket
import threading
import time
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from core.errors import ConfigError, DeskError
from gateway.access import LoopbackOnly
from gateway.api import mutations, reads
from gateway.commands import commands
from gateway.context import Context

HOST = "127.0.0.1"


def make_api(context: Context) -> FastAPI:
    """The API alone, without the page: what tests of the API need."""
    # With Swagger UI's files of its own: FastAPI's pages have the browser fetch them from another host.
    app = FastAPIOffline(redoc_url=None, title="Vikalp", summary="Options desk for Indian index options")
    app.include_router(reads(context))
    app.include_router(mutations(context))
    app.include_router(commands(context))
    app.add_middleware(LoopbackOnly)
    return app


class WebServer:
    """uvicorn on loopback; `start` returns when it answers."""

    def __init__(self, app: Any, port: int) -> None:
        self.failure: BaseException | None = None
        self._port = port
        # A browser keeps its socket open for ever: at the end it is closed, not waited for.
        settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(settings)
        self._thread: threading.Thread | None = None

    def start(self, limit_s: float = 20.0) -> None:
        """Bind and serve; raises ConfigError for a port in use, DeskError when nothing answers in `limit_s`."""
        listener = _listen(self._port)
        self._thread = threading.Thread(target=self._run, args=(listener,), name="web", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + limit_s
        while not self._server.started:
            if self.failure is not None or not self._thread.is_alive() or time.monotonic() > deadline:
                self._server.should_exit = True
                raise DeskError(f"the web server did not start on port {self._port}: {self.failure!r}")
            time.sleep(0.02)

    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except BaseException as error:
            self.failure = error
            raise
        finally:
            listener.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} for the page cannot be used: {error.strerror}; choose another desk") from error
    return listener
