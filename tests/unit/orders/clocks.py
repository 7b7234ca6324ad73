"""Clocks that several processes read and a test turns: how long a machine takes decides nothing."""

import multiprocessing
import time

from tests.unit.exchange.conftest import Wall

CONTEXT = multiprocessing.get_context("forkserver")


class StandingWall(Wall):
    """The wall of an exchange and of every process beside it; it goes on when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._from_ns = time.time_ns()
        self._ahead = CONTEXT.RawValue("q", 0)

    def __call__(self) -> int:
        return int(self._from_ns + self._ahead.value)

    def on(self, seconds: float) -> None:
        self._ahead.value += round(seconds * 1e9)


class MarketClock:
    """core.ports.Clock of a desk: market time stands at `market_ns` when the wall stands at `wall_ns`."""

    def __init__(self, wall: StandingWall, market_ns: int) -> None:
        self._wall, self._between = wall, market_ns - wall()

    def now_ns(self) -> int:
        return self._wall() + self._between

    def wall_ns(self) -> int:
        return self._wall()

    def advance(self, to_ns: int) -> None: ...
