"""The exchange's own clock: market time runs at a speed of its choice and can be set on by a fault."""

import time
from collections.abc import Callable

from core.errors import ConfigError


class VirtualClock:
    """`start_ns` (UTC) is the market time at `from_wall_ns`, by default now; from there it runs `speed` market seconds
    a second of `wall`, and stands still once it has reached `end_ns`.
    """

    def __init__(
        self, start_ns: int, speed: float = 1.0, wall: Callable[[], int] = time.monotonic_ns, *,
        from_wall_ns: int | None = None, end_ns: int | None = None,
    ) -> None:  # fmt: skip
        if not speed > 0.0:
            raise ConfigError(f"the exchange's speed must be above 0, was {speed}")
        self.speed, self._wall, self._end_ns = speed, wall, end_ns
        self._from_wall, self._from_market = wall() if from_wall_ns is None else from_wall_ns, start_ns

    def now_ns(self) -> int:
        """Market time, UTC nanoseconds."""
        now = self._from_market + round((self._wall() - self._from_wall) * self.speed)
        return now if self._end_ns is None else min(now, self._end_ns)

    def jump(self, by_ns: int) -> None:
        """Set market time `by_ns` on, or back."""
        self._from_market, self._from_wall = self.now_ns() + by_ns, self._wall()
