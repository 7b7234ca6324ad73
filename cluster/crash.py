"""Crash-only actors: one guard round every plain class, so that a bug ends the process and Ray restarts it clean.

Ray hands an exception in a call to a caller that may never read it, and the actor goes on with half-changed state.
Here a deliberate error is counted (in a handler) or travels to the caller (in an awaited call); anything else flushes
the log and ends the process. `__init__` must not fail, since Ray makes that final whatever `max_restarts` says:
`open()` does the work, in a thread of its own, again and again until it succeeds.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import ray
import structlog
from ray import cloudpickle

from cluster.acts import Acts
from cluster.fair import FairLock
from cluster.gaps import Gaps
from cluster.line import Address, Switchboard
from cluster.vitals import Vitals
from cluster.wire import Messages, decode, joined
from core.errors import DeskError, UnknownName, VikalpError
from core.market.overlay import use, use_dump
from core.records import Health, Stamp, Who

log = structlog.get_logger()
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
OPENING_S = 2.0  # a message waits this long for an actor that is opening
GROUPS = {"health": 1, "calls": 4}


def plain_logs() -> None:
    """One line an event, tracebacks without local variables: those hold quotes by the thousand, and passwords."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ]
    )


class Guard:
    """What Ray sees of an actor. `made_of` pickles the plain class, its config, its ports by keyword, the user's facts,
    the day's instrument dump.

    Pickled by us and not by Ray, which would hand every array in them over read-only.
    """

    def __init__(
        self, name: str, namespace: str, made_of: bytes, *,
        timer_delay_s: float = 0.0, niceness: int = 0, spec_hash: str = "",
    ) -> None:  # fmt: skip
        plain_logs()
        os.nice(niceness)
        self._name, self._namespace, self._hash, self._detail = name, namespace, spec_hash, "opening"
        self._made_of, self._delay_s = made_of, timer_delay_s
        self._actor: Any = None
        self._acts = Acts(name, None)
        self._bus: Any = None
        self._lock = FairLock()
        self._mail = FairLock()  # the lines take turns before that one: a call waits for one message of all of them
        self._gaps = Gaps()
        self._started_ns, self._ready_ns, self._in_flight_ns = time.time_ns(), 0, 0
        self._timer_ms = self._handled = self._refused = 0
        self._opened, self._closing = threading.Event(), threading.Event()
        self._process = psutil.Process()
        self._lines: Switchboard | None = None
        threading.Thread(target=self._fatal(self._open), name="open", daemon=True).start()

    # -- what the bus calls -------------------------------------------------

    def receive(self, messages: Messages) -> tuple[int, ...]:
        """Each message to `on_<topic>`; of a recorder, to `record`: what of each message's sender is on disk.

        DeskError while the actor opens or closes: not all was taken (the sender counts it, or sends it again).
        """
        # A feed may answer our open()'s refresh before open() has returned: wait for it a little.
        if not self._opened.wait(OPENING_S):
            raise DeskError(f"{self._name} is {self._detail}")
        try:
            if hasattr(self._actor, "record"):
                return tuple(self._record(stamp, payload) for stamp, payload in messages)
            for stamps, payload in joined(messages, getattr(self._actor, "rows", ())):
                self._handle(stamps, payload)
        except VikalpError:
            raise
        except BaseException:
            self._die("receive")
        return ()

    # -- what people, actors and the supervisor call -------------------------

    @ray.method(concurrency_group="calls")
    def call(self, method: str, args: tuple[Any, ...], deadline_wall_ns: int = 0, who: Who | None = None) -> Any:
        """An awaited call of a public method; not run if its caller has given up, audited if he says who he is."""
        if not self._ready_ns:
            raise DeskError(f"{self._name} is {self._detail}: try again in a moment")
        function = None if method.startswith(("_", "on_")) else getattr(self._actor, method, None)
        if not callable(function):
            raise UnknownName(f"{self._name} has no method {method}")
        act = None
        try:
            with self._lock:
                if deadline_wall_ns and time.time_ns() > deadline_wall_ns:
                    raise DeskError(f"{self._name} was busy past the deadline of {method}; it was not run")  # noqa: TRY301 counted nowhere else
                act = self._acts.begin(self._actor, who, method, args)
                answer = self._timed(function, *args)
        except VikalpError as error:
            self._acts.end(act, error)
            raise
        except BaseException:
            self._die(f"call {method}")
        return self._acts.end(act, answer)

    @ray.method(concurrency_group="health")
    def line(self) -> Address:
        """Where another actor's bus sends what `receive` takes."""
        if self._lines is None:
            raise DeskError(f"{self._name} is {self._detail}")
        return self._lines.address

    @ray.method(concurrency_group="health")
    def health(self) -> Vitals:
        """What the supervisor asks; answered beside whatever hangs."""
        bus = self._bus
        return Vitals(
            name=self._name,
            pid=self._process.pid,
            spec_hash=self._hash,
            node_id=ray.get_runtime_context().get_node_id(),
            rss_mb=self._process.memory_info().rss // 1_000_000,
            dropped=bus.stats() if bus is not None else {},
            health=Health(
                started_ns=self._started_ns,
                ready_ns=self._ready_ns,
                progress_ns=self._actor.check_health() if self._ready_ns else 0,
                in_flight_since_ns=self._in_flight_ns,
                handled=self._handled,
                gaps=self._gaps.count,
                refused=self._refused,
                detail=self._detail,
            ),
            alerts=self._own("alerts", ()),
            counts=self._own("counts", {}),
        )

    @ray.method(concurrency_group="health")
    def wall_ns(self) -> int:
        """This machine's clock, for the deadlines of whoever calls from another."""
        return time.time_ns()

    @ray.method(concurrency_group="calls")
    def drain(self, within_s: float) -> bool:
        """Stop the timer, send what is queued, `close()`; True when nothing was left behind."""
        self._closing.set()
        clean = self._bus is None or self._bus.drained(within_s)
        close = getattr(self._actor, "close", None)
        if close is not None and self._ready_ns:
            with self._lock:
                try:
                    close()
                except (VikalpError, OSError) as error:
                    log.warning("close failed", actor=self._name, error=str(error))
                    return False
        return clean

    # -- inside ---------------------------------------------------------------

    def _handle(self, stamps: tuple[Stamp, ...], payload: Any) -> None:
        with self._mail:
            if self._closing.is_set():
                raise DeskError(f"{self._name} is closing")
            for stamp in stamps:
                self._count_gap(stamp)
            topic = stamps[0].topic
            self._guarded(getattr(self._actor, f"on_{topic}"), payload, topic=topic, counts=len(stamps))

    def _record(self, stamp: Stamp, payload: Any) -> int:
        self._count_gap(stamp)
        try:
            with self._lock:
                durable = self._timed(self._actor.record, stamp, decode(payload))
        except VikalpError as error:  # the sender must hear of it: it sends again from its oldest
            self._count_refusal(stamp.topic, error)
            raise
        except BaseException:
            self._die(stamp.topic)
        self._handled += 1
        return int(durable)

    def _own(self, what: str, otherwise: Any) -> Any:
        """What the actor says of itself, if it does: a copy of its state, taken beside a call that may hang."""
        say = getattr(self._actor, what, None)
        return say() if say is not None else otherwise

    def _open(self) -> None:
        self._announce()
        cls, config, ports, facts, dump = cloudpickle.loads(self._made_of)
        use(facts)
        use_dump(dump)
        self._bus, self._timer_ms = ports.get("bus"), getattr(config, "timer_ms", 0)
        self._acts = Acts(self._name, ports.get("ledger"))
        self._lines = Switchboard(self.receive)
        actor = cls(config, **ports)
        if ray.get_runtime_context().was_current_actor_reconstructed and hasattr(actor, "restarted"):
            actor.restarted()  # for the few to whom a second life is another thing than the first
        attempt = 0
        while True:
            try:
                self._in_flight_ns = time.time_ns()
                actor.open()
                break
            except (VikalpError, OSError) as error:
                self._detail = f"opening: {error}"
                log.warning("open failed", actor=self._name, attempt=attempt, error=str(error))
                self._in_flight_ns = 0
                time.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
                attempt += 1
        # What is loaded now stays: a full collection over it would stop the actor for a tenth of a second.
        gc.collect()
        gc.freeze()
        self._in_flight_ns = 0
        self._actor, self._ready_ns, self._detail = actor, time.time_ns(), ""
        self._opened.set()
        log.info("ready", actor=self._name, seconds=round((self._ready_ns - self._started_ns) / 1e9, 2))
        if self._timer_ms:
            self._tick(self._timer_ms / 1000)

    def _tick(self, period_s: float) -> None:
        """Every `period_s`; of an actor that can `wait` for what it looks for, as soon as that has come."""
        due, wait = time.monotonic() + self._delay_s, getattr(self._actor, "wait", self._closing.wait)
        while not self._closing.is_set():
            wait(max(0.0, due - time.monotonic()))
            if self._closing.is_set():
                break
            self._guarded(self._actor.on_timer, topic="timer")
            now = time.monotonic()
            due = max(min(due, now) + period_s, now)

    def _guarded(self, function: Callable[..., Any], *args: Any, topic: str, counts: int = 0) -> None:
        try:
            with self._lock:
                self._timed(function, *args)
        except VikalpError as error:
            self._count_refusal(topic, error)
            return
        except BaseException:
            self._die(topic)
        self._handled += counts

    def _count_refusal(self, topic: str, error: VikalpError) -> None:
        self._refused += 1
        if self._refused <= 10 or self._refused % 1000 == 0:
            log.warning("refused", actor=self._name, topic=topic, count=self._refused, error=str(error))

    def _timed(self, function: Callable[..., Any], *args: Any) -> Any:
        self._in_flight_ns = time.time_ns()
        try:
            return function(*args)
        finally:
            self._in_flight_ns = 0

    def _count_gap(self, stamp: Stamp) -> None:
        """An actor with `on_gap(source)` may ask for what it missed."""
        on_gap = getattr(self._actor, "on_gap", None)
        if self._gaps.before(stamp, self._ready_ns) and on_gap is not None:
            self._guarded(on_gap, stamp.source, topic="gap")

    def _announce(self) -> None:
        try:
            supervisor = ray.get_actor("supervisor", self._namespace)
            node = ray.get_runtime_context().get_node_id()
            supervisor.opened.remote(self._name, os.getpid(), self._started_ns, node)
        except ValueError:
            log.info("no supervisor to report to", actor=self._name)

    def _fatal(self, function: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                function()
            except BaseException:
                self._die("open")

        return run

    def _die(self, where: str) -> None:
        # Called from an except block.
        log.exception("bug: this process ends and is started clean", actor=self._name, where=where)  # noqa: LOG004
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
