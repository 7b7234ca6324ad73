"""When contracts expire: the weekday of each era, moved to the previous trading day when that day is a holiday.

Everything is answered as it was known on the day asked about: the weekday the listed contracts carried then, the
holidays published by then. core/market/expiry_rules.py holds the rows.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from core.errors import UnknownDate
from core.market.calendar import calendar_grade, full_day, last_published, year_published
from core.market.expiry_rules import LONG_DATED, MONTHLY, STARTS, WEEKLY, Rule
from core.market.holidays import AD_HOC, FIRST_DAY, LAST_DAY, PROVISIONAL_TO, SPECIAL, published_from
from core.market.indices import check_contract_index
from core.market.overlay import Grade, dump_of, remembered, user_facts

_DAY, _WEEK = dt.timedelta(days=1), dt.timedelta(days=7)
_QUARTER, _HALF = (3, 6, 9, 12), (6, 12)


def expiries(
    index: str, on: dt.date, *, published: bool = False, known: dt.date | None = None
) -> tuple[dt.date, ...]:  # fmt: skip
    """Expiries from `on` (included), ascending, of every contract listed on `on` or later, as they were known on `on`.

    Weekly and monthly ones to the end of the following year, then the quarterlies and half-yearlies that are listed
    (NIFTY and SENSEX five years out). Where the holidays of an expiry's year were not published it is by weekday rule
    and the holidays of every year: `expiry_grade` says provisional, and `published` leaves it out. `known` asks what
    a later (or earlier) day knew, and had been published by. Raises UnknownName, and UnknownDate before the index's
    first contracts, past 2031, or where nothing is left.
    """
    check_contract_index(index)
    first, source = STARTS[index]
    if not first <= on <= PROVISIONAL_TO:
        raise UnknownDate(
            f"expiries of {index} on {on} are not known; the table covers {first} ({source}) to {PROVISIONAL_TO}"
        )
    dump = dump_of(on) if known is None else None
    days = (dump.expiries(index) if dump else ()) or _listed(index, max(known or on, first), on.year + 1)
    found = days[bisect_left(days, on) :]
    if published:
        found = tuple(day for day in found if year_published(day.year, known or on))
    if not found:
        raise UnknownDate(f"no published expiry of {index} from {on} on; the calendar ends {last_published()}")
    return found


def monthly_expiry(index: str, year: int, month: int, known: dt.date | None = None) -> dt.date:
    """The month's last expiry after the holiday rule: as known on `known`, else as the contract expired in the end.

    Beyond the calendar it is the date by which such a contract is listed, which a holiday published later may move.
    What the dump of `known` lists wins, without `known` the dump in use. Raises UnknownDate before the first contracts
    of the index.
    """
    dump = dump_of(known)
    listed = dump.monthly_expiry(index, year, month) if dump else None
    return listed or _monthly_expiry(index, year, month, known)


@remembered(4096)
def _monthly_expiry(index: str, year: int, month: int, known: dt.date | None = None) -> dt.date:
    """By the tables and the user's rows alone."""
    first = dt.date(year, month, 1)
    if known is not None:
        return _moved(_scheduled(index, first, known), known)
    day, before = _moved(_scheduled(index, first, first), first), first
    while day != before:  # what the day itself knew: a late holiday moves a contract only if it still trades
        day, before = _moved(_scheduled(index, first, day), day), day
    return day


@remembered(16_384)
def is_monthly(index: str, expiry: dt.date, on: dt.date | None = None) -> bool:
    """Whether a contract of `expiry` is its month's last: as known on `on`; None: on the day it expired, or was listed.

    A holiday or a new weekday moves a listed expiry (31 March 2026 became the 30th); its symbol stays the same. Without
    `on` a day that is a weekly expiry of its own time is none: Thursday 2026-12-24 is a weekly of SENSEX, although two
    years before, when SENSEX expired on Fridays, December's monthly was listed for that day.
    """
    check_contract_index(index)
    dump = dump_of(on)
    if dump is not None and (listed := dump.monthly_expiry(index, expiry.year, expiry.month)):
        return listed == expiry
    if on is not None:
        return _monthly_expiry(index, expiry.year, expiry.month, on) == expiry
    if _monthly_expiry(index, expiry.year, expiry.month) == expiry:
        return True
    own_time = _schedule(index, _told(index, max(expiry, STARTS[index][0])), expiry.year + 1)
    return expiry not in own_time and expiry in _ever_monthly(index, expiry.year, expiry.month)


def expiry_grade(index: str, expiry: dt.date, on: dt.date | None = None) -> Grade:
    """How the expiry is known (on `on`; None: by these tables): as its weekday's row, unless its calendar is less sure.

    It is provisional where the holidays of its year were not published, or where a special session at a weekend stands
    in for a holiday, and the user's where a row of theirs decides about its day or the holiday it was moved for.
    """
    dump = dump_of(on) if on else None
    if dump is not None and (index, expiry) in dump.lots:
        return "dump"
    if not year_published(expiry.year, on):
        return "provisional"
    rule = _rule(index, expiry, on or LAST_DAY)
    moved = 0 if rule.weekday is None else (rule.weekday - expiry.weekday()) % 7  # days before its weekday
    if "user" in {calendar_grade(expiry + days * _DAY, on) for days in range(moved + 1)}:
        return "user"
    return "provisional" if expiry in SPECIAL else rule.grade


def expiry_source(index: str, expiry: dt.date, on: dt.date | None = None) -> str:
    """Who says that contracts of `expiry` expire on that weekday."""
    return _rule(index, expiry, on or LAST_DAY).source


