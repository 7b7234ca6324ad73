"""The desk itself: who sent a message, how an actor is, what the page's header says, the session it is."""

import datetime as dt
from typing import Literal

import msgspec
import pyarrow as pa

Sender = tuple[str, str, int, str]  # source, topic, epoch, index


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One published chain of one index: schemas.CONTRACTS and schemas.EXPIRIES, of the same sequence."""

    contracts: pa.RecordBatch
    expiries: pa.RecordBatch


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """On every message of the bus: who sent it and its place in the row, so that receivers count gaps."""

    source: str
    topic: str
    index: str = ""  # whose message it is; empty where a topic is of no one index
    epoch: int  # wall ns of the sender's open(); a restart makes a new one
    sequence: int  # 1, 2, 3 … within `sender`
    sent_wall_ns: int

    @property
    def sender(self) -> "Sender":
        """Who counts: one source counts each topic, and of a topic each index, for itself."""
        return (self.source, self.topic, self.epoch, self.index)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    at_wall_ns: int
    severity: Literal["info", "warning", "alarm"]
    subject: str
    message: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor says of itself to the supervisor; wall-clock nanoseconds, 0 is never."""

    started_ns: int
    ready_ns: int
    progress_ns: int
    in_flight_since_ns: int
    handled: int
    gaps: int
    refused: int
    detail: str = ""


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: Literal["STARTING", "READY", "STUCK", "SILENT", "DEAD", "RESTARTING", "QUARANTINED"]
    pid: int
    incarnation: int
    rss_mb: int
    last_progress_ns: int  # wall
    handled: int
    gaps: int
    dropped: int
    refused: int
    why: str = ""
    counts: dict[str, int] = {}  # what it counts beside messages, by name: a feed's rows, and those it refused


class DeskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows, and the page's header."""

    desk: int
    mode: Literal["SIMULATED", "REPLAY", "PAPER", "LIVE"]
    market_ns: int
    market_says: str  # e.g. "simulated session of 2026-11-20, seed 7"
    phase: str  # closed, pre-open, open …
    wall_ns: int
    oms_state: Literal["ACTIVE", "REDUCING", "HALTED", "UNREACHABLE"]
    ledger_ok: bool
    actors: tuple[ActorStatus, ...]
    alerts: tuple[Alert, ...] = ()
    breaker: str = ""  # the circuit breaker before the broker and why, "OPEN: …"; empty while it is CLOSED
    rehearsal: bool = False  # PAPER or LIVE on a local exchange: its prices are no live market's

    @property
    def market_mode(self) -> str:
        """The mode whose market this desk's prices are of."""
        return "SIMULATED" if self.rehearsal else self.mode


class FeedProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a feed is in its source; `done` at the end of a recorded day."""

    index: str
    market_ns: int
    batches: int  # published
    total: int  # batches the source will give in all; 0 unknown (a live market)
    ticks: int
    done: bool
    counts: dict[str, int]  # of the source: read, dropped, refused, by name


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A trading session of an exchange; aware datetimes in Asia/Kolkata."""

    date: dt.date
    kind: str  # normal, muhurat, weekend, drill …
    pre_open: dt.datetime | None
    open: dt.datetime
    close: dt.datetime
    grade: str = "circular"  # how the day is known: circular, measured, provisional or user (core/market/overlay.py)
