"""Where the process of an order manager may end: before and after everything by which it leaves a mark.

Every write to the ledger, everything sent to the broker, everything told to risk. What it only reads leaves none: a
process that ends there is one that ended after its last mark.
"""

from collections.abc import Callable
from typing import Any

MARKS: dict[str, tuple[str, ...]] = {
    "ledger": (
        "take_epoch", "journal_intent", "record_refusal", "record_order", "record_fill", "record_settlement",
        "record_standing", "record_risk_event", "record_alert",
    ),
    "broker": ("place", "modify", "cancel"),
    "risk": ("check", "book", "rests", "release", "settle"),
}  # fmt: skip


class Crash(BaseException):
    """The process ended here: nothing after this line ran, and nothing catches it."""


def crash() -> None:
    raise Crash


class Trap:
    """Counts the points that a process passes, and ends it at one of them: the `at`-th, from 1; never for 0."""

    def __init__(self, at: int = 0, end: Callable[[], None] = crash) -> None:
        self.at, self._end = at, end
        self.passed: list[str] = []

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if len(self.passed) == self.at:
            self._end()

    def wrap(self, name: str, port: object) -> "Tap":
        return Tap(name, port, self)


class Tap:
    """A port whose marks pass a trap: `ledger.journal_intent before`, `ledger.journal_intent after`."""

    def __init__(self, name: str, port: object, trap: Trap) -> None:
        self._name, self._port, self._trap = name, port, trap

    def __getattr__(self, method: str) -> Any:
        value = getattr(self._port, method)
        if method not in MARKS[self._name]:
            return value

        def marked(*args: Any, **kwargs: Any) -> Any:
            self._trap(f"{self._name}.{method} before")
            answer = value(*args, **kwargs)
            self._trap(f"{self._name}.{method} after")
            return answer

        return marked
