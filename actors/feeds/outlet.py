"""The way out of every feed: what may pass is published, kept for those who start later, and counted."""

from collections import Counter
from collections.abc import Collection

import pyarrow as pa

from actors.feeds.config import FeedConfig
from actors.feeds.kept import Kept
from actors.feeds.latest import Latest
from actors.feeds.sift import sift
from core.market.bars import Bars
from core.ports import Bus, Clock

_MS = 1_000_000


class Outlet:
    """A row given to `passing` is either in what it returns or counted once as refused; what is sent is sent once."""

    def __init__(self, config: FeedConfig, bus: Bus, clock: Clock) -> None:
        self._config, self._bus, self._clock = config, bus, clock
        self.bars, self.kept, self.latest = Bars(config.bar_seconds), Kept(config.kept_bars), Latest()
        self.counts: Counter[str] = Counter()
        self.market_ns = self.progress_ns = 0  # of the newest tick sent; wall, of the last batch sent

    def passing(
        self, batch: pa.RecordBatch, now_ns: int, *, watched: Collection[str] | None = None
    ) -> pa.RecordBatch | None:
        """The rows of TICKS that may pass at `now_ns` of the market, None if none; `watched` None: any symbol."""
        good, bad = sift(
            batch,
            index=self._config.index,
            earliest_ns=now_ns - self._config.max_behind_s * 1_000_000_000,
            latest_ns=now_ns + self._config.max_ahead_ms * _MS,
            watched=watched,
        )
        self.counts.update({f"refused_{reason}": rows for reason, rows in bad.items()})
        return good if good.num_rows else None

    def send(self, ticks: pa.RecordBatch) -> pa.RecordBatch | None:
        """Publish the ticks; BARS of the bars that close by them."""
        self._bus.publish("ticks", ticks, index=self._config.index)  # first: whoever prices waits for nothing else
        bars = self.bars.add(ticks)
        self.latest.add(ticks)
        self.counts.update(batches=1, ticks=ticks.num_rows)
        self.market_ns = max(self.market_ns, int(ticks["exchange_ns"].to_numpy().max()))
        self.progress_ns = self._clock.wall_ns()
        return bars

    def send_bars(self, bars: pa.RecordBatch | None) -> None:
        if bars is not None and bars.num_rows:
            self.kept.add(bars)
            self._bus.publish("bars", bars, index=self._config.index)

    def keep(self, symbols: Collection[str]) -> None:
        """These are watched from now on, and no others."""
        self.latest.keep(symbols)
        self.bars.keep(symbols)

    def refresh(self) -> None:
        """Somebody has just started: the whole book, and the bars it needs to warm up."""
        book = self.latest.book()
        if book is not None:
            self._bus.publish("snapshot", book, index=self._config.index)
        self.send_past()

    def send_past(self) -> None:
        for bars in self.kept.batches():  # a topic of its own: the tape has them already
            self._bus.publish("past_bars", bars, index=self._config.index)
