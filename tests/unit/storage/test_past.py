"""A session so far, as the tape has it."""

import pickle
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.schemas import BARS, TICKS
from storage.backfilled import backfill_root, bars_once
from storage.past import TapePast
from storage.tape import FAN, ParquetTape, read_tape
from storage.tape_files import Files, encode
from tests.fakes_feed import ticks
from tests.unit.storage.test_tape import DAY, OPEN_NS, stamp

S = 1_000_000_000
HOUR = 3_600 * S


def bar(minute: int, *, symbol: str = "NIFTY", seconds: int = 60, close: int = 1) -> pa.RecordBatch:
    row = dict.fromkeys(BARS.names, close) | {"index": "NIFTY", "symbol": symbol, "kind": 0, "expiry": None}
    return pa.RecordBatch.from_pylist([row | {"start_ns": OPEN_NS + minute * 60 * S, "seconds": seconds}], schema=BARS)


def record(root: Path, name: str, batches: list[pa.RecordBatch], *, flush: int = 1) -> TapePast:
    tape = ParquetTape(str(root))
    for sequence, batch in enumerate(batches, 1):
        tape.append(stamp(sequence, topic=name), name, "NIFTY", batch)
        if sequence % flush == 0:
            tape.flush()
    tape.flush()
    past: TapePast = pickle.loads(pickle.dumps(TapePast(str(root), "NIFTY")))
    return past


def told(batches: list[pa.RecordBatch]) -> list[tuple[int, int, list[str]]]:
    return [
        (b["seconds"][0].as_py(), (b["start_ns"][0].as_py() - OPEN_NS) // (60 * S), b["symbol"].to_pylist())
        for b in batches
    ]


def test_bars_come_by_length_then_time_a_batch_a_start_and_only_those_asked_for(tmp_path: Path) -> None:
    batches = [
        bar(0), bar(0, symbol="A"), bar(1), bar(0, seconds=180), bar(2, symbol="B"), bar(3), bar(3, seconds=180),
    ]  # fmt: skip
    past = record(tmp_path, "bars", batches, flush=2)

    assert told(past.bars(0, OPEN_NS + HOUR)) == [
        (60, 0, ["NIFTY", "A"]), (60, 1, ["NIFTY"]), (60, 2, ["B"]), (60, 3, ["NIFTY"]),
        (180, 0, ["NIFTY"]), (180, 3, ["NIFTY"]),
    ]  # fmt: skip
    assert told(past.bars(OPEN_NS + 60 * S, OPEN_NS + 180 * S)) == [(60, 1, ["NIFTY"]), (60, 2, ["B"])]
    assert all(batch.schema.equals(BARS) for batch in past.bars(0, OPEN_NS + HOUR))


def test_of_a_bar_that_was_taped_twice_the_later_one_comes(tmp_path: Path) -> None:
    past = record(tmp_path, "bars", [bar(0, close=5), bar(1), bar(0, close=7)])
    assert [batch["close_paise"].to_pylist() for batch in past.bars(0, OPEN_NS + HOUR)] == [[7], [1]]


def test_without_a_tape_of_that_day_and_index_there_is_nothing(tmp_path: Path) -> None:
    record(tmp_path, "bars", [bar(0)])
    past = TapePast(str(tmp_path), "NIFTY")
    assert past.bars(0, OPEN_NS + 24 * HOUR) == []
    assert list(past.ticks(0, OPEN_NS + HOUR)) == []
    assert TapePast(str(tmp_path), "SENSEX").bars(0, OPEN_NS + HOUR) == []
    assert TapePast(str(tmp_path / "nowhere"), "NIFTY").bars(0, OPEN_NS + HOUR) == []


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 70), st.integers(0, 75), st.integers(1, 30))
def test_ticks_of_a_time_come_all_and_in_the_order_recorded(
    tmp_path_factory: pytest.TempPathFactory, many: int, since: int, length: int
) -> None:
    shown = [ticks(*({"exchange_ns": OPEN_NS + s * S, "last_paise": row} for row in range(2))) for s in range(many)]
    past = record(tmp_path_factory.mktemp("tape"), "ticks", shown)  # a part each: those before the last few are joined
    first, end = OPEN_NS + since * S, OPEN_NS + (since + length) * S

    found = list(past.ticks(first, end))

    assert all(batch.schema.equals(TICKS) for batch in found)
    assert [row for batch in found for row in batch.to_pylist()] == [
        row for batch in shown[since : since + length] for row in batch.to_pylist()
    ]


class Vanishing(Files):
    """A recorder that compacts between the look and the read."""

    looks: ClassVar[Counter[str]] = Counter()

    def names(self, folder: str) -> list[str]:
        self.looks[folder] += 1
        found = super().names(folder)
        return ["part-000001-000001.parquet", *found] if self.looks[folder] == 1 else found


def test_a_part_that_is_joined_with_others_meanwhile_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [ticks({"exchange_ns": OPEN_NS + s * S}) for s in range(FAN + 1)]
    past = record(tmp_path, "ticks", shown)
    monkeypatch.setattr("storage.past.Files", Vanishing)
    monkeypatch.setattr("storage.tape_files.uncovered", sorted)

    assert sum(batch.num_rows for batch in past.ticks(0, OPEN_NS + HOUR)) == FAN + 1
    assert max(Vanishing.looks.values()) == 2


def test_a_damaged_part_and_one_of_another_release_are_named(tmp_path: Path) -> None:
    past = record(tmp_path, "ticks", [ticks({"exchange_ns": OPEN_NS})])
    (part,) = tmp_path.rglob("part-*.parquet")
    part.write_bytes(encode(pa.table({"x": [1]})))
    with pytest.raises(InputError, match=r"part-000001-000001\.parquet is of another release"):
        list(past.ticks(0, OPEN_NS + HOUR))
    part.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"part-000001-000001\.parquet is no Parquet file"):
        list(past.ticks(0, OPEN_NS + HOUR))
    assert DAY.isoformat() in str(part)


def test_parts_of_two_releases_are_named(tmp_path: Path) -> None:
    """Also those that were filled: a feed that starts in mid-session ends in words, not in Arrow's."""
    filled = Path(backfill_root(str(tmp_path)))
    past = record(tmp_path, "bars", [bar(0), bar(1)])
    record(filled, "bars", [bar(0), bar(1)])
    for root in (filled, tmp_path):
        part = max((root / "bars").rglob("part-*.parquet"))
        part.write_bytes(encode(pa.table({"x": [1]})))
        with pytest.raises(InputError, match="release"):
            past.bars(0, OPEN_NS + HOUR)
        with pytest.raises(InputError, match="release"):
            read_tape(str(root), "bars", DAY, "NIFTY")
        min((root / "bars").rglob("part-*.parquet")).unlink()
    with pytest.raises(InputError, match="two releases"):
        bars_once([pa.table({"x": [1]}), pa.Table.from_batches([bar(0)])])
