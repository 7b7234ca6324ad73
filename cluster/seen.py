"""What the supervisor knows of one actor."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cluster.decide import NS, Finding, Watch
from cluster.pids import runs
from cluster.refusals import Refusals, in_words, refuses_all
from cluster.topology import Spec
from cluster.vitals import Vitals
from core.records import ActorStatus


@dataclass(slots=True)
class Seen:
    """Changed by the supervisor alone."""

    spec: Spec
    handle: Any = None
    exists: bool = False
    vitals: Vitals | None = None
    probe: Any = None
    asked_ns: int = 0
    born: tuple[int, str] = (0, "")  # pid and node of its newest process, as that said itself
    starts: deque[int] = field(default_factory=lambda: deque(maxlen=50))
    speaks_since_ns: int = 0
    refused_all_ns: int = 0
    quarantined: bool = False
    opened: bool = False  # it has been READY, or was there before this supervisor
    lost: int = 0  # messages to the recorder that its ring gave up
    refusals: Refusals = field(default_factory=Refusals)
    finding: Finding = field(default_factory=lambda: Finding("STARTING"))

    def watch(self, node: str) -> Watch:
        """What is judged; only a process on the supervisor's own `node` can be seen to have ended."""
        here = self.vitals is not None and self.vitals.node_id == node
        alive = not here or (self.vitals is not None and runs(self.vitals.pid))
        return Watch(
            exists=self.exists,
            upstream=self.spec.upstream,
            vitals=self.vitals,
            asked_ns=self.asked_ns,
            process_alive=alive,
            starts_ns=tuple(self.starts),
            quarantined=self.quarantined,
            speaks_since_ns=self.speaks_since_ns,
            refused_all_ns=self.refused_all_ns,
        )

    def take(self, vitals: Vitals, now_ns: int, silent_s: float) -> None:
        """Its newest answer, of `now_ns` of the wall; progress after a pause of more than half of `silent_s` begins
        anew.
        """
        before = self.vitals.health.progress_ns if self.vitals is not None else 0
        if vitals.health.progress_ns - before > silent_s * NS / 2:
            self.speaks_since_ns = vitals.health.progress_ns
        if self.vitals is not None and refuses_all(self.vitals.counts, vitals.counts):
            self.refused_all_ns = now_ns
        self.vitals = vitals

    def processes(self, node: str) -> list[int]:
        """What runs of it on `node`, as far as it has said so."""
        said = {self.born, (self.vitals.pid, self.vitals.node_id)} if self.vitals is not None else {self.born}
        return [pid for pid, where in said if where == node and runs(pid)]

    def status(self) -> ActorStatus:
        vitals = self.vitals
        health = vitals.health if vitals else None
        counts = vitals.counts if vitals else {}
        return ActorStatus(
            name=self.spec.name,
            state=self.finding.state,
            pid=vitals.pid if vitals else 0,
            incarnation=len(self.starts),
            rss_mb=vitals.rss_mb if vitals else 0,
            last_progress_ns=health.progress_ns if health else 0,
            handled=health.handled if health else 0,
            gaps=health.gaps if health else 0,
            dropped=sum(vitals.dropped.values()) if vitals else 0,
            refused=health.refused if health else 0,
            why=self.finding.why or in_words(counts),
            counts=counts,
        )
