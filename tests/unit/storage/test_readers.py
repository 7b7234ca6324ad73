"""What each reader makes of a small file: values, units, traps; and how it refuses a bad row beside good ones."""

import datetime as dt
import gzip
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.file_schemas import FILE_SCHEMAS
from core.schemas import Kind
from storage.readers import (
    read_cash_flows,
    read_fii_statistics,
    read_instruments,
    read_market_activity,
    read_nse_chain,
    read_participant_days,
    read_participants,
    read_udiff,
)
from storage.readers.source import LARGEST_BYTES, read_bytes
from tests.unit.storage import samples
from tests.unit.storage.samples import BARS, CSV, Sample, some

D = dt.date
TITLE = "Participant wise Open Interest (no. of contracts) in Equity Derivatives as on"


def rows(name: str, folder: Path) -> list[dict[str, Any]]:
    sample = CSV[name]
    return sample.read(sample.write(folder), strict=True).table.to_pylist()


@pytest.mark.parametrize("name", CSV)
def test_a_good_file_is_read_whole(name: str, tmp_path: Path) -> None:
    sample = CSV[name]
    read = sample.read(sample.write(tmp_path), strict=True)

    assert read.table.num_rows == len(sample.body())
    assert read.table.schema in FILE_SCHEMAS.values()
    assert (read.refused, read.notes) == ((), ())
    assert sample.read(sample.write(tmp_path)).table.equals(read.table)


@pytest.mark.parametrize("name", CSV)
def test_windows_line_breaks_and_gzip_change_nothing(name: str, tmp_path: Path) -> None:
    sample = CSV[name]
    whole = sample.read(sample.write(tmp_path)).table

    assert sample.read(sample.write(tmp_path, sample.text.replace("\n", "\r\n"))).table.equals(whole)
    assert sample.read(sample.write(tmp_path, gzip.compress(sample.text.encode()))).table.equals(whole)


def test_an_instrument_dump_has_futures_options_and_shares(tmp_path: Path) -> None:
    future, call, put, share = rows("instruments", tmp_path)

    some(future, kind=Kind.FUTURE, name="NIFTY", lot=75, strike_paise=0, tick_paise=10.0, expiry=D(2025, 11, 25))
    some(call, kind=Kind.CALL, symbol="NIFTY25NOV26050CE", strike_paise=26_050_00, last_paise=101_50)
    some(put, kind=Kind.PUT, name="")
    some(share, kind=Kind.INDEX, expiry=None, instrument_type="EQ")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("2025-11-25,26050.0,0.05,75,CE", ",26050.0,0.05,75,CE", "expiry"),
        ("26050.0,0.05,75,CE", "0,0.05,75,CE", "strike"),
        ("0.05,75,CE", "0,75,CE", "tick_size"),
        ("0.05,75,CE", "0.05,0,CE", "lot_size"),
        ("CE,NFO-OPT", "CE,NFO-FUT", "segment"),
        ("52933,NIFTY25NOV26050PE", "52933,NIFTY25NOV26050CE", "tradingsymbol"),
        ("101.5", "101.505", "last_price"),
    ],
)
def test_an_instrument_that_cannot_be_is_refused_alone(old: str, new: str, column: str, tmp_path: Path) -> None:
    sample = CSV["instruments"]
    assert sample.text.count(old) == 1
    read = read_instruments(sample.write(tmp_path, sample.text.replace(old, new)))

    assert [refused.column for refused in read.refused] == [column]
    assert read.table.num_rows == 3


def test_udiff_volume_is_contracts_and_open_interest_units(tmp_path: Path) -> None:
    call, _, future, quiet = rows("udiff", tmp_path)

    some(call, contracts=40, lot=75, volume=3_000, oi=7_500, oi_change=-150, strike_paise=22_500_00, is_index=True)
    some(future, kind=Kind.FUTURE, strike_paise=0, volume=3181 * 30, notional_rupees=4_722_324_237.0)
    some(quiet, is_index=False, kind=Kind.PUT, strike_paise=147_50, volume=0, close_paise=32_70)


def test_an_expiring_option_s_settlement_price_is_the_index_and_named_so(tmp_path: Path) -> None:
    living, expiring, *_ = rows("udiff", tmp_path)

    some(living, settlement_paise=310_00, final_settlement_paise=None)
    some(expiring, settlement_paise=None, final_settlement_paise=22_545_05, underlying_paise=22_545_05, oi=7_525)


