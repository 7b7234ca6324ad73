"""Topics to actors, by name: bounded, counted, and never blocking while the market is live.

`.remote()` returning is not delivery: calls in flight at a crash vanish. So every message carries a stamp (receivers
count gaps), each subscriber has a window of calls in flight and a short queue whose oldest entry is dropped and
counted, and the way to the recorder keeps what is not yet on disk (ring.py). In a replay `publish` returns when each
lossless subscriber has handled the message, one after the other in the order of ROUTES, so that a replay is the same
every time.
"""

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import ray
import structlog
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, RayError

from cluster.ring import Entry, Ring
from cluster.wire import encode, size_of
from core.errors import DeskError
from core.ports import Payload
from core.records import Stamp

log = structlog.get_logger()
INLINE_BYTES = 900_000  # above head.DIRECT_BYTES an argument goes through the object store: put it there once
RETRY_S = 0.25  # before a missing subscriber is looked up again
QUIET_S = 5.0  # nothing sent for so long and rows still not on disk: ask again, the recorder may have begun anew


@dataclass(frozen=True, kw_only=True)
class BusLimits:
    """How much may be on its way to one subscriber."""

    in_flight: int = 4  # calls
    waiting: int = 4  # messages queued behind them; the oldest is dropped
    ring_bytes: int = 256_000_000  # kept for the recorder
    lossless_s: float = 30.0  # in a replay: how long a subscriber may take, restarts included


