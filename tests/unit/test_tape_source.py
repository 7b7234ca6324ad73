"""Our own tape as a source: what was recorded comes back in the order it happened."""

import datetime as dt
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, UnknownName
from core.market import session, to_ns
from core.records import Stamp
from core.schemas import check
from exchange.simulator import SimulatedSource
from storage.tape import ParquetTape
from storage.tape_source import BATCH_NS, TapeSource
from tests.fakes_feed import ticks

DAY = dt.date(2026, 11, 20)
HOURS = session("NSE", DAY)
assert HOURS is not None
OPEN = to_ns(HOURS.open)


def record(root: Path, batches: list) -> TapeSource:
    tape = ParquetTape(str(root))
    for sequence, batch in enumerate(batches, 1):
        stamp = Stamp(source="feed.NIFTY", topic="ticks", epoch=1, sequence=sequence, sent_wall_ns=0)
        tape.append(stamp, "ticks", "NIFTY", batch)
    tape.flush()
    source = pickle.loads(pickle.dumps(TapeSource(str(root), "NIFTY", DAY)))
    source.open()
    return source  # type: ignore[no-any-return]  # pickle knows no types


def test_a_recorded_simulated_market_replays_batch_for_batch(tmp_path: Path) -> None:
    market = SimulatedSource(index="NIFTY", seed=7, session_date=DAY)
    market.open()
    shown = [batch for i in range(30) for batch in market.poll(OPEN + i * BATCH_NS)]

    source = record(tmp_path, shown)

    assert source.counts() == {"total": 30, "rows": sum(batch.num_rows for batch in shown)}
    for batch in shown:
        due = source.next_ns()
        assert due == batch["exchange_ns"][0].as_py()
        (again,) = source.poll(due)
        assert check("ticks", again).equals(batch)
    assert source.next_ns() is None


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=4), min_size=1, max_size=6))
def test_nothing_is_lost_and_no_batch_shows_the_future(
    tmp_path_factory: pytest.TempPathFactory, tenths: list[list[int]]
) -> None:
    batches = [
        ticks(*({"exchange_ns": OPEN + t * 30_000_000, "received_ns": 5, "last_paise": t + 1} for t in group))
        for group in tenths
    ]
    source = record(tmp_path_factory.mktemp("tape"), batches)

    seen = []
    while (due := source.next_ns()) is not None:
        (batch,) = source.poll(due)
        at = batch["exchange_ns"].to_pylist()
        assert max(at) == due
        assert len({ns // BATCH_NS for ns in at}) == 1
        assert batch["received_ns"].to_pylist() == at
        seen += batch["last_paise"].to_pylist()

    assert seen == sorted(t + 1 for group in tenths for t in group)


def test_a_day_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2026-11-20"):
        TapeSource(str(tmp_path), "NIFTY", DAY).open()
    with pytest.raises(UnknownName, match="SENSEX"):
        TapeSource(str(tmp_path), "NIFTYX", DAY).open()
    with pytest.raises(InputError, match=r"open\(\)"):
        list(TapeSource(str(tmp_path), "NIFTY", DAY).poll(0))
