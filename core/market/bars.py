"""Ticks into bars: open, high, low, close, traded volume and open interest of each contract and length.

A bar is stamped at its open and covers [start, start + seconds) of market time. An index makes a bar from every tick;
a contract from trades only, that is from ticks whose cumulative volume has grown: as in Kite's candles, a contract that
did not trade has no bar. The first tick of a contract in a session sets where its volume counts from, so that the first
bar after a start is not the whole day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.errors import ConfigError
from core.schemas import BARS, Kind, check

_NS = 1_000_000_000
_KEYS = ("index", "symbol", "kind", "expiry", "strike_paise")
_READ = (*_KEYS, "exchange_ns", "last_paise", "volume", "oi")
_DAY_NS = 86_400 * _NS


@dataclass(slots=True)
class _Bar:
    key: tuple[Any, ...]
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    oi: int = 0


class _Open:
    """Bars of one length that are still growing, by symbol."""

    def __init__(self, seconds: int) -> None:
        self.seconds, self.length = seconds, seconds * _NS
        self.start = 0
        self.bars: dict[str, _Bar] = {}

    def close(self) -> list[tuple[Any, ...]]:
        rows = [
            (*b.key, self.start, self.seconds, b.open, b.high, b.low, b.close, b.volume, b.oi)
            for _, b in sorted(self.bars.items())
        ]
        self.bars = {}
        return rows


class Bars:
    """A growing set of bars; `add` ticks in order of time, take back what has closed.

    Args:
        seconds: lengths, each of which divides half an hour, so that bars lie on whole steps of the clock of India too.
    """

    def __init__(self, seconds: Sequence[int] = (60, 180)) -> None:
        bad = [s for s in seconds if s < 1 or 1800 % s]
        if bad or not seconds:
            raise ConfigError(f"bar lengths must divide half an hour in seconds, was {list(seconds)}")
        self._open = [_Open(s) for s in seconds]
        self._volume: dict[str, tuple[int, int]] = {}
        self.late = 0  # ticks of a bar that had closed already: counted, in no bar

    def add(self, ticks: pa.RecordBatch) -> pa.RecordBatch | None:
        """Take TICKS; BARS of every bar that has closed by them, None if none. Raises SchemaError."""
        check("ticks", ticks)
        closed: list[tuple[Any, ...]] = []
        for row in zip(*(ticks[name].to_pylist() for name in _READ), strict=True):
            *key, at, last, volume, oi = row
            closed += self._turn(at)
            self._tick(tuple(key), at, last, volume, oi)
        return _batch(closed)

    def advance(self, market_ns: int) -> pa.RecordBatch | None:
        """Market time has reached `market_ns` without a tick: the bars that end by then."""
        return _batch(self._turn(market_ns))

    def flush(self) -> pa.RecordBatch | None:
        """The session is over: every bar still open."""
        return _batch([row for grown in self._open for row in grown.close()])

    def _turn(self, at: int) -> list[tuple[Any, ...]]:
        closed: list[tuple[Any, ...]] = []
        for grown in self._open:
            start = at - at % grown.length
            if start > grown.start:
                closed += grown.close()
                grown.start = start
        return closed

    def _tick(self, key: tuple[Any, ...], at: int, last: int, volume: int, oi: int) -> None:
        symbol, day = str(key[1]), at // _DAY_NS
        seen_day, seen = self._volume.get(symbol, (day, volume))
        traded = volume if day > seen_day else max(volume - seen, 0)
        if day >= seen_day:
            self._volume[symbol] = (day, volume if day > seen_day else max(volume, seen))
        if last <= 0 or (key[2] != Kind.INDEX and traded == 0):
            return
        for grown in self._open:
            if at < grown.start:
                self.late += 1
                continue
            bar = grown.bars.setdefault(symbol, _Bar(key, last, last, last, last))
            bar.high, bar.low, bar.close = max(bar.high, last), min(bar.low, last), last
            bar.volume, bar.oi = bar.volume + traded, oi


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch | None:
    if not rows:
        return None
    columns = [pa.array(values, f.type) for values, f in zip(zip(*rows, strict=True), BARS, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=BARS)
