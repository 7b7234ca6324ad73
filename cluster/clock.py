"""The market's clock, three ways: the wall's, a simulated session's, a replay's data's. All picklable."""

import time

from core.market.simclock import SimulatedSession


class SimulatedClock:
    """A session that opened when the desk came up: the wall's time through core.market.simclock."""

    def __init__(self, session: SimulatedSession) -> None:
        self._session = session

    def now_ns(self) -> int:
        return self._session.market_ns(time.time_ns())

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None:
        """The session goes by itself."""


class WallClock:
    """A live market's: the machine's, which must be kept right (NTP)."""

    def now_ns(self) -> int:
        return time.time_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None:
        """The day goes by itself."""


class ReplayClock:
    """Market time is the newest time in the data this actor has seen."""

    def __init__(self, start_ns: int) -> None:
        self._now = start_ns

    def now_ns(self) -> int:
        return self._now

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None:
        self._now = max(self._now, to_ns)
