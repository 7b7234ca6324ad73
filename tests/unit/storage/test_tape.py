import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import InputError
from core.market import IST, to_ns
from core.records import Stamp
from core.schemas import BARS, TICKS
from storage.tape import FAN, ParquetTape, read_tape
from storage.tape_files import Part, encode, uncovered

DAY = dt.date(2025, 8, 29)
OPEN_NS = to_ns(dt.datetime(2025, 8, 29, 9, 15, tzinfo=IST))
CRASHING = """
import itertools, sys
from tests.unit.storage.test_tape import bars, stamp
from storage.tape import ParquetTape
tape = ParquetTape(sys.argv[1])
first = tape.durable("feed.NIFTY", "bars", 7) + 1
for sequence in itertools.count(max(1, first - 3)):  # some again, as a sender does
    tape.append(stamp(sequence), "bars", "NIFTY", bars(sequence))
    tape.flush()
    print(tape.durable("feed.NIFTY", "bars", 7), flush=True)
"""


def stamp(sequence: int, *, topic: str = "bars", epoch: int = 7, index: str = "") -> Stamp:
    return Stamp(source="feed.NIFTY", topic=topic, index=index, epoch=epoch, sequence=sequence, sent_wall_ns=0)


def bars(number: int, *, rows: int = 1, start_ns: int = OPEN_NS, index: str = "NIFTY") -> pa.RecordBatch:
    row = dict.fromkeys(BARS.names, number) | {"index": index, "symbol": index, "kind": 0, "expiry": None}
    return pa.RecordBatch.from_pylist([row | {"start_ns": start_ns + number, "seconds": 60}] * rows, schema=BARS)


def volumes(root: Path, date: dt.date = DAY) -> list[int]:
    return read_tape(str(root), "bars", date, "NIFTY").column("volume").to_pylist()


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("part-*.parquet")}


def test_rows_come_back_in_order_and_of_their_schema(tmp_path: Path) -> None:
    tape = ParquetTape(str(tmp_path))
    for number in (1, 2, 3):
        tape.append(stamp(number), "bars", "NIFTY", bars(number))
        assert tape.durable("feed.NIFTY", "bars", 7) == number - 1
        tape.flush()
    table = read_tape(str(tmp_path), "bars", DAY, "NIFTY")
    assert table.schema.equals(BARS, check_metadata=True)
    assert table.column("volume").to_pylist() == [1, 2, 3]
    assert min(files(tmp_path)) == "bars/date=2025-08-29/index=NIFTY/part-000001-000001.parquet"


def test_ticks_with_their_depth_survive_the_disk(tmp_path: Path) -> None:
    levels = {name: [5, 4, 3, 2, 1] for name in TICKS.names if name.startswith(("bid", "ask"))}
    row = dict.fromkeys(TICKS.names, 1) | levels | {"index": "NIFTY", "symbol": "NIFTY", "kind": 0, "expiry": DAY}
    batch = pa.RecordBatch.from_pylist([row | {"exchange_ns": OPEN_NS}], schema=TICKS)
    tape = ParquetTape(tmp_path.as_uri())
    tape.append(stamp(1, topic="ticks"), "ticks", "NIFTY", batch)
    tape.flush()
    assert read_tape(tmp_path.as_uri(), "ticks", "2025-08-29", "NIFTY").equals(pa.Table.from_batches([batch]))


def test_a_new_writer_knows_what_is_durable_and_takes_nothing_twice(tmp_path: Path) -> None:
    tape = ParquetTape(str(tmp_path))
    for number in (1, 2, 3):
        tape.append(stamp(number), "bars", "NIFTY", bars(number))
    tape.flush()
    tape.append(stamp(4), "bars", "NIFTY", bars(4))  # never flushed
    again = ParquetTape(str(tmp_path))
    assert again.durable("feed.NIFTY", "bars", 7) == 3
    assert again.durable("feed.NIFTY", "bars", 8) == 0
    for number in (2, 3, 4, 5):
        again.append(stamp(number), "bars", "NIFTY", bars(number))
    again.flush()
    assert volumes(tmp_path) == [1, 2, 3, 4, 5]


