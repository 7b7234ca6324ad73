"""Every table at a glance: its rows with source and grade, and the last day each of them answers for."""

import datetime as dt
from typing import NamedTuple

import msgspec

from core.errors import UnknownDate
from core.market.calendar import calendar_grade, holiday_source, last_published, session, special_of, why_closed
from core.market.expiries import expiries, expiry_grade, expiry_source
from core.market.expiry_rules import MONTHLY, STARTS, WEEKLY, Rule
from core.market.freeze import freeze_horizon, freeze_rows
from core.market.holidays import HOLIDAYS, SPECIAL
from core.market.indices import (
    CONTRACT_INDICES,
    check_contract_index,
    exchange_of,
    future_tick_paise,
    strike_step_paise,
    tick_paise,
)
from core.market.lots import REVIEW_DAYS, LotRow, lot_row, lot_rows, lots_seen
from core.market.overlay import Grade, remembered, user_facts
from core.records import Session

WARN_DAYS = 30
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


class Horizon(NamedTuple):
    """The last day a table answers for; past it an answer is provisional, or a row nobody has confirmed."""

    table: str
    last_day: dt.date
    days_left: int
    todo: str


class FactRow(msgspec.Struct, frozen=True):
    """One row of a table, in words."""

    table: str
    index: str  # empty: all
    since: dt.date
    value: str
    grade: Grade
    source: str


class NextExpiry(msgspec.Struct, frozen=True):
    """The next contract of an index to expire; `lot` is None where no source gives it."""

    index: str
    expiry: dt.date
    lot: int | None
    grade: Grade  # of the expiry
    lot_grade: Grade | None

    def __str__(self) -> str:
        expiry, units = (" provisional" * (grade == "provisional") for grade in (self.grade, self.lot_grade))
        return f"{self.index} {self.expiry:%a %d %b}{expiry} (lot {self.lot or 'unknown'}{units})"


class Today(msgspec.Struct, frozen=True):
    """What the calendar says of a day, for a page or a terminal. `hours` is None when closed or unknown: see `why`."""

    exchange: str
    on: dt.date
    hours: Session | None
    why: str
    expiries: tuple[NextExpiry, ...]
    warnings: tuple[str, ...]

    @property
    def session_says(self) -> str:
        """The session in words, or why there is none."""
        if self.hours is None:
            return self.why
        unsure = ", provisional" if self.hours.grade == "provisional" else ""
        return f"{self.hours.kind} session {self.hours.open:%H:%M}-{self.hours.close:%H:%M} IST{unsure}"

    @property
    def expiries_say(self) -> str:
        """Next expiries with their lots, in words."""
        return ", ".join(map(str, self.expiries)) or "none known"


def table_horizons(on: dt.date) -> tuple[Horizon, ...]:
    """(table, last day, days left after `on`, what to do) of each table, the first to end first.

    The calendar and the published expiries end with the last published holiday list. Lots and freeze quantities stay
    in force until a newer row is entered, but are reviewed: lots and BSE's freeze quantities about twice a year, NSE's
    every month. The table ends where the first of its indices was not compared with a circular for as long.
    """
    file = "vikalp facts import FILE"
    lots = min(lots_seen(index, on) for index in CONTRACT_INDICES) + dt.timedelta(days=REVIEW_DAYS)
    freeze = min(freeze_horizon(index, on) for index in CONTRACT_INDICES)
    year = last_published().year + 1
    ends = (
        ("calendar", last_published(), f"import the holidays of {year} when the exchanges publish them: {file}"),
        ("expiries", last_published(), f"those of {year} are provisional until its holidays are imported: {file}"),
        ("lots", lots, f"compare with the newest lot circular and import the row of each index: {file}"),
        ("freeze", freeze, f"compare with the exchanges' newest freeze quantities and import each index's row: {file}"),
    )
    found = [Horizon(table, last, (last - on).days, todo) for table, last, todo in ends]
    return tuple(sorted(found, key=lambda horizon: horizon.last_day))


def horizon_warnings(on: dt.date) -> tuple[str, ...]:
    """One sentence for each table that ends within 30 days of `on` or has ended."""
    return tuple(
        f"{h.table} known to {h.last_day}, {abs(h.days_left)} days {'ago' if h.days_left < 0 else 'left'}: {h.todo}"
        for h in table_horizons(on)
        if h.days_left <= WARN_DAYS
    )


