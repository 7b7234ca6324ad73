"""The calendar against the package it began as, a second list, and every file of the exchange that has days in it."""

import csv
import datetime as dt
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from core.errors import UnknownDate, UnknownName
from core.market import (
    day_windows,
    next_session,
    phase,
    previous_session,
    session,
    to_ns,
    why_closed,
)
from core.market.calendar import last_published
from core.market.holidays import FIXED, HOLIDAYS, SPECIAL
from core.market.moment import IST
from tests.unit.market_data import BARS, DAILY, bar_moments, daily_days, data

D = dt.date
GOLDEN = Path(__file__).parents[1] / "golden/xbom_closed_weekdays.txt"
FACTS = Path(__file__).parents[2] / "docs/facts.md"
START, END = D(2012, 1, 1), D(2026, 12, 31)
# Every day on which the package and the exchanges differ; docs/facts.md says why.
TRADED_BUT_CLOSED_THERE = {
    "2012-01-07", "2012-03-03", "2012-04-28", "2012-09-08", "2013-05-11", "2014-03-22", "2015-02-28", "2020-02-01",
    "2024-01-20", "2024-03-02", "2024-05-18", "2025-02-01", "2026-02-01",
    "2013-11-03", "2014-10-23", "2015-11-11", "2016-10-30", "2017-10-19", "2018-11-07", "2019-10-27", "2020-11-14",
    "2021-11-04", "2022-10-24", "2023-11-12", "2024-11-01", "2025-10-21", "2026-11-08",
    "2013-11-14",
}  # fmt: skip
CLOSED_BUT_OPEN_THERE = {"2013-11-15"}


def days(first: D, last: D) -> list[D]:
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


def trading(on: D) -> bool:
    """Whether there is a session at all, of known hours or not."""
    try:
        return session("NSE", on) is not None
    except UnknownDate:
        return on in SPECIAL


def package_sessions() -> set[D]:
    closed = set()
    for line in GOLDEN.read_text().splitlines():
        if not line.startswith("#"):
            year, _, rest = line.partition(":")
            closed |= {D.fromisoformat(f"{year}-{text}") for text in rest.split()}
    return {day for day in days(START, END) if day.weekday() < 5 and day not in closed}


def test_the_calendar_differs_from_the_package_on_the_documented_days_and_no_other() -> None:
    ours, theirs = {day for day in days(START, END) if trading(day)}, package_sessions()

    assert len(theirs) > 3600
    assert {str(day) for day in ours - theirs} == TRADED_BUT_CLOSED_THERE
    assert {str(day) for day in theirs - ours} == CLOSED_BUT_OPEN_THERE
    documented = FACTS.read_text()
    assert [day for day in TRADED_BUT_CLOSED_THERE | CLOSED_BUT_OPEN_THERE if day not in documented] == []


def test_a_second_list_of_holidays_of_2021_to_2026_differs_where_it_is_known_to() -> None:
    with data("daily/nse_trading_holidays_VedaantAgrawal.csv").open() as lines:
        listed = {D.fromisoformat(row["date"]) for row in csv.DictReader(lines)}
    ours = {day for day in HOLIDAYS if day.year >= 2021}

    # The list leaves out the muhurat day of 2021 and three holidays announced late, and has Bakri Id of 2023 unmoved.
    assert {str(day) for day in ours - listed} == {"2021-11-04", "2023-06-29", "2024-01-22", "2024-05-20", "2026-01-15"}
    assert {str(day) for day in listed - ours} == {"2023-06-28"}


@pytest.mark.parametrize("name", DAILY)
def test_every_day_of_the_exchanges_files_is_a_trading_day_and_no_trading_day_lacks_one(name: str) -> None:
    found = daily_days(name)
    wanted = {day for day in days(max(min(found), START), max(found)) if trading(day)}

    assert len(found) > 3400
    assert {str(day) for day in found - wanted} == set()
    # What a file lacks: weekend sessions its collector did not look for, and single days it missed, never many.
    assert sum(day.weekday() < 5 for day in wanted - found) <= 4


def test_no_trading_day_is_without_a_row_in_every_file() -> None:
    found = set().union(*(daily_days(name) for name in DAILY))
    wanted = {day for day in days(START, D(2026, 7, 31)) if trading(day)}

    assert found <= wanted
    assert {str(day) for day in wanted - found} == {"2024-03-02"}  # a drill: the index bars have it


