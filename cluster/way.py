"""The way to one subscriber of a bus, without Ray: what waits, what is on its way, when the next call is due.

A call carries all that waits, up to a limit: the more a receiver lags, the fewer calls it is asked to take for the same
messages. A way that is paced rests after each call, for receivers that gain nothing by hearing at once.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cluster.ring import Entry, Ring

INLINE_BYTES = 900_000  # of one call; above head.DIRECT_BYTES an argument goes through the object store
RETRY_S = 0.25  # before a missing subscriber is looked up again
QUIET_S = 5.0  # nothing sent for so long and rows still not on disk: ask again, the recorder may have begun anew

Call = tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class BusLimits:
    """How much may be on its way to one subscriber."""

    in_flight: int = 2  # calls
    waiting: int = 64  # messages queued behind them; the oldest is dropped
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
    handle: Any = None  # for whoever calls
    in_flight: int = 0  # calls
    _queue: deque[Entry] = field(default_factory=deque)
    _met: bool = False  # the last answer was a good one: until then one message at a time feels the way
    _broken: bool = False  # the reliable way failed: from its oldest again when nothing is in flight
    _not_before: float = 0.0
    _asked: float = 0.0  # the latest call

    def put(self, entry: Entry) -> int:
        """How many were given up for it; what a ring gives up it counts itself."""
        if self.ring is not None:
            self.ring.append(entry)
            return 0
        self._queue.append(entry)
        if len(self._queue) <= self.limits.waiting:
            return 0
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
        return not self.waiting and not self.in_flight

    def hurry(self) -> None:
        """No rests from now on."""
        self.pace_s = self._not_before = 0.0

    def due(self, now: float) -> list[Call]:
        """The calls to make now, each answered by one `answered` or `failed`."""
        if self.ring is not None and not self.in_flight and (self._broken or self._forgotten(now)):
            self.ring.rewind()
            self._broken = False
        calls: list[Call] = []
        most = self.limits.in_flight if self._met and not self.pace_s else 1
        while self.in_flight < most and now >= self._not_before and not self._broken:
            call = self._next()
            if not call:
                break
            calls.append(call)
            self.in_flight, self._asked = self.in_flight + 1, now
        if calls and self.pace_s and not self.waiting:
            self._not_before = now + self.pace_s
        return calls

    def due_in(self, now: float) -> float | None:
        """Seconds until `due` may have a call; None: not before something is put or answered."""
        if self.waiting and not self.in_flight:
            return max(0.0, self._not_before - now)
        return max(0.0, self._asked + QUIET_S - now) if self._kept else None

    def answered(self, call: Call, answer: Any) -> int:
        """It was taken, or not (`answer` False: still opening, or closing); how many messages were given up.

        Of a ring, `answer` is what of each message's sender is on disk.
        """
        self.in_flight -= 1
        self._met = answer is not False
        if self.ring is not None:
            for entry, sequence in zip(call, answer, strict=True):
                self.ring.durable(entry.stamp, sequence)
            return 0
        return 0 if self._met else len(call)

    def failed(self, call: Call, now: float, *, gone: bool) -> int:
        """Nobody knows what of it was taken; `gone`: nobody is there. How many messages were given up."""
        self.in_flight -= 1
        self._met = False
        if gone:
            # A cached handle to a dead actor swallows everything: look the name up again.
            self.handle = None
        if gone or self.ring is not None:
            self._not_before = now + RETRY_S
        self._broken = self.ring is not None
        return 0 if self._broken else len(call)

    def _next(self) -> Call:
        """What goes in one call: all that waits and fits; one message to a receiver that has not answered yet."""
        found: list[Entry] = []
        room, most = INLINE_BYTES, self.limits.together if self._met else 1
        while len(found) < most and (entry := self._peek()) is not None and (not found or entry.size <= room):
            found.append(self._pop())
            room -= entry.size
        return tuple(found)

    def _peek(self) -> Entry | None:
        if self.ring is not None:
            return self.ring.peek()
        return self._queue[0] if self._queue else None

    def _pop(self) -> Entry:
        entry = self.ring.next() if self.ring is not None else self._queue.popleft()
        assert entry is not None, "it was just seen"
        return entry

    @property
    def _kept(self) -> int:
        """Messages of a ring, of which a receiver that began anew may know nothing."""
        return len(self.ring) if self.ring is not None else 0

    def _forgotten(self, now: float) -> bool:
        return self._kept > 0 and not self.waiting and now - self._asked > QUIET_S
