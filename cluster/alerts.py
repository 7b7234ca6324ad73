"""The desk's alerts, newest last, for the page and `vikalp status`: the supervisor's own and what actors told it.

Its own, and those of actors that have no ledger, are written down by a thread that may wait for it; the others write
what they raise themselves.
"""

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

import structlog

from core.errors import InputError, VikalpError
from core.ports import Ledger
from core.records import Alert

log = structlog.get_logger()
KEPT = 50
REPEAT_NS = 30_000_000_000  # the same subject and message are not said again within this
PING_S = 2.0


class AlertDesk:
    """Raising never blocks. An alert the ledger did not take stays queued until it does."""

    def __init__(self, ledger: Ledger | None, *, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._ledger, self._wall_ns = ledger, wall_ns
        self._latest: deque[Alert] = deque(maxlen=KEPT)
        self._said: dict[tuple[str, str], int] = {}
        self._heard: dict[str, tuple[Alert, ...]] = {}
        self._saying = threading.Lock()
        self._queue: queue.Queue[Alert] = queue.Queue(maxsize=1000)
        self.ledger_ok = False
        if ledger is not None:
            threading.Thread(target=self._run, args=(ledger,), name="alerts", daemon=True).start()

    def raise_(self, severity: Literal["info", "warning", "alarm"], subject: str, message: str) -> None:
        now = self._wall_ns()
        alert = Alert(at_wall_ns=now, severity=severity, subject=subject, message=message)
        with self._saying:  # the supervisor's loop and an actor's report may both have something to say
            if not self._is_new((subject, message), now):
                return
            self._latest.append(alert)
        log.warning("alert", severity=severity, subject=subject, message=message)
        self._keep(alert)

    def heard(self, source: str, alerts: tuple[Alert, ...], *, write: bool = False) -> None:
        """`alerts` are the latest of actor `source`: show those it had not raised when it was last heard.

        `write`: it has no ledger of its own.
        """
        with self._saying:
            before = self._heard.get(source, ())
            self._heard[source] = alerts
            new = [alert for alert in alerts if alert not in before]
            if new:
                self._latest = deque(sorted([*self._latest, *new], key=lambda alert: alert.at_wall_ns), maxlen=KEPT)
        for alert in new if write else ():
            self._keep(alert)

    def latest(self) -> tuple[Alert, ...]:
        """Newest last."""
        return tuple(self._latest)

    def _keep(self, alert: Alert) -> None:
        if self._ledger is not None:
            try:
                self._queue.put_nowait(alert)
            except queue.Full:
                log.warning("the ledger is away and the alerts' queue is full", alert=alert)

    def _is_new(self, key: tuple[str, str], now: int) -> bool:
        self._said = {said: at for said, at in self._said.items() if now - at < REPEAT_NS}
        if key in self._said:
            return False
        self._said[key] = now
        return True

    def _run(self, ledger: Ledger) -> None:
        """A bug here would leave a supervisor that looks well and writes nothing down: it ends and is started again."""
        try:
            self._write(ledger)
        except BaseException:
            log.exception("bug while writing alerts: the supervisor ends and is started again")
            os._exit(1)

    def _write(self, ledger: Ledger) -> None:
        waiting: Alert | None = None
        while True:
            try:
                if waiting is None:
                    waiting = self._queue.get(timeout=PING_S)
                ledger.record_alert(waiting)
                waiting, self.ledger_ok = None, True
            except InputError as error:
                log.warning("an alert the ledger cannot hold is in this log alone", alert=waiting, error=str(error))
                waiting = None
            except queue.Empty:
                self.ledger_ok = self._answers(ledger)
            except (VikalpError, OSError) as error:
                log.warning("the ledger did not take an alert; kept", error=str(error))
                self.ledger_ok = False
                time.sleep(PING_S)

    def _answers(self, ledger: Ledger) -> bool:
        try:
            ledger.ping()
        except (VikalpError, OSError):
            return False
        return True
