from pathlib import Path

import pytest

from actors.recorder import RecorderActor, RecorderConfig
from core.errors import ConfigError, InputError, SchemaError
from core.records import Chain, Stamp
from core.schemas import CONTRACTS, EXPIRIES
from storage.tape import ParquetTape, read_tape
from tests.unit.storage.test_tape import DAY, OPEN_NS, bars, stamp, volumes

import pyarrow as pa  # isort: skip


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000_000

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def advance(self, to_ns: int) -> None:
        raise AssertionError("a recorder does not move the market")


class FullDisk(ParquetTape):
    full = False

    def flush(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().flush()


def recorder(tape: ParquetTape, clock: Hands | None = None, **config: int) -> RecorderActor:
    actor = RecorderActor(RecorderConfig(**config), clock=clock or Hands(), tape=tape)
    actor.open()
    return actor


def a_chain() -> Chain:
    filled = {pa.string(): "NIFTY", pa.date32(): DAY, pa.float64(): float("1.5")}
    row = {f.name: filled.get(f.type, 1) for f in CONTRACTS} | {"exchange_ns": OPEN_NS}
    head = {f.name: filled.get(f.type, 1) for f in EXPIRIES} | {"as_of_ns": OPEN_NS}
    return Chain(
        contracts=pa.RecordBatch.from_pylist([row] * 3, schema=CONTRACTS),
        expiries=pa.RecordBatch.from_pylist([head], schema=EXPIRIES),
    )


def test_it_answers_what_is_on_disk_and_flushes_by_rows(tmp_path: Path) -> None:
    actor = recorder(ParquetTape(str(tmp_path)), flush_rows=3, flush_ms=0)
    assert [actor.record(stamp(n), bars(n)) for n in (1, 2, 3, 4)] == [0, 0, 3, 3]
    actor.close()
    assert volumes(tmp_path) == [1, 2, 3, 4]
    assert actor.status()["bars"] == 4


def test_it_flushes_by_the_clock(tmp_path: Path) -> None:
    clock = Hands()
    actor = recorder(ParquetTape(str(tmp_path)), clock, flush_ms=1_000)
    actor.record(stamp(1), bars(1))
    actor.on_timer()
    assert actor.record(stamp(1), bars(1)) == 0
    clock.ns += 1_000_000_000
    actor.on_timer()
    assert actor.record(stamp(1), bars(1)) == 1
    assert actor.status()["again"] == 2
    assert actor.check_health() == clock.ns


def test_both_halves_of_a_chain_are_durable_or_neither(tmp_path: Path) -> None:
    actor = recorder(ParquetTape(str(tmp_path)), flush_rows=1)
    mark = Stamp(source="shard.NIFTY", topic="chain_tape", epoch=1, sequence=1, sent_wall_ns=0)
    assert actor.record(mark, a_chain()) == 1
    assert read_tape(str(tmp_path), "contracts", DAY, "NIFTY").num_rows == 3
    assert read_tape(str(tmp_path), "expiries", DAY, "NIFTY").num_rows == 1
    (tmp_path / "expiries/date=2025-08-29/index=NIFTY/.durable.json").unlink()  # as if killed between the two
    assert ParquetTape(str(tmp_path)).durable("shard.NIFTY", "chain_tape", 1) == 0


def test_two_indices_of_one_sender_lose_nothing(tmp_path: Path) -> None:
    """Each index has its own count: the same numbers, which are no repeats."""
    tape = ParquetTape(str(tmp_path))
    actor = recorder(tape, flush_rows=2)
    for number in (1, 2, 3):
        for index in ("NIFTY", "SENSEX"):
            actor.record(stamp(number, index=index), bars(number, index=index))
    actor.close()
    kept = [read_tape(str(tmp_path), "bars", DAY, index).column("volume").to_pylist() for index in ("NIFTY", "SENSEX")]

    assert kept == [[1, 2, 3], [1, 2, 3]]
    assert "again" not in actor.status()
    again = ParquetTape(str(tmp_path))
    assert [again.durable("feed.NIFTY", "bars", 7, index) for index in ("NIFTY", "SENSEX", "")] == [3, 3, 0]


def test_a_hole_is_asked_for_once_then_counted_as_lost(tmp_path: Path) -> None:
    actor = recorder(ParquetTape(str(tmp_path)), flush_rows=1)
    actor.record(stamp(1), bars(1))
    for late in (3, 4):
        with pytest.raises(InputError, match="expected sequence 2, was"):
            actor.record(stamp(late), bars(late))
    for number in (2, 3, 4):  # the sender begins again from its oldest
        actor.record(stamp(number), bars(number))
    with pytest.raises(InputError):
        actor.record(stamp(6), bars(6))
    assert actor.record(stamp(6), bars(6)) == 6  # 5 is gone for good
    assert volumes(tmp_path) == [1, 2, 3, 4, 6]
    assert actor.status()["lost"] == 1


def test_a_restarted_recorder_takes_up_where_the_disk_is(tmp_path: Path) -> None:
    first = recorder(ParquetTape(str(tmp_path)), flush_rows=2)
    for number in (1, 2, 3):
        first.record(stamp(number), bars(number))
    second = recorder(ParquetTape(str(tmp_path)), flush_rows=1)
    assert [second.record(stamp(n), bars(n)) for n in (2, 3, 4)] == [2, 3, 4]
    assert volumes(tmp_path) == [1, 2, 3, 4]


def test_a_full_disk_loses_nothing_and_takes_no_more_than_it_can_hold(tmp_path: Path) -> None:
    tape, clock = FullDisk(str(tmp_path)), Hands()
    actor = recorder(tape, clock, flush_rows=2, retry_ms=1_000)
    tape.full = True
    actor.record(stamp(1), bars(1))
    for number in (2, 3, 3):
        with pytest.raises(ConfigError, match="No space left"):
            actor.record(stamp(number), bars(number))
    tape.full = False
    clock.ns += 1_000_000_000
    assert actor.record(stamp(2), bars(2)) == 2
    actor.record(stamp(3), bars(3))
    actor.close()
    assert volumes(tmp_path) == [1, 2, 3]


def test_a_batch_of_another_schema_is_refused_and_does_not_stop_the_next(tmp_path: Path) -> None:
    actor = recorder(ParquetTape(str(tmp_path)), flush_rows=1)
    with pytest.raises(SchemaError, match="bars"):
        actor.record(stamp(1), a_chain().expiries)
    assert actor.record(stamp(1), a_chain().expiries) == 0
    assert actor.record(stamp(2), bars(2)) == 2


def test_a_sender_that_gives_up_more_between_two_tries_is_still_heard(tmp_path: Path) -> None:
    """Its ring may overflow while it waits: what it offers again is then not what was refused first."""
    actor = recorder(ParquetTape(str(tmp_path)), flush_ms=0)
    actor.record(stamp(1), bars(1))
    for sequence in (4, 5, 6):
        with pytest.raises(InputError, match="expected sequence 2"):
            actor.record(stamp(sequence), bars(sequence))
    actor.record(stamp(6), bars(6))  # 4 and 5 fell out of the ring: this is its oldest now
    actor.record(stamp(7), bars(7))

    assert (actor.status()["lost"], actor.status()["messages"]) == (4, 3)
