"""One index's market data: checked, turned into bars, sent on.

in       refresh (a shard, the order manager or a strategy asks for everything); the source behind its port
out      ticks, bars, snapshot, past_bars
state    latest tick of every contract, the bars of this session (soft: the source refills them)
restart  first poll gives the full book again; a simulated market also gives back the session's bars near the money;
         a replay stops: the others hold what came before, and the day would begin a second time
"""

from collections import Counter
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, Field, PositiveFloat

from actors.feeds.kept import Kept
from actors.feeds.latest import Latest
from actors.feeds.pace import Pace
from actors.feeds.sift import received, sift
from core.errors import ReplayBroken
from core.market.bars import Bars
from core.ports import Bus, Clock, Source
from core.records import FeedProgress

_MS = 1_000_000


class FeedConfig(BaseModel, frozen=True, extra="forbid"):
    index: str = Field(description="index this feed carries")
    timer_ms: int = Field(default=100, gt=0, description="ms between polls of the source: the batch period")
    stagger_ms: int = Field(
        default=0, ge=0, description="ms this feed's timer starts after the first feed's; its host does it"
    )
    replay: Literal["max"] | PositiveFloat | None = Field(
        default=None, description="null for a market with its own clock; else market seconds a second, or max"
    )
    hold: bool = Field(default=False, description="in a replay: wait for begin() before the first batch")
    budget_ms: int = Field(default=200, gt=0, description="ms one timer call may spend stepping through a replay")
    bar_seconds: tuple[int, ...] = Field(default=(60, 180), description="lengths of the bars made, s")
    resend_s: int = Field(default=30, ge=0, description="after a start, bars that closed this recently are sent, s")
    kept_bars: int = Field(default=40, ge=1, description="bars of each length given again on refresh")
    max_ahead_ms: int = Field(default=2_000, ge=0, description="a tick further ahead of the clock is refused, ms")
    max_behind_s: int = Field(default=86_400, gt=0, description="a tick further behind the clock is refused, s")


class FeedActor:
    """Polls its source and publishes what passes.

    A batch is published before the next is asked for; a bad row is dropped and counted (`refused_<reason>` in
    `counts`) and the rest of its batch goes on. Nothing is kept that the source could not give again.
    """

    def __init__(self, config: FeedConfig, *, bus: Bus, clock: Clock, source: Source) -> None:
        self._config, self._bus, self._clock, self._source = config, bus, clock, source
        self._bars, self._kept, self._latest = Bars(config.bar_seconds), Kept(config.kept_bars), Latest()
        self._counts: Counter[str] = Counter()
        self._market_ns = self._progress_ns = 0
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
                self._kept.add(self._bars.add(batch))
            self._unsent = self._kept.closed_after(now - self._config.resend_s * 1_000_000_000)

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
            self._send_bars(self._bars.advance(now))
            self._finish()
        else:
            self._step(self._pace)

    def on_refresh(self, _: pa.RecordBatch) -> None:
        """Somebody has just started: the whole book, and the bars it needs to warm up."""
        book = self._latest.book()
        if book is not None:
            self._bus.publish("snapshot", book, index=self._config.index)
        for bars in self._kept.batches():  # a topic of its own: the tape has them already
            self._bus.publish("past_bars", bars, index=self._config.index)

    def progress(self) -> FeedProgress:
        """Raises ReplayBroken when this feed died on the way."""
        if self._broken:
            raise ReplayBroken(f"feed.{self._config.index} died in the middle of its replay; start the replay again")
        counts = self.counts()
        return FeedProgress(
            index=self._config.index, market_ns=self._market_ns, batches=self._counts["batches"],
            total=counts.get("total", 0), ticks=self._counts["ticks"], done=self._done, counts=counts,
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Of this life, by name: batches and ticks sent, rows refused by reason, and what the source counts."""
        return {**self._source.counts(), **self._counts, "late_for_bars": self._bars.late}

    def check_health(self) -> int:
        """Wall nanoseconds of the last batch sent; 0 before the first."""
        return self._progress_ns

    def _step(self, pace: Pace) -> None:
        wall = self._clock.wall_ns()
        until = wall + self._config.budget_ms * _MS
        while (at := self._source.next_ns()) is not None and wall < until and pace.due(at, wall):
            self._clock.advance(at)
            self._poll(at)
            wall = self._clock.wall_ns()
        self._finish()

    def _poll(self, now_ns: int) -> None:
        earliest = now_ns - self._config.max_behind_s * 1_000_000_000
        latest = now_ns + self._config.max_ahead_ms * _MS
        for batch in self._source.poll(now_ns):
            good, bad = sift(batch, index=self._config.index, earliest_ns=earliest, latest_ns=latest)
            self._counts.update({f"refused_{reason}": rows for reason, rows in bad.items()})
            if good.num_rows:
                self._send(good)

    def _send(self, ticks: pa.RecordBatch) -> None:
        if self._pace is None:
            ticks = received(ticks, self._clock.wall_ns())
        bars = self._bars.add(ticks)
        self._latest.add(ticks)
        self._bus.publish("ticks", ticks, index=self._config.index)
        self._send_bars(bars)
        self._counts.update(batches=1, ticks=ticks.num_rows)
        self._market_ns = max(self._market_ns, int(ticks["exchange_ns"].to_numpy().max()))
        self._progress_ns = self._clock.wall_ns()

    def _send_bars(self, bars: pa.RecordBatch | None) -> None:
        if bars is not None:
            self._kept.add(bars)
            self._bus.publish("bars", bars, index=self._config.index)

    def _finish(self) -> None:
        if self._source.next_ns() is None:
            self._send_bars(self._bars.flush())
            self._done = True