def test_bse_s_volume_is_in_units_where_nse_s_is_in_contracts(tmp_path: Path) -> None:
    header = samples.UDIFF_CSV.splitlines()[0] + "\n"
    path = CSV["udiff"].write(tmp_path, header + samples.BSE_ROWS)
    option, future = read_udiff(path, strict=True).table.to_pylist()

    some(option, exchange="BSE", volume=2_940, contracts=147, lot=20, oi=2_320)
    some(future, kind=Kind.FUTURE, strike_paise=0, volume=500, contracts=25)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        (",2940,234318000.00", ",2950,234318000.00", "TtlTradgVol"),  # no whole lots
        (",2940,234318000.00", ",2940,4686360000.00", "TtlTrfVal"),  # as if the volume were contracts
        ("FO,BSE,IDO", "FO,NSE,IDO", "TtlTrfVal"),  # NSE's rule on a BSE row
    ],
)
def test_a_turnover_that_contradicts_the_volume_is_refused(old: str, new: str, column: str, tmp_path: Path) -> None:
    header = samples.UDIFF_CSV.splitlines()[0] + "\n"
    path = CSV["udiff"].write(tmp_path, header + samples.BSE_ROWS.replace(old, new))
    read = read_udiff(path)

    assert [(row.place, row.column) for row in read.refused] == [("line 2", column)]


@pytest.mark.parametrize("line", [1, 2, 4])
def test_one_row_of_another_day_is_refused_wherever_it_stands(line: int, tmp_path: Path) -> None:
    sample = CSV["udiff"]
    lines = sample.text.splitlines()
    lines[line] = lines[line].replace("2025-02-27", "2025-02-26", 1)
    read = read_udiff(sample.write(tmp_path, "\n".join(lines) + "\n"))

    assert [(row.place, row.column) for row in read.refused] == [(f"line {line + 1}", "TradDt")]
    assert read.table.num_rows == 3


def test_the_old_bhavcopy_has_no_lot_and_says_so(tmp_path: Path) -> None:
    future, call, expiring, _ = rows("old_bhavcopy", tmp_path)

    some(future, kind=Kind.FUTURE, date=D(2019, 3, 1), expiry=D(2019, 3, 28), notional_rupees=56_050_000.0)
    some(call, contracts=200, volume=None, lot=None, last_paise=None, oi=150_000, settlement_paise=110_35)
    some(expiring, settlement_paise=None, final_settlement_paise=10_863_50)


def test_the_old_bhavcopy_s_years_of_two_digits_and_american_options_are_read(tmp_path: Path) -> None:
    text = samples.OLD.replace("28-Mar-2019,740,CE", "28-Mar-19,740,CA")
    american = CSV["old_bhavcopy"].read(CSV["old_bhavcopy"].write(tmp_path, text), strict=True).table.to_pylist()[3]

    some(american, expiry=D(2019, 3, 28), kind=Kind.CALL, underlying="INFY", exchange="NSE")


def test_both_layouts_of_the_market_activity_have_units_and_premium(tmp_path: Path) -> None:
    put, *_ = rows("market_activity", tmp_path)
    some(put, date=D(2025, 11, 14), volume=750, contracts=10, oi=74_775, oi_lots=997.0, premium_rupees=7_500.0)
    some(put, underlying="NIFTY", settlement_paise=None, strike_paise=25_000_00, trades=9)

    call, untraded, share = rows("market_activity_long", tmp_path)
    some(call, date=D(2025, 11, 24), underlying="NIFTY", oi_lots=408.0, oi=30_600, settlement_paise=85_00, trades=None)
    some(untraded, underlying="M&M", kind=Kind.PUT, oi=None, oi_lots=12.0, close_paise=0)
    some(share, strike_paise=2_598_20, underlying_paise=2_399_20)


