"""Which days the exchanges trade and at which hours; NSE and BSE, cash and derivatives, keep the same days.

The hours are those of the derivatives market, which is what the desk trades: 15:40 since 2026-08-03 (NSE/FAOP/74467,
BSE 20260801-2), what happens within them is in core/market/hours.py. After the last published day an answer is
provisional (weekdays without the holidays of every year) and says so; `published=True` refuses it.
"""

import datetime as dt

from core.errors import UnknownDate, UnknownName
from core.market.holidays import (
    AD_HOC,
    FIRST_DAY,
    FIXED,
    HOLIDAYS,
    LAST_DAY,
    PROVISIONAL_TO,
    SOURCES,
    SPECIAL,
    Special,
    published_from,
)
from core.market.moment import IST, from_ns
from core.market.overlay import Grade, remembered, user_facts
from core.records import Session

_T, _D = dt.time, dt.date
# Last trade of the derivatives session, by the day it came into force.
_CLOSES = ((_D(2026, 8, 3), _T(15, 40)), (_D.min, _T(15, 30)))
OPEN, _PRE_OPEN = _T(9, 15), _T(9, 0)
_EXCHANGES = ("NSE", "BSE", "NFO", "BFO")


def close_time(on: dt.date) -> dt.time:
    """When an ordinary derivatives session of `on` ends, IST; the newest rule holds until a newer one is entered."""
    return next(close for since, close in _CLOSES if on >= since)


def last_published() -> dt.date:
    """The last day of the calendar that the exchanges, or the user's own rows, have published."""
    year = LAST_DAY.year
    while any(year + 1 in facts.years for facts in user_facts()):
        year += 1
    return _D(year, 12, 31)


@remembered(16_384)
def session(exchange: str, on: dt.date, *, published: bool = False) -> Session | None:
    """The derivatives session of NSE or BSE on `on`; None if closed.

    Raises UnknownName for the exchange, UnknownDate outside 2012-2031 or where the hours are not known; with
    `published`, also past the last published day, where `Session.grade` is "provisional". A drill has a pause in it,
    which `phase` knows and its Session, from the first trade to the last, does not show.
    """
    _check(exchange, on, published=published)
    special = special_of(on)
    if special is not None:
        if not special.windows:
            raise UnknownDate(f"{exchange} on {on}: {special.source}")
        windows, pre_open = special.windows, special.pre_open
        return Session(
            date=on,
            kind=special.kind,
            pre_open=_at(on, pre_open) if pre_open else None,
            open=_at(on, windows[0][0]),
            close=_at(on, windows[-1][1]),
            grade=special.grade,
        )
    if not trades(on):
        return None
    return Session(
        date=on,
        kind="normal",
        pre_open=_at(on, _PRE_OPEN),
        open=_at(on, OPEN),
        close=_at(on, close_time(on)),
        grade=calendar_grade(on),
    )


def special_of(on: dt.date, known: dt.date | None = None) -> Special | None:
    """The special session of `on`, the user's own row before the table's; None on any other day.

    With `known`, no row of the user's that was published later.
    """
    for facts in reversed(user_facts(known)):
        for row in facts.sessions:
            if row.date == on:
                return Special(row.kind, row.pre_open, ((row.open, row.close),), facts.source, "user")
    return SPECIAL.get(on)


def year_published(year: int, known: dt.date | None = None) -> bool:
    """Whether the holidays of `year` are all known: to the table or to the user's rows, by `known` (None: now)."""
    if any(year in facts.years for facts in user_facts(known)):
        return True
    return year <= LAST_DAY.year and (known is None or known >= published_from(year))


def calendar_grade(on: dt.date, known: dt.date | None = None) -> Grade:
    """How the calendar knows `on`, by what `known` knew (None: now): circular, measured, provisional or user."""
    if any(on.year in facts.years or on in facts.holidays for facts in user_facts(known)):
        return "user"
    special = special_of(on, known)
    if special is not None:
        return special.grade
    if on > LAST_DAY:
        return "provisional"
    return "circular" if on.year == LAST_DAY.year else "measured"


