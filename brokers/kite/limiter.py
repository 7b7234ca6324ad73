"""One process's budget of calls, below what Kite allows the account; who else asks has its own (docs/decisions.md).

Not the usual token bucket: one of 8 with a refill of 8 a second lets 16 through in a second. Here a window holds what
it says wherever it is laid, and is longer than Kite's own, as calls sent apart may arrive bunched.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.errors import ConfigError

SECOND = 1_000_000_000
BUNCHING_NS = 200_000_000  # by which the way to Kite may shorten the time between two calls
COOL_DOWN_NS = 11 * SECOND  # Kite refuses everything for about 10 s after a 429


class Call(StrEnum):
    """What Kite counts apart. GET of orders, trades and positions is OTHER."""

    PLACE = "place"
    CHANGE = "modify or cancel"
    QUOTE = "quote"
    HISTORY = "history"
    OTHER = "other"


ORDERS = frozenset({Call.PLACE, Call.CHANGE})


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` of these calls in any `period_ns`; `reserved` of them only for exits."""

    calls: frozenset[Call]
    most: int
    period_ns: int
    reserved: int = 0

    def __post_init__(self) -> None:
        if not (self.calls and self.period_ns > 0 and 0 <= self.reserved < self.most):
            raise ConfigError(f"a window has calls, a period and more in all than are reserved, was {self}")


# Kite's own: orders 10/s, 400/min, 5,000 a day of all its user's platforms together; quote 1/s, history 3/s, other 10/s
# (Kite Connect's documentation and forum, seen July 2026). A day is 16 hours: a session fits, two sessions do not. Of a
# minute so little is reserved that what the desk's own budget lets pass in it, 305 calls, holds no entry up here.
WINDOWS = (
    Window(ORDERS, 8, SECOND + BUNCHING_NS, reserved=2),
    Window(ORDERS, 350, 60 * SECOND + BUNCHING_NS, reserved=40),
    Window(frozenset({Call.PLACE}), 4_500, 16 * 3600 * SECOND, reserved=1_000),
    Window(frozenset({Call.QUOTE}), 1, SECOND + BUNCHING_NS),
    Window(frozenset({Call.HISTORY}), 3, SECOND + BUNCHING_NS),
    Window(frozenset({Call.OTHER}), 8, SECOND + BUNCHING_NS),
)


class Limiter:
    """Grants a call now or says how long to wait; nobody queues here. It knows its own process's calls alone."""

    def __init__(
        self,
        windows: Iterable[Window] = WINDOWS,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        cool_down_ns: int = COOL_DOWN_NS,
    ) -> None:
        """`clock` is steady: a step of the wall clock must neither free the budget nor block an exit."""
        self._kept: list[tuple[Window, deque[int]]] = [(window, deque()) for window in windows]
        self._clock, self._cool_down_ns, self._now = clock, cool_down_ns, 0
        self._cold_until: defaultdict[Call, int] = defaultdict(int)
        missing = set(Call) - {call for window, _ in self._kept for call in window.calls}
        if missing:
            raise ConfigError(f"no window limits {', '.join(sorted(missing))}")

    def ask(self, call: Call, *, is_exit: bool = False) -> int:
        """0: make the call, it is counted. Else nanoseconds after which to ask again; sooner the answer is no."""
        now = self._read_clock()
        wait = self._cold_until[call] - now
        mine = [(window, times) for window, times in self._kept if call in window.calls]
        for window, times in mine:
            while times and times[0] + window.period_ns <= now:
                times.popleft()
            most = window.most - (0 if is_exit else window.reserved)
            if len(times) >= most:
                wait = max(wait, times[len(times) - most] + window.period_ns - now)
        if wait > 0:
            return wait
        for _, times in mine:
            times.append(now)
        return 0

    def too_many(self, call: Call) -> None:
        """Kite answered 429: nothing of this kind of call, exits included, until it has cooled down."""
        until = self._read_clock() + self._cool_down_ns
        for cold in ORDERS if call in ORDERS else {call}:
            self._cold_until[cold] = max(self._cold_until[cold], until)

    def restore(self, call: Call, ages_ns: Iterable[int]) -> None:
        """Count calls of earlier lives of this limiter by their age: the day's orders, as the broker's book has them.

        One that is ahead of our clock counts as made now.
        """
        now = self._read_clock()
        earlier = [now - max(age, 0) for age in ages_ns]
        for window, times in self._kept:
            if call in window.calls:
                merged = sorted([*times, *(at for at in earlier if at + window.period_ns > now)])
                times.clear()
                times.extend(merged)

    def _read_clock(self) -> int:
        self._now = max(self._now, self._clock())
        return self._now
