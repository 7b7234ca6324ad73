"""What the readers make of small JSON documents, bars and sheets: values, units, traps."""

import datetime as dt
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import InputError, UnknownName
from core.file_schemas import FILE_SCHEMAS
from core.market import IST, to_ns
from core.schemas import BARS as BAR_SCHEMA
from core.schemas import Kind
from storage.readers import read_bars, read_bse_chain, read_cash_flows, read_nse_chain
from storage.readers.fii_statistics import statistics_of
from tests.unit.storage import samples
from tests.unit.storage.samples import BARS, JSON, SHEET, some

D = dt.date


def test_categories_of_the_cash_market_are_matched_by_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "fiidii.json"
    path.write_text(json.dumps(samples.CASH))
    dii, fii = read_cash_flows(path, strict=True).table.to_pylist()

    some(dii, participant="DII", date=D(2026, 9, 7), buy_crore=3_154.13, net_crore=566.76)
    some(fii, participant="FII", net_crore=-10.10)
    wrong = [samples.CASH[0], samples.CASH[1] | {"netValue": "10.10"}, samples.CASH[0]]
    path.write_text(json.dumps(wrong))
    read = read_cash_flows(path)
    assert [(r.place, r.column) for r in read.refused] == [("entry 2", "netValue"), ("entry 3", "category")]


def test_nse_s_chain_is_in_lots_that_become_units(tmp_path: Path) -> None:
    path = tmp_path / "nse.json"
    path.write_text(json.dumps(samples.nse_chain()))
    call, put, other = read_nse_chain(path, strict=True).table.to_pylist()

    some(call, index="BANKNIFTY", kind=Kind.CALL, oi_lots=1.6, oi=40, oi_change=-10, volume=250, strike_paise=43_000_00)
    some(call, bid_paise=119_50, bid_qty=75, spot_paise=43_312_70, change_paise=-330, iv=0.155, expiry=D(2023, 5, 25))
    assert call["fetched_ns"] == to_ns(dt.datetime(2023, 5, 3, 15, 30, tzinfo=IST))
    assert math.isnan(put["iv"])
    assert other["strike_paise"] == 43_100_00


def test_nse_s_newer_page_says_the_same_under_other_names(tmp_path: Path) -> None:
    path = tmp_path / "nse.json"
    path.write_text(json.dumps(samples.nse_chain()))
    first = read_nse_chain(path, strict=True).table
    path.write_text(json.dumps(samples.nse_chain_v3()))

    assert read_nse_chain(path, strict=True).table.drop_columns("iv").equals(first.drop_columns("iv"))


def test_lots_that_are_no_whole_units_are_refused_and_an_unknown_lot_is_null(tmp_path: Path) -> None:
    path = tmp_path / "nse.json"
    chain = samples.nse_chain()
    chain["records"]["data"][1]["PE"]["openInterest"] = 1.333
    path.write_text(json.dumps(chain))
    read = read_nse_chain(path)
    assert [(r.place, r.column) for r in read.refused] == [("entry 2", "openInterest")]

    text = json.dumps(samples.nse_chain()).replace("03-May-2023", "03-May-2001").replace("25-May-2023", "25-May-2001")
    path.write_text(text)
    some(read_nse_chain(path, strict=True).table.to_pylist()[0], oi=None, volume=None, oi_lots=1.6)


def test_bse_s_chain_has_empty_text_where_nothing_is(tmp_path: Path) -> None:
    path = tmp_path / "bse.json"
    path.write_text(json.dumps(samples.bse_chain()))
    call, put, quiet, _ = read_bse_chain(path, strict=True).table.to_pylist()

    some(
        call, index="SENSEX", kind=Kind.CALL, oi_lots=4162.0, oi=83_240, volume=2_560, bid_paise=0, last_paise=1_886_20
    )
    some(put, kind=Kind.PUT, bid_paise=66_55, ask_qty=40, change_paise=-181_75, expiry=D(2026, 7, 16))
    assert math.isnan(call["iv"])
    assert put["iv"] == pytest.approx(0.14653177310998)
    some(quiet, oi=0, volume=0, last_paise=0)
    path.write_text(json.dumps(samples.bse_chain() | {"tot_Open_Interest": "9,495.00"}))
    with pytest.raises(InputError, match=r"tot_Open_Interest: expected the sum of Open_Interest, 9,494"):
        read_bse_chain(path)


