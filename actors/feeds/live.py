"""One index's market data of a link: checked, turned into bars, sent on; and what the link is to watch.

in       quotes (of its link), symbols (what the order manager holds or has ordered), refresh
out      ticks, bars, snapshot, past_bars, wanted
state    latest tick of every contract watched, the bars of this session, the watch itself (soft)
restart  bars so far from the tape; its link goes on with what it was told, and this feed says nothing that could drop
         a held contract before the order manager has spoken; quotes fill the book again
"""

import pyarrow as pa

from actors.feeds.config import FeedConfig
from actors.feeds.cover import Cover
from actors.feeds.outlet import Outlet
from actors.feeds.resume import resume
from actors.feeds.sift import by_time
from actors.feeds.wanted import Wanted
from core.errors import VikalpError
from core.kite import Registry
from core.market import check_index, from_ns
from core.market.universe import Band
from core.ports import Bus, Clock, Past
from core.records import Alert, FeedProgress
from core.schemas import check

S = 1_000_000_000
AGAIN_NS = S  # wall; the set is chosen and told again: a link that has begun anew knows nothing
FIRST_NS = S  # wall, after open(): time for quotes to show that the link goes on with an earlier life's set
PATIENCE_NS = 30 * S  # wall, after open(); the order manager speaks every two seconds
QUIET_NS = 5 * S  # wall; a link that brings nothing for so long carries no set that could be lost


class LiveFeedActor:
    """Publishes what passes of a link's quotes as it comes; a bad row is dropped and counted (`refused_<reason>`).

    `received_ns` stays as the link stamped it. No contract that the order manager holds leaves the watch.
    """

    def __init__(self, config: FeedConfig, *, bus: Bus, clock: Clock, registry: Registry, past: Past) -> None:
        """`registry` has the contracts of the index, and may have others."""
        self._config, self._bus, self._clock, self._registry, self._past = config, bus, clock, registry, past
        self._told = self._spoken = False  # the order manager has, this feed has
        self._opened_ns = self._heard_ns = self._said_ns = 0  # wall
        self._alerts: tuple[Alert, ...] = ()

    def open(self) -> None:
        """Take up the session where the tape ends; UnknownName for an index nobody knows."""
        c, now_ns = self._config, self._clock.now_ns()
        check_index(c.index)
        band = Band(strikes=c.strikes, slack=c.slack, expiries=c.expiries)
        self._wanted = Wanted(self._registry, index=c.index, band=band, most=c.most, on=from_ns(now_ns).date())
        self._empty()
        try:
            unsent = resume(self._past, self._out, self._cover, c, now_ns)
        except (VikalpError, OSError) as error:
            self._warn(f"this session's bars so far cannot be read, they begin now: {error}")
            self._empty()
            unsent = []
        self._out.send_past()  # what was on its way when the life before ended
        for bars in unsent:
            self._out.send_bars(bars)
        self._opened_ns = self._clock.wall_ns()

    def on_quotes(self, quotes: pa.RecordBatch) -> None:
        """A link's ticks; those of a contract that is watched no longer are on their way when it is told."""
        now_ns, self._heard_ns = self._clock.now_ns(), self._clock.wall_ns()
        self._cover.heard(now_ns, self._heard_ns)
        ticks = self._out.passing(quotes, now_ns, watched=self._wanted.symbols if self._spoken else None)
        if ticks is None:
            return
        ticks = by_time(ticks)
        self._out.send_bars(self._cover.whole(self._out.send(ticks)))
        if self._wanted.see(ticks):
            self._look()

    def on_symbols(self, symbols: pa.RecordBatch) -> None:
        """Everything of this index that has a position or a live order; raises SchemaError."""
        self._wanted.hold([str(one) for one in check("symbols", symbols)["symbol"].to_pylist()])
        self._told = True
        self._look()

    def on_timer(self) -> None:
        """Bars of a quiet market; once a second the universe."""
        wall = self._clock.wall_ns()
        if wall - self._heard_ns >= self._config.bar_grace_ms * 1_000_000:  # else a tick of the old bar may be to come
            self._out.send_bars(self._cover.whole(self._out.bars.advance(self._clock.now_ns())))
        if wall - self._said_ns >= AGAIN_NS:
            self._look(again=True)

    def on_refresh(self, _: pa.RecordBatch) -> None:
        """Somebody has just started: the whole book, and the bars it needs to warm up."""
        self._out.refresh()

    def progress(self) -> FeedProgress:
        """How far it is; a live market has no end."""
        out = self._out
        return FeedProgress(
            index=self._config.index, market_ns=out.market_ns, batches=out.counts["batches"], total=0,
            ticks=out.counts["ticks"], done=False, counts=self.counts(),
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Of this life: batches and ticks sent, rows refused by reason, Cover's, contracts watched and without room."""
        sizes = {"watched": len(self._wanted.symbols), "left_out": self._wanted.left_out}
        return {**self._out.counts, **self._cover.counts, **sizes, "late_for_bars": self._out.bars.late}

    def alerts(self) -> tuple[Alert, ...]:
        """Its latest, oldest first."""
        return self._alerts

    def check_health(self) -> int:
        """Wall nanoseconds of the last batch sent; 0 before the first."""
        return self._out.progress_ns

    def _empty(self) -> None:
        self._out = Outlet(self._config, self._bus, self._clock)
        self._cover = Cover(max(self._config.bar_seconds))

    def _look(self, *, again: bool = False) -> None:
        """Choose the universe anew; tell the link at once if it is another one, and on every `again`."""
        wall = self._clock.wall_ns()
        if not self._may_speak(wall):
            if wall - self._opened_ns >= PATIENCE_NS:
                self._warn(
                    "the universe stands still: the order manager has not said what is held since this feed began"
                )
            return
        changed = self._wanted.choose()
        if changed:
            self._out.latest.keep(self._wanted.symbols)
            self._cover.watch(self._wanted.symbols, self._clock.now_ns())
        if changed or again or not self._spoken:
            self._bus.publish("wanted", self._wanted.batch(), index=self._config.index)
            self._spoken, self._said_ns = True, wall
        for symbol in self._wanted.unlisted:
            self._warn(f"{symbol} is held or has an order and is in no instrument list of today: it has no quotes")

    def _may_speak(self, wall: int) -> bool:
        """Quotes that nobody of this life asked for are of an earlier one's set, and something in it may be held."""
        if self._spoken:
            return True
        if self._heard_ns and wall - self._heard_ns < QUIET_NS:
            return self._told and (self._wanted.level_paise > 0 or wall - self._opened_ns >= QUIET_NS)
        return wall - self._opened_ns >= FIRST_NS

    def _warn(self, message: str) -> None:
        """Each thing once."""
        at, subject = self._clock.wall_ns(), f"feed.{self._config.index}"
        if message not in {one.message for one in self._alerts}:
            self._alerts += (Alert(at_wall_ns=at, severity="warning", subject=subject, message=message),)
