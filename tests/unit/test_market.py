"""Dated facts of the exchanges against the circulars' own examples and real instrument dumps."""

import csv
import datetime as dt
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnknownName
from core.market import (
    INDICES,
    IST,
    UnknownDate,
    expiries,
    expiry_moment,
    freeze,
    from_ns,
    future_symbol,
    lot,
    monthly_expiry,
    next_session,
    option_symbol,
    parse_symbol,
    phase,
    previous_session,
    session,
    strike_step_paise,
    to_ns,
    why_closed,
)
from core.schemas import Kind

D = dt.date
DUMPS = Path(__file__).parents[2] / "../shared/data/market/instruments"
# A holiday published after the dump moved these; the symbol stayed, the day did not.
MOVED = {D(2026, 3, 31): D(2026, 3, 30), D(2026, 3, 26): D(2026, 3, 25)}


@pytest.mark.parametrize("name", ["kite_bfo_2025-09", "kite_nfo_2025-11", "kite_nfo_2026-05"])
def test_every_row_of_a_real_dump_parses_to_its_own_contract_and_lot(name: str) -> None:
    path = DUMPS / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    month = dt.datetime.strptime(name[-7:], "%Y-%m").replace(tzinfo=IST).date()
    on = month.replace(day=15)
    seen = 0
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            if row["name"] not in INDICES or row["instrument_type"] not in {"CE", "PE", "FUT"}:
                continue
            contract = parse_symbol(row["tradingsymbol"])
            expiry = D.fromisoformat(row["expiry"])
            assert contract.index == row["name"]
            assert contract.expiry == MOVED.get(expiry, expiry)
            assert contract.strike_paise == round(float(row["strike"]) * 100)
            assert lot(contract.index, expiry, on) == int(row["lot_size"]), row
            if contract.kind == Kind.FUTURE:
                assert future_symbol(contract.index, expiry) == row["tradingsymbol"]
            else:
                assert option_symbol(contract.index, expiry, contract.kind, contract.strike_paise) == contract.symbol
            seen += 1
    assert seen > 3000


@given(
    st.sampled_from(INDICES), st.data(), st.sampled_from([Kind.CALL, Kind.PUT]), st.integers(1, 4000)
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_symbol_goes_round(index: str, data: st.DataObject, kind: Kind, steps: int) -> None:
    expiry = data.draw(st.sampled_from(expiries(index, D(2024, 1, 1))))
    strike = steps * strike_step_paise(index)
    contract = parse_symbol(option_symbol(index, expiry, kind, strike))
    assert (contract.index, contract.expiry, contract.kind, contract.strike_paise) == (index, expiry, kind, strike)


@pytest.mark.parametrize("bad", ["", "NIFTY", "NIFTYNXT5025SEP60000CE", "NIFTY2593124500CE", "nifty25SEP24500CE"])
def test_what_is_no_symbol_is_refused_in_words(bad: str) -> None:
    if bad == "NIFTY":
        assert parse_symbol(bad).kind == Kind.INDEX
        return
    with pytest.raises(UnknownName, match=r"Kite symbol|names no expiry"):
        parse_symbol(bad)


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


def test_beyond_the_calendar_expiries_are_refused_and_listed_ones_are_named() -> None:
    with pytest.raises(UnknownDate, match="2026-12-31"):
        expiries("NIFTY", D(2027, 1, 1))
    assert expiries("NIFTY", D(2026, 11, 20))[-1] == D(2026, 12, 29)
    assert monthly_expiry("NIFTY", 2029, 12) == D(2029, 12, 24)
    assert lot("NIFTY", D(2030, 6, 25), D(2025, 8, 29)) == 75


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


def test_a_lot_no_source_gives_is_refused() -> None:
    with pytest.raises(UnknownDate, match="no source"):
        lot("SENSEX", D(2025, 1, 14), D(2025, 1, 10))
    with pytest.raises(UnknownDate, match="begins"):
        lot("NIFTY", D(2022, 1, 27), D(2022, 1, 3))


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
    for unknown in (D(2027, 1, 4), D(2023, 12, 29), D(2026, 11, 8)):
        with pytest.raises(UnknownDate):
            session(exchange, unknown)
    with pytest.raises(UnknownDate):
        next_session(exchange, D(2026, 12, 31))


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
    with pytest.raises(UnknownDate, match="begins"):
        freeze("NIFTY", D(2023, 1, 2))
