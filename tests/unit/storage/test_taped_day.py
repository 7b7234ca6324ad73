"""What a tape proves of a day: since when a contract was watched, and in which bars it did not trade."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.market import IST, to_ns
from core.market.bars import Bars
from core.schemas import TICKS, Kind
from storage.tape import ParquetTape
from storage.tape_files import Files, encode
from storage.taped_day import LATE, TapedDay
from tests.unit.storage.test_tape import DAY, OPEN_NS, stamp

S, MINUTE = 1_000_000_000, 60_000_000_000
CALL = "NIFTY25SEP24500CE"
STARTS = OPEN_NS + np.arange(12) * MINUTE


def ticks(rows: list[tuple[float, int]], *, symbol: str = CALL, kind: Kind = Kind.CALL) -> pa.RecordBatch:
    """(seconds after the open, volume) each."""
    levels = {name: [0] * 5 for name in TICKS.names if name.startswith(("bid", "ask"))}
    own = {"index": "NIFTY", "symbol": symbol, "kind": kind, "expiry": dt.date(2025, 9, 30), "strike_paise": 24_500_00}
    row = dict.fromkeys(TICKS.names, 1) | levels | own
    made = [row | {"exchange_ns": OPEN_NS + round(at * S), "volume": volume} for at, volume in rows]
    return pa.RecordBatch.from_pylist(made, schema=TICKS)


def taped(root: Path, *batches: pa.RecordBatch) -> TapedDay:
    tape = ParquetTape(str(root))
    for sequence, batch in enumerate((one for one in batches if one.num_rows), 1):
        tape.append(stamp(sequence, topic="ticks"), "ticks", "NIFTY", batch)
        tape.flush()
    return TapedDay(str(root), DAY, "NIFTY")


STREAM = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 53), st.sampled_from([0, 0, 65])), max_size=40)


@settings(max_examples=60, deadline=None)
@given(STREAM, st.sets(st.integers(0, 39)), st.sampled_from([60, 180]))
def test_a_bar_there_would_have_been_is_never_said_to_be_none_whatever_was_missed(
    tmp_path_factory: pytest.TempPathFactory, stream: list[tuple[int, int, int]], missed: set[int], seconds: int
) -> None:
    """Nothing trades in a bar's last tenth here: of that the last test speaks."""
    moments = sorted((60 * minute + second, traded) for minute, second, traded in stream)
    whole = [(float(at), sum(traded for _, traded in moments[: k + 1])) for k, (at, traded) in enumerate(moments)]
    bars = Bars([seconds])
    made = [bars.add(ticks(whole)), bars.flush()]
    there = {ns for batch in made if batch is not None for ns in batch["start_ns"].to_pylist()}

    seen = [one for k, one in enumerate(whole) if k not in missed]
    day = taped(tmp_path_factory.mktemp("tape"), ticks(seen[::2]), ticks(seen[1::2]))
    starts = STARTS[:: seconds // 60]
    idle = set(starts[day.idle(CALL, seconds, starts)].tolist())
    assert not idle & there


def test_a_contract_is_known_from_the_minute_of_its_first_tick(tmp_path: Path) -> None:
    day = taped(tmp_path, ticks([(200.5, 65), (400, 65)]), ticks([(700, 65)], symbol="NIFTY25SEPFUT", kind=Kind.FUTURE))
    assert day.first_ns(CALL) == OPEN_NS + 3 * MINUTE
    assert day.first_ns("NIFTY25SEPFUT") == OPEN_NS + 11 * MINUTE
    assert day.first_ns("NIFTY") is None
    assert day.contracts[CALL].strike_paise == 24_500_00
    assert day.idle(CALL, 60, STARTS).tolist() == [False] * 4 + [True] * 2 + [False] * 6
    assert not day.idle("NIFTY", 60, STARTS).any()
    assert day.have(CALL, 60).size == 0


def test_an_index_always_has_a_bar(tmp_path: Path) -> None:
    day = taped(tmp_path, ticks([(10, 0), (650, 0)], symbol="NIFTY", kind=Kind.INDEX))
    assert not day.idle("NIFTY", 60, STARTS).any()


def test_the_last_tick_of_a_bar_shows_that_nothing_traded_up_to_a_tenth_of_its_end(tmp_path: Path) -> None:
    end = 120 - LATE * 60
    for name, second, idle in (("late", end, True), ("early", end - 0.001, False)):
        day = taped(tmp_path / name, ticks([(30, 65), (second, 65), (200, 130)]))
        assert day.idle(CALL, 60, STARTS[1:2]).tolist() == [idle]


def test_a_day_without_a_tape_is_unknown_and_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    day = TapedDay(str(tmp_path), DAY, "NIFTY")
    assert (day.contracts, day.first_ns(CALL), day.have(CALL, 60).size) == ({}, None, 0)
    assert not day.idle(CALL, 60, STARTS).any()
    for name in ("ticks", "bars"):
        folder = tmp_path / name / f"{name}/date={DAY}/index=NIFTY"
        folder.mkdir(parents=True)
        (folder / "part-000001-000001.parquet").write_bytes(b"PAR1 is not enough")
        with pytest.raises(InputError, match="part-000001-000001"):
            TapedDay(str(tmp_path / name), DAY, "NIFTY")


def test_bars_of_another_release_are_said(tmp_path: Path) -> None:
    folder = tmp_path / f"bars/date={DAY}/index=NIFTY"
    folder.mkdir(parents=True)
    for part, columns in ((1, {"x": [1]}), (2, {"y": [1]})):
        (folder / f"part-{part:06d}-{part:06d}.parquet").write_bytes(encode(pa.table(columns)))
        with pytest.raises(InputError, match=r"of (another|two) release"):
            TapedDay(str(tmp_path), DAY, "NIFTY")


def test_ticks_that_keep_being_compacted_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taped(tmp_path, ticks([(1, 0)]))
    monkeypatch.setattr(Files, "read", lambda *_: None)
    with pytest.raises(InputError, match="kept changing"):
        TapedDay(str(tmp_path), DAY, "NIFTY")


def test_what_lies_on_another_day_in_the_same_file_is_passed_over(tmp_path: Path) -> None:
    midnight = to_ns(dt.datetime.combine(DAY, dt.time(), IST))
    day = taped(tmp_path, ticks([((midnight - OPEN_NS) / S - 1, 500), (30, 65), (700, 65)]))
    assert day.first_ns(CALL) == OPEN_NS
    assert day.idle(CALL, 60, STARTS).tolist() == [False] + [True] * 10 + [False]