def test_a_report_is_found_in_its_zip_by_its_name(tmp_path: Path) -> None:
    report = tmp_path / "fo14112025.zip"
    with zipfile.ZipFile(report, "w") as archive:
        archive.writestr("fo14112025.csv", "other")
        archive.writestr("op14112025.csv", CSV["market_activity"].text)

    assert read_market_activity(report).table.num_rows == 3
    with zipfile.ZipFile(report, "w") as archive:
        archive.writestr("fohelp.txt", "help")
    with pytest.raises(InputError, match=r"fo14112025.zip: expected one member op.*found fohelp.txt"):
        read_market_activity(report)
    nameless = Sample(read_market_activity, "op99992025.csv", samples.PADDED)
    with pytest.raises(InputError, match="the day in the name"):
        read_market_activity(nameless.write(tmp_path))


@pytest.mark.parametrize(
    ("title", "day", "measure"),
    [
        (samples.TITLE, D(2025, 11, 17), "oi"),
        (f'"{TITLE} March 01, 2019",,,', D(2019, 3, 1), "oi"),
        (f"'{TITLE} May 2, 2019',", D(2019, 5, 2), "oi"),
        (samples.TITLE.replace("Open Interest", "Trading Volume"), D(2025, 11, 17), "volume"),
    ],
)  # fmt: skip
def test_every_way_the_title_was_quoted_is_understood(title: str, day: dt.date, measure: str, tmp_path: Path) -> None:
    sample = CSV["participants"]
    path = sample.write(tmp_path, sample.text.replace(samples.TITLE, title))
    read = read_participants(path, strict=True)

    assert set(zip(read.table["date"].to_pylist(), read.table["measure"].to_pylist(), strict=True)) == {(day, measure)}
    some(read.table.to_pylist()[0], participant="Client", option_index_put_long_contracts=600.0)
    some(read.table.to_pylist()[0], option_index_call_short_contracts=700.0, future_stock_short_contracts=40.0)


def test_participants_that_do_not_add_up_are_told(tmp_path: Path) -> None:
    sample = CSV["participants"]
    path = sample.write(tmp_path, sample.text.replace("DII,50,", "DII,59,"))

    assert "2025-11-17, row TOTAL, column future_index_long" in read_participants(path).notes[0]
    with pytest.raises(InputError, match="expected the sum of the four, 309, found 300 contracts"):
        read_participants(path, strict=True)
    with pytest.raises(InputError, match="4 rows"):
        read_participants(sample.write(tmp_path, "\n".join(sample.text.splitlines()[:-1])))


def test_sums_that_a_refused_row_keeps_from_being_checked_are_noted(tmp_path: Path) -> None:
    sample = CSV["participants"]
    read = read_participants(sample.write(tmp_path, sample.text.replace("DII,50,", "DII,5O,")))

    assert [(row.place, row.column) for row in read.refused] == [("line 4", "Future Index Long")]
    assert read.notes == ("the participants' sums are not checked: 1 rows were refused",)


def test_days_of_participants_are_of_one_of_two_measures(tmp_path: Path) -> None:
    path = CSV["participant_days"].write(tmp_path)

    assert set(read_participant_days(path, "volume").table["measure"].to_pylist()) == {"volume"}
    with pytest.raises(InputError, match="the measure must be oi or volume, was 'OI'"):
        read_participant_days(path, "OI")


def test_a_day_without_open_high_and_low_of_the_vix_has_none(tmp_path: Path) -> None:
    first, _, bare = rows("india_vix", tmp_path)

    some(first, date=D(2012, 1, 2), open_pct=27.0, high_pct=28.5, close_pct=27.5)
    some(bare, open_pct=None, high_pct=None, low_pct=None, close_pct=23.25)


def test_a_dash_is_no_figure(tmp_path: Path) -> None:
    nifty, vix, rate = rows("index_closes", tmp_path)

    some(nifty, name="Nifty 50", close_points=25_694.95, volume=297_714_069, pe=22.4)
    some(vix, open_points=12.3, volume=None, pe=None)
    some(rate, open_points=None, close_points=2_494.23)


@pytest.mark.parametrize(
    "read", [read_udiff, read_participants, read_fii_statistics, read_cash_flows, BARS, read_nse_chain]
)
def test_a_file_that_is_missing_empty_or_a_folder_is_named(read: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()

    for path in (tmp_path / "none", tmp_path, empty):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(path) in str(error.value)


def test_a_packed_file_that_grows_beyond_reason_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as out:
        for _ in range(LARGEST_BYTES // (1 << 24) + 1):
            out.write(bytes(1 << 24))

    with pytest.raises(InputError, match="expected at most"):
        read_bytes(bomb)
