"""Topics to actors, by name: bounded, counted, and never blocking while the market is live.

`.remote()` returning is not delivery: calls in flight at a crash vanish. So every message carries a stamp (receivers
count gaps), each subscriber has a window of calls in flight and a queue whose oldest entry is dropped and counted
(way.py), and the way to the recorder keeps what is not yet on disk (ring.py). In a replay `publish` returns when each
lossless subscriber has handled the message, one after the other in the order of ROUTES, so that a replay is the same
every time.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import ray
import structlog
from ray.exceptions import ActorDiedError, RayError

from cluster.ring import Entry, Ring
from cluster.way import INLINE_BYTES, RETRY_S, BusLimits, Call, Way
from cluster.wire import encode, size_of
from core.errors import DeskError
from core.ports import Payload
from core.records import Stamp

log = structlog.get_logger()
LONGEST_S = 60.0  # the pump looks again, whatever it expects


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
                f"lost:{name}": way.ring.lost
                for name, way in self._ways.items()
                if way.ring is not None and way.ring.lost
            }
            return dict(self.dropped) | lost

    def drained(self, within_s: float) -> bool:
        """Wait until everything queued has been answered; False when it was not within `within_s`."""
        if not self._running:
            return True
        with self._ready:
            for way in self._ways.values():
                way.hurry()
            self._ready.notify_all()
            return self._ready.wait_for(lambda: all(way.idle for way in self._ways.values()), within_s)

    def _start(self) -> None:
        self._ready = threading.Condition()
        self._ways: dict[str, Way] = {}
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

    def _way(self, name: str) -> Way:
        if name not in self._ways:
            ring = Ring(self._limits.ring_bytes) if name in self._reliable else None
            self._ways[name] = Way(name, self._limits, ring, self._pace_s.get(name, 0.0))
        return self._ways[name]

    def _enqueue(self, name: str, entry: Entry) -> None:
        given_up = self._way(name).put(entry)
        if given_up:
            self.dropped[name] += given_up

    def _pump(self) -> None:
        while True:
            with self._ready:
                now = time.monotonic()
                work = [(way, call) for way in self._ways.values() for call in way.due(now)]
                if not work:
                    waits = [wait_s for way in self._ways.values() if (wait_s := way.due_in(now)) is not None]
                    self._ready.wait(min(waits, default=LONGEST_S))
                    continue
            shared: dict[Stamp, Any] = {}
            for way, call in work:
                self._send(way, call, shared)

    def _or_end(self, function: Callable[..., None], *args: Any) -> None:
        """Run what nobody waits for. A bug here would leave an actor that looks well and sends nothing: it ends."""
        try:
            function(*args)
        except BaseException:
            log.exception("bug on the bus: this process ends and is started clean", source=self._source)
            os._exit(1)

    def _send(self, way: Way, call: Call, shared: dict[Stamp, Any]) -> None:
        try:
            if way.handle is None:
                way.handle = ray.get_actor(way.name, self._namespace)
            method = way.handle.record if way.ring is not None else way.handle.receive
            answer: Future[Any] = method.remote(_messages(call, shared)).future()
        except (ValueError, RayError) as error:  # ValueError: no actor of that name
            self._answered(way, call, error=error)
            return
        answer.add_done_callback(lambda done: self._or_end(self._done, way, call, done))

    def _done(self, way: Way, call: Call, done: "Future[Any]") -> None:
        error = done.exception()
        self._answered(way, call, error=error, answer=None if error else done.result())

    def _answered(self, way: Way, call: Call, *, error: BaseException | None, answer: Any = None) -> None:
        with self._ready:
            if error is None:
                given_up = way.answered(call, answer)
            else:
                given_up = way.failed(call, time.monotonic(), gone=isinstance(error, ActorDiedError | ValueError))
            if given_up:
                self.dropped[way.name] += given_up
            self._ready.notify_all()

    def _deliver_reliably(self, name: str, entry: Entry) -> None:
        """By the ring, and wait until the receiver has taken all of it; what is not on disk stays in the ring."""
        with self._ready:
            self._enqueue(name, entry)
            self._ready.notify_all()
            way = self._way(name)
            taken = self._ready.wait_for(lambda: way.idle, self._limits.lossless_s)
        if not taken:
            raise self._late(name, entry)

    def _late(self, name: str, entry: Entry) -> DeskError:
        what = " ".join(filter(None, (entry.stamp.topic, entry.stamp.index, str(entry.stamp.sequence))))
        return DeskError(f"{name} did not take {what} within {self._limits.lossless_s:g} s; see `vikalp status`")

    def _deliver(self, name: str, entry: Entry) -> None:
        """Hand over and wait, through restarts of the receiver; raises DeskError past the limit."""
        deadline = time.monotonic() + self._limits.lossless_s
        with self._ready:
            way = self._way(name)
        messages = _messages((entry,), {})
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late(name, entry)
            try:
                if way.handle is None:
                    way.handle = ray.get_actor(name, self._namespace)
                if ray.get(way.handle.receive.remote(messages), timeout=left) is not False:
                    return
            except (ValueError, RayError):
                way.handle = None
            time.sleep(RETRY_S / 5)


def _messages(call: Call, shared: dict[Stamp, Any]) -> Any:
    """What Guard takes: stamps and payloads; of a large one a reference to what is put into the object store once."""
    messages = tuple((entry.stamp, entry.payload) for entry in call)
    first = call[0]
    if first.size <= INLINE_BYTES:
        return messages
    return shared.get(first.stamp) or shared.setdefault(first.stamp, ray.put(messages))
