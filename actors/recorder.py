"""The tape's one writer: every tick, bar and chain to disk.

in       ticks, bars, chain_tape, each with its sender's stamp
out      the highest sequence of that sender that is on disk
state    rows since the last flush (soft: senders keep what was not acknowledged and send it again)
restart  the tape knows each sender's durable sequence; what comes again below it is ignored
"""

from collections import Counter

from pydantic import BaseModel, Field

from core.errors import ConfigError, InputError, SchemaError
from core.ports import Clock, Payload, Tape
from core.records import Chain, Sender, Stamp
from core.schemas import SCHEMAS, check


class RecorderConfig(BaseModel, frozen=True, extra="forbid"):
    flush_ms: int = Field(
        default=2_000, ge=0, description="wall ms between flushes; 0 in a replay: by rows only, so that bytes repeat"
    )
    flush_rows: int = Field(default=50_000, gt=0, description="rows kept in memory before a flush")
    retry_ms: int = Field(default=1_000, ge=0, description="wall ms between tries while the disk refuses")
    timer_ms: int = Field(default=500, ge=0, description="ms between looks at the clock; 0 in a replay")


class RecorderActor:
    """`record` returns what is durable, so that its sender may forget that much and no more.

    What comes beyond a hole in a sender's sequence is refused once: the sender then sends again from its oldest. The
    first that comes a second time is that oldest; what is missing before it is gone for good and counted in `lost`.
    While the disk refuses, ConfigError names why; nothing taken is forgotten and nothing more is taken than one flush
    holds.
    """

    def __init__(self, config: RecorderConfig, *, clock: Clock, tape: Tape) -> None:
        self._config, self._clock, self._tape = config, clock, tape
        self._progress_ns = 0
        self._taken: dict[Sender, int] = {}
        self._refused: dict[Sender, set[int]] = {}
        self._rows, self._flushed_ns, self._failed = 0, 0, ""
        self._counts: Counter[str] = Counter()

    def open(self) -> None:
        """Reach the tape; raises ConfigError when its place cannot be used."""
        self._flush()

    def record(self, stamp: Stamp, payload: Payload) -> int:
        """Take one message; returns the sender's highest durable sequence."""
        sender = stamp.sender
        if sender not in self._taken:
            self._taken[sender] = self._tape.durable(*sender)
        if self._failed:
            self._retry()
        if stamp.sequence <= self._taken[sender]:
            self._counts["again"] += 1
        elif self._in_turn(sender, stamp.sequence):
            self._taken[sender] = stamp.sequence  # first: a batch that is refused is not asked for again
            self._take(stamp, payload)
            if self._rows >= self._config.flush_rows:
                self._flush()
        self._progress_ns = self._clock.wall_ns()
        return self._tape.durable(*sender)

    def on_timer(self) -> None:
        """Flush when it is time."""
        due = self._flushed_ns + self._config.flush_ms * 1_000_000
        if self._config.flush_ms and self._rows and self._clock.wall_ns() >= due:
            self._flush()

    def close(self) -> None:
        """Flush everything."""
        self._flush()

    def status(self) -> dict[str, int]:
        """Counts since the start: messages, rows by name, flushes, `again`, `refused`, `lost`, and rows `waiting`."""
        return dict(self._counts) | {"waiting": self._rows}

    def check_health(self) -> int:
        return self._progress_ns

    def _in_turn(self, sender: Sender, sequence: int) -> bool:
        expected = self._taken[sender] + 1
        if sequence == expected:
            self._refused.pop(sender, None)
            return True
        refused = self._refused.setdefault(sender, set())
        if sequence not in refused:
            refused.add(sequence)
            self._counts["refused"] += 1
            raise InputError(
                f"{sender[0]} {sender[1]} {sender[3]}: expected sequence {expected}, was {sequence}; send again from it"
            )
        self._counts["lost"] += sequence - expected
        del self._refused[sender]
        return True

    def _take(self, stamp: Stamp, payload: Payload) -> None:
        if isinstance(payload, Chain):
            batches = {"contracts": payload.contracts, "expiries": payload.expiries}
        else:
            batches = {stamp.topic: payload}
        for name, batch in batches.items():
            if name not in SCHEMAS:
                raise SchemaError(f"the tape has no place for {name}: expected one of {', '.join(SCHEMAS)}")
            check(name, batch)  # both halves of a chain before either is taken
        for name, batch in batches.items():
            index = batch.column("index")[0].as_py() if batch.num_rows else ""
            self._tape.append(stamp, name, index, batch)
            self._rows += batch.num_rows
            self._counts[name] += batch.num_rows
        self._counts["messages"] += 1

    def _retry(self) -> None:
        if self._clock.wall_ns() < self._flushed_ns + self._config.retry_ms * 1_000_000:
            raise ConfigError(self._failed)
        self._flush()

    def _flush(self) -> None:
        self._flushed_ns = self._clock.wall_ns()
        try:
            self._tape.flush()
        except OSError as error:
            self._failed = f"the tape cannot be written ({error}): make room or correct tape.url; rows are kept"
            raise ConfigError(self._failed) from error
        self._rows, self._failed = 0, ""
        self._counts["flushes"] += 1
