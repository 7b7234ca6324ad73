"""The clock of a simulated session: which market moment a wall moment is.

Pure: the wall's nanoseconds come in, the market's go out. Every process of a desk holds the same
`SimulatedSession`, so all agree, and a process that starts again agrees too.
"""

import datetime as dt
from dataclasses import dataclass

from core.errors import ConfigError
from core.market.calendar import next_session, session, special_of
from core.market.moment import to_ns


@dataclass(frozen=True)
class SimulatedSession:
    """The session of `date` opens at `anchor_wall_ns`, runs `speed` market seconds a second and stops at the close."""

    date: dt.date
    open_ns: int
    close_ns: int
    anchor_wall_ns: int
    seed: int
    speed: float = 1.0
    grade: str = "circular"  # how the calendar knows the day

    def __post_init__(self) -> None:
        if self.speed <= 0.0:
            raise ConfigError(f"the simulated session's speed must be above 0, was {self.speed}")
        if self.close_ns <= self.open_ns:
            raise ConfigError(f"the simulated session of {self.date} must close after it opens")

    def market_ns(self, wall_ns: int) -> int:
        """Market time at `wall_ns`: the open before the anchor, the close once it is reached; never goes back."""
        passed = wall_ns - self.anchor_wall_ns
        market = passed if self.speed == 1.0 else int(passed * self.speed)
        return min(max(self.open_ns + market, self.open_ns), self.close_ns)

    def wall_ns(self, market_ns: int) -> int:
        """First wall time at which the market is at `market_ns` or past it, for a moment of this session."""
        if not self.open_ns <= market_ns <= self.close_ns:
            raise ConfigError(f"{market_ns} ns is outside the simulated session of {self.date}")
        passed = market_ns - self.open_ns
        wall = passed if self.speed == 1.0 else max(int(passed / self.speed) - 2, 0)  # rounding may overshoot
        while self.market_ns(self.anchor_wall_ns + wall) < market_ns:
            wall += 1
        return self.anchor_wall_ns + wall

    def says(self) -> str:
        """What the banner shows."""
        fast = "" if self.speed == 1.0 else f", speed {self.speed:g}"
        unsure = ", provisional calendar" if self.grade == "provisional" else ""
        return f"simulated session of {self.date.isoformat()}, seed {self.seed}{fast}{unsure}"


def session_date(exchange: str, today: dt.date) -> dt.date:
    """The day to simulate: `today` if it has a session of known hours, else the next that has; UnknownDate past 2031.

    A provisional day is good enough for an invented market: `SimulatedSession.says` tells.
    """
    special = special_of(today)
    unknown_hours = special is not None and not special.windows
    if not unknown_hours and session(exchange, today) is not None:
        return today
    return next_session(exchange, today)


def simulate(
    exchange: str, on: dt.date, *, anchor_wall_ns: int, seed: int, speed: float = 1.0
) -> SimulatedSession:  # fmt: skip
    """The session of `on` or, where that is no trading day, of the next one; opens at `anchor_wall_ns`."""
    day = session_date(exchange, on)
    hours = session(exchange, day)
    assert hours is not None, "session_date gives a day with a session"
    return SimulatedSession(day, to_ns(hours.open), to_ns(hours.close), anchor_wall_ns, seed, speed, hours.grade)
