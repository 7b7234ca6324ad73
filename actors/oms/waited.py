"""How long something has been so, by the looks that found it so, on a wall clock that may step.

An order, a trigger, a conversion that the broker does not show is given up after as long as it may still show up, and
whoever sent it decides anew: too early is a double. So of the time between two looks no more counts than MOST_NS, and
never less than nothing: a clock set forward makes nobody give up early, one set back makes nobody wait for its step.
"""

from collections.abc import Collection

from core.ports import Clock

# Wall. Half of the 20 s by which 120 s at Kite outlast what was ever late there (docs/orders.md), and as long as the
# longest time between two looks that goes by the plan.
MOST_NS = 10_000_000_000


class Waited:
    """Wall ns by name; time without a look counts as little as the clock's steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[int, int]] = {}  # name → wall ns of the last look, ns that count

    def more(self, name: str) -> int:
        """A look has found it so: for how long by now, 0 the first time."""
        now_ns = self._clock.wall_ns()
        last_ns, counted_ns = self._held.get(name, (now_ns, 0))
        counted_ns += min(max(0, now_ns - last_ns), MOST_NS)
        self._held[name] = now_ns, counted_ns
        return counted_ns

    def forget(self, name: str) -> None:
        self._held.pop(name, None)

    def keep(self, names: Collection[str]) -> None:
        """Forget all others."""
        self._held = {name: held for name, held in self._held.items() if name in names}

    def clear(self) -> None:
        self._held.clear()
