"""The last chain there is: read from the end of the tape, whole, and none where there is none."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import InputError, UnknownName
from core.records import Chain, Stamp
from core.schemas import CONTRACTS, EXPIRIES
from storage.last_chains import TapeLastChains
from storage.tape import ParquetTape
from tests.e2e import synthetic

DAY_NS = 86_400 * 10**9


def whole(n: int, *, index: str = "NIFTY", later_ns: int = 0, without: int = 0) -> Chain:
    """The `n`-th invented chain with its counts right, `later_ns` later, and without its last contracts."""
    made = synthetic.chain(index, n)
    rows = [row | {"exchange_ns": row["exchange_ns"] + later_ns} for row in made.contracts.to_pylist()]
    rows = rows[: len(rows) - without]
    figures = [
        row
        | {"as_of_ns": row["as_of_ns"] + later_ns, "contracts": sum(each["expiry"] == row["expiry"] for each in rows)}
        for row in made.expiries.to_pylist()
    ]
    return Chain(
        contracts=pa.RecordBatch.from_pylist(rows, schema=CONTRACTS),
        expiries=pa.RecordBatch.from_pylist(figures, schema=EXPIRIES),
    )


def rows(chain: Chain | None) -> str:
    """What it holds, for a comparison in which NaN is NaN."""
    return "" if chain is None else repr([chain.contracts.to_pylist(), chain.expiries.to_pylist()])


class Recorded:
    """A tape and what is recorded on it, a flush a chain."""

    def __init__(self, root: Path) -> None:
        self.root, self.tape, self._sequence = root, ParquetTape(str(root)), 0

    def take(self, chain: Chain, *, flush: bool = True, halves: tuple[str, ...] = ("contracts", "expiries")) -> None:
        self._sequence += 1
        index = chain.expiries["index"][0].as_py()
        stamp = Stamp(source=f"shard.{index}", topic="chain_tape", epoch=1, sequence=self._sequence, sent_wall_ns=0)
        for name in halves:
            self.tape.append(stamp, name, index, getattr(chain, name))
        if flush:
            self.tape.flush()

    def last(self, index: str = "NIFTY") -> Chain | None:
        return TapeLastChains(str(self.root)).last(index)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def test_a_tape_without_any_has_none(recorded: Recorded) -> None:
    assert recorded.last() is None
    recorded.take(whole(1, index="SENSEX"))
    assert recorded.last() is None
    with pytest.raises(UnknownName, match="DAX"):
        recorded.last("DAX")


@pytest.mark.parametrize("parts", [1, 3])
def test_the_last_is_the_newest_whole_also_when_the_contracts_change(recorded: Recorded, parts: int) -> None:
    newest = whole(3, without=7)
    for chain in (whole(1), whole(2), newest):
        recorded.take(chain, flush=parts == 3)
    recorded.tape.flush()

    assert rows(recorded.last()) == rows(newest)


def test_of_several_days_it_is_the_newest_and_of_each_index_its_own(recorded: Recorded) -> None:
    for chain in (whole(1), whole(1, index="SENSEX"), whole(2, later_ns=DAY_NS)):
        recorded.take(chain)

    assert rows(recorded.last()) == rows(whole(2, later_ns=DAY_NS))
    assert rows(recorded.last("SENSEX")) == rows(whole(1, index="SENSEX"))


def test_parts_made_one_by_compaction_are_read_alike(recorded: Recorded) -> None:
    for n in range(1, 34):
        recorded.take(whole(n))

    assert rows(recorded.last()) == rows(whole(33))


def test_halves_that_are_not_of_one_chain_are_not_shown_and_an_older_day_is(recorded: Recorded) -> None:
    recorded.take(whole(1))
    recorded.take(whole(2, later_ns=DAY_NS), halves=("expiries",))
    assert rows(recorded.last()) == rows(whole(1))

    recorded.take(whole(3, later_ns=DAY_NS, without=5), halves=("contracts",))

    assert rows(recorded.last()) == rows(whole(1))


def test_a_file_that_is_none_and_one_of_another_release_are_said(recorded: Recorded, tmp_path: Path) -> None:
    recorded.take(whole(1))
    (path,) = tmp_path.glob("expiries/*/index=NIFTY/part-*.parquet")
    table = whole(1).expiries
    pq.write_table(pa.Table.from_batches([table]).drop_columns(["quality"]), path)
    with pytest.raises(InputError, match="of another release"):
        recorded.last()

    path.write_bytes(b"no Parquet")

    with pytest.raises(InputError, match="is no Parquet file"):
        recorded.last()


def test_a_simulated_sessions_own_folder_is_not_looked_into(tmp_path: Path) -> None:
    """A simulated desk records below its session's id (cluster/desk.py, tape_url): another desk sees nothing of it."""
    Recorded(tmp_path / "simulated-1").take(whole(1))

    assert TapeLastChains(str(tmp_path)).last("NIFTY") is None
