"""When a socket that is open is dead all the same, and how long to wait before another one."""

from collections.abc import Callable
from enum import StrEnum


class Stall(StrEnum):
    SILENT = "no byte"
    NO_TICKS = "bytes, and no tick"


class Watchdog:
    """Two limits in seconds of any steady clock: since the last byte, and since the last tick while ticks are due.

    The first is about the line. The second is about what comes over it: a server can send heartbeats for ever and no
    price. While no ticks are due the second does not run, so that an opening market has all of it.
    """

    def __init__(self, *, silent_s: float, no_ticks_s: float) -> None:
        self._silent_s, self._no_ticks_s = silent_s, no_ticks_s
        self._byte = self._tick = 0.0

    def opened(self, now: float) -> None:
        self._byte = self._tick = now

    def heard(self, now: float, *, tick: bool) -> None:
        """A message came, with or without a tick that counts."""
        self._byte = now
        if tick:
            self._tick = now

    def stalled(self, now: float, *, ticks_due: bool) -> Stall | None:
        """The limit that has passed at `now`, if one has."""
        if not ticks_due:
            self._tick = now
        if now - self._byte > self._silent_s:
            return Stall.SILENT
        return Stall.NO_TICKS if now - self._tick > self._no_ticks_s else None


class Backoff:
    """Seconds to wait before the next attempt: doubling up to a cap, and of that a random part, at least half.

    `random` gives 0…1: three sockets that fell together must not come back together.
    """

    def __init__(self, *, first_s: float, most_s: float, random: Callable[[], float]) -> None:
        self._first_s, self._most_s, self._random = first_s, most_s, random
        self._attempts = 0

    def reset(self) -> None:
        """The last connection was a good one."""
        self._attempts = 0

    def next_s(self) -> float:
        whole = min(self._first_s * 2.0 ** min(self._attempts, 60), self._most_s)
        self._attempts += 1
        return whole * (0.5 + 0.5 * self._random())
