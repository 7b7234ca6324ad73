"""Follows a replay from beside it: the supervisor's clock reads the data's time, and nothing is traded past its end."""

import os
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from cluster.client import Calls
from core.errors import ReplayBroken, VikalpError
from core.ports import Clock
from core.records import FeedProgress

log = structlog.get_logger()
PERIOD_S = 0.5
OVER = "the replay is over: no quote moves any more"


class Playback:
    """Guarantees: once every feed has sent its last batch, or one has died, the order manager is HALTED and stays so,
    also when it is started again. Quotes stand still from then on, so nothing would find them stale; exit_all works.
    """

    def __init__(self, feeds: Sequence[str], calls: Calls, clock: Clock, *, alarm: Callable[[str], None]) -> None:
        self._feeds, self._calls, self._clock, self._alarm = tuple(feeds), calls, clock, alarm
        self._over = ""

    def start(self) -> None:
        threading.Thread(target=self._run, name="playback", daemon=True).start()

    def look(self) -> None:
        """Move the clock on; past the end halt the order manager if it is not. What does not answer is asked again."""
        try:
            self._over = self._over or self._follow()
            if self._over and self._calls.call("oms", "state") != "HALTED":
                self._calls.call("oms", "halt", self._over)
        except VikalpError as error:
            log.info("the replay's actors do not answer now", error=str(error))

    def _follow(self) -> str:
        """Why the replay is over; empty while it runs."""
        try:
            seen: list[FeedProgress] = [self._calls.call(feed, "progress") for feed in self._feeds]
        except ReplayBroken as error:
            self._alarm(str(error))
            return str(error)
        self._clock.advance(max(progress.market_ns for progress in seen))
        return OVER if all(progress.done for progress in seen) else ""

    def _run(self) -> None:
        try:
            while True:
                self.look()
                time.sleep(PERIOD_S)
        except BaseException:
            log.exception("bug in playback: the supervisor ends and is started again")
            os._exit(1)
