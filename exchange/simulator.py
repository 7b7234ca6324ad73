"""A market of one index that needs no account: a Source whose every tick is a pure function of seed, date and time.

Two sources with the same seed and session date give the same market whenever each was started, and five indices with
one seed move together. Prices, volumes and open interest are invented; lots, strikes, expiries, sessions and symbols
are core.market's. From 2026-08-03 the cash index stands still from 15:15 on, for the closing auction of its
constituents, and prints its close once between 15:28 and 15:30, as in the minute bars of that August; options and
futures go on. The last price of every contract is its previous close on the next day.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ConfigError, InputError, UnknownDate
from core.market import (
    Contract,
    SettlementMethod,
    check_index,
    exchange_of,
    previous_session,
    session,
    settlement,
    to_ns,
    why_closed,
)
from core.schemas import Kind
from exchange.book import Hours, Market
from exchange.levels import LEVELS
from exchange.paths import Path, draw, generator
from exchange.universe import Universe, build

Ints = NDArray[np.int64]
NO_ROWS: Ints = np.empty(0, np.int64)
MINUTE_NS = 60_000_000_000


class SimulatedSource:
    """Ticks of one simulated session.

    `ticks_per_second` counts rows; every `batch_ms` of market time one batch with the index, the futures and the
    options whose turn it is: half of them near the money, half round the whole universe. A first poll, and
    one that comes more than `catch_up` batches late, gives the full book at that moment instead of every batch missed.
    """

    def __init__(
        self, *, index: str, seed: int, session_date: dt.date, expiry_count: int | None = None,
        strikes_each_side: int = 20, ticks_per_second: int = 400, batch_ms: int = 100, catch_up: int = 20,
        held: Collection[Contract] = (),
    ) -> None:  # fmt: skip
        """Only keeps its arguments (`expiry_count` None: 4 for NIFTY, 3 for the others); `open` does the work.

        Of `held` what the strikes of the day would leave out is listed too, and quoted in every batch.
        """
        if min(strikes_each_side, ticks_per_second, batch_ms, catch_up) < 1 or (expiry_count or 1) < 1 or seed < 0:
            raise ConfigError("simulated market: every count must be at least 1 and the seed at least 0")
        self.index, self.seed, self.session_date = index, seed, session_date
        self.expiry_count = expiry_count or (4 if index == "NIFTY" else 3)
        self.strikes_each_side, self.ticks_per_second = strikes_each_side, ticks_per_second
        self.batch_ms, self.catch_up, self.held = batch_ms, catch_up, tuple(held)
        self._market: Market | None = None
        self._hot = self._cold = self._always = self._held = NO_ROWS
        self._open_ns = self._last = self._done = 0
        self._skipped = self._ticks = 0

    def __getstate__(self) -> dict[str, object]:
        """The description travels, the drawn session does not: it is drawn again where it is needed."""
        state = self.__dict__.copy()
        state.update(_market=None, _hot=NO_ROWS, _cold=NO_ROWS, _always=NO_ROWS, _held=NO_ROWS)
        return state

    def open(self) -> None:
        """Draw the session; raises UnknownName, UnknownDate, or InputError for a day that is no session."""
        check_index(self.index)
        exchange = exchange_of(self.index)
        hours = session(exchange, self.session_date)
        if hours is None:
            why = why_closed(exchange, self.session_date)
            raise InputError(f"no session to simulate on {self.session_date}: {why}; choose a trading day")
        before = previous_session(exchange, self.session_date)
        path = self._path(self.session_date)
        universe = build(
            self.index, self.session_date, open_paise=round(path.spot[0] * 100), held=self.held,
            expiry_count=self.expiry_count, strikes_each_side=self.strikes_each_side,
        )  # fmt: skip
        yesterday = self._drawn(universe, before, self._path(before))
        last = yesterday.last(np.arange(len(universe), dtype=np.int64), yesterday.hours.last)
        self._market = self._drawn(universe, self.session_date, path, prev_close=last)
        self._open_ns, self._last = self._market.hours.open_ns, self._market.hours.last
        self._schedule(universe, round(path.spot[0] * 100))
        self._done, self._skipped, self._ticks = -1, 0, 0

    def _path(self, date: dt.date) -> Path:
        hours = self._hours(date)
        before = previous_session(exchange_of(self.index), date)
        return draw(
            self.index, LEVELS[self.index], seed=self.seed, ordinal=date.toordinal(), before=before.toordinal(),
            seconds=(hours.close_ns - hours.open_ns) // 1_000_000_000,
        )  # fmt: skip

    def _drawn(self, universe: Universe, date: dt.date, path: Path, prev_close: Ints | None = None) -> Market:
        """The session of `date` with today's contracts."""
        salt = int(generator(self.seed, date.toordinal(), f"{self.index} noise").integers(1 << 62))
        return Market(universe, path, LEVELS[self.index], self._hours(date), salt=salt, prev_close=prev_close)

    def _hours(self, date: dt.date) -> Hours:
        hours = session(exchange_of(self.index), date)
        assert hours is not None, "open() and previous_session give days with a session"
        open_ns, close_ns = to_ns(hours.open), to_ns(hours.close)
        frozen_ns, printed_ns = self._auction(date) or (close_ns + 1, close_ns + 1)
        if not open_ns < frozen_ns < printed_ns < close_ns:  # an evening's muhurat has no auction
            frozen_ns = printed_ns = close_ns + 1
        return Hours(open_ns, close_ns, self.batch_ms * 1_000_000, frozen_ns, printed_ns)

    def _auction(self, date: dt.date) -> tuple[int, int] | None:
        """When the cash index freezes and when it prints, which is drawn from seven to five minutes before the end."""
        try:
            ends = settlement(self.index, date)
        except UnknownDate:  # before 2019 the method is not known; the auction is of 2026
            return None
        if ends.method is not SettlementMethod.AUCTION:
            return None
        drawn = generator(self.seed, date.toordinal(), "auction").uniform(0.0, 2.0)
        return ends.begin_ns, ends.end_ns - 7 * MINUTE_NS + round(drawn * MINUTE_NS)

    @property
    def market(self) -> Market:
        if self._market is None:
            raise ConfigError("open() the simulated source before asking it for ticks")
        return self._market

    def _schedule(self, universe: Universe, spot_paise: int) -> None:
        rows, strike = np.arange(len(universe), dtype=np.int64), universe.strike_paise
        held = rows >= len(universe) - universe.held
        option = (universe.kind >= Kind.CALL) & ~held
        self._always, self._held = rows[~option & ~held], rows[held]
        distance = np.abs(strike - spot_paise)
        near = option & (distance <= np.sort(np.unique(distance[option]))[min(9, np.unique(distance[option]).size - 1)])
        self._hot, self._cold = rows[near], rows[option & ~near]

    def _turn(self, n: int) -> Ints:
        """The rows that change in batch `n`: the index and futures, then shares of the near and the far options.

        What is held outside the strikes changes too, beside them: it takes nobody's turn.
        """
        room = max(round(self.ticks_per_second * self.batch_ms / 1000) - self._always.size, 2)
        near = min((room + 1) // 2, self._hot.size)
        far = min(room - near, self._cold.size)
        parts = [self._always]
        for pool, many in ((self._hot, near), (self._cold, far)):
            if many:
                parts.append(pool[(n * many + np.arange(many)) % pool.size])
        return np.concatenate([*parts, self._held])

    def poll(self, now_ns: int) -> Iterator[pa.RecordBatch]:
        """Batches due up to `now_ns`, oldest first; nothing before the open, nothing after the close.

        The last batch is the full book: every contract ends the day on a price of its last moment.
        """
        due = min((now_ns - self._open_ns) // (self.batch_ms * 1_000_000), self._last)
        if due <= self._done or due < 0:
            return
        if self._done < 0 or due - self._done > self.catch_up:
            self._skipped += max(due - self._done - 1, 0) if self._done >= 0 else 0
            yield self._take(self._full(), due)
            return
        for n in range(self._done + 1, due + 1):
            yield self._take(self._full() if n == self._last else self._turn(n), n)

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
        rows = np.concatenate((self._always, self._hot, self._held))
        moments = np.arange(-(-first // step) * step, stop, step, dtype=np.int64)
        for part in np.array_split(moments, max(moments.size // 100, 1)):
            if part.size:
                yield self.market.ticks(np.tile(rows, part.size), np.repeat(part, rows.size))

    def counts(self) -> Mapping[str, int]:
        """total: batches of the session; given ticks; batches skipped because a poll came late."""
        return {"total": self._last + 1, "ticks": self._ticks, "skipped_batches": self._skipped}
