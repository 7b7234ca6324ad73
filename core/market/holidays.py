"""The days on which NSE and BSE do not trade, and the special sessions, as dated rows.

Weekday holidays of the equity and equity derivatives segments, which are the same on both exchanges. They began as
exchange_calendars 4.13.2, calendar XBOM, and were corrected; tests/golden holds the package's days, and docs/facts.md
each difference. NSE/CMTR/71775 and NSE/FAOP/71777 of 2025-12-12 give 2026. Every bar, bhavcopy and participant file
at hand agrees with them, 2012-07 to 2026-08.
"""

import datetime as dt
from typing import NamedTuple

from core.market.overlay import Grade

_T, _D = dt.time, dt.date
FIRST_DAY, LAST_DAY = _D(2012, 1, 1), _D(2026, 12, 31)  # the published calendar
PROVISIONAL_TO = _D(2031, 12, 31)  # five years: what is listed lies within
XBOM = "exchange_calendars 4.13.2 XBOM"
_HOLIDAYS = {
    2012: "01-26 02-20 03-08 04-05 04-06 05-01 08-15 08-20 09-19 10-02 10-24 11-13 11-14 11-28 12-25",
    2013: "03-27 03-29 04-19 04-24 05-01 08-09 08-15 09-09 10-02 10-16 11-04 11-15 12-25",
    2014: "02-27 03-17 04-08 04-14 04-18 04-24 05-01 07-29 08-15 08-29 10-02 10-03 10-06 10-15 10-23 10-24 11-04 11-06 "
    "12-25",
    2015: "01-26 02-17 03-06 04-02 04-03 04-14 05-01 09-17 09-25 10-02 10-22 11-11 11-12 11-25 12-25",
    2016: "01-26 03-07 03-24 03-25 04-14 04-15 04-19 07-06 08-15 09-05 09-13 10-11 10-12 10-31 11-14",
    2017: "01-26 02-24 03-13 04-04 04-14 05-01 06-26 08-15 08-25 10-02 10-19 10-20 12-25",
    2018: "01-26 02-13 03-02 03-29 03-30 05-01 08-15 08-22 09-13 09-20 10-02 10-18 11-07 11-08 11-23 12-25",
    2019: "03-04 03-21 04-17 04-19 04-29 05-01 06-05 08-12 08-15 09-02 09-10 10-02 10-08 10-21 10-28 11-12 12-25",
    2020: "02-21 03-10 04-02 04-06 04-10 04-14 05-01 05-25 10-02 11-16 11-30 12-25",
    2021: "01-26 03-11 03-29 04-02 04-14 04-21 05-13 07-21 08-19 09-10 10-15 11-04 11-05 11-19",
    2022: "01-26 03-01 03-18 04-14 04-15 05-03 08-09 08-15 08-31 10-05 10-24 10-26 11-08",
    2023: "01-26 03-07 03-30 04-04 04-07 04-14 05-01 06-29 08-15 09-19 10-02 10-24 11-14 11-27 12-25",
    2024: "01-22 01-26 03-08 03-25 03-29 04-11 04-17 05-01 05-20 06-17 07-17 08-15 10-02 11-01 11-15 11-20 12-25",
    2025: "02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-21 10-22 11-05 12-25",
    2026: "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10 11-24 12-25",
}
HOLIDAYS = frozenset(_D.fromisoformat(f"{year}-{day}") for year, days in _HOLIDAYS.items() for day in days.split())
SOURCES = dict.fromkeys(_HOLIDAYS, f"{XBOM}, NSE bhavcopies") | {2026: "NSE/CMTR/71775, NSE/FAOP/71777, 2025-12-12"}
# Month and day of the holidays that have been on every list since 2014, unless at a weekend: what is known of a year
# whose list is not out, and by which a far expiry is listed (NIFTY of December 2029: Monday the 24th).
FIXED = frozenset({(1, 26), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)})


class AdHoc(NamedTuple):
    """A change to a list already published: contracts were moved from the trade date `known_from` on."""

    date: dt.date
    closed: bool  # True: it became a holiday; False: it stopped being one
    known_from: dt.date
    source: str


_BAKRI = "Bakri Id moved by a day; NSE bhavcopies of June 2023"
AD_HOC = (
    AdHoc(_D(2023, 6, 28), closed=False, known_from=_D(2023, 6, 28), source=_BAKRI),
    AdHoc(_D(2023, 6, 29), closed=True, known_from=_D(2023, 6, 28), source=_BAKRI),
    AdHoc(_D(2024, 1, 22), closed=True, known_from=_D(2024, 1, 20), source="announced 2024-01-19"),
    AdHoc(_D(2024, 5, 20), closed=True, known_from=_D(2024, 4, 9), source="general election in Mumbai"),
    AdHoc(_D(2024, 11, 20), closed=True, known_from=_D(2024, 11, 11), source="assembly election in Maharashtra"),
    AdHoc(_D(2026, 1, 15), closed=True, known_from=_D(2026, 1, 13), source="municipal elections"),
)  # fmt: skip


