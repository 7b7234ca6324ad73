"""One trading day of the exchange: what is listed, what it is worth now, and what it was worth before.

The five indices are simulated side by side from one seed (exchange.simulator); a day is drawn whole from seed and
date, so that a second exchange with the same seed has the same day, and yesterday's candles can be drawn today.
"""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.market import INDICES, exchange_of, session, to_ns
from exchange.listing import Instrument, Listing
from exchange.quotes import Quotes
from exchange.simulator import SimulatedSource

Ints = NDArray[np.int64]
BATCH_MS = 100


class Day:
    """The session of `date`; `strikes_each_side` and `ticks_per_second` are the simulator's, an index."""

    def __init__(
        self, date: dt.date, *, seed: int, indices: Sequence[str] = INDICES, strikes_each_side: int = 20,
        ticks_per_second: int = 400,
    ) -> None:  # fmt: skip
        """Raises InputError for a day without a session, UnknownDate past the calendar."""
        self.date, self.seed, self.indices = date, seed, tuple(indices)
        self._strikes = strikes_each_side
        self.sources = [
            SimulatedSource(index=index, seed=seed, session_date=date, strikes_each_side=strikes_each_side,
                            ticks_per_second=ticks_per_second, batch_ms=BATCH_MS)
            for index in indices
        ]  # fmt: skip
        for source in self.sources:
            source.open()
        self.listing = Listing([source.market.universe for source in self.sources])
        self.quotes = Quotes(len(self.listing))
        hours = session(exchange_of(self.indices[0]), date)
        assert hours is not None, "a source refuses a day without a session"
        self.open_ns, self.close_ns = to_ns(hours.open), to_ns(hours.close)
        self._places = [dict(zip(_symbols(source), range(first, first + len(source.market.universe)), strict=True))
                        for source, first in zip(self.sources, self.listing.first, strict=True)]  # fmt: skip

    def step(self, now_ns: int) -> Ints:
        """Bring the quotes to `now_ns`; the places that changed, each once."""
        changed = []
        for source, places in zip(self.sources, self._places, strict=True):
            for batch in source.poll(now_ns):
                at = np.array([places[symbol] for symbol in batch.column("symbol").to_pylist()], np.int64)
                self.quotes.take(at, batch)
                changed.append(at)
        return np.unique(np.concatenate(changed)) if changed else np.empty(0, np.int64)

    def ticks(self, one: Instrument, moments: Ints) -> pa.RecordBatch:
        """TICKS of one instrument at batch numbers of the day: what it was, or will have been."""
        which = int(np.searchsorted(self.listing.first, one.place, side="right")) - 1
        rows = np.full(moments.size, one.place - self.listing.first[which], np.int64)
        return self.sources[which].market.ticks(rows, moments)

    def batches(self, until_ns: int) -> int:
        """How many batches of the day lie before `until_ns`, its close at most."""
        return max(0, int((min(until_ns, self.close_ns) - self.open_ns) // (BATCH_MS * 1_000_000)))

    def before(self, date: dt.date, index: str) -> "Day":
        """Another day of one index of the same market, drawn from the same seed."""
        return _drawn(date, self.seed, index, self._strikes)


@lru_cache(maxsize=32)
def _drawn(date: dt.date, seed: int, index: str, strikes_each_side: int) -> Day:
    return Day(date, seed=seed, indices=(index,), strikes_each_side=strikes_each_side)


def _symbols(source: SimulatedSource) -> list[str]:
    return [str(symbol) for symbol in source.market.universe.contracts.column("symbol").to_pylist()]