def why_closed(exchange: str, on: dt.date) -> str:
    """Why there is no session, in words for a message; empty if there is one. Raises like `session`."""
    if session(exchange, on) is not None:
        return ""
    if on.weekday() >= 5:
        return f"{on} is a {on:%A}"
    return f"{on} ({on:%A}) is a trading holiday of {exchange}"


def previous_session(exchange: str, on: dt.date) -> dt.date:
    """The last day before `on` with a session of known hours; UnknownDate if the calendar does not reach that far."""
    return _step(exchange, on, -1, published=False)


def next_session(exchange: str, on: dt.date, *, published: bool = False) -> dt.date:
    """The first day after `on` with a session of known hours; UnknownDate if the calendar does not reach that far."""
    return _step(exchange, on, 1, published=published)


def phase(exchange: str, market_ns: int, *, published: bool = False) -> str:
    """closed, pre-open or open at that moment; UnknownDate like `session`."""
    now = from_ns(market_ns)
    hours = session(exchange, now.date(), published=published)
    if hours is None:
        return "closed"
    if hours.pre_open is not None and hours.pre_open <= now < hours.open:
        return "pre-open"
    if not hours.open <= now < hours.close:
        return "closed"
    special = special_of(hours.date)
    windows = special.windows if special else ()
    return "closed" if windows and not any(a <= now.time() < b for a, b in windows) else "open"


def full_day(on: dt.date, known: dt.date | None = None) -> bool:
    """Whether `on` is a whole trading day, on which contracts can expire, as far as was known on `known` (None: now).

    Never raises: past the published calendar it is a weekday without one of the holidays of every year.
    """
    special = special_of(on, known)
    if special is not None and special.kind not in {"normal", "weekend"}:
        return False  # an evening's muhurat or a drill
    if trades(on, known):
        return True
    if special is None or not special.windows:
        return False
    return known is None or special.grade == "user" or known >= on  # when the others were announced is not known


def trades(on: dt.date, known: dt.date | None = None) -> bool:
    """Whether `on` is a weekday without a holiday, as far as was known on `known`; special sessions aside."""
    if on.weekday() >= 5:
        return False
    if any(on in facts.holidays for facts in user_facts(known)):
        return False
    if not year_published(on.year, known):
        return (on.month, on.day) not in FIXED
    closed = on in HOLIDAYS
    for change in AD_HOC if known is not None else ():
        if change.date == on and known is not None and known < change.known_from:
            closed = not change.closed
    return not closed


def holiday_source(on: dt.date) -> str:
    """Who says that `on` is, or is not, a trading day."""
    for facts in reversed(user_facts()):
        if on.year in facts.years or on in facts.holidays:
            return facts.source
    if on in SPECIAL:
        return SPECIAL[on].source
    return SOURCES.get(on.year, "weekdays without the holidays of every year; the list of this year is not known")


def _check(exchange: str, on: dt.date, *, published: bool) -> None:
    if exchange not in _EXCHANGES:
        raise UnknownName(f"unknown exchange {exchange!r}; known are {', '.join(_EXCHANGES)}")
    last = last_published() if published else PROVISIONAL_TO
    if not FIRST_DAY <= on <= last:
        what = f"which covers {FIRST_DAY} to {last_published()}"
        more = "" if published else f", provisionally to {PROVISIONAL_TO}"
        raise UnknownDate(f"{on} is outside the calendar of {exchange}, {what}{more}")


def _step(exchange: str, on: dt.date, days: int, *, published: bool) -> dt.date:
    day = on
    while True:
        day += dt.timedelta(days=days)
        special = special_of(day)
        if special is not None and not special.windows:
            continue  # a session without known hours is stepped over
        if session(exchange, day, published=published) is not None:
            return day


def _at(on: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(on, time, IST)
