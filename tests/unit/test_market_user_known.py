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
    day_windows,
    expiries,
    expiry_grade,
    expiry_moment,
    freeze,
    is_monthly,
    lot,
    option_symbol,
    parse_symbol,
    session,
    settlement,
    spot_frozen,
    to_ns,
)
from core.market.calendar import full_day
from core.market.facts import next_expiries, table_horizons, today
from core.market.freeze import freeze_row
from core.market.lots import lot_row
from core.market.moment import IST
from core.market.overlay import UserFacts, UserSession, use
from core.market.user_facts import check_all, parse_user_facts
from core.schemas import Kind

D = dt.date
TODAY = D(2026, 12, 20)
LIST_2027 = [
    "2027-01-26", "2027-03-22", "2027-03-26", "2027-04-14", "2027-05-17", "2027-06-16", "2027-10-29", "2027-11-15",
]  # fmt: skip
BACK_FILL = {"index": "NIFTY", "first_expiry": "2019-01-01", "lot": "75", "new_from": "2019-01-01",
             "long_dated_from": "2019-01-01"}  # fmt: skip


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


def test_a_back_filled_lot_leaves_the_newer_rows_alone() -> None:
    before = [lot("NIFTY", D(2026, 11, 23), D(2026, 11, 20)), lot("NIFTY", D(2026, 6, 30), D(2025, 12, 30))]
    use([said("2026-11-20", lots=[BACK_FILL], freeze=[{"index": "NIFTY", "since": "2019-01-01", "quantity": "5000"}])])

    assert [lot("NIFTY", D(2026, 11, 23), D(2026, 11, 20)), lot("NIFTY", D(2026, 6, 30), D(2025, 12, 30))] == before
    assert before == [65, 75]
    assert (lot_row("NIFTY", D(2019, 5, 30), D(2019, 5, 2)).lot, freeze("NIFTY", D(2026, 11, 20))) == (75, 1800)
    assert freeze("NIFTY", D(2020, 1, 2)) == 5000


def test_a_row_of_the_same_day_as_the_table_s_is_the_user_s() -> None:
    same = {"index": "NIFTY", "first_expiry": "2026-01-06", "lot": "70", "new_from": "2025-10-03",
            "long_dated_from": "2025-12-31"}  # fmt: skip
    use([said("2026-11-20", lots=[same], freeze=[{"index": "NIFTY", "since": "2026-07-01", "quantity": "1200"}])])

    found = lot_row("NIFTY", D(2026, 12, 8), D(2026, 11, 20))
    assert (found.lot, found.grade) == (70, "user")
    assert (freeze_row("NIFTY", D(2026, 11, 20)).quantity, freeze("NIFTY", D(2026, 6, 30))) == (1200, 1800)


def test_past_the_newest_circular_read_lots_and_freeze_quantities_are_provisional() -> None:
    assert lot_row("NIFTY", D(2026, 8, 25), D(2026, 8, 21)).grade == "circular"
    assert lot_row("NIFTY", D(2026, 11, 23), D(2026, 11, 20)).grade == "provisional"
    assert [freeze_row("BANKNIFTY", on).grade for on in (D(2026, 8, 31), D(2026, 9, 1))] == ["circular", "provisional"]
    assert str(next_expiries(("NIFTY",), D(2026, 11, 20))[0]) == "NIFTY Mon 23 Nov (lot 65 provisional)"
    assert str(next_expiries(("NIFTY",), D(2026, 8, 21))[0]) == "NIFTY Tue 25 Aug (lot 65)"
    assert str(next_expiries(("NIFTY",), D(2026, 12, 30))[0]) == "NIFTY Tue 05 Jan provisional (lot 65 provisional)"


def ends(on: D) -> dict[str, D]:
    return {horizon.table: horizon.last_day for horizon in table_horizons(on)}


def test_an_index_imported_alone_leaves_the_horizon_of_the_others() -> None:
    use([said("2026-12-18", lots=[BACK_FILL | {"index": "BANKEX", "first_expiry": "2026-12-31"}])])

    assert ends(TODAY)["lots"] == D(2027, 2, 21)


def test_the_horizons_move_with_every_index_and_not_before_the_row_was_published() -> None:
    names = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "BANKEX")
    lots = [BACK_FILL | {"index": name, "first_expiry": "2026-12-31"} for name in names]
    quantities = [{"index": name, "since": "2026-12-01", "quantity": "1200"} for name in names[:5]]
    assert ends(TODAY)["freeze"] == D(2026, 9, 30)
    use([said("2026-11-30", lots=lots, freeze=quantities)])

    assert {table: ends(TODAY)[table] for table in ("lots", "freeze")} == {
        "lots": D(2027, 6, 1),
        "freeze": D(2027, 1, 31),
    }
    assert ends(D(2026, 11, 29))["lots"] == D(2027, 2, 21)


def test_other_hours_of_an_expiry_day_move_its_last_trade_and_its_settlement() -> None:
    use([said("2026-11-20", sessions=[{"date": "2026-12-01", "kind": "normal", "open": "09:15", "close": "17:00"}])])
    found = settlement("NIFTY", D(2026, 12, 1))

    assert [f"{at:%H:%M}" for at in (found.begin, found.end, found.known, found.last_trade)] == [
        "16:35", "16:55", "16:55", "17:00",
    ]  # fmt: skip
    assert expiry_moment("NIFTY", D(2026, 12, 1)) == found.last_trade
    assert "circular of 2026-11-20" in found.source
    assert [
        spot_frozen("NIFTY", to_ns(dt.datetime(2026, 12, 1, hour, minute, tzinfo=IST)))
        for hour, minute in ((15, 20), (16, 34), (16, 35), (17, 0), (17, 1))
    ] == [False, False, True, True, False]
    use(())
    assert f"{settlement('NIFTY', D(2026, 12, 1)).known:%H:%M}" == "15:35"


def test_an_evening_s_muhurat_moves_no_settlement() -> None:
    use([said("2026-11-01", sessions=[{"date": "2026-11-08", "kind": "muhurat", "open": "18:15", "close": "19:15"}])])

    assert not spot_frozen("NIFTY", to_ns(dt.datetime(2026, 11, 8, 18, 50, tzinfo=IST)))


def test_a_weekend_session_of_other_hours_has_its_own_windows() -> None:
    use([said("2026-11-20", sessions=[{"date": "2026-12-06", "kind": "weekend", "open": "10:00", "close": "13:00"}])])

    assert [(w.market, w.name, f"{w.start:%H:%M}", f"{w.end:%H:%M}") for w in day_windows("NSE", D(2026, 12, 6))] == [
        ("derivatives", "normal", "10:00", "13:00")
    ]


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
