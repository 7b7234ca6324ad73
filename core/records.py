"""Facts and commands: what was asked, what was answered, what happened. Never changed once made.

Prices and money are integer paise, quantities are units (not lots) and positive with a side beside them,
times are UTC nanoseconds of the market's clock unless the name says wall. `tag` is the order's one identity from
intent to fill: at most 20 characters of [A-Z0-9], made before anything is sent.
"""

import datetime as dt
from typing import Literal

import msgspec
import pyarrow as pa

Side = Literal["BUY", "SELL"]
OrderType = Literal["LIMIT", "MARKET"]
Purpose = Literal["entry", "hedge", "exit"]
OrderState = Literal[
    "JOURNALLED",  # committed to the ledger, not yet answered by the broker
    "UNKNOWN",  # sent, no clear answer: looked up by tag, never re-sent
    "OPEN",  # the broker holds it; filled_quantity may be above 0
    "COMPLETE",
    "CANCELLED",  # filled_quantity may be above 0
    "REJECTED",  # the broker or the exchange said no
    "REFUSED",  # risk said no: never journalled as sent, never sent
]
LIVE: frozenset[str] = frozenset({"JOURNALLED", "UNKNOWN", "OPEN"})


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One published chain of one index: schemas.CONTRACTS and schemas.EXPIRIES, of the same sequence."""

    contracts: pa.RecordBatch
    expiries: pa.RecordBatch


Sender = tuple[str, str, int, str]  # source, topic, epoch, index


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


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy or a person wants done."""

    tag: str
    strategy: str  # "manual" for a person
    index: str
    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    limit_paise: int = 0  # 0 for MARKET
    product: Literal["NRML", "MIS"] = "NRML"
    purpose: Purpose = "entry"
    reason: str = ""
    created_ns: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An intent and what has become of it."""

    intent: Intent
    state: OrderState
    broker_id: str = ""
    filled_quantity: int = 0
    average_paise: float = 0.0
    message: str = ""  # the refusal or rejection in words
    updated_ns: int = 0
    lost: bool = False  # live, but do not wait for it: an end of it may never be known; said anew, not in the ledger


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an order, in the order it was learned."""

    tag: str
    state: OrderState
    at_ns: int
    filled_quantity: int = 0
    message: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    trade_id: str
    tag: str
    strategy: str
    index: str
    symbol: str
    side: Side
    quantity: int
    price_paise: int
    at_ns: int


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract was worth when it expired: one fact a contract and session, by which whoever holds it is paid."""

    symbol: str
    index: str
    close_paise: int  # the index's settlement price
    value_paise: int  # intrinsic value of a unit of the contract at it
    source: str  # of the settlement price: published close, mean of 15:00-15:30, auction print
    at_ns: int  # the contract's last trade

    @property
    def id(self) -> str:
        """Its place among the trade ids of a holding; no trade's id has a space."""
        return f"SETTLED {self.symbol}"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Open and closed positions of one symbol in this session."""

    symbol: str
    index: str
    quantity: int  # signed: + long, − short
    average_paise: float  # of the open quantity; 0 when flat
    last_paise: int  # latest mark: mid of a fresh two-sided quote, else last; 0 unknown
    realised_paise: int
    unrealised_paise: int
    charges_paise: int

    @property
    def gross_paise(self) -> int:
        return self.realised_paise + self.unrealised_paise

    @property
    def net_paise(self) -> int:
        return self.gross_paise - self.charges_paise


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A limit said no. `allowed` and `asked` are in the limit's own unit, as text."""

    limit: str
    allowed: str
    asked: str
    why: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Risk's answer to an intent; empty `refusals` is a yes."""

    refusals: tuple[Refusal, ...] = ()


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is used now, for the page's bars."""

    limit: str
    used: float
    allowed: float
    unit: str


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True):
    at_ns: int
    kind: str  # refusal, halt, limit, difference …
    subject: str
    message: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    at_wall_ns: int
    severity: Literal["info", "warning", "alarm"]
    subject: str
    message: str


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would block and cost; `estimate` says what no exchange file confirms."""

    premium_paise: int
    span_paise: int
    exposure_paise: int
    charges_paise: int
    estimate: bool

    @property
    def total_paise(self) -> int:
        return self.premium_paise + self.span_paise + self.exposure_paise


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
