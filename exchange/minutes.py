"""Bars of one minute, of which every candle is made: of a drawn market from its samples, of a recorded one as it comes.

A minute in which an instrument was not quoted has no bar.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange.quotes import NEVER, grouped

Ints = NDArray[np.int64]
MINUTE_NS = 60_000_000_000


class Minutes(NamedTuple):
    """Bars of one instrument, oldest first, [n] each: opening moment UTC ns, paise, units traded in it, units open."""

    start_ns: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    oi: Ints


def of_samples(at_ns: Ints, last: Ints, volume: Ints, oi: Ints) -> Minutes:
    """The bars of one instrument's samples, oldest first; `volume` is the day's so far, nothing before the first."""
    if not at_ns.size:
        return Minutes(*(at_ns[:0] for _ in Minutes._fields))
    _, first, final = grouped(at_ns // MINUTE_NS)
    return Minutes(
        start_ns=at_ns[first] // MINUTE_NS * MINUTE_NS,
        open=last[first],
        high=np.maximum.reduceat(last, first),
        low=np.minimum.reduceat(last, first),
        close=last[final],
        volume=np.diff(volume[final], prepend=0),
        oi=oi[final],
    )


class MinuteBook:
    """The bars of every instrument of a session as its ticks come."""

    def __init__(self, places: int, open_ns: int, close_ns: int) -> None:
        self._open_ns, self._minutes = open_ns, -(-(close_ns - open_ns) // MINUTE_NS)
        shape = places * self._minutes
        self._open, self._high, self._close, self._volume, self._oi = (np.zeros(shape, np.int64) for _ in range(5))
        self._low = np.full(shape, NEVER)
        self._before = np.full(places, -1, np.int64)  # traded when an instrument was first seen; -1: it was not yet

    def take(self, places: Ints, at_ns: Ints, last: Ints, volume: Ints, oi: Ints) -> None:
        """Fold in ticks, oldest first, [n] each; what has no price, or lies outside the session, makes no bar."""
        minute = (at_ns - self._open_ns) // MINUTE_NS
        inside = np.flatnonzero((minute >= 0) & (minute < self._minutes) & (last > 0))
        if not inside.size:
            return
        keys = places[inside] * self._minutes + minute[inside]
        order, first, final = grouped(keys)
        rows = inside[order]
        own, price = keys[order][first], last[rows]
        self._note_first(places[inside], volume[inside])
        self._open[own] = np.where(self._open[own] > 0, self._open[own], price[first])
        self._high[own] = np.maximum(self._high[own], np.maximum.reduceat(price, first))
        self._low[own] = np.minimum(self._low[own], np.minimum.reduceat(price, first))
        self._close[own], self._volume[own], self._oi[own] = price[final], volume[rows][final], oi[rows][final]

    def _note_first(self, places: Ints, volume: Ints) -> None:
        order, first, _ = grouped(places)
        own = places[order][first]
        fresh = self._before[own] < 0
        self._before[own[fresh]] = volume[order][first][fresh]

    def of(self, place: int, until_ns: int) -> Minutes:
        """The bars of one instrument that have begun at `until_ns`, a copy."""
        begun = min(max((until_ns - self._open_ns) // MINUTE_NS + 1, 0), self._minutes)
        row = slice(place * self._minutes, place * self._minutes + begun)
        some = np.flatnonzero(self._close[row])
        open_, high, low, close, volume, oi = (
            column[row][some] for column in (self._open, self._high, self._low, self._close, self._volume, self._oi)
        )
        traded = np.diff(volume, prepend=max(int(self._before[place]), 0))
        return Minutes(self._open_ns + some * MINUTE_NS, open_, high, low, close, np.maximum(traded, 0), oi)
