"""The way to one subscriber of a bus, without Ray: what waits, whether a call is on its way, when the next is due.

One call at a time, which carries all that waits, up to a limit: the more a receiver lags, the fewer calls it is asked
to take for the same messages. Of chains only the newest waits; where nobody is there, nothing does. A way that is paced
rests after each call, for receivers that gain nothing by hearing at once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.ring import Entry, Ring

CALL_BYTES = 4_000_000  # of one call, unless one message alone is larger
RETRY_S = 0.1  # before a missing subscriber is looked for again
QUIET_S = 5.0  # nothing sent for so long and rows still not on disk: ask again, the recorder may have begun anew

NEWEST = frozenset({"chain", "marks"})  # topics of which the latest is all there is to know

Call = tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class BusLimits:
    """How much may be on its way to one subscriber."""

    waiting: int = 64  # messages behind the call that is on its way; the oldest is dropped
    together: int = 32  # messages in one call, at most
    ring_bytes: int = 256_000_000  # kept for the recorder
    lossless_s: float = 30.0  # in a replay: how long a subscriber may take, restarts included


@dataclass(slots=True)
class Way:
    """Times are monotonic seconds."""

    name: str
    limits: BusLimits
    ring: Ring | None = None  # of a receiver that misses nothing
    pace_s: float = 0.0  # between two calls, unless more waits than one call carries
    _queue: deque[Entry] = field(default_factory=deque)
    _busy: bool = False  # a call is on its way
    _met: bool = False  # the last answer was a good one: until then one message at a time feels the way
    _broken: bool = False  # the reliable way failed: from its oldest again
    _not_before: float = 0.0
    _asked: float = 0.0  # the latest call

    def put(self, entry: Entry) -> int:
        """How many were given up for it; what a ring gives up it counts itself."""
        if self.ring is not None:
            self.ring.append(entry)
            return 0
        older = next((one for one in self._queue if _replaces(entry, one)), None)
        if older is not None:
            self._queue.remove(older)
        self._queue.append(entry)
        if len(self._queue) <= self.limits.waiting:
            return int(older is not None)
        self._queue.popleft()
        return 1

    @property
    def waiting(self) -> int:
        """Messages that no call has carried yet, or that have to go again."""
        if self.ring is None:
            return len(self._queue)
        return len(self.ring) if self._broken else self.ring.unsent

    @property
    def idle(self) -> bool:
        return not self.waiting and not self._busy

    def hurry(self) -> None:
        """No rests from now on."""
        self.pace_s = self._not_before = 0.0

    def due(self, now: float) -> Call:
        """The call to make now, to be ended by `answered` or `failed`; empty if there is none."""
        if self._busy or now < self._not_before:
            return ()
        if self.ring is not None and (self._broken or (not self.waiting and now - self._asked >= QUIET_S)):
            self.ring.rewind()
            self._broken = False
        call = self._next()
        if call:
            self._busy, self._asked = True, now
            self._not_before = now if self.waiting else now + self.pace_s
        return call

    def due_in(self, now: float) -> float | None:
        """Seconds until `due` may have a call; None: not before something is put or answered."""
        if self._busy:
            return None
        if self.waiting:
            return max(0.0, self._not_before - now)
        return max(0.0, self._asked + QUIET_S - now) if self.ring is not None and len(self.ring) else None

    def answered(self, call: Call, durable: Sequence[int]) -> None:
        """It was taken; of a ring, `durable` is what of each message's sender is on disk."""
        self._busy, self._met = False, True
        if self.ring is not None:
            for entry, sequence in zip(call, durable, strict=True):
                self.ring.durable(entry.stamp, sequence)

    def failed(self, call: Call, now: float, *, gone: bool) -> int:
        """It was refused, or nobody is there (`gone`) and nobody knows what of it was taken.

        How many messages were given up: its own, and where nobody is there all that waits for him; of a ring none.
        """
        self._busy = self._met = False
        self._not_before = now + RETRY_S
        self._broken = self.ring is not None
        if self._broken:
            return 0
        waited = len(self._queue) if gone else 0
        if gone:
            self._queue.clear()
        return len(call) + waited

    def _next(self) -> Call:
        """What goes in one call: all that waits and fits; one message to a receiver that has not answered yet."""
        found: list[Entry] = []
        room, most = CALL_BYTES, self.limits.together if self._met else 1
        while len(found) < most and (entry := self._peek()) is not None and (not found or entry.size <= room):
            found.append(entry)
            room -= entry.size
            if self.ring is not None:
                self.ring.next()
            else:
                self._queue.popleft()
        return tuple(found)

    def _peek(self) -> Entry | None:
        if self.ring is not None:
            return self.ring.peek()
        return self._queue[0] if self._queue else None


def _replaces(new: Entry, old: Entry) -> bool:
    return new.stamp.topic in NEWEST and (new.stamp.topic, new.stamp.index) == (old.stamp.topic, old.stamp.index)
