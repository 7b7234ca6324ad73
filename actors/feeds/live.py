"""One index's market data of a link: checked, turned into bars, sent on; and what the link is to watch.

in       quotes (of its link), symbols (what the order manager holds or has ordered), refresh
out      ticks, bars, snapshot, past_bars, wanted
state    latest tick of every contract watched, the bars of this session, the watch itself (soft)
restart  bars so far from the tape; its link goes on with what it was told, and this feed says nothing before the order
         manager has told what is held, which it could drop; quotes fill the book again
"""

import datetime as dt

import pyarrow as pa

from actors.feeds.ahead import Ahead
from actors.feeds.config import FeedConfig
from actors.feeds.cover import Cover
from actors.feeds.gate import Gate
from actors.feeds.outlet import Outlet
from actors.feeds.resume import resume
from actors.feeds.sift import by_time
from actors.feeds.wanted import Wanted
from actors.said import Said
from core.errors import VikalpError
from core.kite import Registry
from core.market.universe import Band
from core.ports import Bus, Clock, Past
from core.records import Alert, FeedProgress
from core.schemas import check

S = 1_000_000_000
AGAIN_NS = S  # wall; the set is chosen and told again: a link that has begun anew knows nothing
REPEAT_NS = 600 * S  # wall; what goes on being wrong is said again


class LiveFeedActor:
    """Publishes what passes of a link's quotes as it comes; a bad row is dropped and counted (`refused_<reason>`).

    `received_ns` stays as the link stamped it. No contract that the order manager holds leaves the watch.
    """

    rows = frozenset({"quotes"})  # two batches say no more than their rows

    def __init__(
        self, config: FeedConfig, *, bus: Bus, clock: Clock, registry: Registry, past: Past, on: dt.date
    ) -> None:
        """`registry` has the contracts of the index on the trading day `on`, and may have others."""
        self._config, self._bus, self._clock, self._registry, self._past = config, bus, clock, registry, past
        self._on, self._said = on, Said(f"feed.{config.index}", clock.wall_ns, REPEAT_NS)
        self._gate, self._spoken = Gate(self._said, config.index, on), False
        self._ahead = Ahead(self._said, config.max_ahead_ms * 1_000_000, REPEAT_NS)
        self._heard_ns = self._said_ns = 0  # wall

    def restarted(self) -> None:
        """Told by the host before open() when this is not the first life."""
        self._gate.second_life = True

    def open(self) -> None:
        """Take up the session where the tape ends; UnknownName for an index nobody knows."""
        c, now_ns = self._config, self._clock.now_ns()
        self._gate.open(self._clock.wall_ns())
        band = Band(strikes=c.strikes, slack=c.slack, expiries=c.expiries)
        self._wanted = Wanted(self._registry, index=c.index, band=band, most=c.most, on=self._on)
        self._empty()
        if not self._gate.is_over(now_ns):
            self._take_up(now_ns)

    def on_quotes(self, quotes: pa.RecordBatch) -> None:
        """A link's ticks; those of a contract that is watched no longer are on their way when it is told."""
        now_ns, wall = self._clock.now_ns(), self._clock.wall_ns()
        if self._gate.is_over(now_ns):
            self._out.counts["refused_day"] += quotes.num_rows
            return
        self._heard_ns = wall
        self._cover.heard(now_ns, wall)
        before = self._out.counts["refused_time"]
        ticks = self._out.passing(quotes, now_ns, watched=self._wanted.symbols if self._spoken else None)
        self._ahead.see(quotes, self._out.counts["refused_time"] - before, now_ns, wall)
        if ticks is None:
            return
        self._out.send_bars(self._cover.whole(self._out.send(ticks := by_time(ticks))))
        if self._wanted.see(ticks):
            self._look()

    def on_symbols(self, symbols: pa.RecordBatch) -> None:
        """Everything of this index that has a position or a live order; raises SchemaError."""
        self._wanted.hold([str(one) for one in check("symbols", symbols)["symbol"].to_pylist()])
        self._gate.told = True
        self._look()

    def on_timer(self) -> None:
        """Bars of a quiet market; once a second the universe."""
        now_ns, wall = self._clock.now_ns(), self._clock.wall_ns()
        if self._gate.is_over(now_ns):
            return
        if wall - self._heard_ns >= self._config.bar_grace_ms * 1_000_000:  # else a tick of the old bar may be to come
            self._out.send_bars(self._cover.whole(self._out.bars.advance(now_ns)))
        if wall - self._said_ns >= AGAIN_NS:
            self._look(again=True)

    def on_refresh(self, _: pa.RecordBatch) -> None:
        """Somebody has just started: the whole book, and the bars it needs to warm up."""
        if not self._gate.is_over(self._clock.now_ns()):
            self._out.refresh()

    def progress(self) -> FeedProgress:
        """How far it is; a live market has no end."""
        ns, counts = self._out.market_ns, self._out.counts
        sent = {"batches": counts["batches"], "ticks": counts["ticks"]}
        return FeedProgress(index=self._config.index, market_ns=ns, **sent, total=0, done=False, counts=self.counts())

    def counts(self) -> dict[str, int]:
        """Of this life: batches and ticks sent, rows refused by reason, Cover's, contracts watched and without room.

        `other_day`: 1 once another trading day has begun than the one whose contracts these are.
        """
        wanted, other_day = self._wanted, int(self._gate.over)
        own = {"watched": len(wanted.symbols), "left_out": wanted.left_out, "other_day": other_day}
        return {**self._out.counts, **self._cover.counts, **own, "late_for_bars": self._out.bars.late}

    def alerts(self) -> tuple[Alert, ...]:
        """Its latest, oldest first."""
        return self._said.alerts

    def check_health(self) -> int:
        """Wall nanoseconds of the last batch sent; 0 before the first."""
        return self._out.progress_ns

    def _take_up(self, now_ns: int) -> None:
        try:
            unsent = resume(self._past, self._out, self._cover, self._config, now_ns)
        except (VikalpError, OSError) as error:
            self._said.say("warning", f"this session's bars so far cannot be read, they begin now: {error}")
            self._empty()
            unsent = []
        self._out.send_past()  # what was on its way when the life before ended
        for bars in unsent:
            self._out.send_bars(bars)

    def _empty(self) -> None:
        self._out = Outlet(self._config, self._bus, self._clock)
        self._cover = Cover(max(self._config.bar_seconds))

    def _look(self, *, again: bool = False) -> None:
        """Choose the universe anew; tell the link at once if it is another one, and on every `again`."""
        wall, now_ns = self._clock.wall_ns(), self._clock.now_ns()
        if self._gate.is_over(now_ns) or not (self._spoken or self._gate.may_say_set(wall, self._wanted.level_paise)):
            return
        changed = self._wanted.choose()
        if changed:
            self._out.keep(self._wanted.symbols)
            self._cover.watch(self._wanted.symbols, now_ns)
        if changed or again or not self._spoken:
            self._bus.publish("wanted", self._wanted.batch(), index=self._config.index)
            self._spoken, self._said_ns = True, wall
        if gone := ", ".join(self._wanted.unlisted):
            self._said.say("alarm", f"held or with an order, in no instrument list of today and without quotes: {gone}")
