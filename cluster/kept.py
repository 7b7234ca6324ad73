"""A server that is started again when it dies: at once, then ever more rarely while it does not start."""

from typing import Protocol

BACK_OFF_S = (1.0, 2.0, 5.0, 10.0)  # and every 10 s from then on


class Server(Protocol):
    """storage.postgres.PostgresServer, as far as it is needed here."""

    @property
    def alive(self) -> bool: ...

    def start(self) -> None: ...


class Kept:
    """Guarantees: one start at most in each `look`, and a start that fails is said and tried again, never raised."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name
        self._failed, self._due_s = 0, 0.0

    def look(self, now_s: float) -> str:
        """Start it if it is gone and the time has come; what happened in words, empty when nothing did."""
        if self._server.alive:
            self._failed = 0
            return ""
        if self._failed and now_s < self._due_s:
            return ""
        try:
            self._server.start()
        except Exception as error:
            wait = BACK_OFF_S[min(self._failed, len(BACK_OFF_S) - 1)]
            self._failed, self._due_s = self._failed + 1, now_s + wait
            return f"ALARM: {self._name} does not start again, next try in {wait:g} s: {error}"
        self._failed = 0
        return f"{self._name} had ended and runs again"
