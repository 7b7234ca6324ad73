"""What an actor may ask of the world. Ray, files, sockets and clocks hide behind these.

A port handed to an actor is a small picklable description that connects on first use, in the actor's own process.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from core.records import (
    Alert,
    Chain,
    DeskStatus,
    Fill,
    Intent,
    LimitUse,
    Margin,
    Order,
    OrderEvent,
    Position,
    RiskEvent,
    Settled,
    Stamp,
    Verdict,
)

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


class Ledger(Protocol):
    """The journal of money: every call returns only when the fact is committed, or raises LedgerDown."""

    def take_epoch(self) -> int:
        """Become the one order manager; every older holder is fenced from now on."""

    def journal_intent(self, epoch: int, intent: Intent) -> None:
        """Commit intent and JOURNALLED order in one transaction that checks `epoch`; raises LedgerFenced."""

    def record_refusal(self, intent: Intent, verdict: Verdict) -> None: ...
    def record_order(self, epoch: int, order: Order, event: OrderEvent) -> None: ...
    def record_fill(self, epoch: int, fill: Fill, order: Order, position: Position) -> bool:
        """False if this trade_id was already recorded: a fill counts once."""

    def record_settlement(self, epoch: int, settled: Settled, position: Position) -> Settled:
        """What a contract settled at, and the position after it; of two the first stays and comes back."""

    def settlements(self) -> Sequence[Settled]:
        """Settlements of the current session, oldest first."""

    def record_standing(self, epoch: int, state: str, why: str) -> None:
        """What a person wants of the order manager: ACTIVE, REDUCING or HALTED; raises LedgerFenced."""

    def standing(self) -> tuple[str, str] | None:
        """The last recorded state and why; None if nobody has said anything in this session."""

    def orders(self) -> Sequence[Order]:
        """Orders of the current session, oldest first; refusals included."""

    def fills(self) -> Sequence[Fill]:
        """Fills of the current session, oldest first."""

    def positions(self) -> Sequence[Position]:
        """Positions of the current session; where positions carry over (PAPER, LIVE), every open one."""

    def record_risk_event(self, event: RiskEvent) -> None: ...
    def record_alert(self, alert: Alert) -> None: ...
    def record_daily_pnl(self, date: str, gross_paise: int, charges_paise: int) -> None: ...
    def audit(self, actor: str, action: str, detail: Mapping[str, object]) -> None: ...
    def ping(self) -> float:
        """Seconds one SELECT 1 took."""


class BrokerAnswer(Protocol):
    """ACK with the broker's id, REFUSED with words, or UNKNOWN (timeout, 5xx, anything else)."""

    @property
    def kind(self) -> str: ...
    @property
    def broker_id(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def again(self) -> bool:
        """REFUSED for the moment: nothing is wrong with what was asked."""


class Broker(Protocol):
    @property
    def unlisted_ms(self) -> int:
        """An order it has taken may be missing in `book` for so long, milliseconds of wall time."""

    @property
    def trades_at_once(self) -> bool:
        """Whether an order may have traded by the time `place` returns."""

    def place(self, intent: Intent) -> BrokerAnswer:
        """Send once; never raises for what the wire does."""

    def cancel(self, broker_id: str) -> BrokerAnswer: ...
    def find(self, tag: str) -> Order | None:
        """The broker's own order with that tag; None if it holds none."""

    def book(self) -> Sequence[Order]:
        """Every order of the session as the broker sees it."""

    def trades(self) -> Sequence[Fill]:
        """Every trade of the session as the broker sees it."""

    def positions(self) -> Mapping[tuple[str, str], int]:
        """Signed units of the account, whoever traded them, by contract and product; what is flat may be left out.

        Of contracts of our indices alone. Raises as `book`.
        """

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        """The market, for a broker that matches against it itself; whether `trades` may show more by that.

        An exchange has its own book: False, always.
        """


class Risk(Protocol):
    """The risk actor as others see it: awaited calls."""

    def check(self, intent: Intent) -> Verdict: ...
    def book(self, fill: Fill) -> None: ...
    def release(self, tag: str) -> None:
        """The order is over: what of it has not filled is no longer working."""

    def settle(self, live: Collection[str], trades: Collection[str]) -> None:
        """Tags that live, ids of every trade and settlement, as an order manager's journal holds them; LedgerDown.

        If risk counts anything else it reads the ledger, which decides: a replaced order manager's word does not.
        """

    def limits(self) -> Sequence[LimitUse]: ...
    def margin(self, intent: Intent) -> Margin: ...


class Trading(Protocol):
    """What may be asked of an order manager, at whatever distance. A refused order is no error: it comes as REFUSED."""

    def submit(self, intent: Intent) -> Order: ...
    def cancel(self, tag: str) -> Order: ...
    def exit_all(self, why: str) -> Sequence[Order]: ...
    def orders(self) -> Sequence[Order]: ...
    def positions(self) -> Sequence[Position]: ...
    def halt(self, why: str) -> str:
        """No new orders until `resume`, whatever is restarted; returns the state. exit_all still works.

        LedgerDown: it is so now, and a crash would forget it; say it again when the ledger is back. `reduce` alike.
        """

    def reduce(self, why: str) -> str:
        """Exits only, until `resume`; returns the state."""

    def resume(self) -> str:
        """Trading again, unless something else stands against it; returns the state there is now."""


class Orders(Trading, Protocol):
    """The order manager as others see it: awaited calls, never the bus."""

    def state(self) -> str: ...


class BrokerStore(Protocol):
    """Where the paper broker keeps its own book, so that it outlives the process that hosts it."""

    def save(self, order: Order, fills: Sequence[Fill]) -> None:
        """Commit the order's new state and its new fills in one transaction; both or neither."""

    def load(self) -> tuple[Sequence[Order], Sequence[Fill]]:
        """Every order and fill of this session, oldest first; no save made before lands after it."""


class DeskClient(Trading, Protocol):
    """Everything the page, the command line and a notebook may ask of a desk; awaited calls with a deadline.

    Raises DeskError, naming the actor, when one does not answer.
    """

    def chain(self, index: str) -> Chain | None: ...
    def status(self) -> DeskStatus: ...
    def limits(self) -> Sequence[LimitUse]: ...
    def margin(self, intent: Intent) -> Margin: ...
