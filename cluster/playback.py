"""Follows a replay from beside it: the supervisor's clock reads the data's time, and nothing is traded past its end."""

import threading
import time
from collections.abc import Sequence

import structlog

from cluster.client import Calls
from core.errors import DeskError
from core.ports import Clock
from core.records import FeedProgress

log = structlog.get_logger()
PERIOD_S = 0.5


class Playback:
    """Guarantees: once every feed has sent its last batch the order manager is HALTED; quotes stand still from then on,
    so nothing would ever find them stale. exit_all still works.
    """

    def __init__(self, feeds: Sequence[str], calls: Calls, clock: Clock) -> None:
        self._feeds, self._calls, self._clock = tuple(feeds), calls, clock

    def start(self) -> None:
        threading.Thread(target=self._run, name="playback", daemon=True).start()

    def look(self) -> bool:
        """Move the clock on; True when the replay is over and the order manager has been told."""
        try:
            seen: list[FeedProgress] = [self._calls.call(feed, "progress") for feed in self._feeds]
            self._clock.advance(max(progress.market_ns for progress in seen))
            if all(progress.done for progress in seen):
                self._calls.call("oms", "halt", "the replay is over: no quote moves any more")
                return True
        except DeskError as error:
            log.info("the replay's feeds do not answer now", error=str(error))
        return False

    def _run(self) -> None:
        while not self.look():
            time.sleep(PERIOD_S)
