"""The reader of recorded NSE chains: what it refuses, and what a row becomes."""

import datetime as dt
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, UnknownDate, UnknownName
from core.market import from_ns
from core.schemas import check
from storage.chain_files import ChainFileSource, nse_comparison, read_day
from storage.readers.recorded_chain import COLUMNS

DATA = Path(__file__).parents[3] / "shared" / "data" / "market"
REAL = DATA / "option_chain" / "NSE_NIFTY_chain_2025-08-27_29.parquet"
BARS = DATA / "bars" / "NIFTY_3m_2025-07_2026-04_and_2026-08-03.parquet"
DAY = dt.date(2025, 8, 29)
needs_data = pytest.mark.skipif(not REAL.is_file(), reason=f"recorded data is not beside the checkout: {REAL}")


def row(**other: Any) -> dict[str, Any]:
    plain = {
        "Fetch_Time": "29-Aug-2025 09:22:45", "Symbol": "NIFTY", "Expiry_Date": "02-Sep-2025", "Strike_Price": 24_500,
        "collection_timestamp": "20250829_092416", "date": DAY,
    }  # fmt: skip
    return {**{column.header: 0.0 for column in COLUMNS}, **plain, **other}


def collection(minute: int, **other: Any) -> dict[str, Any]:
    stamp = f"20250829_{10 * 10000 + minute * 100:06d}"
    return row(Fetch_Time=f"29-Aug-2025 10:{minute:02d}:00", collection_timestamp=stamp, **other)


def write(path: Path, *rows: Mapping[str, Any]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def opened(path: Path, index: str = "NIFTY", date: dt.date = DAY) -> ChainFileSource:
    source = pickle.loads(pickle.dumps(ChainFileSource(path, index, date)))
    source.open()
    return source  # type: ignore[no-any-return]  # pickle knows no types


def test_a_row_becomes_a_call_and_a_put_in_units_and_paise(tmp_path: Path) -> None:
    calls = {"OI": 12 + 2 / 3, "Chng_in_OI": -1.0, "Volume": 18, "LTP": 107.1, "Net_Chng": -0.5, "Bid_Qty": 75,
             "Bid_Price": 106.1, "Ask_Price": 107.4, "Ask_Qty": 525, "IV": 12.0}  # fmt: skip
    source = opened(write(tmp_path / "a.parquet", row(**{f"CALLS_{k}": v for k, v in calls.items()})))
    due = source.next_ns()
    assert due is not None
    assert from_ns(due).isoformat() == "2025-08-29T09:22:45+05:30"
    assert list(source.poll(due - 1)) == []

    (batch,) = source.poll(due)

    call, put = check("ticks", batch).to_pylist()
    assert (call["symbol"], put["symbol"]) == ("NIFTY2590224500CE", "NIFTY2590224500PE")
    assert (call["oi"], call["prev_oi"], call["volume"]) == (950, 1025, 1350)  # 75 units a lot
    assert (call["last_paise"], call["prev_close_paise"]) == (10_710, 10_760)
    assert (call["bid_paise"], call["bid_qty"]) == ([10_610, 0, 0, 0, 0], [75, 0, 0, 0, 0])
    assert (call["ask_paise"], call["ask_qty"]) == ([10_740, 0, 0, 0, 0], [525, 0, 0, 0, 0])
    assert call["received_ns"] == call["exchange_ns"] == due
    assert (put["last_paise"], put["prev_close_paise"], put["bid_paise"]) == (0, 0, [0] * 5)
    assert source.next_ns() is None


def test_repeated_and_stale_collections_are_dropped_and_counted(tmp_path: Path) -> None:
    again = {**collection(1), "collection_timestamp": "20250829_100130"}
    stale = {**collection(3), "Fetch_Time": "28-Aug-2025 15:30:00"}
    source = opened(write(tmp_path / "a.parquet", collection(2), collection(1), again, stale))

    times = [batch["exchange_ns"][0].as_py() for batch in source.poll(2**62)]

    assert times == sorted(set(times))
    assert dict(source.counts()) == {
        "collections": 4, "repeated": 1, "stale": 1, "rows": 4, "rows_dropped": 2, "total": 2,
    }  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_each_fetch_time_is_given_once_in_order(tmp_path_factory: pytest.TempPathFactory, minutes: list[int]) -> None:
    rows = [{**collection(m), "collection_timestamp": f"c{i:03d}"} for i, m in enumerate(minutes)]
    source = opened(write(tmp_path_factory.mktemp("chain") / "a.parquet", *rows))

    given_minutes = [from_ns(b["exchange_ns"][0].as_py()).minute for b in source.poll(2**62)]

    assert given_minutes == sorted(set(minutes))
    assert source.counts()["repeated"] == len(minutes) - len(set(minutes))


def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    missing, empty, torn, no_rows = (tmp_path / name for name in ("missing", "empty", "torn", "no_rows"))
    empty.touch()
    whole = write(tmp_path / "whole", row()).read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    pq.write_table(pa.Table.from_pylist([row()]).slice(0, 0), no_rows)

    for path, says in ((missing, "no such file"), (empty, "empty"), (torn, "cut off"), (no_rows, "no rows")):
        with pytest.raises(InputError, match=says) as error:
            read_day(path, "NIFTY", DAY)
        assert str(path) in str(error.value)
    with pytest.raises(InputError, match="no such file"):
        read_day(tmp_path, "NIFTY", DAY)


@pytest.mark.parametrize("column", [column.header for column in COLUMNS])
def test_a_missing_column_or_one_of_another_type_is_named(tmp_path: Path, column: str) -> None:
    table = pa.Table.from_pylist([row()])
    pq.write_table(table.drop_columns([column]), tmp_path / "without")
    other = table.drop_columns([column]).append_column(column, pa.array([True]))
    pq.write_table(other, tmp_path / "other")

    with pytest.raises(InputError, match=f"row 0, column {column}: expected that column"):
        read_day(tmp_path / "without", "NIFTY", DAY)
    with pytest.raises(InputError, match=f"row 1, column {column}: expected .*, found True"):
        read_day(tmp_path / "other", "NIFTY", DAY)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("CALLS_OI", None, "a number of 0 or more"),
        ("PUTS_LTP", float("nan"), "rupees and whole paise"),
        ("PUTS_Bid_Price", 100.005, "rupees and whole paise"),
        ("CALLS_Ask_Qty", -75.0, "a whole number of 0 or more"),
        ("CALLS_Net_Chng", float("inf"), "a number"),
        ("Fetch_Time", "soon", "a time as 29-Aug-2025 09:15:00"),
        ("Expiry_Date", "2025-09-02", "a day as 14-Nov-2025"),
        ("Symbol", "", "text"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, column: str, value: object, expected: str) -> None:
    path = write(tmp_path / "a", collection(1), {**collection(2), column: value})

    with pytest.raises(InputError, match=f"row 2, column {column}: expected {expected}.*, found "):
        opened(path)


def test_a_strike_twice_in_a_collection_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a", collection(1), collection(2), collection(1, CALLS_LTP=5.0))

    with pytest.raises(
        InputError, match="row 3, column Strike_Price: expected each strike of a collection once, found"
    ):
        opened(path)


def test_a_day_index_or_date_that_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "a", row(), row(date=dt.date(2025, 8, 27), Fetch_Time="26-Aug-2025 15:30:00"))

    with pytest.raises(InputError, match=r"2025-08-27.*holiday.*1 rows are a stale copy of 26-Aug-2025"):
        opened(path, date=dt.date(2025, 8, 27))
    with pytest.raises(InputError, match=r"no rows of 2025-08-28; the file holds .*2025-08-29"):
        opened(path, date=dt.date(2025, 8, 28))
    with pytest.raises(InputError, match="2025-08-30 was no trading day"):
        opened(path, date=dt.date(2025, 8, 30))
    with pytest.raises(InputError, match="holds NIFTY, no BANKNIFTY"):
        opened(path, index="BANKNIFTY")
    with pytest.raises(UnknownName, match="SENSEX"):
        opened(path, index="NIFTYX")
    with pytest.raises(UnknownDate):
        opened(path, date=dt.date(2035, 1, 1))
    with pytest.raises(InputError, match="every collection of 2025-08-29 was fetched on another day"):
        opened(write(tmp_path / "b", row(Fetch_Time="26-Aug-2025 15:30:00")))
    with pytest.raises(InputError, match=r"open\(\)"):
        ChainFileSource(path, "NIFTY", DAY).next_ns()


