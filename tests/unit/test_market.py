"""Dated facts of the exchanges against the circulars' own examples; test_market_data.py has them against the data."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnknownName
from core.market import (
    CONTRACT_INDICES,
    INDICES,
    IST,
    UnknownDate,
    check_contract_index,
    check_index,
    exchange_of,
    expiries,
    expiry_grade,
    expiry_moment,
    freeze,
    from_ns,
    is_monthly,
    lot,
    monthly_expiry,
    next_session,
    nse_identifier,
    option_symbol,
    parse_identifier,
    parse_symbol,
    phase,
    previous_session,
    session,
    strike_step_paise,
    to_ns,
    why_closed,
)
from core.market.calendar import full_day
from core.schemas import Kind

D = dt.date


@given(
    st.sampled_from(CONTRACT_INDICES), st.data(), st.sampled_from([Kind.CALL, Kind.PUT]), st.integers(1, 4000)
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_symbol_goes_round(index: str, data: st.DataObject, kind: Kind, steps: int) -> None:
    on = D(2024, 5, 1) + dt.timedelta(days=data.draw(st.integers(0, 900)))
    expiry = data.draw(st.sampled_from(expiries(index, on)))
    strike = steps * strike_step_paise(index)
    contract = parse_symbol(option_symbol(index, expiry, kind, strike, on), on)
    assert (contract.index, contract.expiry, contract.kind, contract.strike_paise) == (index, expiry, kind, strike)
    assert parse_identifier(nse_identifier(contract), on) == contract


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "NIFTY2593124500CE",
        "nifty25SEP24500CE",
        "NIFTY25SEPCE",
        "NIFTY2590224500",
        "NIFTY２５SEPFUT",
        "NIFTY25SEP2450１CE",
    ],
)
def test_what_is_no_symbol_is_refused_in_words(bad: str) -> None:
    with pytest.raises(UnknownName, match=r"Kite symbol|names no expiry"):
        parse_symbol(bad)


def test_what_is_no_symbol_says_where_those_of_now_are_found() -> None:
    with pytest.raises(UnknownName, match=r"the chain of an index names one \(vikalp chain INDEX\)"):
        parse_symbol("NIFTY24500CE")


@pytest.mark.parametrize("stock", ["RELIANCE26AUG1400CE", "M&M25NOVFUT", "360ONE25NOV1000PE", "SENSEX5025SEPFUT"])
def test_a_stock_s_contract_is_refused_and_the_reason_said(stock: str) -> None:
    with pytest.raises(UnknownName, match=r"settled by delivery and can be banned"):
        parse_symbol(stock)
    with pytest.raises(UnknownName, match=r"settled by delivery"):
        lot("RELIANCE", D(2026, 8, 25), D(2026, 8, 3))


@pytest.mark.parametrize(
    "bad",
    [
        "OPTSTKRELIANCE25-08-2026CE1400.00", "OPTIDXNIFTY31-02-2026CE21400.00", "OPTIDXNIFTY14-07-2026XX21400.00",
        "FUTIDXNIFTY28-07-2026XX100.00", "FUTIDXNIFTY14-07-2026XX0.00", "OPTIDXNIFTY14-07-2026CE0.00", "NIFTY",
        "OPTIDXNIFTY1４-07-2026CE21400.00",
    ],
)  # fmt: skip
def test_what_is_no_identifier_is_refused(bad: str) -> None:
    with pytest.raises(UnknownName, match=r"OPTIDX|future has"):
        parse_identifier(bad)


def test_an_index_has_no_identifier_and_is_its_own_symbol() -> None:
    index = parse_symbol("BANKEX")
    assert index.kind == Kind.INDEX
    with pytest.raises(UnknownName, match="futures and options"):
        nse_identifier(index)


def test_the_desk_has_five_indices_and_the_facts_seven() -> None:
    assert set(CONTRACT_INDICES) - set(INDICES) == {"NIFTYNXT50", "BANKEX"}
    assert exchange_of(check_contract_index("BANKEX")) == "BSE"
    with pytest.raises(UnknownName, match=r"known are NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY, SENSEX$"):
        check_index("BANKEX")


def test_the_vix_is_an_index_of_the_nifty_feed() -> None:
    vix = parse_symbol("INDIA VIX")
    assert (vix.index, vix.kind, vix.expiry) == ("NIFTY", Kind.INDEX, None)


@pytest.mark.parametrize(
    ("index", "on", "first"),
    [
        ("NIFTY", D(2025, 8, 25), [D(2025, 8, 28), D(2025, 9, 2), D(2025, 9, 9)]),
        ("NIFTY", D(2025, 10, 15), [D(2025, 10, 20), D(2025, 10, 28), D(2025, 11, 4)]),
        ("NIFTY", D(2026, 3, 25), [D(2026, 3, 30), D(2026, 4, 7), D(2026, 4, 13)]),
        ("NIFTY", D(2026, 11, 20), [D(2026, 11, 23), D(2026, 12, 1)]),
        ("SENSEX", D(2025, 8, 25), [D(2025, 8, 26), D(2025, 9, 4), D(2025, 9, 11)]),
        ("SENSEX", D(2026, 1, 13), [D(2026, 1, 14), D(2026, 1, 22)]),
        ("BANKNIFTY", D(2024, 11, 12), [D(2024, 11, 13), D(2024, 11, 27), D(2024, 12, 24)]),
        ("BANKNIFTY", D(2025, 8, 1), [D(2025, 8, 28), D(2025, 9, 30)]),
        ("FINNIFTY", D(2024, 11, 19), [D(2024, 11, 19), D(2024, 11, 26)]),
        ("MIDCPNIFTY", D(2024, 11, 18), [D(2024, 11, 18), D(2024, 11, 25)]),
    ],
)
def test_expiries_follow_the_weekday_of_their_time_and_holidays(index: str, on: D, first: list[D]) -> None:
    assert list(expiries(index, on)[: len(first)]) == first


def test_beyond_the_calendar_an_expiry_is_provisional_and_can_be_left_out() -> None:
    listed = expiries("NIFTY", D(2026, 11, 20))
    published = expiries("NIFTY", D(2026, 11, 20), published=True)

    assert published[-1] == D(2026, 12, 29)
    assert listed[: len(published)] == published
    assert {expiry_grade("NIFTY", day) for day in published} == {"circular"}
    assert {expiry_grade("NIFTY", day) for day in listed[len(published) :]} == {"provisional"}
    assert {D(2027, 1, 5), D(2027, 1, 25), D(2029, 12, 24), D(2030, 12, 31)} <= set(listed)  # 26 January is a holiday
    with pytest.raises(UnknownDate, match="2026-12-31"):
        expiries("NIFTY", D(2026, 12, 30), published=True)
    assert expiries("SENSEX", D(2026, 11, 20))[0] == D(2026, 11, 26)
    assert monthly_expiry("NIFTY", 2029, 12) == D(2029, 12, 24)
    assert lot("NIFTY", D(2030, 6, 25), D(2025, 8, 29)) == 75
    for index, on in (("NIFTY", D(2018, 12, 31)), ("BANKEX", D(2023, 5, 12)), ("NIFTY", D(2032, 1, 1))):
        with pytest.raises(UnknownDate, match=f"expiries of {index}"):
            expiries(index, on)


def test_an_expiry_is_answered_as_it_was_known_on_the_day_asked_about() -> None:
    # Bakri Id of 2023 moved from the 28th to the 29th of June on the evening of the 27th.
    assert expiries("NIFTY", D(2023, 6, 27))[0] == D(2023, 6, 29)
    assert expiries("NIFTY", D(2023, 6, 28))[0] == D(2023, 6, 28)
    assert monthly_expiry("NIFTY", 2023, 6) == D(2023, 6, 28)
    assert monthly_expiry("MIDCPNIFTY", 2023, 6) == D(2023, 6, 27)  # it expired before anybody knew
    assert expiries("MIDCPNIFTY", D(2023, 6, 28))[0] == D(2023, 7, 5)
    # NIFTY of September 2025 was a Thursday's until 2025-07-31.
    assert D(2025, 9, 25) in expiries("NIFTY", D(2025, 7, 31))
    assert D(2025, 9, 30) in expiries("NIFTY", D(2025, 8, 1))
    assert D(2025, 9, 30) in expiries("NIFTY", D(2025, 7, 31), known=D(2025, 8, 1))
    assert {is_monthly("NIFTY", day) for day in (D(2025, 9, 25), D(2025, 9, 30), D(2026, 3, 31))} == {True}
    assert parse_symbol("NIFTY25SEP22550CE", D(2025, 2, 3)).expiry == D(2025, 9, 25)
    assert parse_symbol("NIFTY25SEP22550CE").expiry == D(2025, 9, 30)
    # SENSEX: the weekly of 2025-01-03 kept its Friday when the others moved to Tuesday.
    assert list(expiries("SENSEX", D(2025, 1, 1))[:3]) == [D(2025, 1, 3), D(2025, 1, 7), D(2025, 1, 14)]
    assert list(expiries("BANKEX", D(2023, 10, 13))[:1]) == [D(2023, 10, 13)]
    assert list(expiries("BANKEX", D(2023, 10, 16))[:2]) == [D(2023, 10, 16), D(2023, 10, 23)]


def test_expiries_say_how_they_are_known() -> None:
    assert expiry_grade("FINNIFTY", D(2021, 2, 4)) == "measured"
    assert expiry_grade("NIFTY", D(2026, 3, 31), D(2025, 11, 20)) == "provisional"
    assert expiry_grade("NIFTY", D(2026, 3, 30), D(2026, 1, 5)) == "circular"


@pytest.mark.parametrize(
    ("index", "expiry", "on", "units"),
    [
        ("NIFTY", D(2024, 5, 30), D(2024, 4, 25), 50),
        ("NIFTY", D(2024, 5, 30), D(2024, 4, 26), 25),
        ("NIFTY", D(2025, 1, 30), D(2025, 1, 2), 25),
        ("NIFTY", D(2025, 3, 27), D(2024, 12, 26), 25),
        ("NIFTY", D(2025, 3, 27), D(2024, 12, 27), 75),
        ("NIFTY", D(2025, 12, 30), D(2025, 12, 30), 75),
        ("NIFTY", D(2026, 1, 6), D(2026, 1, 2), 65),
        ("NIFTY", D(2026, 6, 30), D(2025, 12, 31), 65),
        ("BANKNIFTY", D(2025, 6, 26), D(2025, 6, 2), 30),
        ("BANKNIFTY", D(2025, 7, 31), D(2025, 6, 2), 35),
        ("MIDCPNIFTY", D(2025, 7, 31), D(2025, 7, 1), 140),
        ("SENSEX", D(2025, 9, 11), D(2025, 9, 5), 20),
    ],
)
def test_the_lot_is_the_expirys_and_long_dated_ones_are_converted_on_their_day(
    index: str, expiry: D, on: D, units: int
) -> None:
    assert lot(index, expiry, on) == units


@pytest.mark.parametrize(
    ("index", "expiry", "on", "units"),
    [
        ("NIFTY", D(2021, 7, 22), D(2021, 7, 1), 75),  # a weekly of July: those of August had 50
        ("NIFTY", D(2021, 9, 30), D(2021, 6, 24), 75),
        ("NIFTY", D(2021, 9, 30), D(2021, 6, 25), 50),
        ("BANKNIFTY", D(2020, 7, 23), D(2020, 7, 1), 20),
        ("BANKNIFTY", D(2023, 7, 20), D(2023, 7, 3), 25),
        ("BANKNIFTY", D(2023, 9, 28), D(2023, 6, 29), 25),
        ("BANKNIFTY", D(2023, 9, 28), D(2023, 6, 30), 15),
        ("SENSEX", D(2025, 1, 3), D(2025, 1, 2), 10),
        ("SENSEX", D(2025, 1, 7), D(2025, 1, 2), 20),
        ("SENSEX", D(2025, 1, 28), D(2025, 1, 2), 10),
        ("SENSEX", D(2025, 3, 28), D(2024, 12, 27), 10),
        ("SENSEX", D(2025, 3, 28), D(2024, 12, 30), 20),
        ("BANKEX", D(2025, 1, 28), D(2025, 1, 2), 15),
        ("BANKEX", D(2025, 2, 25), D(2025, 1, 2), 30),
    ],
)
def test_a_revision_leaves_what_is_listed_alone(index: str, expiry: D, on: D, units: int) -> None:
    assert lot(index, expiry, on) == units


def test_a_lot_before_the_table_is_refused() -> None:
    for index, day in (("NIFTY", D(2018, 12, 27)), ("SENSEX", D(2022, 1, 27)), ("NIFTYNXT50", D(2024, 3, 29))):
        with pytest.raises(UnknownDate, match="begins"):
            lot(index, day, day)


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_sessions_with_their_hours(exchange: str) -> None:
    def hours(day: D) -> tuple[str, str, str]:
        found = session(exchange, day)
        assert found is not None
        return found.kind, f"{found.open:%H:%M}", f"{found.close:%H:%M}"

    assert hours(D(2026, 7, 31)) == ("normal", "09:15", "15:30")
    assert hours(D(2026, 8, 3)) == ("normal", "09:15", "15:40")
    assert hours(D(2025, 10, 21)) == ("muhurat", "13:45", "14:45")
    assert hours(D(2026, 2, 1)) == ("weekend", "09:15", "15:30")
    assert hours(D(2024, 3, 2)) == ("drill", "09:15", "12:30")
    assert session(exchange, D(2025, 8, 27)) is None
    assert "holiday" in why_closed(exchange, D(2025, 8, 27))
    assert "Saturday" in why_closed(exchange, D(2025, 8, 30))
    assert why_closed(exchange, D(2025, 8, 29)) == ""
    assert previous_session(exchange, D(2025, 8, 28)) == D(2025, 8, 26)
    assert next_session(exchange, D(2026, 11, 7)) == D(2026, 11, 9)
    assert hours(D(2023, 11, 12)) == ("muhurat", "18:15", "19:15")
    for unknown in (D(2032, 1, 5), D(2011, 12, 29), D(2026, 11, 8)):
        with pytest.raises(UnknownDate):
            session(exchange, unknown)


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2025-08-29 08:59:59", "closed"),
        ("2025-08-29 09:00:00", "pre-open"),
        ("2025-08-29 09:15:00", "open"),
        ("2025-08-29 15:29:59", "open"),
        ("2025-08-29 15:30:00", "closed"),
        ("2026-08-03 15:39:59", "open"),
        ("2024-03-02 10:30:00", "closed"),
        ("2024-03-02 11:45:00", "open"),
        ("2025-08-27 11:00:00", "closed"),
    ],
)
def test_phase(moment: str, name: str) -> None:
    at = dt.datetime.fromisoformat(moment).replace(tzinfo=IST)
    assert phase("NSE", to_ns(at)) == name
    assert from_ns(to_ns(at)) == at


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_ns(dt.datetime(2025, 8, 29, 9, 15))  # noqa: DTZ001 - the point of the test


def test_contracts_end_at_the_close_in_force() -> None:
    assert f"{expiry_moment('NIFTY', D(2026, 7, 28)):%H:%M}" == "15:30"
    assert f"{expiry_moment('NIFTY', D(2030, 6, 25)):%H:%M}" == "15:40"


def test_freeze_by_date() -> None:
    assert [freeze("BANKNIFTY", D(2025, month, 5)) for month in (8, 9, 11)] == [600, 900, 600]
    assert freeze("SENSEX", D(2026, 8, 3)) == 1000
    assert freeze("BANKEX", D(2026, 8, 3)) == 900
    assert freeze("NIFTYNXT50", D(2024, 8, 1)) == 600
    with pytest.raises(UnknownDate, match="begins"):
        freeze("NIFTY", D(2023, 1, 2))


DAYS = st.dates(D(2024, 4, 24), D(2031, 12, 31))


@given(st.sampled_from(CONTRACT_INDICES), DAYS)
@settings(max_examples=200)
def test_expiries_are_trading_days_of_their_day_s_knowledge_in_order_and_have_lots(index: str, on: D) -> None:
    listed = expiries(index, on)

    assert list(listed) == sorted(set(listed))
    assert listed[0] >= on
    assert all(full_day(day, on) for day in listed)
    assert all(lot(index, day, on) > 0 for day in listed)
    months = {(day.year, day.month) for day in listed if day.year <= on.year + 1} - {(on.year, on.month)}
    assert {monthly_expiry(index, *month, known=on) for month in months} <= set(listed)


@given(st.sampled_from(CONTRACT_INDICES), DAYS)
@settings(max_examples=100)
def test_tomorrow_s_list_is_today_s_without_what_expired_unless_something_became_known(index: str, on: D) -> None:
    tomorrow = on + dt.timedelta(days=1)
    if tomorrow.year != on.year:
        return
    before = expiries(index, on, known=on)
    after = expiries(index, tomorrow, known=on)

    assert [day for day in before if day > on][:20] == list(after[:20])


@given(st.sampled_from(CONTRACT_INDICES), DAYS)
@settings(max_examples=200)
def test_of_the_next_expiries_one_a_month_has_the_monthly_s_symbol(index: str, on: D) -> None:
    for day in expiries(index, on)[:9]:
        monthly = monthly_expiry(index, day.year, day.month, known=on) == day
        assert is_monthly(index, day) == is_monthly(index, day, on) == monthly


def test_a_weekly_on_a_day_that_once_was_a_monthly_s_is_written_as_a_weekly() -> None:
    assert option_symbol("SENSEX", D(2026, 12, 24), Kind.CALL, 84_000_00) == "SENSEX26D2484000CE"
    assert option_symbol("SENSEX", D(2026, 12, 31), Kind.CALL, 84_000_00) == "SENSEX26DEC84000CE"
    assert option_symbol("SENSEX", D(2026, 12, 24), Kind.CALL, 84_000_00, D(2024, 7, 1)) == "SENSEX26DEC84000CE"


@given(st.dates(D(2012, 1, 10), D(2031, 12, 20)))
@settings(max_examples=200)
def test_the_next_session_s_previous_one_is_the_last_up_to_the_day(on: D) -> None:
    after = next_session("NSE", on)

    assert previous_session("NSE", after) <= on < after
    assert session("NSE", after) is not None
