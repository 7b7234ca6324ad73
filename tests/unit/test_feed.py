"""The feed of a replay: what it sends, what it drops, what it gives again."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.feed import FeedActor, FeedConfig
from actors.feeds.sift import sift
from core.errors import ConfigError, ReplayBroken
from core.schemas import DEPTH, TICKS
from tests.fakes_feed import HeardBus, ListSource, ToldClock, ticks

S = 1_000_000_000
OPEN = 20_000 * 86_400 * S + 13_500 * S
CALL = {"symbol": "NIFTY25SEP24500CE", "kind": 2, "strike_paise": 2_450_000}


def quote(second: float, **row: Any) -> pa.RecordBatch:
    return ticks({"exchange_ns": OPEN + round(second * S), **row})


def feed(batches: list[tuple[float, pa.RecordBatch]], **config: Any) -> tuple[FeedActor, HeardBus, ToldClock]:
    bus, clock = HeardBus(), ToldClock(OPEN)
    source = ListSource([(OPEN + round(second * S), batch) for second, batch in batches])
    actor = FeedActor(FeedConfig(**{"index": "NIFTY", "replay": "max", **config}), bus=bus, clock=clock, source=source)
    actor.open()
    return actor, bus, clock


def test_one_bad_row_never_spoils_the_others() -> None:
    good = {"exchange_ns": OPEN}
    crossed = {"bid_paise": [105] + [0] * 4, "ask_paise": [105] + [0] * 4}
    rows = [
        good, {**good, "last_paise": -1}, {**good, **crossed}, {"exchange_ns": OPEN + 10 * S},
        {"exchange_ns": OPEN - 90_000 * S}, {**good, "index": "SENSEX"}, {**good, "ask_qty": [1, 1, -1, 0, 0]},
        {**good, **CALL},
    ]  # fmt: skip
    actor, bus, _ = feed([(0, ticks(*rows)), (0, pa.record_batch({"x": [1, 2]})), (0, quote(0))])

    actor.on_timer()

    assert [batch["symbol"].to_pylist() for batch in bus.of("ticks")] == [["NIFTY", CALL["symbol"]], ["NIFTY"]]
    refused = {k: v for k, v in actor.counts().items() if k.startswith("refused")}
    assert actor.progress().counts == actor.counts()
    assert refused == {
        "refused_negative": 2, "refused_crossed": 1, "refused_time": 2, "refused_index": 1, "refused_schema": 2,
    }  # fmt: skip


def test_a_null_where_none_may_be_drops_its_row_alone() -> None:
    batch = ticks({"exchange_ns": OPEN}, {"exchange_ns": OPEN, **CALL})
    at = TICKS.get_field_index("last_paise")
    holed = batch.set_column(at, TICKS.field(at), pa.array([None, 5], pa.int64()))
    at = TICKS.get_field_index("bid_paise")
    levels = pa.FixedSizeListArray.from_arrays(
        pa.array([0] * DEPTH + [0, None, 0, 0, 0], pa.int64()), type=TICKS.field(at).type
    )
    holed_levels = batch.set_column(at, TICKS.field(at), levels)

    for bad, left in ((holed, CALL["symbol"]), (holed_levels, "NIFTY")):
        kept, counts = sift(bad, index="NIFTY", earliest_ns=0, latest_ns=2 * OPEN)
        assert kept["symbol"].to_pylist() == [left]
        assert counts == {"null": 1}
    assert sift(batch.slice(1), index="NIFTY", earliest_ns=0, latest_ns=2 * OPEN)[0].equals(batch.slice(1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5), st.integers(-3, 3)), max_size=20))
def test_every_row_is_either_kept_or_counted_once(rows: list[tuple[int, int, int]]) -> None:
    batch = ticks(*(
        {"exchange_ns": OPEN + late * S, "bid_paise": [bid, 0, 0, 0, 0], "ask_paise": [ask, 0, 0, 0, 0]}
        for bid, ask, late in rows
    ))  # fmt: skip

    kept, counts = sift(batch, index="NIFTY", earliest_ns=OPEN, latest_ns=OPEN + S)

    assert kept.num_rows + sum(counts.values()) == len(rows)
    assert kept.num_rows == sum(b >= 0 and a >= 0 and 0 <= t <= 1 and (a == 0 or b < a) for b, a, t in rows)


def test_refresh_gives_the_latest_of_every_contract_and_the_bars_so_far() -> None:
    times = [(s, {"exchange_ns": OPEN + s * S}) for s in range(70)]
    actor, bus, _ = feed([(s, ticks({**at, "last_paise": s + 1}, {**CALL, **at})) for s, at in times])
    empty = pa.RecordBatch.from_pylist([], schema=TICKS)
    actor.on_refresh(empty)
    assert bus.heard == []
    actor.on_timer()

    bus.heard.clear()
    actor.on_refresh(empty)

    (book,) = bus.of("snapshot")
    assert {row["symbol"]: row["last_paise"] for row in book.to_pylist()} == {"NIFTY": 70, CALL["symbol"]: 10_000}
    given = [(bar["seconds"], bar["close_paise"]) for b in bus.of("past_bars") for bar in b.to_pylist()]
    assert given == [(60, 60), (60, 70), (180, 70)]
    assert not bus.of("bars")  # the recorder has them on tape already


def test_a_replay_at_full_speed_runs_to_the_end_in_the_data_s_own_time() -> None:
    actor, bus, clock = feed([(s, quote(s)) for s in range(1, 400)], replay="max", budget_ms=50)
    steps = 0
    while not actor.progress().done:
        actor.on_timer()
        steps += 1

    assert 1 < steps < 40  # a budget of wall time a call: others get their turn
    assert clock.now == OPEN + 399 * S
    sent = bus.of("ticks")
    assert len(sent) == 399
    assert {batch["received_ns"][0].as_py() for batch in sent} == {0}  # as the source gave it
    progress = actor.progress()
    assert (progress.batches, progress.total, progress.ticks, progress.done) == (399, 399, 399, True)
    assert progress.market_ns == OPEN + 399 * S
    closed = [bar for batch in bus.of("bars") for bar in batch.to_pylist() if bar["seconds"] == 60]
    assert len(closed) == 7  # the last one too, though the data ended inside it

    before = len(bus.heard)
    actor.on_timer()
    assert len(bus.heard) == before


def test_a_paced_replay_keeps_its_speed() -> None:
    actor, bus, clock = feed([(s, quote(s)) for s in range(1, 100)], replay=10.0)
    actor.on_timer()
    assert len(bus.of("ticks")) == 1

    clock.wall += 2 * S
    actor.on_timer()

    assert 20 <= len(bus.of("ticks")) <= 23


def test_a_held_replay_waits_to_be_begun() -> None:
    actor, bus, _ = feed([(1, quote(1))], replay="max", hold=True)
    actor.on_timer()
    assert bus.heard == []

    actor.begin()
    actor.on_timer()

    assert len(bus.of("ticks")) == 1


def test_a_replay_is_not_played_a_second_time_by_a_second_life() -> None:
    actor, bus, _ = feed([(1, quote(1))])
    actor.restarted()
    actor.on_timer()
    assert bus.heard == []
    with pytest.raises(ReplayBroken, match=r"feed\.NIFTY died"):
        actor.progress()


def test_a_replay_without_a_speed_does_not_open() -> None:
    with pytest.raises(ConfigError, match=r"feed\.NIFTY: a replay needs a speed"):
        feed([(1, quote(1))], replay=None)


def test_a_setting_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="speed"):
        FeedConfig(index="NIFTY", speed=3)  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(ValueError, match="replay"):
        FeedConfig(index="NIFTY", replay="fast")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValueError, match="replay"):
        FeedConfig(index="NIFTY", replay=0.0)
