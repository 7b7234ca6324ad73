"""Mangled text files: an InputError names file and place, a bad row leaves the others, nothing else is raised."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from storage.readers import read_market_activity, read_udiff
from tests.unit.storage.mangling import MANY, PLACE, lenient, refused
from tests.unit.storage.samples import CSV, Sample


def numeric_cells(sample: Sample) -> Iterator[tuple[int, int, str]]:
    """(line in the file, place in the line, header) of every cell that is a number."""
    headers = sample.text.splitlines()[sample.header - 1].split(",")
    for line, row in enumerate(sample.body(), sample.header + 1):
        for place, cell in enumerate(row.split(",")):
            if re.fullmatch(r" *-?[\d.]*\d[\d.]* *", cell):
                yield line, place, headers[place].strip()


def per_line(sample: Sample, change: Callable[[list[str]], list[str]]) -> str:
    """The file with `change` done to the cells of its header and of every row."""
    lines = sample.text.splitlines()
    for number in range(sample.header - 1, len(lines) - sample.footer):
        lines[number] = ",".join(change(lines[number].split(",")))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CSV)
@MANY
@given(data=st.data())
def test_a_file_cut_off_anywhere(name: str, data: st.DataObject, tmp_path: Path) -> None:
    sample = CSV[name]
    text = sample.text.rstrip("\n")
    cut = data.draw(st.integers(0, len(text) - 1))
    if not sample.counted and (text[:cut].endswith("\n") or not text[:cut]):
        cut += 1  # after a line break the rest may never have been
    message = refused(sample.read, sample.write(tmp_path, text[:cut]))

    assert PLACE.search(message) or "the file is empty" in message or "row" in message


@pytest.mark.parametrize("name", CSV)
def test_a_column_that_is_missing(name: str, tmp_path: Path) -> None:
    sample = CSV[name]
    for place in range(sample.body()[0].count(",") + 1):
        path = sample.write(tmp_path, per_line(sample, lambda cells, at=place: cells[:at] + cells[at + 1 :]))
        message = refused(sample.read, path)
        assert f"line {sample.header}, column {place + 1} " in message or "cells in the line" in message


@pytest.mark.parametrize("name", CSV)
def test_two_columns_that_are_swapped(name: str, tmp_path: Path) -> None:
    sample = CSV[name]

    def swap(cells: list[str], at: int) -> list[str]:
        return [*cells[:at], cells[at + 1], cells[at], *cells[at + 2 :]]

    for place in range(sample.body()[0].count(",")):
        path = sample.write(tmp_path, per_line(sample, lambda cells, at=place: swap(cells, at)))
        assert f"line {sample.header}, column {place + 1} " in refused(sample.read, path)


@pytest.mark.parametrize("name", CSV)
def test_letters_in_a_number_spoil_their_row_and_no_other(name: str, tmp_path: Path) -> None:
    sample, bodies = CSV[name], len(CSV[name].body())
    seen = 0
    for line, place, header in numeric_cells(sample):
        lines = sample.text.splitlines()
        cells = lines[line - 1].split(",")
        cells[place] = "1O" + cells[place]
        lines[line - 1] = ",".join(cells)
        path = sample.write(tmp_path, "\n".join(lines) + "\n")
        seen += 1
        if header in {"Reserved", "Remarks"}:
            continue
        message = refused(sample.read, path)
        assert f"line {line}, column {header}: expected" in message
        outcome = lenient(sample.read, path)
        assert outcome is not None
        assert outcome.table.num_rows == bodies - 1
        assert [(row.place, row.column) for row in outcome.refused] == [(f"line {line}", header)]
    assert seen >= 6


@pytest.mark.parametrize("name", CSV)
def test_a_row_of_fewer_cells_or_torn_quotes_spoils_no_other(name: str, tmp_path: Path) -> None:
    sample = CSV[name]
    for spoil in (lambda row: row.rsplit(",", 2)[0], lambda row: row + ",,", lambda row: '"' + row, lambda _: ""):
        lines = sample.text.splitlines()
        lines[sample.header] = spoil(lines[sample.header])
        path = sample.write(tmp_path, "\n".join(lines) + "\n")
        assert f"line {sample.header + 1}, column" in refused(sample.read, path)
        outcome = lenient(sample.read, path)
        assert outcome is not None
        assert outcome.table.num_rows == len(sample.body()) - 1


@pytest.mark.parametrize("name", CSV)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp500", "utf-8-sig"])
def test_another_encoding(name: str, encoding: str, tmp_path: Path) -> None:
    sample = CSV[name]
    assert "line 1, column" in refused(sample.read, sample.write(tmp_path, sample.text.encode(encoding)))


@pytest.mark.parametrize("name", CSV)
def test_a_letter_of_latin_1_is_placed(name: str, tmp_path: Path) -> None:
    sample = CSV[name]
    lines = sample.text.splitlines()
    lines[2] = lines[2].replace(",", "é,", 1)
    path = sample.write(tmp_path, ("\n".join(lines) + "\n").encode("latin-1"))
    assert "line 3, column any: expected UTF-8 text, found 'byte 0xe9'" in refused(sample.read, path)


@pytest.mark.parametrize("name", CSV)
@MANY
@given(data=st.data())
def test_any_bytes_changed_anywhere(name: str, data: st.DataObject, tmp_path: Path) -> None:
    sample = CSV[name]
    raw = bytearray(sample.text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    path = sample.write(tmp_path, bytes(raw))

    lenient(sample.read, path)
    try:
        sample.read(path, strict=True)
    except InputError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("name", CSV)
@MANY
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_anything_at_all(name: str, content: bytes, tmp_path: Path) -> None:
    sample = CSV[name]
    assert lenient(sample.read, sample.write(tmp_path, content)) is None


@MANY
@given(data=st.data())
def test_torn_archives(data: st.DataObject, tmp_path: Path) -> None:
    name, read = data.draw(st.sampled_from([("udiff", read_udiff), ("market_activity", read_market_activity)]))
    sample, packed = CSV[name], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(sample.name, sample.text)
    for whole, suffix in ((packed.getvalue(), ".zip"), (gzip.compress(sample.text.encode()), ".gz")):
        path = tmp_path / f"{sample.name}{suffix}"
        path.write_bytes(whole[: data.draw(st.integers(1, len(whole) - 1))])
        assert lenient(read, path) is None
        flipped = bytearray(whole)
        flipped[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(flipped)
        lenient(read, path)