@dataclass(slots=True)
class _Link:
    """The way to one subscriber."""

    name: str
    queue: deque[Entry] = field(default_factory=deque)
    ring: Ring | None = None
    in_flight: int = 0
    met: bool = False  # the last answer was a good one: until then one call at a time feels the way
    broken: bool = False  # the reliable way failed: rewind when nothing is in flight
    not_before: float = 0.0  # monotonic seconds
    asked: float = 0.0  # monotonic seconds of the latest call
    handle: "ActorHandle[Any] | None" = None


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
        limits: BusLimits | None = None,
    ) -> None:
        self._namespace, self._routes, self._source = namespace, routes, source
        self._reliable, self._lossy, self._lossless = reliable, lossy, lossless
        self._limits = limits or BusLimits()
        self._here: dict[str, Callable[[str, Payload], None]] = {}
        self._running = False

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_namespace", "_routes", "_source", "_reliable", "_lossy", "_lossless", "_limits")
        return {name: self.__dict__[name] for name in kept} | {"_here": {}, "_running": False}

    def host(self, name: str, take: Callable[[str, Payload], None]) -> None:
        """What is for `name` goes to `take(topic, payload)`, here: in its turn of ROUTES, before `publish` returns."""
        self._here[name] = take

    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        """Send to every subscriber of `topic`; see core.ports.Bus."""
        if not self._running:
            self._start()
        wire = encode(payload)  # once, for all its subscribers
        with self._ready:
            way = (topic, index)  # each index's receivers count for themselves: to them the others' numbers were gaps
            self._sequence[way] += 1
            stamp = Stamp(
                source=self._source,
                topic=topic,
                index=index,
                epoch=self._epoch,
                sequence=self._sequence[way],
                sent_wall_ns=time.time_ns(),
            )
            entry = Entry(stamp, wire, size_of(wire))
            names = [name.format(index=index) for name in self._routes.get(topic, ())]
            waited = [name for name in names if self._waits_for(name, topic)]
            for name in names:
                if name not in waited:
                    self._enqueue(name, entry)
            self._ready.notify_all()
        for name in waited:
            if name in self._here:
                self._here[name](topic, payload)
                continue
            (self._deliver_reliably if name in self._reliable else self._deliver)(name, entry)

    def stats(self) -> dict[str, int]:
        """Messages dropped per subscriber, and `lost:<name>` for what the reliable way had to give up."""
        if not self._running:
            return {}
        with self._ready:
            lost = {
                f"lost:{n}": link.ring.lost
                for n, link in self._links.items()
                if link.ring is not None and link.ring.lost
            }
            return dict(self.dropped) | lost

    def drained(self, within_s: float) -> bool:
        """Wait until everything queued has been answered; False when it was not within `within_s`."""
        deadline = time.monotonic() + within_s
        while self._running and time.monotonic() < deadline:
            with self._ready:
                if not any(link.queue or link.in_flight or _unsent(link) for link in self._links.values()):
                    return True
            time.sleep(0.01)
        return not self._running

    def _start(self) -> None:
        self._ready = threading.Condition()
        self._links: dict[str, _Link] = {}
        self._sequence: Counter[tuple[str, str]] = Counter()
        self._epoch = time.time_ns()
        self.dropped: Counter[str] = Counter()
        self._running = True
        threading.Thread(target=self._or_end, args=(self._pump,), name="bus", daemon=True).start()

    def _waits_for(self, name: str, topic: str) -> bool:
        # A refresh goes against the stream: waiting for it would be waiting for ourselves.
        return name in self._here or (
            self._lossless and name not in self._lossy and topic not in {"refresh", "snapshot"}
        )

    def _link(self, name: str) -> _Link:
        if name not in self._links:
            ring = Ring(self._limits.ring_bytes) if name in self._reliable else None
            self._links[name] = _Link(name=name, ring=ring)
        return self._links[name]

    def _enqueue(self, name: str, entry: Entry) -> None:
        link = self._link(name)
        if link.ring is not None:
            link.ring.append(entry)
            return
        if len(link.queue) >= self._limits.waiting:
            link.queue.popleft()
            self.dropped[name] += 1
        link.queue.append(entry)

    def _pump(self) -> None:
        while True:
            with self._ready:
                work = self._due()
                if not work:
                    self._ready.wait(RETRY_S / 2)
                    continue
            shared: dict[Stamp, Any] = {}
            for link, entry in work:
                self._send(link, entry, shared)

    def _or_end(self, function: Callable[..., None], *args: Any) -> None:
        """Run what nobody waits for. A bug here would leave an actor that looks well and sends nothing: it ends."""
        try:
            function(*args)
        except BaseException:
            log.exception("bug on the bus: this process ends and is started clean", source=self._source)
            os._exit(1)

    def _due(self) -> list[tuple[_Link, Entry]]:
        now, work = time.monotonic(), []
        for link in self._links.values():
            quiet = link.ring and not link.ring.unsent and now - link.asked > QUIET_S
            if (link.broken or quiet) and not link.in_flight and link.ring is not None:
                link.ring.rewind()
                link.broken = False
            while (
                link.in_flight < (self._limits.in_flight if link.met else 1)
                and now >= link.not_before
                and not link.broken
            ):
                entry = link.ring.next() if link.ring is not None else (link.queue.popleft() if link.queue else None)
                if entry is None:
                    break
                link.in_flight, link.asked = link.in_flight + 1, now
                work.append((link, entry))
        return work

    def _send(self, link: _Link, entry: Entry, shared: dict[Stamp, Any]) -> None:
        try:
            if link.handle is None:
                link.handle = ray.get_actor(link.name, self._namespace)
            payload: Any = entry.payload
            if entry.size > INLINE_BYTES:
                payload = shared.get(entry.stamp) or shared.setdefault(entry.stamp, ray.put(payload))
            method = link.handle.record if link.ring is not None else link.handle.receive
            answer: Future[Any] = method.remote(entry.stamp, payload).future()
        except (ValueError, RayError) as error:  # ValueError: no actor of that name
            self._answered(link, entry, error=error, answer=None)
            return
        answer.add_done_callback(lambda done: self._or_end(self._done, link, entry, done))

    def _done(self, link: _Link, entry: Entry, done: "Future[Any]") -> None:
        error = done.exception()
        self._answered(link, entry, error=error, answer=None if error else done.result())

    def _answered(self, link: _Link, entry: Entry, *, error: BaseException | None, answer: Any) -> None:
        with self._ready:
            link.in_flight -= 1
            link.met = error is None and answer is not False
            if error is not None:
                if isinstance(error, ActorDiedError | ValueError):
                    # A cached handle to a dead actor swallows everything: look the name up again.
                    link.handle, link.not_before = None, time.monotonic() + RETRY_S
                if link.ring is not None:
                    link.broken, link.not_before = True, time.monotonic() + RETRY_S
                else:
                    self.dropped[link.name] += 1
            elif link.ring is not None:
                link.ring.durable(entry.stamp, answer)
            elif answer is False:  # still opening, or closing: it was not handled
                self.dropped[link.name] += 1
            self._ready.notify_all()

    def _deliver_reliably(self, name: str, entry: Entry) -> None:
        """By the ring, and wait until the receiver has taken all of it; what is not on disk stays in the ring."""
        with self._ready:
            self._enqueue(name, entry)
            self._ready.notify_all()
            link = self._link(name)
            taken = self._ready.wait_for(lambda: not link.in_flight and not _unsent(link), self._limits.lossless_s)
        if not taken:
            raise self._late(name, entry)

    def _late(self, name: str, entry: Entry) -> DeskError:
        what = " ".join(filter(None, (entry.stamp.topic, entry.stamp.index, str(entry.stamp.sequence))))
        return DeskError(f"{name} did not take {what} within {self._limits.lossless_s:g} s; see `vikalp status`")

    def _deliver(self, name: str, entry: Entry) -> None:
        """Hand over and wait, through restarts of the receiver; raises DeskError past the limit."""
        deadline = time.monotonic() + self._limits.lossless_s
        with self._ready:
            link = self._link(name)
        payload: Any = ray.put(entry.payload) if entry.size > INLINE_BYTES else entry.payload
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late(name, entry)
            try:
                if link.handle is None:
                    link.handle = ray.get_actor(name, self._namespace)
                if ray.get(link.handle.receive.remote(entry.stamp, payload), timeout=left) is not False:
                    return
            except (ValueError, RayError):
                link.handle = None
            time.sleep(RETRY_S / 5)


def _unsent(link: _Link) -> bool:
    return link.ring is not None and (link.broken or link.ring.unsent > 0)