@pytest.mark.parametrize("name", BARS)
def test_holidays_and_hours_agree_with_the_bars_that_exist(name: str) -> None:
    starts = bar_moments(name)
    outside = Counter(at.date() for at in starts if phase("NSE", to_ns(at.replace(tzinfo=IST))) != "open")

    for day in {at.date() for at in starts}:
        assert session("NSE", day) is not None, f"{day} has bars and no session"
    # 1-minute files of 2024 and March 2026, labels of their makers: an evening of repeats, and 09:14 for the first.
    assert {str(day) for day, n in outside.items() if n > 1} <= {"2024-01-20", "2025-10-21"}
    assert sum(outside.values()) < 0.01 * len(starts)


@pytest.mark.parametrize("on", sorted(SPECIAL))
def test_a_special_session_has_its_source_and_its_hours_or_says_that_they_are_unknown(on: D) -> None:
    special = SPECIAL[on]

    assert special.source
    assert on.weekday() >= 5 or on in HOLIDAYS
    if special.windows:
        found = session("BSE", on)
        assert found is not None
        assert found.kind == special.kind
        assert found.pre_open is not None
        assert found.pre_open < found.open < found.close
        return
    with pytest.raises(UnknownDate, match="hours"):
        session("BSE", on)
    assert next_session("NSE", on - dt.timedelta(days=1)) > on
    assert previous_session("NSE", on + dt.timedelta(days=1)) < on


def test_after_the_last_published_day_an_answer_is_provisional_or_refused() -> None:
    assert last_published() == END
    found = session("NSE", D(2027, 1, 4))
    assert found is not None
    assert (found.kind, found.grade, f"{found.close:%H:%M}") == ("normal", "provisional", "15:40")
    assert session("NSE", D(2027, 1, 26)) is None
    assert next_session("NSE", END) == D(2027, 1, 1)
    for ask in (session, next_session):
        with pytest.raises(UnknownDate, match=r"2012-01-01 to 2026-12-31$"):
            ask("NSE", D(2027, 1, 4), published=True)
    with pytest.raises(UnknownDate, match="2026-12-31, provisionally to 2031-12-31"):
        session("NSE", D(2032, 1, 5))
    with pytest.raises(UnknownDate):
        session("NSE", D(2011, 12, 30))
    with pytest.raises(UnknownName, match="BSE"):
        session("MCX", D(2026, 1, 5))
    with pytest.raises(UnknownDate):
        phase("NSE", to_ns(dt.datetime(2027, 1, 4, 11, tzinfo=IST)), published=True)


def test_the_holidays_taken_for_every_year_were_on_every_list_since_2014() -> None:
    for year in range(2014, 2027):
        weekdays = {D(year, *day) for day in FIXED if D(year, *day).weekday() < 5}
        assert weekdays <= HOLIDAYS


def test_grades_say_how_a_day_is_known() -> None:
    graded = {on: found.grade for on in (D(2026, 8, 3), D(2019, 3, 1), D(2024, 5, 18)) if (found := session("NSE", on))}

    assert list(graded.values()) == ["circular", "measured", "measured"]
    assert "Sunday" in why_closed("NSE", D(2027, 1, 3))


def windows(on: D) -> dict[str, str]:
    return {f"{w.market} {w.name}": f"{w.start:%H:%M}-{w.end:%H:%M}" for w in day_windows("NSE", on)}


def test_the_parts_of_a_day_changed_three_times() -> None:
    before, futures, auction, recut = (
        windows(D(*day)) for day in ((2025, 12, 5), (2025, 12, 8), (2026, 8, 3), (2026, 9, 7))
    )

    assert before["cash pre-open orders"] == "09:00-09:08"
    assert before["derivatives normal"] == "09:15-15:30"
    assert "derivatives futures pre-open" not in before
    assert futures["derivatives futures pre-open"] == "09:00-09:15"
    assert futures["cash normal"] == "09:15-15:30"
    assert auction["cash normal"] == "09:15-15:15"
    assert auction["derivatives normal"] == "09:15-15:40"
    assert [auction[f"cash auction {part}"] for part in ("reference", "orders", "match")] == [
        "15:15-15:20", "15:20-15:30", "15:30-15:35"
    ]  # fmt: skip
    assert auction["cash post-close"] == "15:50-16:00"
    assert recut["cash pre-open limit orders"] == "09:05-09:10"
    assert recut["cash pre-open match"] == "09:10-09:12"
    assert windows(D(2026, 9, 14)) == {}
    assert len(day_windows("NSE", D(2024, 3, 2))) == 2


@pytest.mark.parametrize("on", [D(2025, 11, 7), D(2025, 12, 8), D(2026, 8, 3), D(2026, 9, 7)])
def test_the_parts_of_a_market_s_day_follow_one_another(on: D) -> None:
    for market in ("cash", "derivatives"):
        parts = [part for part in day_windows("BSE", on) if part.market == market]
        assert all(a.end <= b.start for a, b in pairwise(parts))
