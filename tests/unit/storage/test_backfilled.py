"""Bars that were filled afterwards, read with those that were recorded."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import TempPathFactory, raises

from core.errors import InputError
from storage.backfilled import backfill_root
from storage.past import TapePast
from storage.tape import FAN, ParquetTape, read_tape
from storage.tape_files import Files
from tests.unit.storage.test_past import HOUR, S, bar
from tests.unit.storage.test_tape import DAY, OPEN_NS, stamp

Bar = tuple[int, str, int]  # minute, symbol, seconds
BARS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["NIFTY", "A"]), st.sampled_from([60, 180])), max_size=12
)  # fmt: skip
RECORDED, FILLED = 1_000, 2_000  # closes from there on


def write(tape: ParquetTape, bars: list[Bar], first: int) -> dict[Bar, int]:
    """The last close of each. A recorder's parts follow in time, a backfill's do not."""
    for sequence, (minute, symbol, seconds) in enumerate(bars, 1):
        tape.append(
            stamp(sequence), "bars", "NIFTY", bar(minute, symbol=symbol, seconds=seconds, close=first + sequence)
        )
        if first == FILLED:
            tape.flush()
    tape.flush()
    return {one: first + sequence for sequence, one in enumerate(bars, 1)}


def read(table: pa.Table) -> list[tuple[Bar, int]]:
    columns = (table[name].to_pylist() for name in ("start_ns", "symbol", "seconds", "close_paise"))
    return [(((ns - OPEN_NS) // (60 * S), *one), close) for ns, *one, close in zip(*columns, strict=True)]


@settings(max_examples=40, deadline=None)
@given(BARS, BARS)
def test_bars_after_are_the_union_each_once_and_the_recorders_own_wins(
    tmp_path_factory: TempPathFactory, recorded: list[Bar], filled: list[Bar]
) -> None:
    root = str(tmp_path_factory.mktemp("tape"))
    ours = write(ParquetTape(root), recorded, RECORDED)
    theirs = write(ParquetTape(backfill_root(root)), filled, FILLED)
    if not (recorded or filled):
        with raises(InputError, match="no tape of bars"):
            read_tape(root, "bars", DAY, "NIFTY")
        return
    table = read(read_tape(root, "bars", DAY, "NIFTY"))
    assert dict(table) == theirs | ours
    assert len(table) == len(dict(table))
    ends = [60 * minute + seconds for (minute, _, seconds), _ in table]
    assert all(one <= two for one, two in pairwise(ends))
    past = TapePast(root, "NIFTY")
    batches = past.bars(0, OPEN_NS + HOUR)
    assert sorted(read(pa.Table.from_batches(batches))) == sorted(table)
    some = past.bars(OPEN_NS + 2 * 60 * S, OPEN_NS + 4 * 60 * S)
    assert {key for batch in some for key, _ in read(pa.Table.from_batches([batch]))} == {
        key for key, _ in table if 2 <= key[0] < 4
    }


def test_a_recorder_that_writes_compacts_and_starts_again_meanwhile_never_meets_the_backfill(tmp_path: Path) -> None:
    root = str(tmp_path)
    recorder, backfill = ParquetTape(root), ParquetTape(backfill_root(root))
    for number in range(1, FAN + 3):
        recorder.append(stamp(number), "bars", "NIFTY", bar(number, close=number))
        recorder.flush()
        backfill.append(stamp(number), "bars", "NIFTY", bar(number, symbol="A", close=number))
        backfill.flush()
        if number % 10 == 0:
            recorder = ParquetTape(root)
            assert recorder.durable("feed.NIFTY", "bars", 7) == number
    found = dict(read(read_tape(root, "bars", DAY, "NIFTY")))
    assert found == {(n, symbol, 60): n for n in range(1, FAN + 3) for symbol in ("NIFTY", "A")}
    assert [path.removeprefix(root) for path in Files(root).partitions()] == [f"/bars/date={DAY}/index=NIFTY"]
    assert len(list(tmp_path.glob("bars/*/*/part-*"))) == len(list(tmp_path.glob("backfill/bars/*/*/part-*"))) == 3
