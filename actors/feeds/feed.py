"""One index's recorded day, played again: checked, turned into bars, sent on.

in       refresh (a shard, the order manager or a strategy asks for everything); the source behind its port
out      ticks, bars, snapshot, past_bars
state    latest tick of every contract, the bars of this session (soft)
restart  it stops: the others hold what came before, and the day would begin a second time
"""

import pyarrow as pa

from actors.feeds.config import FeedConfig
from actors.feeds.outlet import Outlet
from actors.feeds.pace import Pace
from core.errors import ConfigError, ReplayBroken
from core.ports import Bus, Clock, Source
from core.records import FeedProgress

_MS = 1_000_000


class FeedActor:
    """Polls its source in the data's own time and publishes what passes; of a live market it is LiveFeedActor.

    A batch is published before the next is asked for; a bad row is dropped and counted (`refused_<reason>` in
    `counts`) and the rest of its batch goes on.
    """

    def __init__(self, config: FeedConfig, *, bus: Bus, clock: Clock, source: Source) -> None:
        self._config, self._clock, self._source = config, clock, source
        self._out = Outlet(config, bus, clock)
        self._running, self._done, self._broken = not config.hold, False, False

    def open(self) -> None:
        """Open the source; what it raises, it raises: InputError, UnknownDate. ConfigError without a speed."""
        if self._config.replay is None:
            raise ConfigError(f"feed.{self._config.index}: a replay needs a speed, replay is null")
        self._pace = Pace(self._config.replay)
        self._source.open()

    def restarted(self) -> None:
        """Told by the host before open() when this is not the first life."""
        self._broken = True

    def begin(self) -> None:
        """Let a held replay start; without effect on one that runs."""
        self._running = True

    def on_timer(self) -> None:
        """Every batch that is due, as far as `budget_ms` of the wall goes."""
        if self._done or self._broken or not self._running:
            return
        wall = self._clock.wall_ns()
        until = wall + self._config.budget_ms * _MS
        while (at := self._source.next_ns()) is not None and wall < until and self._pace.due(at, wall):
            self._clock.advance(at)
            self._poll(at)
            wall = self._clock.wall_ns()
        if self._source.next_ns() is None:
            self._out.send_bars(self._out.bars.flush())
            self._done = True

    def on_refresh(self, _: pa.RecordBatch) -> None:
        """Somebody has just started: the whole book, and the bars it needs to warm up."""
        self._out.refresh()

    def progress(self) -> FeedProgress:
        """Raises ReplayBroken when this feed died on the way."""
        if self._broken:
            raise ReplayBroken(f"feed.{self._config.index} died in the middle of its replay; start the replay again")
        counts = self.counts()
        return FeedProgress(
            index=self._config.index, market_ns=self._out.market_ns, batches=self._out.counts["batches"],
            total=counts.get("total", 0), ticks=self._out.counts["ticks"], done=self._done, counts=counts,
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Of this life, by name: batches and ticks sent, rows refused by reason, and what the source counts."""
        return {**self._source.counts(), **self._out.counts, "late_for_bars": self._out.bars.late}

    def check_health(self) -> int:
        """Wall nanoseconds of the last batch sent; 0 before the first."""
        return self._out.progress_ns

    def _poll(self, now_ns: int) -> None:
        for batch in self._source.poll(now_ns):
            ticks = self._out.passing(batch, now_ns)
            if ticks is not None:
                self._out.send_bars(self._out.send(ticks))
