"""What a backtest gives back. Rupees with fractions of a paisa are Decimal; times are UTC ns of the market's clock."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from core.strategies.events import Bar

NOTE = (
    "Fills are at the next bar's open, which in this data equals the price the decision was taken on in {share:.1%} of "
    "bars: the result is as good as a fill at the decision's own price."
)


class DayData(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of one session, oldest first; options by symbol.

    What expires that day settles at `close_paise`, the index's published close; 0 unknown: at what its own bars say.
    """

    day: dt.date
    index: str
    index_bars: Sequence[Bar]
    options: Mapping[str, Sequence[Bar]]
    close_paise: int = 0


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    day: dt.date
    symbol: str
    quantity: int
    confidence: float
    signal_ns: int
    entry_ns: int  # start of the bar it was filled in
    entry_paise: int
    exit_ns: int  # start of the bar it was left in; its last trade where it was held to its expiry
    exit_paise: int  # of a contract held to its expiry what it settled at, its intrinsic value
    reason: str  # stop, target …; of a contract held to its expiry what the settlement price was taken from
    gross: Decimal
    charges: Decimal
    net: Decimal


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that a limit, or the balance, said no to."""

    day: dt.date
    symbol: str
    signal_ns: int
    limits: str  # names, joined by " + "
    why: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, or with signal_ns 0 a whole day, without data of the contract it asks for."""

    day: dt.date
    symbol: str
    signal_ns: int
    why: str


class Equity(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the day so far at a bar's close: realised net, and what is held at its close before exit costs."""

    day: dt.date
    at_ns: int
    net: Decimal


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    day: dt.date
    trades: tuple[Trade, ...]
    refused: tuple[Refused, ...]
    missing: tuple[Missing, ...]
    equity: tuple[Equity, ...]

    @property
    def net(self) -> Decimal:
        return sum((trade.net for trade in self.trades), Decimal(0))
