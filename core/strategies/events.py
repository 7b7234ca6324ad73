"""What a strategy is told and what it answers. Prices in paise, times in UTC nanoseconds of the market's clock."""

import datetime as dt
from collections.abc import Mapping
from typing import Literal

import msgspec

from core.schemas import Kind


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Open, high, low and close of one symbol from `start_ns` on."""

    start_ns: int
    seconds: int
    open_paise: int
    high_paise: int
    low_paise: int
    close_paise: int

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.seconds * 1_000_000_000


class BarClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the index and every option's bar of the same start.

    `expiry` is the one to trade today; by `square_off_ns` nothing may be held any more.
    """

    day: dt.date
    index_bar: Bar
    options: Mapping[str, Bar]
    expiry: dt.date
    square_off_ns: int


class EntryFilled(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted option was bought at `price_paise` a unit."""

    symbol: str
    price_paise: int
    quantity: int
    at_ns: int


class EntryDropped(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted entry will never fill: refused, rejected or expired."""


class ExitFilled(msgspec.Struct, frozen=True, kw_only=True):
    """The position is flat again."""


class ExitDropped(msgspec.Struct, frozen=True, kw_only=True):
    """The exit was not taken; the position is still open and a new exit may be decided."""


class PremiumSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A price at which the held option can be sold now."""

    symbol: str
    price_paise: int
    at_ns: int


Event = BarClosed | EntryFilled | EntryDropped | ExitFilled | ExitDropped | PremiumSeen


class Enter(msgspec.Struct, frozen=True, kw_only=True):
    """Buy `symbol`: a signal at the close of a bar."""

    symbol: str
    kind: Kind
    at_ns: int
    confidence: float  # per cent
    close_paise: int  # of the option's bar, the price the decision was taken on


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """Sell what is held. `limit_paise` is the stop's or target's price, 0 for a decision at a bar's close."""

    symbol: str
    at_ns: int
    reason: str
    limit_paise: int = 0


class NoData(msgspec.Struct, frozen=True, kw_only=True):
    """The index gave a signal and the contract it asks for has no bar: never traded on another strike."""

    symbol: str
    at_ns: int
    kind: Kind
    why: str


Action = Enter | Leave | NoData
Seed = Literal["session", "previous"]