def test_bars_get_their_times_from_text_timestamps_or_seconds(tmp_path: Path) -> None:
    table = samples.bars_table()
    open_ns = to_ns(dt.datetime(2026, 3, 4, 9, 15, tzinfo=IST))
    naive = [dt.datetime.fromisoformat(text) for text in table["ts"].to_pylist()]
    unix = [to_ns(moment.replace(tzinfo=IST)) // 10**9 for moment in naive]
    for times in (
        {"ts": [f"{text}+05:30" for text in table["ts"].to_pylist()]},
        {"datetime": pa.array(naive, pa.timestamp("us"))},
        {"Datetime": pa.array([moment.replace(tzinfo=IST) for moment in naive], pa.timestamp("us", "Asia/Kolkata"))},
        {"Time": unix},
    ):
        other = pa.table(times | {n.title(): table[n] for n in ("open", "high", "low", "close")})
        (tmp_path / "b.parquet").write_bytes(samples.parquet(other))
        read = BARS(tmp_path / "b.parquet", strict=True).table
        assert read.schema.equals(BAR_SCHEMA)
        assert [row - open_ns for row in read["start_ns"].to_pylist()] == [0, 60 * 10**9, 120 * 10**9]
        some(read.to_pylist()[0], symbol="NIFTY", kind=Kind.INDEX, high_paise=102_00, seconds=60, oi=0)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (["09:14", "09:15", "09:16"], "no bar before the open"),
        (["09:15", "15:29", "15:30"], "a bar inside the session 09:15 to 15:30"),
        (["09:15", "09:16", "09:16"], "a time between those of its neighbours"),
        (["09:15", "10:40", "09:16"], "a time between those of its neighbours"),
    ],
)
def test_a_bar_at_a_wrong_time_is_refused_alone_and_the_trap_named(times: list[str], says: str, tmp_path: Path) -> None:
    table = samples.bars_table().set_column(0, "ts", pa.array([f"2026-03-04 {time}:00" for time in times]))
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(table))
    read = BARS(path)

    assert len(read.refused) == 1
    assert says in read.refused[0].expected
    assert read.table.num_rows == 2
    with pytest.raises(InputError, match=says):
        BARS(path, strict=True)


def test_bars_of_a_closed_day_are_refused_and_unknown_hours_noted(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    sunday, ancient = (
        samples.bars_table().set_column(0, "ts", pa.array([f"{day} 09:{m}:00" for m in (15, 16, 17)]))
        for day in ("2026-03-08", "1999-03-08")
    )
    path.write_bytes(samples.parquet(sunday))
    with pytest.raises(InputError, match=r"row 1, column ts: expected a trading day of NSE, found 2026-03-08 09:15"):
        BARS(path)
    path.write_bytes(samples.parquet(ancient))
    assert BARS(path, strict=True).notes == ("hours not checked on 1 days, 1999-03-08 to 1999-03-08: no calendar",)
    with pytest.raises(UnknownName):
        read_bars(path, "DAX", 60)


def test_a_sheet_s_totals_are_the_sums_of_its_indices() -> None:
    table = statistics_of("a.xls", SHEET, strict=True).table

    assert table.num_rows == 7
    some(table.to_pylist()[0], date=D(2025, 11, 17), instrument="INDEX FUTURES", buy_contracts=30, buy_crore=6.01)
    wrong = [[cell.replace("30", "31") if place == 3 else cell for cell in line] for place, line in enumerate(SHEET)]
    with pytest.raises(InputError, match=r"a.xls: row of INDEX FUTURES, column B .*the indices' sum 30, found 31"):
        statistics_of("a.xls", wrong)


@pytest.mark.parametrize("name", JSON)
def test_a_good_document_is_read_whole(name: str, tmp_path: Path) -> None:
    read, make = JSON[name]
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(make()))

    assert read(path, strict=True).table.schema in FILE_SCHEMAS.values()


def test_bars_of_a_contract_carry_it_and_their_open_interest(tmp_path: Path) -> None:
    table = samples.bars_table().append_column("OI", pa.array([75, 150, 150]))
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(table.set_column(0, "ts", table["ts"].dictionary_encode())))
    first, *_ = read_bars(path, "NIFTY2631024500CE", 60, strict=True).table.to_pylist()

    some(first, index="NIFTY", kind=Kind.CALL, strike_paise=24_500_00, expiry=D(2026, 3, 10), oi=75, open_paise=100_00)


def test_a_row_without_a_time_is_refused_and_leaves_no_note(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    times = pa.array(["2026-03-04 09:15:00", None, "2026-03-04 09:17:00"])
    path.write_bytes(samples.parquet(samples.bars_table().set_column(0, "ts", times)))
    read = BARS(path)

    assert [(row.place, row.column) for row in read.refused] == [("row 2", "ts")]
    assert read.notes == ()
