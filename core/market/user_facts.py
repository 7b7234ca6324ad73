"""A file of a user's own facts, checked whole: what is wrong is refused with the key it is under, and nothing is taken.

The file is a mapping, in YAML or JSON; every value but the lists may be written as text:

    source: NSE/CMTR/80001 of 2026-12-11        # who says so; shown wherever a row decides
    published: 2026-12-11                        # from when it was known
    years: [2027]                                # the holidays below are all of that year's, which is published by it
    holidays: [2027-01-26, 2027-03-22, 2027-10-29]           # weekdays
    sessions: [{date: 2027-10-29, kind: muhurat, pre_open: "18:00", open: "18:15", close: "19:15"}]
    lots: [{index: NIFTY, first_expiry: 2027-01-05, lot: 75, new_from: 2026-10-01, long_dated_from: 2026-12-30}]
    freeze: [{index: NIFTY, since: 2026-12-01, quantity: 1800}]
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from core.errors import InputError, UnknownName
from core.market.freeze import TABLE as FREEZE
from core.market.holidays import FIRST_DAY, FIXED, HOLIDAYS, LAST_DAY, PROVISIONAL_TO, SPECIAL
from core.market.indices import check_contract_index
from core.market.lots import TABLE as LOTS
from core.market.overlay import UserFacts, UserFreeze, UserLot, user_facts

LEAST_HOLIDAYS, MOST_HOLIDAYS = 8, 25  # weekday holidays of a year: 12 to 19 since 2012
_NO_ROW = "it has no row; to take back what a source said: vikalp facts remove SOURCE"
LARGEST = 100_000  # units; freeze quantities of the indices are far below


def parse_user_facts(data: object, where: str, *, today: dt.date) -> UserFacts:
    """The rows in `data`, as YAML or JSON gave it, checked with the user's rows in use that have another source.

    InputError naming `where` and the key for anything that is wrong, and for what is published after `today`.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: expected keys such as source, published and holidays, found {type(data).__name__}")
    try:
        facts = msgspec.convert(_seconds(data), UserFacts, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from error
    if facts.published > today:
        raise InputError(f"{where}: published: {facts.published} is after today, {today}")
    for year in facts.years:
        if year <= LAST_DAY.year:
            raise InputError(f"{where}: years: the tables have {year} themselves; import a day of it without years")
    _check(facts, where, [other for other in user_facts() if other.source != facts.source])
    return facts


def check_all(files: Mapping[str, UserFacts]) -> None:
    """Refuse, as `parse_user_facts` does, whatever is wrong in rows that are used together; by where each is from.

    A year that the tables have themselves by now is right.
    """
    for where, facts in files.items():
        _check(facts, where, [other for other in files.values() if other is not facts])


def _check(facts: UserFacts, where: str, others: Sequence[UserFacts]) -> None:
    for what, wrong in _checks(facts, others):
        if wrong:
            raise InputError(f"{where}: {what}: {wrong}")


def _seconds(data: Mapping[object, object]) -> dict[str, object]:
    """`data` with times as 18:15:00, which is how msgspec reads one."""
    found: dict[str, object] = {str(key): value for key, value in data.items()}
    sessions = found.get("sessions")
    if isinstance(sessions, list):
        found["sessions"] = [
            {k: f"{v}:00" if k in {"pre_open", "open", "close"} and len(str(v)) == 5 else v for k, v in row.items()}
            if isinstance(row, Mapping)
            else row
            for row in sessions
        ]
    return found


def _checks(facts: UserFacts, others: Sequence[UserFacts]) -> list[tuple[str, str]]:
    return [
        ("source", "" if facts.source.strip() else "say who says so: a circular's number and date"),
        ("published", _within(facts.published)),
        *(("years", _year(facts, year, others)) for year in facts.years),
        *(("holidays", _holiday(facts, day)) for day in facts.holidays),
        *((f"sessions {row.date}", _session(facts, row.date, row.kind, others)) for row in facts.sessions),
        *((f"sessions {r.date}", _hours(r.pre_open, r.open, r.close)) for r in facts.sessions),
        *((f"lots {r.index}", _lot(r, (facts, *others))) for r in facts.lots),
        *((f"freeze {r.index}", _freeze(r, (facts, *others))) for r in facts.freeze),
        ("file", "" if facts.holidays or facts.sessions or facts.lots or facts.freeze else _NO_ROW),
    ]


def _within(day: dt.date) -> str:
    return "" if FIRST_DAY <= day <= PROVISIONAL_TO else f"{day} is outside {FIRST_DAY} to {PROVISIONAL_TO}"


def _year(facts: UserFacts, year: int, others: Sequence[UserFacts]) -> str:
    days = {day for day in facts.holidays if day.year == year}
    after = LAST_DAY.year + 1
    while any(after in other.years for other in others):
        after += 1
    first, last = dt.date(year - 1, 10, 1), dt.date(year, 1, 31)
    missing = [
        day for day in (dt.date(year, *fixed) for fixed in sorted(FIXED)) if day.weekday() < 5 and day not in days
    ]
    if len(facts.years) > 1 or year > after:
        return (
            f"the calendar is published to {after - 1}: import {after} next, a year a file, found {list(facts.years)}"
        )
    if not first <= facts.published <= last:
        return (
            f"the list of {year} is published {first} to {last}, found {facts.published}; a later change has no years"
        )
    if missing:
        return f"holidays has no {missing[0]}, which has been a holiday every year"
    if not LEAST_HOLIDAYS <= len(days) <= MOST_HOLIDAYS:
        return f"expected {LEAST_HOLIDAYS} to {MOST_HOLIDAYS} weekday holidays of {year}, found {len(days)}"
    return ""


def _holiday(facts: UserFacts, day: dt.date) -> str:
    if facts.holidays.count(day) > 1:
        return f"{day} is there twice"
    if day.weekday() >= 5:
        return f"{day} is a {day:%A}; only weekdays are listed"
    return _within(day)


def _session(facts: UserFacts, day: dt.date, kind: str, others: Sequence[UserFacts]) -> str:
    if sum(row.date == day for row in facts.sessions) > 1:
        return "it is there twice"
    listed = any(day in each.holidays for each in (facts, *others))
    closed = day.weekday() >= 5 or day in HOLIDAYS or day in SPECIAL or listed
    if kind != "normal" and not closed:
        return f"{day:%A} is an ordinary trading day: list it among the holidays, or give kind normal for other hours"
    return _within(day)


def _hours(pre_open: dt.time | None, start: dt.time, end: dt.time) -> str:
    times = [time for time in (pre_open, start, end) if time is not None]
    if any(time.tzinfo is not None for time in times):
        return "times are IST, without a zone"
    return "" if times == sorted(set(times)) else "expected pre_open before open before close"


def _lot(row: UserLot, used: Sequence[UserFacts]) -> str:
    """More than an order may have is no lot: nothing could be sent."""
    unknown = _unknown(row.index)
    if unknown:
        return unknown
    own = (freeze.quantity for facts in used for freeze in facts.freeze if freeze.index == row.index)
    most = min([FREEZE[row.index][-1].quantity, *own])
    return _within(row.first_expiry) if 0 < row.lot <= most else f"expected 1 to {most} units, found {row.lot}"


def _freeze(row: UserFreeze, used: Sequence[UserFacts]) -> str:
    """Less than a lot would let nothing be sent, an exit neither."""
    unknown = _unknown(row.index)
    if unknown:
        return unknown
    own = (each.lot for facts in used for each in facts.lots if each.index == row.index)
    least = max([*(each.lot for each in LOTS[row.index]), *own])
    if not least <= row.quantity <= LARGEST:
        return f"expected {least} (a lot) to {LARGEST} units, found {row.quantity}"
    return _within(row.since)


def _unknown(index: str) -> str:
    try:
        check_contract_index(index)
    except UnknownName as error:
        return str(error)
    return ""
