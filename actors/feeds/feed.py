"""One index's market data of a source that is asked for it: checked, turned into bars, sent on.

in       refresh (a shard, the order manager or a strategy asks for everything); the source behind its port
out      ticks, bars, snapshot, past_bars
state    latest tick of every contract, the bars of this session (soft: the source refills them)
restart  first poll gives the full book again; a simulated market also gives back the session's bars near the money;
         a replay stops: the others hold what came before, and the day would begin a second time
"""

import pyarrow as pa

from actors.feeds.config import FeedConfig
from actors.feeds.outlet import Outlet
from actors.feeds.pace import Pace
from actors.feeds.sift import received
from core.errors import ReplayBroken
from core.ports import Bus, Clock, Source
from core.records import FeedProgress

__all__ = ["FeedActor", "FeedConfig"]

_MS = 1_000_000


class FeedActor:
    """Polls its source and publishes what passes; a feed that has its ticks from a link is LiveFeedActor.

    A batch is published before the next is asked for; a bad row is dropped and counted (`refused_<reason>` in
    `counts`) and the rest of its batch goes on. Nothing is kept that the source could not give again.
    """

    def __init__(self, config: FeedConfig, *, bus: Bus, clock: Clock, source: Source) -> None:
        self._config, self._bus, self._clock, self._source = config, bus, clock, source
        self._out = Outlet(config, bus, clock)
        self._pace = None if config.replay is None else Pace(config.replay)
        self._running, self._done, self._broken = not config.hold, False, False
        self._unsent: list[pa.RecordBatch] = []  # bars that may have closed while this feed was down

    def open(self) -> None:
        """Open the source; what it raises, it raises: InputError, UnknownDate."""
        self._source.open()
        past = getattr(self._source, "past", None)
        if self._pace is None and past is not None:
            now = self._clock.now_ns()
            reach = now - self._config.kept_bars * max(self._config.bar_seconds) * 1_000_000_000
            for batch in past(reach, now):
                self._out.kept.add(self._out.bars.add(batch))
            self._unsent = self._out.kept.closed_after(now - self._config.resend_s * 1_000_000_000)

    def restarted(self) -> None:
        """Told by the host before open() when this is not the first life."""
        self._broken = self._pace is not None

    def begin(self) -> None:
        """Let a held replay start; without effect on one that runs."""
        self._running = True

    def on_timer(self) -> None:
        if self._done or self._broken or not self._running:
            return
        if self._pace is None:
            while self._unsent:
                self._bus.publish("bars", self._unsent.pop(0), index=self._config.index)
            now = self._clock.now_ns()
            self._poll(now)
            self._out.send_bars(self._out.bars.advance(now))
            self._finish()
        else:
            self._step(self._pace)

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

    def _step(self, pace: Pace) -> None:
        wall = self._clock.wall_ns()
        until = wall + self._config.budget_ms * _MS
        while (at := self._source.next_ns()) is not None and wall < until and pace.due(at, wall):
            self._clock.advance(at)
            self._poll(at)
            wall = self._clock.wall_ns()
        self._finish()

    def _poll(self, now_ns: int) -> None:
        for batch in self._source.poll(now_ns):
            ticks = self._out.passing(batch, now_ns)
            if ticks is not None:
                self._out.send_bars(
                    self._out.send(received(ticks, self._clock.wall_ns()) if self._pace is None else ticks)
                )

    def _finish(self) -> None:
        if self._source.next_ns() is None:
            self._out.send_bars(self._out.bars.flush())
            self._done = True
