"""Which days the exchanges trade and at which hours; NSE and BSE, cash and derivatives, keep the same days.

The hours are those of the derivatives market, which is what the desk trades. Tables: weekday holidays of 2024 to 2026
(NSE/CMTR/71775 and NSE/FAOP/71777 of 2025-12-12 for 2026, realised ones before; 2026-01-15 was announced days ahead),
sessions on days that are otherwise closed, the hours by date (15:40 since NSE/FAOP/74467 and BSE 20260801-2).
No source read gives 2027: a later day is refused, never guessed.
"""

import datetime as dt
from functools import lru_cache

from core.errors import UnknownDate, UnknownName
from core.market.moment import IST, from_ns
from core.records import Session

FIRST_DAY, LAST_DAY = dt.date(2024, 1, 1), dt.date(2026, 12, 31)
_T, _D = dt.time, dt.date
_HOLIDAYS = {
    2024: "01-22 01-26 03-08 03-25 03-29 04-11 04-17 05-01 05-20 06-17 07-17 08-15 10-02 11-01 11-15 11-20 12-25",
    2025: "02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-21 10-22 11-05 12-25",
    2026: "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10 11-24 12-25",
}
HOLIDAYS = frozenset(_D.fromisoformat(f"{year}-{day}") for year, days in _HOLIDAYS.items() for day in days.split())
# Last trade of the derivatives session, by the day it came into force.
_CLOSES = ((_D(2026, 8, 3), _T(15, 40)), (_D.min, _T(15, 30)))
# Days that would be closed: kind, pre-open, and the times between which the market trades.
_SPECIAL: dict[dt.date, tuple[str, dt.time, tuple[tuple[dt.time, dt.time], ...]]] = {
    _D(2024, 1, 20): ("weekend", _T(9, 0), ((_T(9, 15), _T(15, 30)),)),
    _D(2024, 3, 2): ("drill", _T(9, 0), ((_T(9, 15), _T(10, 0)), (_T(11, 30), _T(12, 30)))),
    _D(2024, 5, 18): ("drill", _T(9, 0), ((_T(9, 15), _T(10, 0)), (_T(11, 30), _T(12, 30)))),
    _D(2024, 11, 1): ("muhurat", _T(17, 45), ((_T(18, 0), _T(19, 0)),)),
    _D(2025, 2, 1): ("weekend", _T(9, 0), ((_T(9, 15), _T(15, 30)),)),
    _D(2025, 10, 21): ("muhurat", _T(13, 30), ((_T(13, 45), _T(14, 45)),)),
    _D(2026, 2, 1): ("weekend", _T(9, 0), ((_T(9, 15), _T(15, 30)),)),
}
# Announced, but its hours are in no source read.
_UNKNOWN_HOURS = {_D(2026, 11, 8): "a muhurat session was announced for this Sunday, its hours are not known"}
_OPEN, _PRE_OPEN = _T(9, 15), _T(9, 0)
_EXCHANGES = ("NSE", "BSE", "NFO", "BFO")


def close_time(on: dt.date) -> dt.time:
    """When an ordinary derivatives session of `on` ends, IST; the newest rule holds until a newer one is entered."""
    return next(close for since, close in _CLOSES if on >= since)


@lru_cache(maxsize=4096)
def session(exchange: str, on: dt.date) -> Session | None:
    """The derivatives session of NSE or BSE on `on`; None if closed.

    Raises UnknownName for the exchange, UnknownDate outside 2024-2026 or where the hours are not known. A drill has a
    pause in it, which `phase` knows and its Session, from the first trade to the last, does not show.
    """
    _check(exchange, on)
    if on in _UNKNOWN_HOURS:
        raise UnknownDate(f"{exchange} on {on}: {_UNKNOWN_HOURS[on]}")
    if on in _SPECIAL:
        kind, pre_open, windows = _SPECIAL[on]
        return Session(
            date=on, kind=kind, pre_open=_at(on, pre_open), open=_at(on, windows[0][0]), close=_at(on, windows[-1][1])
        )
    if on.weekday() >= 5 or on in HOLIDAYS:
        return None
    return Session(
        date=on, kind="normal", pre_open=_at(on, _PRE_OPEN), open=_at(on, _OPEN), close=_at(on, close_time(on))
    )


def why_closed(exchange: str, on: dt.date) -> str:
    """Why there is no session, in words for a message; empty if there is one. Raises like `session`."""
    if session(exchange, on) is not None:
        return ""
    if on.weekday() >= 5:
        return f"{on} is a {on:%A}"
    return f"{on} ({on:%A}) is a trading holiday of {exchange}"


def previous_session(exchange: str, on: dt.date) -> dt.date:
    """The last day before `on` with a session of known hours; UnknownDate if the calendar does not reach that far."""
    return _step(exchange, on, -1)


def next_session(exchange: str, on: dt.date) -> dt.date:
    """The first day after `on` with a session of known hours; UnknownDate if the calendar does not reach that far."""
    return _step(exchange, on, 1)


def phase(exchange: str, market_ns: int) -> str:
    """closed, pre-open or open at that moment; UnknownDate outside the calendar."""
    now = from_ns(market_ns)
    hours = session(exchange, now.date())
    if hours is None:
        return "closed"
    if hours.pre_open is not None and hours.pre_open <= now < hours.open:
        return "pre-open"
    if not hours.open <= now < hours.close:
        return "closed"
    windows = _SPECIAL[hours.date][2] if hours.date in _SPECIAL else ()
    return "closed" if windows and not any(a <= now.time() < b for a, b in windows) else "open"


def full_day(on: dt.date) -> bool:
    """Whether `on` is a whole trading day, on which contracts can expire; UnknownDate outside the calendar."""
    if on in _UNKNOWN_HOURS:
        return False
    hours = session("NSE", on)
    return hours is not None and hours.kind in {"normal", "weekend"}


def _check(exchange: str, on: dt.date) -> None:
    if exchange not in _EXCHANGES:
        raise UnknownName(f"unknown exchange {exchange!r}; known are {', '.join(_EXCHANGES)}")
    if not FIRST_DAY <= on <= LAST_DAY:
        raise UnknownDate(f"{on} is outside the calendar of {exchange}, which covers {FIRST_DAY} to {LAST_DAY}")


def _step(exchange: str, on: dt.date, days: int) -> dt.date:
    day = on
    while True:
        day += dt.timedelta(days=days)
        if day not in _UNKNOWN_HOURS and session(exchange, day) is not None:
            return day


def _at(on: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(on, time, IST)
