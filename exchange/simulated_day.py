"""A day of the simulated market: five indices side by side from one seed (exchange.simulator).

A day is drawn whole from seed and date, so that a second exchange with the same seed has the same day, and yesterday's
candles can be drawn today.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.market import INDICES, Contract
from exchange.day import Day
from exchange.listing import Contracts, Instrument, Listing
from exchange.minutes import Minutes, of_samples
from exchange.simulator import SimulatedSource

Ints = NDArray[np.int64]
BATCH_MS = 100
SAMPLE_MS = 5000  # between two looks at the market for a bar


class SimulatedDay(Day):
    """The session of `date`; `strikes_each_side` and `ticks_per_second` are the simulator's, an index."""

    max_age_ns = 60_000_000_000  # far options are published every few seconds
    look_ns = SAMPLE_MS * 1_000_000  # a whole book each, as the bars of the day are made of

    def __init__(
        self, date: dt.date, *, seed: int, indices: Sequence[str] = INDICES, strikes_each_side: int = 20,
        ticks_per_second: int = 400, held: Collection[Instrument] = (), before: Sequence[Instrument] = (),
    ) -> None:  # fmt: skip
        """What is `held` is listed beside the strikes of the day; `before` was listed earlier and keeps its tokens.

        Raises as Day and SimulatedSource do.
        """
        self.seed, self.market = seed, "simulated"
        self._strikes, self._rate = strikes_each_side, ticks_per_second
        kept = [_contract(one) for one in held]
        self._drawn = {
            index: SimulatedSource(
                index=index, seed=seed, session_date=date, strikes_each_side=strikes_each_side,
                ticks_per_second=ticks_per_second, batch_ms=BATCH_MS, held=[one for one in kept if one.index == index],
            )
            for index in indices
        }  # fmt: skip
        for source in self._drawn.values():
            source.open()
        super().__init__(date, _listing(self._drawn.values(), before), self._drawn)
        self._rows = {
            symbol: row
            for source in self._drawn.values()
            for row, symbol in enumerate(source.market.universe.contracts["symbol"].to_pylist())
        }

    def minutes(self, one: Instrument, now_ns: int) -> Minutes:
        """Of samples every five seconds: pure functions of the seed, the instrument and the date."""
        market = self._drawn[one.index].market
        until = (min(now_ns, self.close_ns) - self.open_ns) // (BATCH_MS * 1_000_000)
        moments = np.arange(0, max(until, 0), SAMPLE_MS // BATCH_MS, dtype=np.int64)
        ticks = market.ticks(np.full(moments.size, self._rows[self.listing.names[one.place]], np.int64), moments)
        at, *columns = (ticks[name].to_numpy() for name in ("exchange_ns", "last_paise", "volume", "oi"))
        return of_samples(at, *columns)

    def before(self, date: dt.date, index: str) -> Day:
        """Another day of one index, drawn from the same seed."""
        return _one_index(date, self.seed, index, self._strikes)

    def following(self, date: dt.date, held: Collection[Instrument]) -> Day:
        return SimulatedDay(
            date, seed=self.seed, indices=self.indices, strikes_each_side=self._strikes, ticks_per_second=self._rate,
            held=held, before=[one for one in self.listing.known if one.expiry_date >= date],
        )  # fmt: skip


@lru_cache(maxsize=32)
def _one_index(date: dt.date, seed: int, index: str, strikes_each_side: int) -> SimulatedDay:
    return SimulatedDay(date, seed=seed, indices=(index,), strikes_each_side=strikes_each_side)


def _contract(one: Instrument) -> Contract:
    return Contract(one.index, one.kind, one.expiry_date, one.strike_paise, one.symbol)


def _listing(sources: Collection[SimulatedSource], before: Sequence[Instrument]) -> Listing:
    """The universes one after the other, and what is held outside them last: it takes no other contract's token."""
    universes = [source.market.universe for source in sources]
    ends = [len(one) - one.held for one in universes]
    own = [Contracts(one.contracts[:end], one.lots[:end]) for one, end in zip(universes, ends, strict=True)]
    return Listing(
        [*own, *(Contracts(one.contracts[end:], one.lots[end:]) for one, end in zip(universes, ends, strict=True))],
        before,
    )
