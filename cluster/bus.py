"""Topics to actors, by name: bounded, counted, and never blocking while the market is live.

Sent is not delivered: a call in flight at a crash vanishes. So every message carries a stamp (receivers count gaps),
each subscriber has a thread, one call in flight and a queue whose oldest entry is dropped and counted (way.py), and the
way to the recorder keeps what is not yet on disk (ring.py). In a replay `publish` returns when each lossless subscriber
has handled the message, one after the other in the order of ROUTES, so that a replay is the same every time.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from ray.exceptions import GetTimeoutError, RayError

from cluster.line import GONE, Line, find
from cluster.ring import Entry, Ring
from cluster.way import RETRY_S, BusLimits, Call, Way
from cluster.wire import Messages, encode, size_of
from core.errors import DeskError
from core.ports import Payload
from core.records import Stamp

log = structlog.get_logger()
NOBODY = (ValueError, RayError, *GONE)  # ValueError: no actor of that name


class RayBus:
    """Bus of one actor. Picklable: threads and handles appear on first use, in the actor's own process."""

    def __init__(
        self,
        namespace: str,
        routes: Mapping[str, tuple[str, ...]],
        *,
        source: str,
        reliable: frozenset[str] = frozenset({"recorder"}),
        lossy: frozenset[str] = frozenset({"gateway"}),
        lossless: bool = False,
        pace_s: Mapping[str, float] | None = None,
        limits: BusLimits | None = None,
    ) -> None:
        """`pace_s`: seconds between two calls to those subscribers that need not hear at once."""
        self._namespace, self._routes, self._source = namespace, routes, source
        self._reliable, self._lossy, self._lossless = reliable, lossy, lossless
        self._pace_s, self._limits = dict(pace_s or {}), limits or BusLimits()
        self._here: dict[str, Callable[[str, Payload], None]] = {}
        self._running = False

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_namespace", "_routes", "_source", "_reliable", "_lossy", "_lossless", "_pace_s", "_limits")
        return {name: self.__dict__[name] for name in kept} | {"_here": {}, "_running": False}

    def host(self, name: str, take: Callable[[str, Payload], None]) -> None:
        """What is for `name` goes to `take(topic, payload)`, here: in its turn of ROUTES, before `publish` returns."""
        self._here[name] = take

    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        """Send to every subscriber of `topic`; see core.ports.Bus."""
        if not self._running:
            self._start()
        names = [name.format(index=index) for name in self._routes.get(topic, ())]
        if not names:
            return
        wire = encode(payload)  # once, for all its subscribers
        with self._lock:
            entry = Entry(self._stamp(topic, index), wire, size_of(wire))
            waited = [name for name in names if self._waits_for(name, topic)]
            for name in names:
                if name not in waited:
                    self._enqueue(name, entry)
        for name in waited:
            if name in self._here:
                self._here[name](topic, payload)
                continue
            (self._deliver_reliably if name in self._reliable else self._deliver)(name, entry)

    def stats(self) -> dict[str, int]:
        """Messages dropped per subscriber, and `lost:<name>` for what the reliable way had to give up."""
        if not self._running:
            return {}
        with self._lock:
            lost = {
                f"lost:{name}": way.ring.lost
                for name, way in self._ways.items()
                if way.ring is not None and way.ring.lost
            }
            return dict(self.dropped) | lost

    def drained(self, within_s: float) -> bool:
        """Wait until everything queued has been answered; False when it was not within `within_s`."""
        if not self._running:
            return True
        with self._lock:
            for name, way in self._ways.items():
                way.hurry()
                self._put[name].notify()
            return self._answered.wait_for(lambda: all(way.idle for way in self._ways.values()), within_s)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)  # some way has its answer
        self._ways: dict[str, Way] = {}
        self._put: dict[str, threading.Condition] = {}  # there is something new on that way
        self._lines: dict[str, Line] = {}  # of a replay, for who is waited for
        self._sequence: Counter[tuple[str, str]] = Counter()
        self._epoch = time.time_ns()
        self.dropped: Counter[str] = Counter()
        self._running = True

    def _stamp(self, topic: str, index: str) -> Stamp:
        way = (topic, index)  # each index's receivers count for themselves: to them the others' numbers were gaps
        self._sequence[way] += 1
        return Stamp(
            source=self._source,
            topic=topic,
            index=index,
            epoch=self._epoch,
            sequence=self._sequence[way],
            sent_wall_ns=time.time_ns(),
        )

    def _waits_for(self, name: str, topic: str) -> bool:
        # A refresh goes against the stream: waiting for it would be waiting for ourselves.
        return name in self._here or (
            self._lossless and name not in self._lossy and topic not in {"refresh", "snapshot"}
        )

    def _enqueue(self, name: str, entry: Entry) -> Way:
        if name not in self._ways:
            ring = Ring(self._limits.ring_bytes) if name in self._reliable else None
            self._ways[name] = Way(name, self._limits, ring, self._pace_s.get(name, 0.0))
            self._put[name] = threading.Condition(self._lock)
            threading.Thread(target=self._or_end, args=(self._carry, name), name=f"to {name}", daemon=True).start()
        given_up = self._ways[name].put(entry)
        if given_up:
            self.dropped[name] += given_up
        self._put[name].notify()
        return self._ways[name]

    def _or_end(self, function: Callable[..., None], *args: Any) -> None:
        """Run what nobody waits for. A bug here would leave an actor that looks well and sends nothing: it ends."""
        try:
            function(*args)
        except BaseException:
            log.exception("bug on the bus: this process ends and is started clean", source=self._source)
            os._exit(1)

    def _carry(self, name: str) -> None:
        """The thread of one way: whoever it goes to may hang, and holds up nobody else."""
        way, put, line = self._ways[name], self._put[name], None
        while True:
            with self._lock:
                while not (call := way.due(time.monotonic())):
                    put.wait(way.due_in(time.monotonic()))
            line = self._call(way, line, call)

    def _call(self, way: Way, line: Line | None, call: Call) -> Line | None:
        """The line, if it can be used again."""
        try:
            line = _there(line)
            line = line or find(way.name, self._namespace)
            durable = line.ask(_messages(call))
        except (DeskError, GetTimeoutError):  # it is opening, or too busy to say where its line is
            self._failed(way, call, gone=False)
        except NOBODY:
            if line is not None:
                line.close()
            self._failed(way, call, gone=True)
            return None
        else:
            with self._lock:
                way.answered(call, durable)
                self._answered.notify_all()
        return line

    def _failed(self, way: Way, call: Call, *, gone: bool) -> None:
        with self._lock:
            if given_up := way.failed(call, time.monotonic(), gone=gone):
                self.dropped[way.name] += given_up
            self._answered.notify_all()

    def _deliver_reliably(self, name: str, entry: Entry) -> None:
        """By the ring, and wait until the receiver has taken all of it; what is not on disk stays in the ring."""
        with self._lock:
            way = self._enqueue(name, entry)
            taken = self._answered.wait_for(lambda: way.idle, self._limits.lossless_s)
        if not taken:
            raise self._late(name, entry)

    def _late(self, name: str, entry: Entry) -> DeskError:
        what = " ".join(filter(None, (entry.stamp.topic, entry.stamp.index, str(entry.stamp.sequence))))
        return DeskError(f"{name} did not take {what} within {self._limits.lossless_s:g} s; see `vikalp status`")

    def _deliver(self, name: str, entry: Entry) -> None:
        """Hand over and wait, through restarts of the receiver; raises DeskError past the limit."""
        deadline = time.monotonic() + self._limits.lossless_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = _there(self._lines.pop(name, None)) or find(name, self._namespace)
                line.ask(_messages((entry,)), left)
                self._lines[name] = line
            except (DeskError, *NOBODY):
                pass  # it is opening, or begins anew
            else:
                return
            time.sleep(RETRY_S / 2)
        raise self._late(name, entry)


def _messages(call: Call) -> Messages:
    return tuple((entry.stamp, entry.payload) for entry in call)


def _there(line: Line | None) -> Line | None:
    """The line while its other end is there: who has begun anew is to be found again."""
    if line is not None and line.over:
        line.close()
        return None
    return line