def _rule(index: str, expiry: dt.date, known: dt.date) -> Rule:
    check_contract_index(index)
    table, at = (MONTHLY, expiry.replace(day=1)) if is_monthly(index, expiry) else (WEEKLY, expiry)
    rows = [row for row in table[index] if row.known_from <= known and row.first <= at]
    if not rows:
        raise UnknownDate(f"{index} had no contracts of {expiry} that the table knows")
    return rows[-1]


def _listed(index: str, known: dt.date, year: int) -> tuple[dt.date, ...]:
    """Every expiry from the beginning of the year before `year` on, as known on `known`."""
    told = _told(index, known)
    far = [_monthly_expiry(index, month.year, month.month, told) for month in _long_dated(index, known, told)]
    near = _schedule(index, told, year)
    return (*near, *sorted(day for day in far if day > near[-1]))


@remembered(512)
def _schedule(index: str, known: dt.date, year: int) -> tuple[dt.date, ...]:
    """Weekly and monthly expiries of `year` and the year before, as known on `known`."""
    start = dt.date(year - 1, 1, 1)
    found = set()
    weeks = set()
    for month in _months(start, dt.date(year, 12, 1)):
        if month < MONTHLY[index][0].first:
            continue
        scheduled = _scheduled(index, month, known)
        weeks.add(scheduled.isocalendar()[:2])  # in the monthly's week no other contract expires
        found.add(_moved(scheduled, known))
    for day in _weeklies(index, known, start, dt.date(year, 12, 31)):
        if day.isocalendar()[:2] not in weeks:
            found.add(_moved(day, known))
    return tuple(sorted(found))


def _told(index: str, known: dt.date) -> dt.date:
    """The last day up to `known` on which anything about the expiries of `index` became known."""
    moments = _moments(index)
    return moments[bisect_right(moments, known) - 1]


@remembered(16)
def _moments(index: str) -> tuple[dt.date, ...]:
    changes = {row.known_from for row in (*WEEKLY[index], *MONTHLY[index])}
    changes |= {change.known_from for change in AD_HOC} | set(SPECIAL) | {facts.published for facts in user_facts()}
    changes |= {published_from(year) for year in range(FIRST_DAY.year, PROVISIONAL_TO.year + 10)}
    return (dt.date.min, *sorted(changes))


def _weeklies(index: str, known: dt.date, start: dt.date, end: dt.date) -> Iterator[dt.date]:
    """Scheduled weekly days between `start` and `end`, holidays aside."""
    rules = [row for row in WEEKLY[index] if row.known_from <= known]
    for place, rule in enumerate(rules):
        if rule.weekday is None:
            continue
        last = min(end, rules[place + 1].first - _DAY if place + 1 < len(rules) else end)
        day = max(rule.first, start)
        day += dt.timedelta(days=(rule.weekday - day.weekday()) % 7)
        while day <= last:
            yield day
            day += _WEEK


def _long_dated(index: str, known: dt.date, told: dt.date) -> list[dt.date]:
    """Months of the quarterlies and half-yearlies listed on `known`, behind the three serial months."""
    quarters, halves = LONG_DATED.get(index, (0, 0))
    month = known.replace(day=1)
    if month >= MONTHLY[index][0].first and _monthly_expiry(index, month.year, month.month, told) < known:
        month = _next_month(month)
    after = _next_month(_next_month(month))
    found: list[dt.date] = []
    for wanted, months in ((quarters, _QUARTER), (halves, _HALF)):
        left = wanted
        while left:
            after = _next_month(after)
            if after.month in months:
                found.append(after)
                left -= 1
    return found


def _months(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    while first <= last:
        yield first
        first = _next_month(first)


def _next_month(first: dt.date) -> dt.date:
    return (first + dt.timedelta(days=31)).replace(day=1)


def _scheduled(index: str, first: dt.date, known: dt.date) -> dt.date:
    """Last expiry weekday, by the rule known on `known`, of the month that begins on `first`; holidays aside."""
    rules = MONTHLY[check_contract_index(index)]
    held = [row for row in rules if row.first <= first and row.known_from <= max(known, rules[0].known_from)]
    weekday = held[-1].weekday if held else None
    if weekday is None:
        raise UnknownDate(f"{index} had no monthly expiry in {first:%Y-%m} that the table knows")
    last = _next_month(first) - _DAY
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


@remembered(2048)
def _ever_monthly(index: str, year: int, month: int) -> frozenset[dt.date]:
    """Every date for which that month's last contract was ever listed, and the one on which it expired."""
    first = dt.date(year, month, 1)
    moments = {first, published_from(year), published_from(year) - _DAY, dt.date.max}
    moments |= {row.known_from for row in MONTHLY[index]} | {change.known_from for change in AD_HOC}
    moments |= {facts.published - days * _DAY for facts in user_facts() for days in (0, 1)}
    found = {_moved(_scheduled(index, first, known), known) for known in moments if known <= _next_month(first)}
    return frozenset(found | {_monthly_expiry(index, year, month)})


def _moved(day: dt.date, known: dt.date) -> dt.date:
    """The trading day up to `day` on which a contract scheduled for `day` expires."""
    for known_from in _taken_back(day):
        if known >= known_from:
            before = _moved(day, known_from - _DAY)
            if before < known_from:  # it had expired when the holiday was taken back
                return before
    while not full_day(day, known):
        day -= _DAY
    return day


def _taken_back(day: dt.date) -> Iterator[dt.date]:
    """From when it was known, of each time that `day` stopped being a holiday."""
    yield from (change.known_from for change in AD_HOC if change.date == day and not change.closed)
    for facts in user_facts():
        yield from (facts.published for row in facts.sessions if row.date == day and row.kind == "normal")
