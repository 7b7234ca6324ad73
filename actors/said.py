"""What an actor has to say to people."""

from collections.abc import Callable
from typing import Literal

from core.records import Alert

KEPT = 20


class Said:
    """The latest alerts, oldest first; the same is said again only after `repeat_ns` of the wall."""

    def __init__(self, subject: str, wall_ns: Callable[[], int], repeat_ns: int) -> None:
        self._subject, self._wall_ns, self._repeat_ns = subject, wall_ns, repeat_ns
        self.alerts: tuple[Alert, ...] = ()

    def say(self, severity: Literal["info", "warning", "alarm"], message: str) -> None:
        alert = Alert(at_wall_ns=self._wall_ns(), severity=severity, subject=self._subject, message=message)
        same = (one for one in self.alerts if (one.severity, one.message) == (severity, message))
        if all(alert.at_wall_ns - one.at_wall_ns >= self._repeat_ns for one in same):
            self.alerts = (*self.alerts, alert)[-KEPT:]
