"""A day that was recorded, as the market: prices, books and volumes are the recording's, at the recording's times.

What is listed is what the recording has a row of, and the index itself. What a recording lacks is not there: no book
below the levels it has, no candle of a minute without a row, no previous close where the rows have none, no day that it
does not have. Past the end of its day quotes stand still; its earlier days are there as candles.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InputError, UnknownDate
from core.market import brokerage, check_index, freeze, from_ns, lot
from core.ports import Source
from core.schemas import TICKS, Kind
from exchange.day import Day, hours_of
from exchange.listing import Contracts, Instrument, Listing
from exchange.minutes import MinuteBook, Minutes
from exchange.orders.square_off import fee
from exchange.quotes import ints

Ints = NDArray[np.int64]
FAR_NS = 2**62  # past the end of every recording
AT_ONCE = 512  # batches looked at together
STRETCH_NS = 600_000_000_000  # played together
CONTRACT = [TICKS.field(i).name for i in range(5)]


_Row = tuple[str, str, int, dt.date | None, int]  # of CONTRACT


class Recording(NamedTuple):
    """What was recorded: a name for people, the day to show, and by day a Source of ticks an index, for one World."""

    name: str
    date: dt.date
    days: Mapping[dt.date, Mapping[str, Source]]


class _Seen(NamedTuple):
    """The contracts of one index's recording; first and last moment of it, UTC ns."""

    contracts: Contracts
    first_ns: int
    last_ns: int


class RecordedDay(Day):
    """The session of a recording; every source is read once before, to know what is listed."""

    max_age_ns = 86_400_000_000_000  # a recorded quote stands until the recording's next, be it minutes later
    look_ns = 1_000_000_000

    def __init__(self, recording: Recording) -> None:
        """Raises what `open` of the sources does, InputError for an empty one, UnknownDate for a day without facts."""
        date, sources = recording.date, recording.days[recording.date]
        seen = []
        for index, source in sources.items():
            check_index(index)
            hours_of(index, date)
            _check_facts(index, date)
            source.open()
            seen.append(_look(index, source, recording))
            source.open()
        super().__init__(date, Listing([one.contracts for one in seen]), sources)
        first_ns, last_ns = min(one.first_ns for one in seen), max(one.last_ns for one in seen)
        self.market = f"{recording.name}, recorded {from_ns(first_ns):%H:%M:%S} to {from_ns(last_ns):%H:%M:%S}"
        self.begins_ns = max(self.open_ns, first_ns)
        self._minutes = MinuteBook(len(self.listing), self.open_ns, self.close_ns)
        self._recording, self._played = recording, dict[tuple[dt.date, str], RecordedDay]()

    def publish(self, places: Ints, ticks: pa.Table) -> None:
        super().publish(places, ticks)
        columns = (ints(ticks, name) for name in ("exchange_ns", "last_paise", "volume", "oi"))
        self._minutes.take(places, *columns)

    def minutes(self, one: Instrument, now_ns: int) -> Minutes:
        """What has been published of it."""
        return self._minutes.of(one.place, now_ns)

    def before(self, date: dt.date, index: str) -> "RecordedDay | None":
        """Another day of the recording, played to its close. Raises as its first day did."""
        source = self._recording.days.get(date, {}).get(index)
        if source is None:
            return None
        if (date, index) not in self._played:
            name = self._recording.name
            self._played[date, index] = RecordedDay(Recording(name, date, {date: {index: source}})).to_its_close()
        return self._played[date, index]

    def to_its_close(self) -> Self:
        """All of it at once, and what it was read from let go."""
        for at_ns in range(self.open_ns, self.close_ns + STRETCH_NS, STRETCH_NS):
            self.step(at_ns)
        self._sources, self._recording = {}, self._recording._replace(days={})
        return self

    def following(self, date: dt.date, held: Collection[Instrument]) -> None:
        """The recording's next day is another run's: somebody's orders of today would meet yesterday's prices."""


def _look(index: str, source: Source, recording: Recording) -> _Seen:
    """Read a source to its end."""
    found: set[_Row] = set()
    first_ns, last_ns = FAR_NS, 0
    batches = iter(source.poll(FAR_NS))
    while some := list(islice(batches, AT_ONCE)):
        ticks = pa.Table.from_batches(some, TICKS)
        rows = ticks.select(CONTRACT).group_by(CONTRACT).aggregate([]).to_pylist()
        found |= {tuple(row[name] for name in CONTRACT) for row in rows}
        span = pc.min_max(ticks["exchange_ns"])
        first_ns, last_ns = min(first_ns, span["min"].as_py()), max(last_ns, span["max"].as_py())
    if not found:
        raise InputError(f"{recording.name}: no ticks of {index}; choose another recording or another --date")
    found.add((index, index, int(Kind.INDEX), None, 0))
    return _Seen(_contracts(index, recording.date, found), first_ns, last_ns)


def _contracts(index: str, date: dt.date, found: set[_Row]) -> Contracts:
    """The index first, then by expiry, futures before options; lots by core.market on the date."""
    rows = sorted(found, key=lambda row: (row[3] or dt.date.min, row[2] > Kind.FUTURE, row[4], row[2], row[1]))
    names = [row[1] for row in rows]
    if len(set(names)) < len(names):
        raise InputError(f"{index}: one symbol stands for two contracts in this recording; record the day again")
    lots = [lot(index, row[3], date) if row[3] else 1 for row in rows]
    columns = [
        pa.array(values, TICKS.field(name).type) for name, values in zip(CONTRACT, zip(*rows, strict=True), strict=True)
    ]
    schema = pa.schema([TICKS.field(name) for name in CONTRACT])
    return Contracts(pa.RecordBatch.from_arrays(columns, schema=schema), np.array(lots, np.int64))


def _check_facts(index: str, date: dt.date) -> None:
    """What orders need to be known on the date."""
    needs: tuple[Callable[[], object], ...] = (lambda: freeze(index, date), lambda: brokerage(date), lambda: fee(date))
    for need in needs:
        try:
            need()
        except UnknownDate as why:
            raise UnknownDate(
                f"{why}; the local exchange cannot take orders of that day: choose a recording of a later date, or "
                "enter what was in force (docs/facts.md)"
            ) from why
