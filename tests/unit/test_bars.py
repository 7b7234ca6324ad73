"""Ticks become bars: what a bar holds, when it closes, and what it never loses."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, SchemaError
from core.market.bars import Bars
from core.schemas import BARS
from tests.fakes_feed import ticks

S = 1_000_000_000
OPEN = 19_999 * 86_400 * S + 13_500 * S  # Thursday 2024-10-03, 09:15 in India
CALL = {"symbol": "NIFTY25SEP24500CE", "kind": 2, "strike_paise": 2_450_000}


def rows(batch: pa.RecordBatch | None) -> list[dict[str, Any]]:
    return [] if batch is None else batch.to_pylist()


def at(second: float, **row: Any) -> dict[str, Any]:
    return {"exchange_ns": OPEN + round(second * S), **row}


def test_a_bar_is_stamped_at_its_open_and_closes_when_the_next_begins() -> None:
    bars = Bars((60,))
    prices = [(0, 100), (20, 130), (40, 90), (59, 110)]

    assert bars.add(ticks(*(at(s, last_paise=p) for s, p in prices))) is None
    closed = bars.add(ticks(at(60, last_paise=120)))

    assert closed is not None
    assert closed.schema.equals(BARS)
    (bar,) = rows(closed)
    assert (bar["start_ns"], bar["seconds"]) == (OPEN, 60)
    assert [bar[f"{k}_paise"] for k in ("open", "high", "low", "close")] == [100, 130, 90, 110]


def test_three_minutes_begin_with_the_session() -> None:
    bars = Bars((180,))
    bars.add(ticks(at(1)))

    (bar,) = rows(bars.advance(OPEN + 180 * S))

    assert bar["start_ns"] == OPEN


def test_the_clock_closes_a_bar_without_a_tick_and_only_once() -> None:
    bars = Bars((60,))
    bars.add(ticks(at(0)))

    assert bars.advance(OPEN + 59 * S) is None
    assert len(rows(bars.advance(OPEN + 60 * S))) == 1
    assert bars.advance(OPEN + 600 * S) is None
    assert bars.flush() is None


def test_a_contract_that_did_not_trade_has_no_bar_and_the_first_tick_only_sets_its_volume() -> None:
    bars = Bars((60,))
    bars.add(ticks(at(0, **CALL, volume=5_000, last_paise=800), at(10, **CALL, volume=5_000, last_paise=900)))
    assert bars.advance(OPEN + 60 * S) is None

    bars.add(ticks(at(61, **CALL, volume=5_075, last_paise=850, oi=750)))
    (bar,) = rows(bars.flush())

    assert (bar["volume"], bar["oi"], bar["open_paise"]) == (75, 750, 850)


@pytest.mark.parametrize(
    ("second", "volume"),
    [
        (0, 150),  # at the open: all of it is the first minute's
        (59.9, 150),
        (60, None),  # later: whose minutes it was nobody can tell, so it only sets where to count from
        (4.75 * 3600, None),
        (-60, None),  # before the open, where the exchange may still show yesterday's
    ],
)
def test_a_new_day_counts_from_zero_at_its_open_alone(second: float, volume: int | None) -> None:
    bars = Bars((60, 180))
    bars.add(ticks(at(0, **CALL, volume=5_000)))

    bars.add(ticks(at(86_400 + second, **CALL, volume=150)))

    assert [bar["volume"] for bar in rows(bars.flush())] == ([] if volume is None else [volume] * 2)
    bars.add(ticks(at(86_400 + 18_000, **CALL, volume=215)))
    assert {bar["volume"] for bar in rows(bars.flush())} == {65}


def test_a_day_without_a_session_and_one_no_calendar_has_only_set_the_volume() -> None:
    for days in (2, 20_000):  # a Saturday; the year 2079
        bars = Bars((60,))
        bars.add(ticks(at(0, **CALL, volume=5_000), at(86_400 * days, **CALL, volume=150)))
        assert bars.flush() is None


def test_what_was_traded_in_a_gap_of_the_feed_is_in_the_bar_that_follows_it() -> None:
    bars = Bars((60,))
    bars.add(ticks(at(0, **CALL, volume=500), at(3_600, **CALL, volume=9_500)))

    assert [(bar["start_ns"], bar["volume"]) for bar in rows(bars.flush())] == [(OPEN + 3_600 * S, 9_000)]


def test_a_late_tick_is_counted_once_and_moves_no_bar_that_has_closed() -> None:
    bars = Bars((60, 180))
    bars.add(ticks(at(181, last_paise=100)))
    bars.add(ticks(at(10, last_paise=1)))
    assert bars.late == 1

    bars.add(ticks(at(241, last_paise=100)))
    bars.add(ticks(at(190, last_paise=2)))  # of the minute that has closed, and of the three minutes that have not

    assert bars.late == 2
    assert {bar["seconds"]: bar["low_paise"] for bar in rows(bars.flush())} == {60: 100, 180: 2}


def test_lengths_that_do_not_divide_half_an_hour_and_foreign_batches_are_refused() -> None:
    with pytest.raises(ConfigError, match="half an hour"):
        Bars((70,))
    with pytest.raises(ConfigError, match="half an hour"):
        Bars(())
    with pytest.raises(SchemaError, match="ticks"):
        Bars().add(pa.record_batch({"x": [1]}))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 2_000), st.integers(1, 10**6), st.integers(0, 500), st.sampled_from("AB")),
        min_size=1, max_size=60,
    ),
    st.integers(1, 7),
)  # fmt: skip
def test_no_volume_is_lost_highs_are_highest_and_cutting_the_stream_changes_nothing(
    seen: list[tuple[float, int, int, str]], cut: int
) -> None:
    total = {"A": 0, "B": 0}
    stream = []
    for second, price, traded, name in sorted(seen):
        total[name] += traded
        stream.append(at(second, **{**CALL, "symbol": name}, last_paise=price, volume=total[name]))

    whole, parts = Bars((60, 180)), Bars((60, 180))
    first = rows(whole.add(ticks(*stream))) + rows(whole.flush())
    second_way = [bar for i in range(0, len(stream), cut) for bar in rows(parts.add(ticks(*stream[i : i + cut])))]
    second_way += rows(parts.flush())

    assert first == second_way
    assert whole.late == 0
    for name in "AB":
        opening = next((row["volume"] for row in stream if row["symbol"] == name), 0)
        for seconds in (60, 180):
            mine = [bar for bar in first if bar["symbol"] == name and bar["seconds"] == seconds]
            assert sum(bar["volume"] for bar in mine) == total[name] - opening
            assert len({bar["start_ns"] for bar in mine}) == len(mine)
            for bar in mine:
                prices = [bar[f"{k}_paise"] for k in ("open", "close", "low", "high")]
                assert (bar["low_paise"], bar["high_paise"]) == (min(prices), max(prices))
                assert bar["start_ns"] % (seconds * S) == 0
