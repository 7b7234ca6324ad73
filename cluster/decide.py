"""What the supervisor makes of what it sees: a pure function, so that every case is a test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from cluster.vitals import Vitals

State = Literal["STARTING", "READY", "STUCK", "SILENT", "DEAD", "RESTARTING", "QUARANTINED"]
Do = Literal["nothing", "create", "kill", "quarantine"]
NS = 1_000_000_000


class SupervisionConfig(BaseModel, frozen=True, extra="forbid"):
    """How impatient the supervisor is."""

    probe_ms: int = Field(default=500, gt=0, description="milliseconds between two rounds of health probes")
    stuck_s: float = Field(default=8.0, gt=0, description="a call in flight, or a probe unanswered, this long: SIGKILL")
    open_s: float = Field(
        default=90.0, gt=0, description="seconds one open(), or a first answer, may take: then it is stuck"
    )
    silent_s: float = Field(
        default=12.0, gt=0, description="no progress this long in an open market, while its source has some: SIGKILL"
    )
    kill_on_quarantine: bool = Field(
        default=True,
        description="whether an actor that trading depends on pulls the kill switch when it is quarantined",
    )
    starts_per_minute: int = Field(default=5, gt=0, description="more starts than this in a minute: quarantined, alarm")
    rss_limit_mb: int = Field(default=1500, gt=0, description="an actor above this many MB raises a warning")
    deadline_s: float = Field(default=5.0, gt=0, description="seconds an awaited call to an actor may take")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is known of one actor now; times are wall ns, 0 is never."""

    exists: bool  # Ray has an actor of that name, running or being restarted
    upstream: tuple[str, ...]  # whose progress this one's depends on; empty: never called silent
    vitals: Vitals | None  # the last answer
    asked_ns: int  # when the oldest unanswered probe was sent
    process_alive: bool  # of the last known pid
    starts_ns: tuple[int, ...]
    quarantined: bool
    speaks_since_ns: int = 0  # its first progress after the last pause that was longer than others wait for
    refused_all_ns: int = 0  # when it was last seen to refuse all that came: it is at work, and owes nobody anything


@dataclass(frozen=True)
class Finding:
    state: State
    do: Do = "nothing"
    why: str = ""


def decide(
    watches: Mapping[str, Watch], *, now_ns: int, market_open: bool, limits: SupervisionConfig
) -> dict[str, Finding]:
    """Say for each actor what it is and what to do about it; acts on nothing."""
    return {
        name: _one(watch, watches, now_ns=now_ns, market_open=market_open, limits=limits)
        for name, watch in watches.items()
    }


def _one(  # noqa: PLR0911 one return a state
    watch: Watch, watches: Mapping[str, Watch], *, now_ns: int, market_open: bool, limits: SupervisionConfig
) -> Finding:
    recent = [start for start in watch.starts_ns if now_ns - start < 60 * NS]
    if watch.quarantined:
        return Finding("QUARANTINED", "nothing", "crashed in a loop; `vikalp down` and `up` after mending it")
    if len(recent) > limits.starts_per_minute:
        return Finding("QUARANTINED", "quarantine", f"{len(recent)} starts in a minute")
    if not watch.exists:
        return Finding("DEAD", "create", "no such actor")
    starting: State = "RESTARTING" if len(watch.starts_ns) > 1 else "STARTING"
    vitals = watch.vitals
    if vitals is None or not watch.process_alive:
        # Nothing is known of the process there is now: one that hangs before its first answer never gives one.
        mute = _mute(watch, now_ns, limits.open_s)
        if mute:
            return Finding("STUCK", "kill", mute)
    if vitals is None:
        return Finding(starting)
    if not watch.process_alive:
        return Finding("RESTARTING", "nothing", f"process {vitals.pid} ended; Ray starts another")
    stuck = _stuck(watch, vitals, now_ns, limits)
    if stuck:
        return Finding("STUCK", "kill", stuck)
    if not vitals.health.ready_ns:
        return Finding(starting, "nothing", vitals.health.detail)
    silent = market_open and _silent(watch, watches, now_ns, limits)
    return Finding("SILENT", "kill", silent) if silent else Finding("READY")


def _stuck(watch: Watch, vitals: Vitals, now_ns: int, limits: SupervisionConfig) -> str:
    allowed = limits.stuck_s if vitals.health.ready_ns else limits.open_s
    if mute := _mute(watch, now_ns, allowed):
        return mute
    since = vitals.health.in_flight_since_ns
    if since and now_ns - since > allowed * NS:
        return f"one call has been running for {(now_ns - since) / NS:.1f} s"
    return ""


def _mute(watch: Watch, now_ns: int, allowed_s: float) -> str:
    asked = watch.asked_ns and now_ns - watch.asked_ns > allowed_s * NS
    return f"no answer to a health probe for {(now_ns - watch.asked_ns) / NS:.1f} s" if asked else ""


def _silent(watch: Watch, watches: Mapping[str, Watch], now_ns: int, limits: SupervisionConfig) -> str:
    """Without progress while one of its sources has some: only the time that this one has spoken again counts.

    Who refuses all that comes is not mended by a new life; those behind it see no progress, and are not judged by it.
    """
    if watch.vitals is None or not watch.upstream:
        return ""
    health = watch.vitals.health
    since_ns = max(health.progress_ns, health.ready_ns, watch.refused_all_ns)
    for name in watch.upstream:
        other = watches.get(name)
        if other is None or other.vitals is None:
            continue
        speaks = other is watch or now_ns - other.vitals.health.progress_ns < limits.silent_s * NS / 2
        quiet_ns = now_ns - max(since_ns, 0 if other is watch else other.speaks_since_ns)
        if speaks and quiet_ns > limits.silent_s * NS:
            allowed = f"supervision.silent_s allows {limits.silent_s:g}"
            return f"no progress for {quiet_ns / NS:.0f} s while the market is open; {allowed}"
    return ""
