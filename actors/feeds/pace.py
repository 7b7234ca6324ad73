"""When the next batch of a replay is due."""

from typing import Literal


class Pace:
    """As many market seconds a wall second as `speed`, counted from the first batch; `max` waits for none."""

    def __init__(self, speed: Literal["max"] | float) -> None:
        self._speed = speed
        self._first: tuple[int, int] | None = None  # wall and market ns

    def due(self, market_ns: int, wall_ns: int) -> bool:
        if self._speed == "max":
            return True
        self._first = self._first or (wall_ns, market_ns)
        began_wall_ns, began_market_ns = self._first
        return market_ns <= began_market_ns + (wall_ns - began_wall_ns) * self._speed
