"""Market data: the bus, clocks, where ticks come from and where they are kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from core.records import Chain, Stamp

if TYPE_CHECKING:
    from core.kite.layout import Mode  # its package loads the kernels, which most processes need not

Payload = pa.RecordBatch | Chain


class Bus(Protocol):
    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        """Send to every subscriber of `topic` as its `on_<topic>(payload)`; `index` picks feed.<index>, shard.<index>.

        Live: never blocks, never raises for a slow subscriber; the oldest is dropped and counted. In a replay it
        returns when every lossless subscriber has handled the message.
        """


class Clock(Protocol):
    """The market's clock: the wall in LIVE and PAPER, the simulated session's, or a replay's data."""

    def now_ns(self) -> int:
        """UTC nanoseconds of market time."""

    def wall_ns(self) -> int:
        """UTC nanoseconds of the machine, for ages and progress only."""

    def advance(self, to_ns: int) -> None:
        """In a replay: the data has reached `to_ns`; elsewhere does nothing."""


class Source(Protocol):
    """Where a feed's ticks come from: a simulated market, a recorded file, a tape; later the links."""

    def open(self) -> None:
        """Connect; raises InputError or UnknownDate before anything is half-started."""

    def poll(self, now_ns: int) -> Iterable[pa.RecordBatch]:
        """Every batch of TICKS due up to `now_ns` of the market clock, oldest first."""

    def next_ns(self) -> int | None:
        """Market time of the next batch, None at the end (a replay at full speed steps by this)."""

    def counts(self) -> Mapping[str, int]:
        """What was read, dropped and refused so far, by name."""


class Past(Protocol):
    """What is known of one index's session before a live feed began to watch it: its tape; later, filled from history.

    Both raise InputError or OSError when it cannot be read, and give nothing when there is nothing.
    """

    def bars(self, since_ns: int, until_ns: int) -> Sequence[pa.RecordBatch]:
        """BARS that begin in [since, until), of the market date of `until_ns`: one batch a start and length.

        By length, then oldest first; each bar once.
        """

    def ticks(self, since_ns: int, until_ns: int) -> Iterable[pa.RecordBatch]:
        """TICKS of [since, until), of the market date of `until_ns`, in the order recorded."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a socket brought since it was last asked, in the order it came; `received_ns` is the machine's clock, UTC.

    frames: binary messages, undecoded. texts: kind (`order`, `error`, `message`, …) and data. states: the state of the
    connection, a word of brokers.kite.stream.State, and why it is so.
    """

    frames: Sequence[tuple[bytes, int]] = ()
    texts: Sequence[tuple[str, Any, int]] = ()
    states: Sequence[tuple[str, str]] = ()


class Socket(Protocol):
    """A broker's stream of market data and order updates: keeps itself connected, in a thread of its own."""

    def open(self) -> None:
        """Begin to connect; without a login it waits for one and says so among the states."""

    def subscribe(self, modes: Mapping[int, "Mode"]) -> None:
        """All that shall be carried from now on, by token; InputError for more than one socket carries."""

    def take(self) -> Arrived:
        """Everything since the last call; never waits."""

    def wait(self, longest_s: float) -> None:
        """Return when there is something to take, or after `longest_s` seconds."""

    def counts(self) -> Mapping[str, int]:
        """Connections, frames, and attempts by how they ended."""

    def close(self) -> None:
        """The connection and its thread end."""


class Tape(Protocol):
    """The recorder's disk: partitioned Parquet, written aside and renamed."""

    def append(self, stamp: Stamp, name: str, index: str, batch: pa.RecordBatch) -> None:
        """Take rows of schema `name` for the partition of their market date and `index`; not yet durable."""

    def flush(self) -> None:
        """Make everything appended durable and visible under its final name."""

    def durable(self, source: str, topic: str, epoch: int, index: str = "") -> int:
        """Highest sequence of that sender that is on disk, 0 if none; survives a restart."""


class LastChains(Protocol):
    """The last chain there is of each index, for a page that has none yet: to be shown as cached, never traded on."""

    def last(self, index: str) -> Chain | None:
        """The newest recorded chain; None if there is none. InputError or OSError when it cannot be read."""