class Special(NamedTuple):
    """A session on a day that is otherwise closed. No `windows`: it was held or announced, its hours are unknown."""

    kind: str
    pre_open: dt.time | None
    windows: tuple[tuple[dt.time, dt.time], ...]
    source: str
    grade: Grade = "circular"


def _muhurat(pre_open: str, start: str, end: str, source: str) -> Special:
    times = [dt.time.fromisoformat(text) for text in (pre_open, start, end)]
    return Special("muhurat", times[0], ((times[1], times[2]),), source)


def _unknown(kind: str, why: str, grade: Grade = "measured") -> Special:
    return Special(kind, None, (), why, grade)


_DAY = ((_T(9, 15), _T(15, 30)),)
_DRILL = ((_T(9, 15), _T(10, 0)), (_T(11, 30), _T(12, 30)))
_VIX = "India VIX has a row for this day; no source at hand gives its hours"
# By date. Hours are the derivatives market's where a source tells them apart.
SPECIAL: dict[dt.date, Special] = {
    _D(2012, 1, 7): _unknown("weekend", _VIX),
    _D(2012, 3, 3): _unknown("weekend", _VIX),
    _D(2012, 4, 28): _unknown("weekend", _VIX),
    _D(2012, 9, 8): _unknown("weekend", _VIX),
    _D(2012, 11, 13): _muhurat("16:30", "16:45", "18:00", "moneyvriksh 2012-11-08, NSE's timings"),
    _D(2013, 5, 11): _unknown("weekend", _VIX),
    _D(2013, 11, 3): _unknown("muhurat", _VIX),
    _D(2014, 3, 22): _unknown("weekend", _VIX),
    _D(2014, 10, 23): _muhurat("18:15", "18:30", "19:30", "teluguinvestor 2014-10, NSE's timings"),
    _D(2015, 2, 28): Special("weekend", _T(9, 0), _DAY, "Budget; zerodha 2015-02-20, BSE 20150220-23"),
    _D(2015, 11, 11): _unknown("muhurat", "NSE bhavcopy of this day; no source at hand gives its hours"),
    _D(2016, 10, 30): _muhurat("18:15", "18:30", "19:30", "hindupad 2016, zerodha 2016-10-27"),
    _D(2017, 10, 19): _muhurat("18:15", "18:30", "19:30", "upcomingipocalendar 2017, the exchanges' table"),
    _D(2018, 11, 7): _muhurat("17:15", "17:30", "18:30", "moneycontrol 2018-11-03"),
    _D(2019, 10, 27): _muhurat("18:00", "18:15", "19:15", "moneycontrol 2019-10-26"),
    _D(2020, 2, 1): Special("weekend", _T(9, 0), _DAY, "Budget; thequint and indianexpress 2020-01-22"),
    _D(2020, 11, 14): _muhurat("18:00", "18:15", "19:15", "ndtv 2020-11-14, NSE's table"),
    _D(2021, 11, 4): _muhurat("18:00", "18:15", "19:15", "freepressjournal 2021-11-04"),
    _D(2022, 10, 24): _muhurat("18:00", "18:15", "19:15", "livemint 2022-10-21"),
    _D(2023, 11, 12): _muhurat("18:00", "18:15", "19:15", "angelone 2023-11"),
    _D(2024, 1, 20): Special("weekend", _T(9, 0), _DAY, "full day in place of the 22nd; index bars", "measured"),
    _D(2024, 3, 2): Special("drill", _T(9, 0), _DRILL, "drill; businesstoday 2024-02-15, index bars"),
    _D(2024, 5, 18): Special("drill", _T(9, 0), _DRILL, "drill; index bars", "measured"),
    _D(2024, 11, 1): _muhurat("17:45", "18:00", "19:00", "ndtvprofit 2024-10-20"),
    _D(2025, 2, 1): Special("weekend", _T(9, 0), _DAY, "Budget; business-standard 2025-01-31"),
    _D(2025, 10, 21): _muhurat("13:30", "13:45", "14:45", "newsbytes 2025-09-22; index bars"),
    _D(2026, 2, 1): Special("weekend", _T(9, 0), _DAY, "Budget; NSE/CMTR/72349, BSE 20260116-34"),
    _D(2026, 11, 8): _unknown(
        "muhurat", "a muhurat session was announced for this Sunday, its hours are in no source read", "circular"
    ),
}  # fmt: skip


# Trade date from which listed contracts carried a year's holidays, where it was not 15 December before: NSE's
# bhavcopies have 2025-02-26 (Mahashivratri) and 2025-03-31 as expiries until 2025-01-01.
_PUBLISHED = {2025: _D(2025, 1, 2), 2026: _D(2025, 12, 12)}


def published_from(year: int) -> dt.date:
    """Trade date from which the holidays of `year` count as known: the lists come out in mid-December before."""
    return _PUBLISHED.get(year, _D(year - 1, 12, 15))
