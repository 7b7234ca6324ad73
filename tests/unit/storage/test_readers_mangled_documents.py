"""Mangled JSON documents, Parquet files and sheets: as mangled text files, see test_readers_mangled.py."""

import copy
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.market import from_ns
from storage.readers import read_fii_statistics, read_udiff
from storage.readers.fii_statistics import statistics_of
from tests.unit.storage.mangling import MANY, PLACE, lenient, refused
from tests.unit.storage.samples import BARS, JSON, SHEET, bars_table, parquet

DATA = Path(__file__).parents[4] / "shared" / "data" / "market"
SHEETS = sorted(DATA.glob("nse_raw/fii_stats_*.xls"))


def leaves(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document, its containers too."""
    yield way
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from leaves(value, (*way, key))


def holder(document: Any, way: tuple[Any, ...]) -> Any:
    for key in way[:-1]:
        document = document[key]
    return document


WORD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
TREE = st.recursive(
    WORD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@pytest.mark.parametrize("name", JSON)
def test_a_document_cut_off_or_in_another_encoding(name: str, tmp_path: Path) -> None:
    read, make = JSON[name]
    path, text = tmp_path / "a.json", json.dumps(make())
    for cut in range(1, len(text), 37):
        path.write_text(text[:cut])
        assert re.search(r"line \d+, column \d+: expected JSON", refused(read, path))
    for encoding in ("utf-16", "utf-32", "cp500", "utf-8-sig"):
        path.write_bytes(text.encode(encoding))
        refused(read, path)
    path.write_text(text.replace("[", "[" * 100_000, 1))
    refused(read, path)


@pytest.mark.parametrize("name", JSON)
def test_a_key_that_is_missing_or_letters_in_a_number_spoil_their_entry(name: str, tmp_path: Path) -> None:
    read, make = JSON[name]
    path = tmp_path / "a.json"
    unread = {"identifier", "optionType"}
    seen = 0
    for way in [way for way in leaves(make()) if way and isinstance(way[-1], str) and way[-1] not in unread]:
        for spoil in ("drop", "letters"):
            document = make()
            place = holder(document, way)
            if spoil == "drop":
                del place[way[-1]]
            elif isinstance(place[way[-1]], dict | list):
                place[way[-1]] = "x"
            else:
                place[way[-1]] = f"1O{place[way[-1]]}"
            path.write_text(json.dumps(document))
            if way == ("records", "underlyingValue") or (spoil == "drop" and way[-1] in {"CE", "PE"} and way[-2] == 0):
                continue  # not read; and a strike may have a call only
            message = refused(read, path)
            assert PLACE.search(message)
            seen += 1
    assert seen >= 16


@pytest.mark.parametrize("name", JSON)
@MANY
@given(data=st.data())
def test_any_value_in_any_place_of_a_document(name: str, data: st.DataObject, tmp_path: Path) -> None:
    read, make = JSON[name]
    document = copy.deepcopy(make())
    way = data.draw(st.sampled_from(list(leaves(document))))
    value = data.draw(TREE)
    if way:
        holder(document, way)[way[-1]] = value
    else:
        document = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))

    lenient(read, path)
    path.write_text(json.dumps(document).replace("1", "Infinity", 1))
    lenient(read, path)


def test_bars_cut_off_short_of_a_column_or_with_letters(tmp_path: Path) -> None:
    path, whole = tmp_path / "b.parquet", parquet(bars_table())
    for cut in range(1, len(whole), 61):
        path.write_bytes(whole[:cut])
        refused(BARS, path)
    for name in ("ts", "open", "high", "low", "close"):
        path.write_bytes(parquet(bars_table().drop_columns([name])))
        assert re.search(r"row 0, column (ts|time|open|high|low|close): expected that column", refused(BARS, path))
        letters = pa.array(["1O", "101.5", "102"])
        at = bars_table().column_names.index(name)
        path.write_bytes(parquet(bars_table().set_column(at, name, letters)))
        assert f"row 1, column {name}" in refused(BARS, path)
        path.write_bytes(parquet(bars_table().set_column(at, name, pa.array([True, False, True]))))
        refused(BARS, path)
    swapped = bars_table().rename_columns(["ts", "open", "low", "high", "close", "volume"])
    path.write_bytes(parquet(swapped))
    assert "row 1, column low: expected a low not above open and close" in refused(BARS, path)
    path.write_bytes(parquet(bars_table().append_column("TS", bars_table()["ts"])))
    assert "one column for the time" in refused(BARS, path)


@MANY
@given(
    times=st.one_of(
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3).map(lambda v: pa.array(v, pa.int64())),
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3).map(
            lambda v: pa.array(v, pa.timestamp("us"))
        ),
        st.lists(st.one_of(st.none(), st.text(max_size=20)), min_size=3, max_size=3).map(
            lambda v: pa.array(v, pa.string())
        ),
    ),
    price=st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3),
)
def test_bars_of_any_time_and_price(times: pa.Array, price: list[float | None], tmp_path: Path) -> None:
    table = bars_table().set_column(0, "ts", times).set_column(4, "close", pa.array(price, pa.float64()))
    path = tmp_path / "b.parquet"
    pq.write_table(table, path, version="2.6")
    found = lenient(BARS, path)
    if found:
        days = [from_ns(start).date() for start in found.table["start_ns"].to_pylist()]
        assert dt.date(1990, 1, 1) <= min(days) <= max(days) <= dt.date(2031, 12, 31)
        assert np.all(np.diff(found.table["start_ns"]) > 0)


def test_a_bhavcopy_in_parquet_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    path.write_bytes(parquet(bars_table()))
    assert "row 0, column TradDt: expected that column" in refused(read_udiff, path)
    path.write_bytes(b"PAR1 torn")
    assert "no Parquet file" in refused(read_udiff, path)


def sheet_refused(cells: list[list[str]]) -> str:
    with pytest.raises(InputError) as error:
        statistics_of("a.xls", cells, strict=True)
    assert str(error.value).startswith("a.xls: row ")
    return str(error.value)


def test_a_sheet_without_a_column_with_two_swapped_or_with_letters() -> None:
    for at in range(7):
        sheet_refused([line[:at] + line[at + 1 :] for line in SHEET])
    for at in range(6):
        swapped = [[*line[:at], line[at + 1], line[at], *line[at + 2 :]] for line in SHEET]
        sheet_refused(swapped)
    for row, line in enumerate(SHEET[3:12], 3):
        for at, cell in enumerate(line):
            if cell:
                spoiled = copy.deepcopy(SHEET)
                spoiled[row][at] = f"x{cell}"
                message = sheet_refused(spoiled)
                assert f"row {row + 1}, column {'ABCDEFG'[at]}" in message
                assert statistics_of("a.xls", spoiled).table.num_rows == 6
    for last in range(len(SHEET) - 2):
        sheet_refused(SHEET[:last])


@MANY
@given(st.lists(st.lists(st.text(max_size=4), max_size=8), max_size=6), st.integers(0, len(SHEET)))
def test_any_cells_in_a_sheet(cells: list[list[str]], keep: int) -> None:
    for sheet in (cells, SHEET[:keep] + cells, SHEET[:keep] + cells + SHEET[keep:]):
        try:
            statistics_of("a.xls", sheet)
        except InputError as error:
            assert str(error).startswith("a.xls: ")


@pytest.mark.skipif(not SHEETS, reason=f"recorded data is not beside the checkout: {DATA}")
@MANY
@given(data=st.data())
def test_a_real_sheet_torn_or_changed(data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(SHEETS[0].read_bytes())
    path = tmp_path / "a.xls"
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw) - 1))])
    lenient(read_fii_statistics, path)
    for _ in range(3):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    lenient(read_fii_statistics, path)