@remembered(64)
def today(exchange: str, on: dt.date, indices: tuple[str, ...]) -> Today:
    """The session of `on`, the next expiry of each of `indices` with its lot, and what ends soon.

    Never raises for a date: what is not known is said in `why`, or left out.
    """
    hours: Session | None = None
    try:
        hours = session(exchange, on)
        why = "" if hours else why_closed(exchange, on)
    except UnknownDate as error:
        why = str(error)
    return Today(exchange, on, hours, why, next_expiries(indices, on), horizon_warnings(on))


def next_expiries(indices: tuple[str, ...], on: dt.date) -> tuple[NextExpiry, ...]:
    """The nearest expiry of each index from `on` on, with its lot; an index without one known is left out."""
    found = []
    for index in indices:
        try:
            expiry = expiries(check_contract_index(index), on)[0]
        except UnknownDate:
            continue
        try:
            row: LotRow | None = lot_row(index, expiry, on)
        except UnknownDate:
            row = None
        units, grade = (row.lot, row.grade) if row else (None, None)
        found.append(NextExpiry(index, expiry, units, expiry_grade(index, expiry, on), grade))
    return tuple(found)


def fact_rows(on: dt.date) -> tuple[FactRow, ...]:
    """Every row of the tables, and the expiries that `on` knew from then on; each with its source."""
    found = [*_calendar_rows(), *_rule_rows(), *_lot_rows(), *_freeze_rows()]
    for index in CONTRACT_INDICES:
        found += [_contract_row(index), *_expiry_rows(index, on)]
    return tuple(found)


def _contract_row(index: str) -> FactRow:
    ticks = f"option tick {tick_paise(index) / 100:.2f}, future tick {future_tick_paise(index) / 100:.2f}"
    value = f"{exchange_of(index)}, {ticks}, strikes every {strike_step_paise(index) // 100} near the money"
    source = "Kite instruments 2025-09 to 2026-08, NSE bhavcopies 2025"
    return FactRow("contract", index, STARTS[index][0], value, "measured", source)


def _expiry_rows(index: str, on: dt.date) -> list[FactRow]:
    try:
        listed = expiries(index, on)
    except UnknownDate:
        return []
    return [
        FactRow("expiry", index, day, f"{day:%A}", expiry_grade(index, day, on), expiry_source(index, day, on))
        for day in listed
    ]


def _calendar_rows() -> list[FactRow]:
    own = {day for facts in user_facts() for day in (*facts.holidays, *(row.date for row in facts.sessions))}
    found = []
    for day in sorted(HOLIDAYS | SPECIAL.keys() | own):
        special = special_of(day)
        if special is None:
            value, grade, source = f"closed ({day:%A})", calendar_grade(day), holiday_source(day)
        else:
            times = ", ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in special.windows) or "hours unknown"
            value, grade, source = f"{special.kind} ({day:%A}) {times}", special.grade, special.source
        found.append(FactRow("calendar", "", day, value, grade, source))
    return found


def _rule_rows() -> list[FactRow]:
    found = []
    for kind, table in (("weekly", WEEKLY), ("monthly", MONTHLY)):
        for index, rules in table.items():
            found += [FactRow(f"{kind} weekday", index, r.first, _rule(r), r.grade, r.source) for r in rules]
    return found


def _rule(rule: Rule) -> str:
    what = "none" if rule.weekday is None else _WEEKDAYS[rule.weekday]
    return what if rule.known_from == rule.first else f"{what}, listed contracts from {rule.known_from}"


def _lot_rows() -> list[FactRow]:
    return [
        FactRow("lot", index, r.first_expiry, f"{r.lot} units, {_from(r)}", r.grade, r.source)
        for index in CONTRACT_INDICES
        for r in lot_rows(index)
    ]  # fmt: skip


def _from(row: LotRow) -> str:
    late = "" if row.long_dated_from == row.new_from else f", long-dated from {row.long_dated_from}"
    return f"traded from {row.new_from}{late}"


def _freeze_rows() -> list[FactRow]:
    return [
        FactRow("freeze", index, r.since, f"{r.quantity} units an order", r.grade, r.source)
        for index in CONTRACT_INDICES
        for r in freeze_rows(index)
    ]