def test_the_same_appends_give_the_same_bytes_whatever_the_epoch(tmp_path: Path) -> None:
    for name, epoch in (("one", 7), ("two", 999)):
        tape = ParquetTape(str(tmp_path / name))
        for number in range(1, FAN + 3):
            tape.append(stamp(number, epoch=epoch), "bars", "NIFTY", bars(number))
            tape.flush()
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_day_ends_as_few_files(tmp_path: Path) -> None:
    tape, count = ParquetTape(str(tmp_path)), 3 * FAN + 5
    for number in range(1, count + 1):
        tape.append(stamp(number), "bars", "NIFTY", bars(number))
        tape.flush()
    assert len(files(tmp_path)) == 3 + 5
    assert volumes(tmp_path) == list(range(1, count + 1))


def test_a_part_inside_a_wider_one_is_not_read_twice(tmp_path: Path) -> None:
    assert uncovered([Part(1, 1), Part(2, 2), Part(1, 2), Part(3, 3)]) == [Part(1, 2), Part(3, 3)]
    tape = ParquetTape(str(tmp_path))
    for number in range(1, FAN + 1):
        tape.append(stamp(number), "bars", "NIFTY", bars(number))
        tape.flush()
    (wide,) = tmp_path.rglob("part-*.parquet")
    wide.with_name("part-000002-000002.parquet").write_bytes(encode(pa.Table.from_batches([bars(2)])))
    assert volumes(tmp_path) == list(range(1, FAN + 1))


def test_a_tape_of_a_release_whose_senders_had_no_index_is_written_on(tmp_path: Path) -> None:
    tape = ParquetTape(str(tmp_path))
    tape.append(stamp(1), "bars", "NIFTY", bars(1))
    tape.flush()
    noted = tmp_path / "bars/date=2025-08-29/index=NIFTY/.durable.json"
    noted.write_text('{"part": 1, "senders": [["feed.NIFTY", "bars", 7, 1, ["bars"]]]}')
    again = ParquetTape(str(tmp_path))

    assert again.durable("feed.NIFTY", "bars", 7) == 1
    again.append(stamp(2), "bars", "NIFTY", bars(2))
    again.flush()
    assert volumes(tmp_path) == [1, 2]


def test_each_market_date_has_its_folder(tmp_path: Path) -> None:
    tape = ParquetTape(str(tmp_path))
    tape.append(stamp(1), "bars", "NIFTY", bars(1))
    tape.append(stamp(2), "bars", "NIFTY", bars(2, start_ns=OPEN_NS + 86_400_000_000_000))
    tape.flush()
    assert volumes(tmp_path) == [1]
    assert volumes(tmp_path, DAY + dt.timedelta(days=1)) == [2]
    assert ParquetTape(str(tmp_path)).durable("feed.NIFTY", "bars", 7) == 2


def test_a_day_nobody_recorded_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tape of bars for NIFTY on 2025-08-29"):
        volumes(tmp_path)


@pytest.mark.parametrize("step", ["write", "rename"])
@pytest.mark.parametrize("calls", [0, 1])
def test_a_disk_that_fails_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, calls: int
) -> None:
    tape = ParquetTape(str(tmp_path))
    tape.append(stamp(1), "bars", "NIFTY", bars(1))
    real, left = getattr(tape._open(), step), [calls]

    def failing(*args: object) -> None:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        real(*args)

    monkeypatch.setattr(tape._open(), step, failing)
    with pytest.raises(OSError, match="No space"):
        tape.flush()
    crashed = ParquetTape(str(tmp_path / "..") + "/" + tmp_path.name)
    assert crashed._root != tape._root
    monkeypatch.undo()
    tape.append(stamp(2), "bars", "NIFTY", bars(2))
    tape.flush()
    assert volumes(tmp_path) == [1, 2]
    assert ParquetTape(str(tmp_path)).durable("feed.NIFTY", "bars", 7) == 2


def test_a_writer_killed_again_and_again_loses_nothing_it_called_durable(tmp_path: Path) -> None:
    said = 0
    for lines in (5, 40, 13):
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, "-c", CRASHING, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                said = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert ParquetTape(str(tmp_path)).durable("feed.NIFTY", "bars", 7) >= said
        rows = volumes(tmp_path)
        assert rows == list(range(1, len(rows) + 1))
        assert len(rows) >= said
