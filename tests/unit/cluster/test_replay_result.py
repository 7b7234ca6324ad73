"""The figures a replay prints are of an expiry that still trades."""

import datetime as dt

import pyarrow as pa

from cluster.replay_result import _nearest

TODAY, NEXT = dt.date(2025, 9, 2), dt.date(2025, 9, 9)


def expiries(*rows: tuple[int, dt.date, float]) -> pa.Table:
    return pa.Table.from_pylist([{"sequence": n, "expiry": day, "years": years} for n, day, years in rows])


def test_an_expiry_that_is_over_at_the_close_is_not_the_nearest() -> None:
    day = expiries((1, TODAY, 0.001), (1, NEXT, 0.02), (2, TODAY, 0.0), (2, NEXT, 0.019))
    assert _nearest(day)["expiry"] == NEXT


def test_the_nearest_of_the_newest_chain_where_none_is_over() -> None:
    day = expiries((1, TODAY, 0.002), (2, NEXT, 0.02), (2, TODAY, 0.001))
    assert (_nearest(day)["sequence"], _nearest(day)["expiry"]) == (2, TODAY)


def test_where_all_are_over_the_first_is_shown() -> None:
    assert _nearest(expiries((1, NEXT, 0.0), (1, TODAY, 0.0)))["expiry"] == TODAY
