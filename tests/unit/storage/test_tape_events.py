"""market.data: the tape's ticks under offsets that stay, whatever is flushed and joined meanwhile."""

import itertools
import json
from pathlib import Path

import pyarrow as pa
import pytest

from cluster.cli.events import ticks_told
from core.errors import InputError
from core.schemas import TICKS
from storage.tape import FAN, ParquetTape, read_tape
from storage.tape_events import days, ticks_after
from tests.unit.storage.test_tape import DAY, OPEN_NS, stamp

DATE = str(DAY)


def ticks(number: int, rows: int) -> pa.RecordBatch:
    levels = {name: [5, 4, 3, 2, 1] for name in TICKS.names if name.startswith(("bid", "ask"))}
    row = dict.fromkeys(TICKS.names, number) | levels | {"index": "NIFTY", "symbol": "NIFTY", "kind": 0, "expiry": DAY}
    return pa.RecordBatch.from_pylist([row | {"exchange_ns": OPEN_NS + number}] * rows, schema=TICKS)


def recorded(tape: ParquetTape, numbers: range) -> None:
    for number in numbers:
        tape.append(stamp(number, topic="ticks"), "ticks", "NIFTY", ticks(number, rows=1 + number % 3))
        tape.flush()


def test_a_tick_has_the_same_offset_before_and_after_its_part_is_joined_with_others(tmp_path: Path) -> None:
    tape, root = ParquetTape(str(tmp_path)), str(tmp_path)
    recorded(tape, range(1, 8))
    before = list(ticks_told(root, "NIFTY", DATE, 0, follow=False))
    recorded(tape, range(8, FAN + 4))

    after = list(ticks_told(root, "NIFTY", DATE, 0, follow=False))
    everything = read_tape(root, "ticks", DATE, "NIFTY")
    assert len(list((tmp_path / "ticks").rglob("part-*.parquet"))) < FAN, "parts were joined"
    assert after[: len(before)] == before
    assert [json.loads(line)["offset"] for line in after] == list(range(1, everything.num_rows + 1))
    assert [json.loads(line)["volume"] for line in after] == everything["volume"].to_pylist()
    assert days(root) == [DATE]


@pytest.mark.parametrize("after", [0, 1, 5, 12, 13, 14, 99])
def test_from_any_offset_comes_the_rest(tmp_path: Path, after: int) -> None:
    tape, root = ParquetTape(str(tmp_path)), str(tmp_path)
    recorded(tape, range(1, 8))
    whole = list(ticks_told(root, "NIFTY", DATE, 0, follow=False))

    assert list(ticks_told(root, "NIFTY", DATE, after, follow=False)) == whole[after:]


def test_a_reader_that_meets_a_joining_goes_on_where_it_was(tmp_path: Path) -> None:
    tape, root = ParquetTape(str(tmp_path)), str(tmp_path)
    recorded(tape, range(1, FAN))
    reader = ticks_after(root, "NIFTY", DATE, 0)
    first, table = next(reader)
    recorded(tape, range(FAN, FAN + 3))

    rest = [part.num_rows for _, part in reader]
    whole = read_tape(root, "ticks", DATE, "NIFTY").num_rows
    assert (first, table.num_rows + sum(rest)) == (1, whole)


def test_followed_it_tells_what_is_flushed_later(tmp_path: Path) -> None:
    tape, root = ParquetTape(str(tmp_path)), str(tmp_path)
    recorded(tape, range(1, 3))
    told = ticks_told(root, "NIFTY", DATE, 0, follow=True, poll_s=0)
    before = read_tape(root, "ticks", DATE, "NIFTY").num_rows
    assert len(list(itertools.islice(told, before))) == before
    recorded(tape, range(3, 4))

    assert json.loads(next(told))["offset"] == before + 1


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    recorded(ParquetTape(str(tmp_path)), range(1, 2))
    part = next((tmp_path / "ticks").rglob("part-*.parquet"))
    part.write_bytes(b"no parquet")

    with pytest.raises(InputError, match=part.name):
        list(ticks_told(str(tmp_path), "NIFTY", DATE, 0, follow=False))
