"""Creates the desk's actors, probes them, ends what is stuck or silent, quarantines what crashes in a loop.

in       opened reports, health answers
out      status, alerts
state    what was seen of each actor (soft: probes refill it)
restart  adopts the running actors by name; starts counted before are forgotten
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
import structlog
from ray import cloudpickle
from ray.exceptions import RayError

from cluster.alerts import AlertDesk
from cluster.client import Calls
from cluster.crash import plain_logs
from cluster.critical import is_needed, pull
from cluster.decide import Finding, SupervisionConfig, decide
from cluster.homes import PAIR
from cluster.pids import kill
from cluster.playback import Playback
from cluster.seen import Seen
from cluster.topology import start
from cluster.vitals import Vitals
from core.ports import Clock, Ledger
from core.records import DeskStatus

log = structlog.get_logger()
GROUPS = {"calls": 4, "reports": 1}


@dataclass(frozen=True, kw_only=True)
class DeskFacts:
    """What does not change while a desk lives."""

    desk: int
    mode: str
    namespace: str
    session_id: str
    market_says: str
    rehearsal: bool = False  # see DeskStatus
    notices: tuple[str, ...] = ()  # what the page should say of how the desk was made


class Supervisor:
    """Guarantees: an actor that is gone, stuck or silent is replaced within seconds, or shown as QUARANTINED."""

    def __init__(
        self,
        facts: DeskFacts,
        specs: bytes,  # a pickled sequence of Spec: pickled by Ray, their arrays would be read-only
        limits: SupervisionConfig,
        *,
        clock: Clock,
        phase: Callable[[int], str],
        ledger: Ledger | None,
    ) -> None:
        plain_logs()
        self._facts, self._limits, self._clock, self._phase = facts, limits, clock, phase
        self._seen = {spec.name: Seen(spec) for spec in cloudpickle.loads(specs)}
        self._alerts = AlertDesk(ledger)
        for notice in facts.notices:
            self._alerts.raise_("warning", "instruments", notice)
        self._lock = threading.Lock()
        self._draining = threading.Event()
        self._oms: Any = None
        self._oms_tells = "UNREACHABLE", ""  # its state, and the breaker's while that is not CLOSED
        self._node = ray.get_runtime_context().get_node_id()
        threading.Thread(target=self._run, name="supervise", daemon=True).start()
        if facts.mode == "REPLAY":
            feeds = [name for name in self._seen if name.startswith(("feed.", f"{PAIR}."))]
            alarm = partial(self._alerts.raise_, "alarm", "replay")
            Playback(feeds, Calls(facts.namespace), clock, alarm=alarm).start()

    @ray.method(concurrency_group="reports")
    def opened(self, name: str, pid: int, started_ns: int, node: str) -> None:
        """An actor's guard began anew, in process `pid` on `node`."""
        seen = self._seen.get(name)
        if seen is None:
            return
        with self._lock:
            seen.born = (pid, node)
            self._count(seen, started_ns, pid)

    @ray.method(concurrency_group="calls")
    def status(self) -> DeskStatus:
        with self._lock:
            actors = tuple(seen.status() for seen in self._seen.values())
        market_ns = self._clock.now_ns()
        return DeskStatus(
            desk=self._facts.desk,
            mode=self._facts.mode,  # type: ignore[arg-type]
            market_ns=market_ns,
            market_says=self._facts.market_says,
            phase=self._phase(market_ns),
            wall_ns=time.time_ns(),
            oms_state=self._oms_tells[0] if "oms" in self._seen else "UNREACHABLE",  # type: ignore[arg-type]
            breaker=self._oms_tells[1],
            ledger_ok=self._alerts.ledger_ok,
            actors=actors,
            alerts=self._alerts.latest(),
            rehearsal=self._facts.rehearsal,
        )

    @ray.method(concurrency_group="calls")
    def idle(self) -> bool:
        """The order manager has never been READY: no order was ever sent, there is nothing to halt or to close."""
        return "oms" in self._seen and not self._seen["oms"].opened

    @ray.method(concurrency_group="calls")
    def drain(self, within_s: float = 10.0) -> list[str]:
        """End the desk's actors in order, restarting none; returns the names of those that left something behind."""
        self._draining.set()
        deadline, unclean = time.monotonic() + within_s, []
        for batch in _drain_order(self._seen):
            known = map(self._seen.__getitem__, batch)
            alive = [seen for seen in known if seen.handle and seen.opened and not seen.quarantined]
            asked = {seen.spec.name: seen.handle.drain.remote(3.0) for seen in alive}
            left = max(0.2, deadline - time.monotonic())
            done, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=left) if asked else ([], [])
            clean = {name for name, reference in asked.items() if reference in done and _value(reference) is True}
            unclean += sorted(asked.keys() - clean)
        for seen in self._seen.values():
            if seen.handle is not None:
                ray.kill(seen.handle, no_restart=True)
        return unclean

    # -- the loop ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            for seen in self._seen.values():
                if not self._draining.is_set():
                    self._adopt_or_create(seen)
            while not self._draining.is_set():
                began = time.monotonic()
                self._probe()
                self._act()
                self._draining.wait(max(0.05, self._limits.probe_ms / 1000 - (time.monotonic() - began)))
        except BaseException:
            log.exception("the supervisor ends and is started again")
            os._exit(1)

    def _count(self, seen: Seen, started_ns: int, pid: int) -> None:
        """One start, told by the actor itself or by its first answer, whichever comes first."""
        if started_ns in seen.starts:
            return
        seen.starts.append(started_ns)
        if len(seen.starts) > 1:
            self._alerts.raise_("warning", seen.spec.name, f"started again, incarnation {len(seen.starts)}, pid {pid}")

    def _adopt_or_create(self, seen: Seen) -> None:
        try:
            seen.handle, seen.exists = ray.get_actor(seen.spec.name, self._facts.namespace), True
            seen.opened = True
        except ValueError:
            seen.handle, seen.exists = start(seen.spec, self._facts.namespace), True

    def _probe(self) -> None:
        now = time.time_ns()
        for seen in self._seen.values():
            if seen.probe is None and seen.handle is not None and not seen.quarantined:
                seen.probe, seen.asked_ns = seen.handle.health.remote(), now
        if "oms" in self._seen and self._oms is None and self._seen["oms"].handle is not None:
            self._oms = self._seen["oms"].handle.call.remote("tells", ())
        asked = [seen.probe for seen in self._seen.values() if seen.probe is not None]
        asked += [self._oms] if self._oms is not None else []
        if not asked:
            return
        done, _ = ray.wait(asked, num_returns=len(asked), timeout=self._limits.probe_ms / 1000)
        answered = set(done)
        for seen in self._seen.values():
            if seen.probe in answered:
                self._take(seen, _value(seen.probe))
        if self._oms in answered:
            told, self._oms = _value(self._oms), None
            self._oms_tells = told if isinstance(told, tuple) else ("UNREACHABLE", "")

    def _take(self, seen: Seen, answer: Any) -> None:
        with self._lock:
            seen.probe, seen.asked_ns = None, 0
            if isinstance(answer, Vitals):
                seen.take(answer, time.time_ns(), self._limits.silent_s)
                seen.opened = seen.opened or answer.health.ready_ns > 0
                self._alerts.heard(seen.spec.name, answer.alerts, write="ledger" not in seen.spec.ports)
                self._count(seen, answer.health.started_ns, answer.pid)
                if answer.spec_hash != seen.spec.hash:
                    log.warning("made from another spec", actor=seen.spec.name)
                    ray.kill(seen.handle, no_restart=True)
                return
        try:
            seen.handle = ray.get_actor(seen.spec.name, self._facts.namespace)
        except ValueError:
            seen.exists = False  # dead for good: the name is free

    def _act(self) -> None:
        now = time.time_ns()
        market_open = self._facts.mode != "REPLAY" and self._phase(self._clock.now_ns()) == "open"
        watches = {name: seen.watch(self._node) for name, seen in self._seen.items()}
        for name, finding in decide(watches, now_ns=now, market_open=market_open, limits=self._limits).items():
            seen = self._seen[name]
            before = seen.finding.state
            if finding.state != before:
                log.info("state", actor=name, state=finding.state, why=finding.why)
            with self._lock:
                seen.finding = finding
            if finding.do != "nothing":
                self._do(seen, finding, told=finding.state == before)
            if seen.vitals is not None:
                self._warn_of(seen, seen.vitals)

    def _warn_of(self, seen: Seen, vitals: Vitals) -> None:
        # Not how much: an alert is only held back while its words are the same.
        name, limit_mb = seen.spec.name, self._limits.rss_limit_mb
        if vitals.rss_mb > limit_mb:
            self._alerts.raise_("warning", name, f"takes more than supervision.rss_limit_mb, {limit_mb} MB")
        lost = sum(count for way, count in vitals.dropped.items() if way.startswith("lost:"))
        if lost > seen.lost:
            self._alerts.raise_(
                "alarm", name, "gave up rows the recorder had not taken (bus.ring_mb): the tape has a gap"
            )
        seen.lost = lost
        refused = seen.refusals.look(vitals.counts, time.time_ns())
        if refused:
            self._alerts.raise_("warning", name, refused)

    def _do(self, seen: Seen, finding: Finding, *, told: bool) -> None:
        name = seen.spec.name
        severity = "alarm" if finding.do == "quarantine" else "warning"
        if not told:
            self._alerts.raise_(severity, name, f"{finding.state}: {finding.why}")
        if finding.do == "create":
            seen.handle, seen.exists, seen.vitals, seen.probe = (
                start(seen.spec, self._facts.namespace),
                True,
                None,
                None,
            )
        elif finding.do == "quarantine":
            seen.quarantined, seen.probe = True, None
            ray.kill(seen.handle, no_restart=True)
            if self._limits.kill_on_quarantine and is_needed(name):
                alarm = partial(self._alerts.raise_, "alarm", "kill switch")
                pull(self._facts.namespace, f"{name} is QUARANTINED: {finding.why}", alarm)
        else:
            self._end(seen)

    def _end(self, seen: Seen) -> None:
        """Have Ray start it anew: by SIGKILL where its process is known, since ray.kill takes six seconds on a stopped
        one.
        """
        here = seen.processes(self._node)
        for pid in here:
            kill(pid)
        if not here:
            ray.kill(seen.handle, no_restart=False)
        seen.asked_ns = time.time_ns()  # the next process has as long as this one had


def _drain_order(names: Any) -> list[list[str]]:
    """Sources first, the recorder last: what was sent is still taken."""
    order = (
        ("strategy",),
        ("link",),
        ("feed", PAIR),
        ("shard",),
        ("oms", "risk", "gateway"),
        ("recorder", "publisher"),
    )
    known = {kind for batch in order for kind in batch}
    batches = [[n for n in names if n.split(".")[0] in batch] for batch in order]
    return [[n for n in names if n.split(".")[0] not in known], *batches]


def _value(reference: Any) -> Any:
    """The answer, or the error Ray has instead of one."""
    try:
        return ray.get(reference)
    except RayError as error:
        return error
