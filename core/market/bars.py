"""Ticks into bars: open, high, low, close, traded volume and open interest of each contract and length.

A bar is stamped at its open and covers [start, start + seconds) of market time. An index makes a bar from every tick;
a contract from trades only, that is from ticks whose cumulative volume has grown: as in Kite's candles, a contract that
did not trade has no bar.

Volume is what the cumulative one has grown by since the contract's tick before. The first tick ever seen of a contract
only sets where to count from. So does its first of a new day, but within the shortest bar from the session's open:
there all that was traded is that bar's. After a gap of the feed within a day the next bar has what was traded in it;
a contract that was not watched for a while (`keep`) begins anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.errors import ConfigError, UnknownDate
from core.market.calendar import session
from core.market.indices import exchange_of
from core.market.moment import from_ns, to_ns
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
        self.late = 0  # ticks of a bar, of one length or more, that had closed already and does not have them

    def add(self, ticks: pa.RecordBatch) -> pa.RecordBatch | None:
        """Take TICKS; BARS of every bar that has closed by them, None if none. Raises SchemaError."""
        check("ticks", ticks)
        if self._all_in_open_bars(ticks):
            self._grow(ticks)
            return None
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

    def keep(self, symbols: Collection[str]) -> None:
        """Count no other contract's volume on: what it trades until it is seen again is no bar's.

        Bars of such a contract that are still growing close with the others; they have what was seen of it.
        """
        self._volume = {symbol: seen for symbol, seen in self._volume.items() if symbol in symbols}

    def _all_in_open_bars(self, ticks: pa.RecordBatch) -> bool:
        """No tick of these closes a bar, and none is late."""
        at = ticks["exchange_ns"].to_numpy()
        if not at.size:
            return False
        first, last = int(at.min()), int(at.max())
        return all(grown.start <= first and last < grown.start + grown.length for grown in self._open)

    def _grow(self, ticks: pa.RecordBatch) -> None:
        """What `_tick` does for each of them, in a sixth of the time: almost all batches are such."""
        day = int(ticks["exchange_ns"][0].as_py()) // _DAY_NS  # a bar has no midnight in it
        columns = (ticks[name].to_pylist() for name in ("symbol", "kind", "last_paise", "volume", "oi"))
        for row, (symbol, kind, last, volume, oi) in enumerate(zip(*columns, strict=True)):
            seen_day, seen = self._volume.get(symbol, (0, 0))
            if seen_day != day:  # its first of the day
                key = tuple(ticks[name][row].as_py() for name in _KEYS)
                self._tick(key, ticks["exchange_ns"][row].as_py(), last, volume, oi)
                continue
            traded = volume - seen
            if traded > 0:
                self._volume[symbol] = (day, volume)
            elif kind != Kind.INDEX:
                continue
            if last <= 0:
                continue
            for grown in self._open:
                bar = grown.bars.get(symbol)
                if bar is None:
                    key = tuple(ticks[name][row].as_py() for name in _KEYS)
                    bar = grown.bars[symbol] = _Bar(key, last, last, last, last)
                bar.high, bar.low, bar.close = max(bar.high, last), min(bar.low, last), last
                bar.volume, bar.oi = bar.volume + max(traded, 0), oi

    def _turn(self, at: int) -> list[tuple[Any, ...]]:
        closed: list[tuple[Any, ...]] = []
        for grown in self._open:
            start = at - at % grown.length
            if start > grown.start:
                closed += grown.close()
                grown.start = start
        return closed

    def _tick(self, key: tuple[Any, ...], at: int, last: int, volume: int, oi: int) -> None:
        traded = self._traded(str(key[0]), symbol := str(key[1]), at, volume)
        if last <= 0 or (key[2] != Kind.INDEX and traded == 0):
            return
        self.late += any(at < grown.start for grown in self._open)
        for grown in self._open:
            if at < grown.start:
                continue
            bar = grown.bars.setdefault(symbol, _Bar(key, last, last, last, last))
            bar.high, bar.low, bar.close = max(bar.high, last), min(bar.low, last), last
            bar.volume, bar.oi = bar.volume + traded, oi

    def _traded(self, index: str, symbol: str, at: int, volume: int) -> int:
        """Units traded since the tick before, by the rule above."""
        day = at // _DAY_NS
        seen_day, seen = self._volume.get(symbol, (day, volume))
        if day < seen_day:
            return 0
        if day == seen_day:
            self._volume[symbol] = (day, max(volume, seen))
            return max(volume - seen, 0)
        self._volume[symbol] = (day, volume)
        open_ns = _open_ns(index, at) if volume else 0
        return volume if open_ns <= at < open_ns + min(grown.length for grown in self._open) else 0


def _open_ns(index: str, at: int) -> int:
    """When the session of that day opens, UTC nanoseconds; 0 where there is none or nobody knows."""
    try:
        hours = session(exchange_of(index), from_ns(at).date())
    except UnknownDate:
        return 0
    return to_ns(hours.open) if hours else 0


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch | None:
    if not rows:
        return None
    columns = [pa.array(values, f.type) for values, f in zip(zip(*rows, strict=True), BARS, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=BARS)
