"""One trading day of the exchange: what is listed and what it is worth now, whoever's prices they are.

A day's prices come from Sources of ticks, one an index. A subclass says where those come from, what an instrument was
worth before, and which day is the next: exchange.simulated_day draws days from a seed, exchange.recorded_day shows one
that was recorded.
"""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.market import exchange_of, session, to_ns, why_closed
from core.ports import Source
from core.schemas import TICKS
from exchange.listing import INDEX_ROWS, Instrument, Listing
from exchange.minutes import Minutes
from exchange.quotes import Quotes

Ints = NDArray[np.int64]


class Day(ABC):
    """The session of `date`: its listing, its quotes, its hours in UTC ns.

    market: what it is, for people. begins_ns: market time of its first quotes. max_age_ns: how old a quote may be to
    value a position by. look_ns: how much of it may pass between two looks at it while somebody waits for a price.
    """

    market: str
    max_age_ns: int
    look_ns: int

    def __init__(self, date: dt.date, listing: Listing, sources: Mapping[str, Source]) -> None:
        """`sources` by index, opened; raises InputError for a day without a session, UnknownDate past the calendar."""
        self.date, self.listing, self.indices = date, listing, tuple(sources)
        self.quotes = Quotes(len(listing))
        hours = [hours_of(index, date) for index in sources]
        self.open_ns, self.close_ns = min(opens for opens, _ in hours), max(closes for _, closes in hours)
        self.begins_ns = self.open_ns
        self._sources = sources

    def step(self, now_ns: int) -> Ints:
        """Bring the quotes to `now_ns`; the places that changed, each once."""
        batches = [batch for source in self._sources.values() for batch in source.poll(now_ns)]
        if not batches:
            return np.empty(0, np.int64)
        ticks = pa.Table.from_batches(batches, TICKS)
        named = ticks["symbol"].combine_chunks().dictionary_encode()
        of_name = np.array([self.listing.place[str(name)] for name in named.dictionary.to_pylist()], np.int64)
        places = of_name[named.indices.to_numpy()]
        self.publish(places, ticks)
        return np.unique(places)

    def publish(self, places: Ints, ticks: pa.Table) -> None:
        """Let everybody see `ticks`, oldest first, row i of the instrument at `places[i]`."""
        self.quotes.take(places, ticks)

    def index_of(self, index: str) -> Instrument:
        """The index itself."""
        _, name, exchange = INDEX_ROWS[index]
        return self.listing.by_name[exchange, name]

    @abstractmethod
    def minutes(self, one: Instrument, now_ns: int) -> Minutes:
        """What `one` of this day's listing was worth up to `now_ns`, the minute under way as far as it has gone."""

    @abstractmethod
    def before(self, date: dt.date, index: str) -> "Day | None":
        """An earlier day of one index of the same market; None where there is none. Raises UnknownDate."""

    @abstractmethod
    def following(self, date: dt.date, held: Collection[Instrument]) -> "Day | None":
        """The same market's day of `date`, which goes on listing what is `held`; None where the market ends."""


def hours_of(index: str, date: dt.date) -> tuple[int, int]:
    """First and last moment of the session, UTC ns; InputError, with the reason, for a day without one."""
    exchange = exchange_of(index)
    hours = session(exchange, date)
    if hours is None:
        raise InputError(f"no session of {index} on {date}: {why_closed(exchange, date)}; choose a trading day")
    return to_ns(hours.open), to_ns(hours.close)
