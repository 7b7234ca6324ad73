"""Which bars there should be, which of them are missing, and which are known to be nowhere."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.market.calendar import next_session, session, special_of
from core.market.moment import IST, from_ns, to_ns

Ints = NDArray[np.int64]
SECOND = 1_000_000_000


class Hole(NamedTuple):
    """A stretch, from `first_ns` to before `end_ns`, of which a source was asked for every bar and had none.

    A contract that nobody trades makes no bar, so most holes are no loss; whoever doubts one deletes it.
    """

    symbol: str
    seconds: int
    first_ns: int
    end_ns: int
    asked_ns: int  # market clock, when it was


def bar_starts(exchange: str, seconds: int, first_ns: int, end_ns: int) -> Ints:
    """Start of every bar of derivatives sessions that begins in [first_ns, end_ns), UTC ns, ascending.

    Bars lie on whole steps of the clock (core.market.bars) and the last may be short; a drill's pause has none, nor has
    a session whose hours nobody knows. Raises UnknownDate past the calendar, InputError for a length that does not
    divide a quarter of an hour: its first bar would begin before the session.
    """
    if seconds < 1 or 900 % seconds:
        raise InputError(f"a bar length divides a quarter of an hour in seconds, was {seconds}")
    found = [np.empty(0, np.int64)]
    day = from_ns(first_ns).date()
    while first_ns < end_ns and day <= from_ns(end_ns - 1).date():
        for opens, closes in _windows(exchange, day):
            starts = np.arange(opens - opens % (seconds * SECOND), closes, seconds * SECOND, dtype=np.int64)
            found.append(starts[(starts >= first_ns) & (starts < end_ns)])
        day = next_session(exchange, day)
    return np.concatenate(found)


def missing(starts: Ints, have: Ints, holes: Iterable[Hole] = ()) -> Ints:
    """Those of `starts` that are neither in `have` nor in one of `holes`, which are of the one contract and length."""
    left = np.setdiff1d(starts, have)
    for hole in holes:
        left = left[(left < hole.first_ns) | (left >= hole.end_ns)]
    return left


def stretches(starts: Ints, absent: Ints, seconds: int) -> list[tuple[int, int]]:
    """`absent`, which are some of `starts`, as runs (first, end) of bars that follow one another there."""
    places = np.flatnonzero(np.isin(starts, absent))
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return [(int(starts[run[0]]), int(starts[run[-1]]) + seconds * SECOND) for run in runs if run.size]


def _windows(exchange: str, day: dt.date) -> list[tuple[int, int]]:
    """Begin and end of what is traded on a day; none when closed or where the hours are not known."""
    special = special_of(day)
    if special is not None:
        return [(_ns(day, opens), _ns(day, closes)) for opens, closes in special.windows]
    hours = session(exchange, day)
    return [(to_ns(hours.open), to_ns(hours.close))] if hours else []


def _ns(day: dt.date, time: dt.time) -> int:
    return to_ns(dt.datetime.combine(day, time, IST))
