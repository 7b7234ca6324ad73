"""How an expiry ends: its last trade, the window its settlement price is made in, and when that price is known.

Index options settle at the closing value of the index on the day they expire. Until July 2026 that is the index of its
constituents' volume-weighted prices of the last half hour, to which the plain mean of the index over 15:00–15:30 comes
within one to five points in the median (measured on 1,043 index-days, docs/pricing.md); from 2026-08-03 the
closing auction makes it (NCL/CMPT/73370 of 2026-03-19; its hours NSE/CMTR/74466 and SEBI 2026-01-16; BSE alike, BSE
20260801-2).
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, UnknownDate
from core.market.calendar import close_time, full_day, special_of
from core.market.indices import check_contract_index
from core.market.moment import IST, to_ns
from core.market.overlay import remembered

Ints = NDArray[np.int64]
_D, _T = dt.date, dt.time


class Method(StrEnum):
    """What makes the settlement price."""

    AVERAGE = "average"  # the mean of the index over the window
    AUCTION = "auction"  # the constituents' closing auction, during which the index stands still


class _Rule(NamedTuple):
    first: dt.date
    method: Method
    begin: dt.time
    end: dt.time
    known: dt.time
    source: str


# The auction takes orders to 15:30 (ending at random in the last two minutes) and is matched by 15:35: known then at
# the latest. In the minute bars of August 2026 the index jumps to the auction's value at 15:28 or 15:29.
_RULES = (
    _Rule(_D(2026, 8, 3), Method.AUCTION, _T(15, 15), _T(15, 35), _T(15, 35), "NCL/CMPT/73370, NSE/CMTR/74466"),
    _Rule(_D(2019, 1, 1), Method.AVERAGE, _T(15, 0), _T(15, 30), _T(15, 30), "measured on bars of 2019 to 2026"),
)
_PRINTED_NS = 7 * 60 * 1_000_000_000  # before the auction's end, 15:28, its value may be in the bars
_HALF_HOUR = 1_800  # seconds
_DAY_NS = 86_400 * 1_000_000_000
_IST_NS = 19_800 * 1_000_000_000  # India is 5½ hours ahead


@dataclass(frozen=True)
class Settlement:
    """The end of one expiry, moments in IST. The newest rule holds until a newer one is entered."""

    index: str
    expiry: dt.date
    last_trade: dt.datetime
    method: Method
    begin: dt.datetime  # of the averaging window or the auction; the spot index is frozen from here on in an auction
    end: dt.datetime
    known: dt.datetime  # from this moment on the settlement price is known and the option worth its intrinsic value
    source: str  # the circular, or what it was measured on

    @cached_property
    def begin_ns(self) -> int:
        return to_ns(self.begin)

    @cached_property
    def end_ns(self) -> int:
        return to_ns(self.end)

    @cached_property
    def known_ns(self) -> int:
        return to_ns(self.known)


@remembered(4096)
def settlement(index: str, expiry: dt.date) -> Settlement:
    """How contracts of `index` that expire on `expiry` end; UnknownName, and UnknownDate before 2019.

    On a day whose session ends at another hour than usual all of it is taken to move with the close, and `source` says
    so.
    """
    rule, moved = _rule(check_contract_index(index), expiry), _moved(expiry)
    special = special_of(expiry)
    return Settlement(
        index=index,
        expiry=expiry,
        last_trade=expiry_moment(index, expiry),
        method=rule.method,
        begin=_at(expiry, rule.begin) + moved,
        end=_at(expiry, rule.end) + moved,
        known=_at(expiry, rule.known) + moved,
        source=f"{rule.source}; moved with the close of {special.source}" if special and moved else rule.source,
    )


def expiry_moment(index: str, expiry: dt.date) -> dt.datetime:
    """Last moment at which the contract trades, IST: the close of that day's session (15:40 from 2026-08-03)."""
    check_contract_index(index)
    return _at(expiry, close_time(expiry)) + _moved(expiry)


def _moved(on: dt.date) -> dt.timedelta:
    """By how much the session of a day on which contracts can expire ends later than usual."""
    special = special_of(on)
    if special is None or not special.windows or not full_day(on):
        return dt.timedelta(0)
    return _at(on, special.windows[-1][1]) - _at(on, close_time(on))


