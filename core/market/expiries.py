"""When contracts expire: the weekday of each era, moved to the previous trading day when that day is a holiday.

Sources: SEBI 2024-10-01 (one weekly an exchange from 2024-11-20), SEBI 2025-05-26 (Tuesday or Thursday only), NSE
circular of 2025-06-17 and NSE/FAOP/68747 of 2025-06-25 (the switch of September 2025), realised monthlies of NSE's
bhavcopies. The first SENSEX Tuesday, 2025-01-07, follows from the weekday rule; no contract file confirms it.
"""

import datetime as dt
from functools import lru_cache
from typing import NamedTuple

from core.errors import UnknownDate
from core.market.calendar import FIRST_DAY, LAST_DAY, full_day
from core.market.indices import check_index

_D = dt.date
_MON, _TUE, _WED, _THU, _FRI = range(5)
_END = dt.date.max
# Holidays of every year, by which a listed expiry beyond the calendar is named (25-12-2029 is listed as the 24th).
_EVERY_YEAR = {(1, 26), (5, 1), (8, 15), (10, 2), (12, 25)}


class _Era(NamedTuple):
    first: dt.date  # scheduled days, before the holiday rule
    last: dt.date
    weekday: int


_WEEKLY: dict[str, tuple[_Era, ...]] = {
    "NIFTY": (_Era(_D.min, _D(2025, 8, 28), _THU), _Era(_D(2025, 9, 2), _END, _TUE)),
    "BANKNIFTY": (_Era(_D(2023, 9, 6), _D(2024, 11, 13), _WED),),
    "FINNIFTY": (_Era(_D(2023, 1, 1), _D(2024, 11, 19), _TUE),),
    "MIDCPNIFTY": (_Era(_D(2023, 8, 1), _D(2024, 11, 18), _MON),),
    "SENSEX": (
        _Era(_D(2023, 5, 19), _D(2024, 12, 27), _FRI),
        _Era(_D(2025, 1, 7), _D(2025, 8, 26), _TUE),
        _Era(_D(2025, 9, 4), _END, _THU),
    ),
}
# From the month that holds `first` on: the last such weekday of the month.
_MONTHLY: dict[str, tuple[tuple[dt.date, int], ...]] = {
    "NIFTY": ((_D(2025, 9, 1), _TUE), (_D.min, _THU)),
    "BANKNIFTY": ((_D(2025, 9, 1), _TUE), (_D(2025, 1, 1), _THU), (_D(2024, 3, 1), _WED), (_D.min, _THU)),
    "FINNIFTY": ((_D(2025, 9, 1), _TUE), (_D(2025, 1, 1), _THU), (_D.min, _TUE)),
    "MIDCPNIFTY": ((_D(2025, 9, 1), _TUE), (_D(2025, 1, 1), _THU), (_D(2023, 8, 1), _MON)),
    "SENSEX": ((_D(2025, 9, 1), _THU), (_D(2025, 1, 1), _TUE), (_D(2023, 5, 1), _FRI)),
}


def expiries(index: str, on: dt.date) -> tuple[dt.date, ...]:
    """Weekly and monthly expiries from `on` (included) to the end of the calendar, ascending.

    What was traded in the end, that is with later holidays and moved weekdays in it, not what was listed on `on`.
    Raises UnknownName, and UnknownDate outside the calendar or where no expiry is left in it.
    """
    check_index(index)
    if not FIRST_DAY <= on <= LAST_DAY:
        raise UnknownDate(f"expiries of {index} on {on} are not known; the calendar covers {FIRST_DAY} to {LAST_DAY}")
    found = tuple(day for day in _all(index) if day >= on)
    if not found:
        raise UnknownDate(f"no expiry of {index} from {on} on is known; the calendar ends {LAST_DAY}")
    return found


@lru_cache(maxsize=4096)
def monthly_expiry(index: str, year: int, month: int) -> dt.date:
    """The month's last expiry, after the holiday rule.

    Beyond the calendar it is the date by which such a contract is listed (weekday rule, holidays of every year),
    which a holiday published later may move. Raises UnknownDate before the first rule of the index.
    """
    first = dt.date(year, month, 1)
    return _moved(_scheduled(index, first))


def is_monthly(index: str, expiry: dt.date) -> bool:
    """Whether a contract of `expiry` is its month's last: on the day it expired, or on the day it was first listed for.

    A holiday published later moves a listed expiry (31 March 2026 became the 30th); its symbol stays the same.
    """
    if monthly_expiry(index, expiry.year, expiry.month) == expiry:
        return True
    return _scheduled(index, expiry.replace(day=1)) == expiry


@lru_cache(maxsize=8)
def _all(index: str) -> tuple[dt.date, ...]:
    months = [(y, m) for y in range(FIRST_DAY.year, LAST_DAY.year + 1) for m in range(1, 13)]
    monthly = {monthly_expiry(index, y, m) for y, m in months}
    weeks = {day.isocalendar()[:2] for day in monthly}  # in the monthly's week no other contract expires
    found = set(monthly)
    for era in _WEEKLY[index]:
        day = max(era.first, FIRST_DAY)
        day += dt.timedelta(days=(era.weekday - day.weekday()) % 7)
        while day <= min(era.last, LAST_DAY):
            if day.isocalendar()[:2] not in weeks:
                found.add(_moved(day))
            day += dt.timedelta(days=7)
    return tuple(sorted(found))


def _scheduled(index: str, first: dt.date) -> dt.date:
    """Last expiry weekday of the month that begins on `first`, holidays aside."""
    weekday = next((day for since, day in _MONTHLY[check_index(index)] if first >= since), None)
    if weekday is None:
        raise UnknownDate(f"{index} had no monthly expiry in {first:%Y-%m} that the table knows")
    last = (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


def _moved(day: dt.date) -> dt.date:
    while not _trades(day):
        day -= dt.timedelta(days=1)
    return day


def _trades(day: dt.date) -> bool:
    if FIRST_DAY <= day <= LAST_DAY:
        return full_day(day)
    return day.weekday() < 5 and (day.month, day.day) not in _EVERY_YEAR