@needs_data
def test_the_recorded_day_is_292_collections_of_whole_units() -> None:
    source = opened(REAL)
    lots_in_file = pq.read_table(REAL, columns=["date", "CALLS_OI"], filters=[("date", "=", DAY)])

    rows, symbols = 0, set()
    for batch in source.poll(2**62):
        rows += batch.num_rows
        symbols.update(batch["symbol"].to_pylist())

    assert rows == 446_132
    assert len(symbols) == 1_528
    assert dict(source.counts()) == {
        "collections": 306, "repeated": 14, "stale": 0, "rows": 233_762, "rows_dropped": 10_696, "total": 292,
    }  # fmt: skip
    units = pc.multiply(lots_in_file["CALLS_OI"], 75.0)
    assert pc.all(pc.equal(units, pc.round(units))).as_py()


@needs_data
def test_the_stale_copy_of_the_26th_is_refused_as_such() -> None:
    with pytest.raises(InputError, match=r"2025-08-27.*holiday.*5,369 rows are a stale copy of 26-Aug-2025"):
        opened(REAL, date=dt.date(2025, 8, 27))


@needs_data
def test_our_vols_are_within_a_quarter_point_of_nse_s_by_their_convention() -> None:
    found = nse_comparison(REAL, "NIFTY", DAY, BARS)

    assert found["rows"] > 35_000
    print({name: round(value, 3) for name, value in found.items()})
    assert found["median"] <= 0.25
    assert found["p95"] <= 4.0
    assert abs(found["call_bias"]) <= 0.15
    assert abs(found["put_bias"]) <= 0.15


def test_the_comparison_refuses_bars_that_are_not_of_that_day(tmp_path: Path) -> None:
    chain = write(tmp_path / "chain", row())
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    bar = {"datetime": dt.datetime(2025, 8, 28, 9, 15), **prices}  # noqa: DTZ001 as bars files are
    write(tmp_path / "bars", bar)

    with pytest.raises(InputError, match="no bars of 2025-08-29"):
        nse_comparison(chain, "NIFTY", DAY, tmp_path / "bars")
    with pytest.raises(InputError, match="no such file"):
        nse_comparison(chain, "NIFTY", DAY, tmp_path / "none")
    with pytest.raises(InputError, match="row 0, column time: expected that column"):
        nse_comparison(chain, "NIFTY", DAY, chain)
    write(tmp_path / "bars", bar | {"datetime": dt.datetime(2025, 8, 29, 9, 15)})  # noqa: DTZ001
    with pytest.raises(InputError, match="one bar of 2025-08-29"):
        nse_comparison(chain, "NIFTY", DAY, tmp_path / "bars")
