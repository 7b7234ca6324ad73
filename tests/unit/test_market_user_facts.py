"""A user's own rows, the dump of the day, and when the tables end."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import InputError, UnknownDate
from core.market import (
    CONTRACT_INDICES,
    expiries,
    expiry_grade,
    freeze,
    lot,
    next_session,
    session,
)
from core.market.dump import DumpRow, merge_dump
from core.market.facts import fact_rows, horizon_warnings, table_horizons, today
from core.market.overlay import GRADES, DayContracts, UserFacts, use, use_dump
from core.market.simclock import session_date, simulate
from core.market.user_facts import check_all, parse_user_facts
from core.schemas import Kind
from tests.unit.market_data import DUMPS, rows

D = dt.date
HOLIDAYS_2027 = [
    "2027-01-26", "2027-03-22", "2027-03-26", "2027-04-14", "2027-05-17", "2027-06-16", "2027-10-29", "2027-11-15",
]  # fmt: skip
FILE: dict[str, Any] = {"source": "NSE/CMTR/1 of 2026-12-11", "published": "2026-12-11"}
YEAR = FILE | {"years": ["2027"], "holidays": HOLIDAYS_2027}
NIFTY_75 = {"index": "NIFTY", "first_expiry": "2027-01-05", "lot": "75", "new_from": "2026-12-01",
            "long_dated_from": "2026-12-30"}  # fmt: skip


@pytest.fixture(autouse=True)
def the_tables_alone() -> Iterator[None]:
    use(())
    use_dump(None)
    yield
    use(())
    use_dump(None)


def parsed(**more: Any) -> UserFacts:
    return parse_user_facts(FILE | more, "mine.yaml", today=D(2026, 12, 11))


def test_an_imported_year_is_published_and_moves_the_expiries_from_the_day_it_was_known() -> None:
    assert D(2027, 6, 29) in expiries("NIFTY", D(2026, 12, 1))
    use([parse_user_facts(YEAR | {"holidays": [*HOLIDAYS_2027, "2027-06-29"]}, "mine.yaml", today=D(2026, 12, 11))])

    assert session("NSE", D(2027, 3, 22), published=True) is None
    found = session("NSE", D(2027, 3, 23), published=True)
    assert found is not None
    assert found.grade == "user"
    assert D(2027, 6, 28) in expiries("NIFTY", D(2026, 12, 11), published=True)
    assert D(2027, 6, 29) in expiries("NIFTY", D(2026, 12, 10))  # nobody knew
    assert expiry_grade("NIFTY", D(2027, 6, 28), D(2026, 12, 15)) == "user"
    with pytest.raises(UnknownDate):
        session("NSE", D(2028, 1, 3), published=True)
    assert {h.table: h.last_day for h in table_horizons(D(2026, 12, 15))}["calendar"] == D(2027, 12, 31)


def test_imported_hours_make_a_session_of_a_day_whose_hours_nobody_knew() -> None:
    assert session_date("NSE", D(2026, 11, 8)) == D(2026, 11, 9)
    evening = {"date": "2026-11-08", "kind": "muhurat", "pre_open": "18:00", "open": "18:15", "close": "19:15"}
    use([parsed(sessions=[evening])])

    found = session("NSE", D(2026, 11, 8))
    assert found is not None
    assert (found.kind, f"{found.pre_open:%H:%M}", f"{found.close:%H:%M}", found.grade) == (
        "muhurat", "18:00", "19:15", "user"
    )  # fmt: skip
    assert session_date("NSE", D(2026, 11, 8)) == D(2026, 11, 8)
    assert next_session("NSE", D(2026, 11, 7)) == D(2026, 11, 8)


def test_other_hours_of_an_ordinary_day_leave_its_expiry_where_it_is() -> None:
    use([parsed(sessions=[{"date": "2026-12-15", "kind": "normal", "open": "09:15", "close": "17:00"}])])

    found = session("NSE", D(2026, 12, 15))
    assert found is not None
    assert f"{found.close:%H:%M}" == "17:00"
    assert D(2026, 12, 15) in expiries("NIFTY", D(2026, 11, 20))


def test_a_freeze_quantity_below_an_imported_lot_is_refused_in_one_file_and_in_two() -> None:
    lots = [{"index": "BANKNIFTY", "first_expiry": "2026-12-01", "lot": "600", "new_from": "2026-11-02",
             "long_dated_from": "2026-11-02"}]  # fmt: skip
    small = [{"index": "BANKNIFTY", "since": "2026-11-02", "quantity": "100"}]
    with pytest.raises(InputError, match=r"mine.yaml: lots BANKNIFTY: expected 1 to 100 units, found 600"):
        parsed(lots=lots, freeze=small)

    units, most = parsed(lots=lots), parsed(source="another circular", freeze=small)
    use([units])
    with pytest.raises(InputError, match=r"mine.yaml: freeze BANKNIFTY: expected 600 .a lot. to"):
        parsed(source="another circular", freeze=small)
    use([most])
    with pytest.raises(InputError, match=r"mine.yaml: lots BANKNIFTY: expected 1 to 100 units, found 600"):
        parsed(lots=lots)
    with pytest.raises(InputError, match="BANKNIFTY"):
        check_all({"units.json": units, "most.json": most})
    check_all(
        {"units.json": units, "enough.json": parsed(source="another circular", freeze=[small[0] | {"quantity": "600"}])}
    )


def test_imported_lots_and_freeze_quantities_win_from_their_day_on() -> None:
    use([parsed(lots=[NIFTY_75], freeze=[{"index": "NIFTY", "since": "2026-12-01", "quantity": "1500"}])])

    assert [lot("NIFTY", D(2027, 1, 12), D(2026, 11, 30)), lot("NIFTY", D(2027, 1, 12), D(2026, 12, 1))] == [65, 75]
    assert [lot("NIFTY", D(2027, 6, 29), D(2026, 12, 29)), lot("NIFTY", D(2027, 6, 29), D(2026, 12, 30))] == [65, 75]
    assert [freeze("NIFTY", D(2026, 11, 30)), freeze("NIFTY", D(2026, 12, 1))] == [1800, 1500]
    assert freeze("BANKNIFTY", D(2026, 12, 1)) == 600
    own = {(row.table, row.index) for row in fact_rows(D(2026, 12, 1)) if row.grade == "user"}
    assert own == {("lot", "NIFTY"), ("freeze", "NIFTY")}
    assert {h.table: h.last_day for h in table_horizons(D(2026, 12, 1))}["lots"] == D(2027, 2, 21)  # NIFTY's alone


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"source": "  ", "holidays": ["2026-12-24"]}, "source"),
        ({}, "no row"),
        ({"holiday": ["2026-12-24"]}, "unknown field `holiday`"),
        ({"holidays": ["2026-12-26"]}, "Saturday"),
        ({"holidays": ["2026-12-24", "2026-12-24"]}, "twice"),
        ({"holidays": ["2026-24-12"]}, r"holidays\[0\]"),
        ({"holidays": ["2046-12-24"]}, "outside"),
        ({"published": "2026-12-12", "holidays": ["2026-12-24"]}, "after today"),
        ({"years": ["2027"], "holidays": HOLIDAYS_2027[1:]}, "2027-01-26"),
        ({"years": ["2027"], "holidays": ["2027-01-26", "2027-04-14"]}, "8 to 25"),
        ({"years": ["2028"], "holidays": HOLIDAYS_2027}, "import 2027 next"),
        ({"years": ["2026"], "holidays": HOLIDAYS_2027}, "the tables have 2026"),
        ({"sessions": [{"date": "2026-11-08", "kind": "muhurat", "open": "19:15", "close": "18:15"}]}, "before close"),
        ({"sessions": [{"date": "2026-11-09", "kind": "muhurat", "open": "18:15", "close": "19:15"}]}, "ordinary"),
        ({"sessions": [{"date": "2026-11-08", "kind": "party", "open": "18:15", "close": "19:15"}]}, "kind"),
        ({"sessions": ["2026-11-08"]}, "sessions"),
        ({"lots": [NIFTY_75 | {"index": "RELIANCE"}]}, "settled by delivery"),
        ({"lots": [NIFTY_75 | {"lot": "0"}]}, "1 to"),
        ({"lots": [NIFTY_75 | {"lot": "many"}]}, "lot"),
        ({"lots": [NIFTY_75 | {"lot": "6500"}]}, "1 to 1800 units, found 6500"),
        ({"freeze": [{"index": "NIFTY", "since": "2026-12-01", "quantity": "18"}]}, "75 .a lot. to"),
        ({"freeze": [{"index": "NIFTY", "since": "2026-12-01", "quantity": "-5"}]}, "freeze NIFTY"),
    ],
)
def test_a_file_that_is_wrong_anywhere_is_refused_with_the_place(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=rf"mine.yaml: .*{says}"):
        parse_user_facts(FILE | changed, "mine.yaml", today=D(2026, 12, 11))


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(InputError, match="list"):
        parse_user_facts([FILE], "mine.yaml", today=D(2026, 12, 11))


def test_the_simulated_desk_runs_past_the_published_calendar_and_says_so() -> None:
    clock = simulate("NSE", D(2027, 1, 1), anchor_wall_ns=0, seed=7)

    assert clock.date == D(2027, 1, 1)
    assert clock.says() == "simulated session of 2027-01-01, seed 7, provisional calendar"
    assert len(expiries("NIFTY", D(2026, 12, 30))) > 10


def test_each_table_says_when_it_ends_and_warns_30_days_before() -> None:
    assert [(h.table, h.last_day, h.days_left) for h in table_horizons(D(2026, 11, 20))] == [
        ("freeze", D(2026, 9, 30), -51),  # NSE's are new every month
        ("calendar", D(2026, 12, 31), 41),
        ("expiries", D(2026, 12, 31), 41),
        ("lots", D(2027, 2, 21), 93),
    ]
    assert [len(horizon_warnings(on)) for on in (D(2026, 8, 30), D(2026, 8, 31), D(2026, 11, 30))] == [0, 1, 1]
    late, first = horizon_warnings(D(2026, 12, 1))[:2]
    assert "freeze known to 2026-09-30, 62 days ago" in late
    assert "30 days left" in first
    assert "holidays of 2027" in first
    assert "calendar known to 2026-12-31, 64 days ago" in horizon_warnings(D(2027, 3, 5))[1]


def test_today_says_the_session_the_next_expiries_with_lots_and_never_raises_for_a_date() -> None:
    friday = today("NSE", D(2026, 11, 20), ("NIFTY", "SENSEX"))

    assert friday.hours is not None
    assert [(e.index, str(e.expiry), e.lot, e.grade) for e in friday.expiries] == [
        ("NIFTY", "2026-11-23", 65, "circular"), ("SENSEX", "2026-11-26", 20, "circular")
    ]  # fmt: skip
    assert "Saturday" in today("NSE", D(2026, 11, 21), ()).why
    assert "hours" in today("NSE", D(2026, 11, 8), ()).why
    assert "outside" in today("NSE", D(2040, 11, 8), CONTRACT_INDICES).why
    assert today("NSE", D(2018, 11, 8), CONTRACT_INDICES).expiries == ()


def test_every_row_of_the_tables_has_a_source_and_a_grade() -> None:
    found = fact_rows(D(2026, 11, 20))

    assert {row.table for row in found} == {
        "calendar", "weekly weekday", "monthly weekday", "lot", "freeze", "contract", "expiry"
    }  # fmt: skip
    assert all(row.source and row.value and row.grade in GRADES for row in found)
    assert {row.grade for row in found} == {"circular", "measured", "provisional"}


def dump_rows(name: str) -> list[DumpRow]:
    kinds = {"FUT": Kind.FUTURE, "CE": Kind.CALL, "PE": Kind.PUT}
    return [
        DumpRow(
            row["tradingsymbol"], row["name"], kinds[row["instrument_type"]], D.fromisoformat(row["expiry"]),
            round(float(row["strike"]) * 100), int(row["lot_size"]), float(row["tick_size"]) * 100,
        )
        for row in rows(f"instruments/{name}.csv.gz")
        if row["instrument_type"] in kinds and row["name"] in CONTRACT_INDICES
    ]  # fmt: skip


@pytest.mark.parametrize("name", DUMPS)
def test_the_real_dumps_agree_with_the_tables(name: str) -> None:
    contracts, differences = merge_dump(dump_rows(name), DUMPS[name])

    assert len(contracts.lots) > 20
    assert differences == ()


def test_the_dump_of_the_day_wins_on_its_day_and_says_what_differs() -> None:
    on, moved = D(2026, 11, 20), D(2026, 11, 24)
    near = [D(2026, 12, 1), D(2026, 12, 8)]
    given = [DumpRow("a", "NIFTY", Kind.CALL, day, 24_500_00, 65, 5.0) for day in (moved, *near)]
    given += [
        DumpRow("b", "NIFTY", Kind.FUTURE, D(2026, 12, 29), 0, 75, 5.0),
        DumpRow("c", "INFY", 2, moved, 1, 400, 5.0),
    ]
    contracts, differences = merge_dump(given, on)

    assert {(d.what, str(d.expiry), d.table, d.dump) for d in differences} == {
        ("expiry", "2026-11-23", "listed", "not listed"),
        ("expiry", "2026-11-24", "not listed", "listed"),
        ("lot", "2026-12-29", "65", "75"),
        ("future tick", "2026-12-29", "0.10", "0.05"),
    }
    assert all("the dump is used" in d.message for d in differences)

    use_dump(contracts)
    assert expiries("NIFTY", on) == (moved, *near, D(2026, 12, 29))
    assert lot("NIFTY", D(2026, 12, 29), on) == 75
    assert expiry_grade("NIFTY", moved, on) == "dump"
    assert lot("NIFTY", D(2026, 12, 29), D(2026, 11, 23)) == 65  # another day: the tables
    assert expiries("SENSEX", on)[0] == D(2026, 11, 26)  # an index the dump has nothing of
    assert merge_dump(given, on)[1] == differences


def test_a_dump_that_contradicts_itself_or_has_nothing_is_refused() -> None:
    two = [DumpRow("a", "NIFTY", Kind.CALL, D(2026, 12, 1), 1, units, 5.0) for units in (65, 75)]
    with pytest.raises(InputError, match=r"\[65, 75\]"):
        merge_dump(two, D(2026, 11, 20))
    with pytest.raises(InputError, match="no contract"):
        merge_dump([], D(2026, 11, 20))
    assert DayContracts(on=D(2026, 11, 20), lots={}).expiries("NIFTY") == ()
