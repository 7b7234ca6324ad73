"""A market of one index that needs no account: a Source whose every tick is a pure function of seed, date and time.

Two sources with the same seed and session date give the same market whenever each was started, and five indices with
one seed move together. Prices, volumes and open interest are invented; lots, strikes, expiries, sessions and symbols
are core.market's. The index is quoted to the close of the derivatives session: the auction that freezes the cash index
from 15:15 is not simulated. So a simulated day since August 2026 settles at the last level of the bars that begin
before 15:35, and those of three minutes, which end at 15:36, give another level than those of one.
"""

import datetime as dt
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ConfigError, InputError
from core.market import (
    check_index,
    exchange_of,
    previous_session,
    session,
    to_ns,
    why_closed,
)
from core.schemas import Kind
from exchange.book import Market
from exchange.levels import LEVELS
from exchange.paths import draw
from exchange.universe import build

Ints = NDArray[np.int64]
NO_ROWS: Ints = np.empty(0, np.int64)


class SimulatedSource:
    """Ticks of one simulated session.

    `ticks_per_second` counts rows; every `batch_ms` of market time one batch with the index, the futures and the
    options whose turn it is: half of them near the money, half round the whole universe. A first poll, and
    one that comes more than `catch_up` batches late, gives the full book at that moment instead of every batch missed.
    """

    def __init__(
        self, *, index: str, seed: int, session_date: dt.date, expiry_count: int | None = None,
        strikes_each_side: int = 20, ticks_per_second: int = 400, batch_ms: int = 100, catch_up: int = 20,
    ) -> None:  # fmt: skip
        """Only keeps its arguments (`expiry_count` None: 4 for NIFTY, 3 for the others); `open` does the work."""
        if min(strikes_each_side, ticks_per_second, batch_ms, catch_up) < 1 or (expiry_count or 1) < 1 or seed < 0:
            raise ConfigError("simulated market: every count must be at least 1 and the seed at least 0")
        self.index, self.seed, self.session_date = index, seed, session_date
        self.expiry_count = expiry_count or (4 if index == "NIFTY" else 3)
        self.strikes_each_side, self.ticks_per_second = strikes_each_side, ticks_per_second
        self.batch_ms, self.catch_up = batch_ms, catch_up
        self._market: Market | None = None
        self._hot = self._cold = self._always = NO_ROWS
        self._open_ns = self._last = self._done = 0
        self._skipped = self._ticks = 0

    def __getstate__(self) -> dict[str, object]:
        """The description travels, the drawn session does not: it is drawn again where it is needed."""
        state = self.__dict__.copy()
        state.update(_market=None, _hot=NO_ROWS, _cold=NO_ROWS, _always=NO_ROWS)
        return state

    def open(self) -> None:
        """Draw the session; raises UnknownName, UnknownDate, or InputError for a day that is no session."""
        check_index(self.index)
        exchange = exchange_of(self.index)
        hours = session(exchange, self.session_date)
        if hours is None:
            why = why_closed(exchange, self.session_date)
            raise InputError(f"no session to simulate on {self.session_date}: {why}; choose a trading day")
        self._open_ns = to_ns(hours.open)
        close_ns, batch_ns = to_ns(hours.close), self.batch_ms * 1_000_000
        before = session(exchange, previous_session(exchange, self.session_date))
        assert before is not None, "previous_session gives a day with a session"
        level, ordinal = LEVELS[self.index], self.session_date.toordinal()
        path = draw(
            index=self.index, level=level.level, vol=level.vol, beta=level.beta, seed=self.seed, ordinal=ordinal,
            seconds=(close_ns - self._open_ns) // 1_000_000_000,
        )  # fmt: skip
        universe = build(
            self.index, self.session_date, open_paise=round(path.spot[0] * 100),
            expiry_count=self.expiry_count, strikes_each_side=self.strikes_each_side,
        )  # fmt: skip
        self._last = (close_ns - self._open_ns) // batch_ns
        self._market = Market(
            universe, path, level, seed=self.seed, ordinal=ordinal, open_ns=self._open_ns, close_ns=close_ns,
            prev_close_ns=to_ns(before.close), batch_ns=batch_ns,
        )  # fmt: skip
        self._schedule(universe.kind, universe.strike_paise, round(path.spot[0] * 100))
        self._done, self._skipped, self._ticks = -1, 0, 0

    @property
    def market(self) -> Market:
        if self._market is None:
            raise ConfigError("open() the simulated source before asking it for ticks")
        return self._market

    def _schedule(self, kind: Ints, strike: Ints, spot_paise: int) -> None:
        rows = np.arange(kind.size, dtype=np.int64)
        option = kind >= Kind.CALL
        self._always = rows[~option]
        distance = np.abs(strike - spot_paise)
        near = option & (distance <= np.sort(np.unique(distance[option]))[min(9, np.unique(distance[option]).size - 1)])
        self._hot, self._cold = rows[near], rows[option & ~near]

    def _turn(self, n: int) -> Ints:
        """The rows that change in batch `n`: the index and futures, then shares of the near and the far options."""
        room = max(round(self.ticks_per_second * self.batch_ms / 1000) - self._always.size, 2)
        near = min((room + 1) // 2, self._hot.size)
        far = min(room - near, self._cold.size)
        parts = [self._always]
        for pool, many in ((self._hot, near), (self._cold, far)):
            if many:
                parts.append(pool[(n * many + np.arange(many)) % pool.size])
        return np.concatenate(parts)

    def poll(self, now_ns: int) -> Iterator[pa.RecordBatch]:
        """Batches due up to `now_ns`, oldest first; nothing before the open, nothing after the close."""
        due = min((now_ns - self._open_ns) // (self.batch_ms * 1_000_000), self._last)
        if due <= self._done or due < 0:
            return
        if self._done < 0 or due - self._done > self.catch_up:
            self._skipped += max(due - self._done - 1, 0) if self._done >= 0 else 0
            yield self._take(self._full(), due)
            return
        for n in range(self._done + 1, due + 1):
            yield self._take(self._turn(n), n)

    def _take(self, rows: Ints, n: int) -> pa.RecordBatch:
        batch = self.market.ticks(rows, n)
        self._done = n
        self._ticks += batch.num_rows
        return batch

    def _full(self) -> Ints:
        return np.arange(len(self.market.universe), dtype=np.int64)

    def next_ns(self) -> int | None:
        """Market time of the next batch; None once the close has been given."""
        return None if self._done >= self._last else self._open_ns + (self._done + 1) * self.batch_ms * 1_000_000

    def past(self, since_ns: int, until_ns: int, *, every_ms: int = 5000) -> Iterator[pa.RecordBatch]:
        """Index, futures and near options every `every_ms` of [since, until): what a restarted feed has missed."""
        step = max(every_ms // self.batch_ms, 1)
        period = self.batch_ms * 1_000_000
        first = max(-(-(since_ns - self._open_ns) // period), 0)
        stop = min(-(-(until_ns - self._open_ns) // period), self._last + 1)
        rows = np.concatenate((self._always, self._hot))
        moments = np.arange(-(-first // step) * step, stop, step, dtype=np.int64)
        for part in np.array_split(moments, max(moments.size // 100, 1)):
            if part.size:
                yield self.market.ticks(np.tile(rows, part.size), np.repeat(part, rows.size))

    def counts(self) -> Mapping[str, int]:
        """total: batches of the session; given ticks; batches skipped because a poll came late."""
        return {"total": self._last + 1, "ticks": self._ticks, "skipped_batches": self._skipped}