def spot_frozen(index: str, now_ns: int) -> bool:
    """Whether the spot index lags what trades on it, because its constituents are in the closing auction.

    From 15:15 to the last trade, 15:40, since 2026-08-03: first it stands still, then it is the auction's close. Moved
    with the session's close as in `settlement`.
    Raises as `settlement` does.
    """
    begin_ns, end_ns = _frozen(index, (now_ns + _IST_NS) // _DAY_NS)
    return begin_ns <= now_ns <= end_ns


@remembered(256)
def _frozen(index: str, day: int) -> tuple[int, int]:
    """First and last moment, UTC nanoseconds, of the frozen spot of a day, counted from 1970-01-01; (1, 0) of none."""
    on = _D(1970, 1, 1) + dt.timedelta(days=day)
    rule = _rule(check_contract_index(index), on)
    if rule.method is not Method.AUCTION:
        return 1, 0
    return to_ns(_at(on, rule.begin) + _moved(on)), to_ns(_at(on, close_time(on)) + _moved(on))


class SettlementSource(StrEnum):
    """Where a settlement price comes from."""

    PUBLISHED = "published close"
    MEAN = "mean of 15:00-15:30"
    PRINT = "auction print"


class SettlementPrice(NamedTuple):
    paise: int
    source: SettlementSource


def settlement_price(
    ends: Settlement, *, published_paise: int | None, start_ns: Ints, seconds: int, open_paise: Ints, close_paise: Ints
) -> SettlementPrice:
    """Return the price a backtest settles at, and say which it is: the published close where known, else the bars'.

    The bars are those of the index on that day, `seconds` long, stamped at their start. Before August 2026 they give
    the mean of the half hour, each bar the middle of its open and close; from then on the auction's value, which is
    the last level of the auction if it is not the one frozen at its beginning. There a bar need only start inside the
    window, and bars may be missing: an index stands still about its print, and exchange files have no bar of standing.

    Raises InputError for a published close that is not above 0; where none is published, for bars out of order or whose
    length does not divide half an hour, that do not cover the window one by one, or that end before the auction's
    print: the last trade before it is no substitute (a median 10 and at worst 112 points off on NIFTY).
    """
    if published_paise is not None:
        if published_paise <= 0:
            raise InputError(f"{ends.index} {ends.expiry}: expected a close above 0, was {published_paise} paise")
        return SettlementPrice(published_paise, SettlementSource.PUBLISHED)
    if seconds < 1 or _HALF_HOUR % seconds:
        raise InputError(f"{ends.index} {ends.expiry}: the seconds of a bar must divide half an hour, was {seconds}")
    if (np.diff(start_ns) <= 0).any():
        raise InputError(f"{ends.index} {ends.expiry}: the bars are out of order; give them by time, each once")
    inside = (start_ns >= ends.begin_ns) & (start_ns < ends.end_ns)
    if ends.method is Method.AVERAGE:
        wanted = np.arange(ends.begin_ns, ends.end_ns, seconds * 1_000_000_000)
        if not np.array_equal(start_ns[inside], wanted):
            raise InputError(
                f"{ends.index} {ends.expiry}: no published close, and {np.isin(wanted, start_ns).sum()} of the "
                f"{wanted.size} bars of {seconds} s from {ends.begin:%H:%M} to {ends.end:%H:%M}; give the close or the "
                "whole half hour"
            )
        middle = 0.5 * (open_paise[inside] + close_paise[inside])
        return SettlementPrice(round(float(middle.mean())), SettlementSource.MEAN)
    struck = start_ns + seconds * 1_000_000_000 > ends.end_ns - _PRINTED_NS
    frozen, after = close_paise[inside & ~struck], close_paise[inside & struck]
    if not frozen.size or not after.size or after[-1] == frozen[-1]:
        raise InputError(
            f"{ends.index} {ends.expiry}: no published close, and no print of the auction in the bars, only the level "
            f"frozen at {ends.begin:%H:%M} or none; give the close"
        )
    return SettlementPrice(int(after[-1]), SettlementSource.PRINT)


def _rule(index: str, on: dt.date) -> _Rule:
    found = next((rule for rule in _RULES if on >= rule.first), None)
    if found is None:
        raise UnknownDate(f"how {index} settled on {on} is not known; the table begins {_RULES[-1].first}")
    return found


def _at(on: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(on, time, IST)
