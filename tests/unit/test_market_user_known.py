"""A user's rows by the day they were known: what they change before it, on it and after it."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, UnknownDate
from core.market import (
    CONTRACT_INDICES,
    expiries,
    expiry_grade,
    is_monthly,
    option_symbol,
    parse_symbol,
    session,
)
from core.market.calendar import full_day, special_of
from core.market.facts import today
from core.market.overlay import UserFacts, UserSession, use
from core.market.user_facts import check_all, parse_user_facts
from core.schemas import Kind

D = dt.date
TODAY = D(2026, 12, 20)
LIST_2027 = [
    "2027-01-26", "2027-03-22", "2027-03-26", "2027-04-14", "2027-05-17", "2027-06-16", "2027-10-29", "2027-11-15",
]  # fmt: skip


@pytest.fixture(autouse=True)
def the_tables_alone() -> Iterator[None]:
    use(())
    yield
    use(())


def said(published: str, **rows: Any) -> UserFacts:
    return parse_user_facts({"source": f"circular of {published}", "published": published} | rows, "mine", today=TODAY)


def test_before_an_imported_year_was_published_its_fixed_holidays_are_still_closed() -> None:
    before = expiries("NIFTY", D(2026, 11, 20))
    use([said("2026-12-11", years=["2027"], holidays=LIST_2027)])

    assert expiries("NIFTY", D(2026, 11, 20)) == before
    assert D(2027, 1, 25) in before
    assert D(2027, 1, 26) not in before
    assert option_symbol("NIFTY", D(2027, 1, 25), Kind.CALL, 26_000_00, D(2026, 11, 20)) == "NIFTY27JAN26000CE"
    assert is_monthly("NIFTY", D(2027, 1, 25))


def test_a_holiday_the_table_has_too_stays_one_before_the_user_s_file_was_published() -> None:
    use([said("2026-11-21", holidays=["2026-11-24", "2026-12-25"])])

    assert expiries("NIFTY", D(2026, 11, 20))[0] == D(2026, 11, 23)
    assert parse_symbol("NIFTY26NOV26000CE", D(2026, 11, 20)).expiry == D(2026, 11, 23)


def test_a_year_is_left_out_of_the_published_until_it_was_published() -> None:
    use([said("2026-12-18", years=["2027"], holidays=LIST_2027)])

    for on, last, grade in (
        (D(2026, 12, 17), D(2026, 12, 29), "provisional"),
        (D(2026, 12, 18), D(2027, 12, 28), "user"),
    ):
        assert expiries("NIFTY", on, published=True)[-1] == last
        assert expiry_grade("NIFTY", D(2027, 1, 25), on) == grade


def test_a_list_known_before_the_middle_of_december_is_known_from_its_own_day_on() -> None:
    use([said("2026-12-11", years=["2027"], holidays=[*LIST_2027, "2027-06-29"])])

    assert expiry_grade("NIFTY", D(2027, 1, 5), D(2026, 12, 12)) == "user"
    assert D(2027, 6, 28) in expiries("NIFTY", D(2026, 12, 12), published=True)
    assert is_monthly("NIFTY", D(2027, 6, 29))  # listed for that day until the list came


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"published": "2026-12-21", "holidays": ["2026-12-24"]}, "2026-12-21 is after today, 2026-12-20"),
        ({"published": "2025-12-11", "years": ["2027"], "holidays": LIST_2027}, "2026-10-01 to 2027-01-31"),
    ],
)
def test_a_day_of_publication_that_cannot_be_is_refused(rows: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_user_facts({"source": "x"} | rows, "mine", today=TODAY)


@pytest.mark.parametrize(
    ("published", "firsts"),
    [
        ("2026-11-10", {20: D(2026, 11, 24), 23: D(2026, 11, 24), 24: D(2026, 11, 24)}),
        ("2026-11-23", {20: D(2026, 11, 23), 23: D(2026, 11, 24), 24: D(2026, 11, 24)}),
        ("2026-11-24", {20: D(2026, 11, 23), 23: D(2026, 11, 23), 24: D(2026, 12, 1)}),  # it had expired by then
    ],
)
def test_a_holiday_taken_back_moves_the_expiry_from_the_day_that_was_known(
    published: str, firsts: dict[int, D]
) -> None:
    opened = {"date": "2026-11-24", "kind": "normal", "open": "09:15", "close": "15:40"}
    use([said(published, sessions=[opened])])

    assert {on: expiries("NIFTY", D(2026, 11, on))[0] for on in firsts} == firsts
    on_the_day = session("NSE", D(2026, 11, 24))
    assert on_the_day is not None
    assert on_the_day.grade == "user"


def test_one_month_has_one_monthly_after_a_holiday_is_taken_back() -> None:
    use([said("2026-11-10", sessions=[{"date": "2026-11-24", "kind": "normal", "open": "09:15", "close": "15:40"}])])

    for on in (D(2026, 11, 10), D(2026, 11, 20), D(2026, 11, 24)):
        assert [day for day in expiries("NIFTY", on) if D(2026, 11, 18) <= day < D(2026, 12, 1)] == [D(2026, 11, 24)]
        assert parse_symbol("NIFTY26NOV26000CE", on).expiry == D(2026, 11, 24)
    assert expiry_grade("NIFTY", D(2026, 11, 24), D(2026, 11, 20)) == "user"


def test_an_expiry_moved_by_a_user_s_holiday_is_graded_the_user_s_from_the_day_it_was_known() -> None:
    use([said("2026-11-20", holidays=["2026-12-01"])])

    assert expiries("NIFTY", D(2026, 11, 20))[1] == D(2026, 11, 30)
    assert expiry_grade("NIFTY", D(2026, 11, 30), D(2026, 11, 20)) == "user"
    assert expiry_grade("NIFTY", D(2026, 12, 1), D(2026, 11, 19)) == "circular"


def test_a_weekend_session_is_known_from_its_publication_on() -> None:
    use([said("2026-11-20", sessions=[{"date": "2026-12-12", "kind": "weekend", "open": "09:15", "close": "15:40"}])])

    assert [full_day(D(2026, 12, 12), D(2026, 11, day)) for day in (19, 20)] == [False, True]


def test_a_year_that_a_later_release_has_itself_is_still_taken() -> None:
    old = UserFacts(
        source="x", published=D(2025, 12, 12), years=(2026,),
        holidays=tuple(D(2026, *day) for day in ((1, 26), (3, 3), (3, 26), (4, 3), (4, 14), (5, 1), (10, 2), (12, 25))),
    )  # fmt: skip
    check_all({"kept": old})


def test_the_last_of_two_files_on_one_day_decides_from_its_own_publication() -> None:
    hours = {"date": "2026-12-01", "kind": "normal", "open": "09:15"}
    first, second = (
        said("2026-11-10", sessions=[hours | {"close": "15:40"}]),
        said(
            "2026-11-20",
            holidays=["2026-12-02"],
            sessions=[{"date": "2026-12-01", "kind": "normal", "open": "09:15", "close": "12:00"}],
        ),
    )
    use([first, second])

    assert [
        special.windows[0][1].hour
        for on in (D(2026, 11, 19), D(2026, 11, 20))
        if (special := special_of(D(2026, 12, 1), on))
    ] == [15, 12]
    assert special_of(D(2026, 12, 1), D(2026, 11, 9)) is None


def test_a_session_on_a_holiday_of_another_file_is_taken_and_needs_it() -> None:
    evening = {"date": "2027-10-29", "kind": "muhurat", "open": "18:15", "close": "19:15"}
    year = said("2026-12-11", years=["2027"], holidays=LIST_2027)
    with pytest.raises(InputError, match="ordinary trading day"):
        said("2026-12-20", sessions=[evening])
    use([year])
    hours = said("2026-12-20", sessions=[evening])

    check_all({"year": year, "hours": hours})
    with pytest.raises(InputError, match=r"hours: .*ordinary trading day"):
        check_all({"hours": hours})


DAYS = st.dates(D(2026, 11, 1), D(2027, 6, 30))
# Holidays the tables know, one listed by rule alone, and days like any other.
HOLIDAYS = st.sampled_from([D(2026, 11, 10), D(2026, 11, 24), D(2026, 12, 25), D(2027, 1, 26), D(2027, 4, 14)])
SETS = st.sets(HOLIDAYS | DAYS.filter(lambda day: day.weekday() < 5), max_size=6)


@given(DAYS, SETS, SETS, st.sampled_from(CONTRACT_INDICES), DAYS)
@settings(max_examples=150)
def test_before_it_was_published_a_file_moves_no_expiry_and_after_it_every_expiry_is_a_trading_day(
    published: D, closed: set[D], opened: set[D], index: str, on: D
) -> None:
    use(())
    before = expiries(index, on)
    hours = [
        UserSession(date=day, kind="normal", open=dt.time(9, 15), close=dt.time(15, 40)) for day in opened - closed
    ]
    use([UserFacts(source="x", published=published, holidays=tuple(closed), sessions=tuple(hours))])
    after = expiries(index, on)

    assert all(full_day(day, on) for day in after)
    assert list(after) == sorted(set(after))
    if on < published:
        assert after == before
    for day in after[:9]:  # each month's last contract is one, by its symbol too
        assert parse_symbol(option_symbol(index, day, Kind.CALL, 26_000_00, on), on).expiry == day


def test_today_and_the_past_are_told_without_rows_that_were_not_known() -> None:
    use([said("2026-12-18", years=["2027"], holidays=LIST_2027)])

    assert today("NSE", D(2026, 12, 17), ("NIFTY",)).expiries[0].grade == "circular"
    with pytest.raises(UnknownDate, match="published"):
        expiries("NIFTY", D(2026, 12, 30), published=True, known=D(2026, 12, 17))
