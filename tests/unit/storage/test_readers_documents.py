"""What the readers make of small JSON documents and sheets: values, units, traps."""

import datetime as dt
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import InputError
from core.file_schemas import FILE_SCHEMAS
from core.market import IST, to_ns
from core.schemas import Kind
from storage.readers import read_bse_chain, read_cash_flows, read_nse_chain, read_udiff
from storage.readers.fii_statistics import statistics_of
from tests.unit.storage import samples
from tests.unit.storage.samples import JSON, SHEET, some

D = dt.date
_UDIFF = samples.UDIFF_CSV.splitlines()


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


def test_a_sheet_s_totals_are_the_sums_of_its_indices() -> None:
    table = statistics_of("a.xls", SHEET, strict=True).table

    assert table.num_rows == 7
    some(table.to_pylist()[0], date=D(2025, 11, 17), instrument="INDEX FUTURES", buy_contracts=30, buy_crore=6.01)
    wrong = [[cell.replace("30", "31") if place == 3 else cell for cell in line] for place, line in enumerate(SHEET)]
    with pytest.raises(InputError, match=r"a.xls: row of INDEX FUTURES, column B .*the indices' sum 30, found 31"):
        statistics_of("a.xls", wrong)


def test_totals_that_a_refused_row_keeps_from_being_checked_are_noted(tmp_path: Path) -> None:
    spoiled = [[*line] for line in SHEET]
    spoiled[5][1] = "x"
    assert statistics_of("a.xls", spoiled).notes == (
        "the sums of INDEX FUTURES and INDEX OPTIONS are not checked: 1 rows were refused",
    )
    chain = samples.bse_chain()
    chain["Table"][0]["IV"] = "x"
    path = tmp_path / "bse.json"
    path.write_text(json.dumps(chain))
    assert read_bse_chain(path).notes == ("the page's totals are not checked: 1 entries were refused",)
    assert statistics_of("a.xls", SHEET).notes == ()


@pytest.mark.parametrize(("index", "exchange_lot"), [("BANKEX", 30), ("NIFTYNXT50", 25)])
def test_chains_of_the_indices_whose_facts_are_known_are_read(index: str, exchange_lot: int, tmp_path: Path) -> None:
    path = tmp_path / "chain.json"
    if index == "BANKEX":
        document = samples.bse_chain()
        document["Table"] = [entry | {"comapny_name": index} for entry in document["Table"]]
        path.write_text(json.dumps(document))
        table = read_bse_chain(path, strict=True).table
    else:
        text = (
            json.dumps(samples.nse_chain()).replace("03-May-2023", "03-Jul-2026").replace("25-May-2023", "28-Jul-2026")
        )
        path.write_text(text.replace("BANKNIFTY", index))
        table = read_nse_chain(path, strict=True).table
    first = table.to_pylist()[0]

    assert (first["index"], first["oi"]) == (index, round(first["oi_lots"] * exchange_lot))


@pytest.mark.parametrize("name", JSON)
def test_a_good_document_is_read_whole(name: str, tmp_path: Path) -> None:
    read, make = JSON[name]
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(make()))

    assert read(path, strict=True).table.schema in FILE_SCHEMAS.values()


def test_a_day_that_no_calendar_has_is_refused_in_a_typed_column_too(tmp_path: Path) -> None:
    columns = {name: [cell] * 2 for name, cell in zip(*(line.split(",") for line in _UDIFF[:2]), strict=True)}
    path = tmp_path / "b.parquet"
    for name in ("TradDt", "BizDt", "XpryDt", "FininstrmActlXpryDt"):
        day = 20_146 + 28 * name.endswith("yDt")
        columns[name] = pa.array([day, 2**31 - 1], pa.int32()).cast(pa.date32())
    path.write_bytes(samples.parquet(pa.table(columns)))

    assert [(row.place, row.column) for row in read_udiff(path).refused] == [("row 2", "TradDt")]
