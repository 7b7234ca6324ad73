"""Alerts in their order, kept until a ledger has taken them: an alarm about the ledger cannot wait on it."""

from collections.abc import Callable

import structlog

from core.errors import InputError, LedgerDown
from core.records import Alert

log = structlog.get_logger()
KEPT = 50


class Alerts:
    """`record` commits one, and raises as the ledger. `latest` are those of this process, oldest first."""

    def __init__(self, record: Callable[[Alert], None]) -> None:
        self._record = record
        self._unsaid: list[Alert] = []
        self.latest: tuple[Alert, ...] = ()

    def add(self, alert: Alert) -> None:
        """Record it now, or as soon as `say` can."""
        self.latest = (*self.latest, alert)[-KEPT:]
        self._unsaid.append(alert)
        self.say()

    def say(self) -> None:
        """Record those that have had to wait; one the ledger cannot hold goes to the log, and stops no other."""
        while self._unsaid:
            alert = self._unsaid[0]
            try:
                self._record(alert)
            except LedgerDown:
                return
            except InputError as error:
                log.warning(
                    "an alert the ledger cannot hold", subject=alert.subject, said=alert.message, error=f"{error}"
                )
            del self._unsaid[0]
