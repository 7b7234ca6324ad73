"""Forward, implied vols, Greeks and chain figures of every contract of one index.

in       ticks, snapshot, wanted (of its index)
out      chain, marks, chain_tape, refresh
state    latest quote per contract (soft: a snapshot from the feed refills it)
restart  empty; whole again after the snapshot it asks for in open()
"""

from collections import deque

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from core import pricing, schemas
from core.chain import Book, analyse
from core.market import check_index
from core.ports import Bus, Clock
from core.records import Chain

LATENCIES = 6000  # ten minutes of batches


class ShardConfig(BaseModel, frozen=True, extra="forbid"):
    index: str = Field(description="the index: NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY or SENSEX")
    rate: float = Field(
        default=0.055,
        gt=-0.5,
        lt=0.5,
        description="for discounting alone, per year, continuously compounded; near the 91-day Treasury bill",
    )
    max_age_ms: int = Field(
        default=3000, gt=0, description="an older quote is not fresh, and an older future gives no forward; market time"
    )
    marks_ms: int = Field(
        default=250, ge=0, description="market time between two chains sent to risk and page; 0 sends every chain"
    )
    tape_ms: int = Field(
        default=1000, ge=0, description="market time between two chains on the tape; 0 puts every chain there"
    )


class ShardActor:
    """Publishes one chain for each batch of ticks, numbered 1, 2, 3 … since open(). A refused batch changes nothing."""

    rows = frozenset({"ticks"})  # two batches say no more than their rows

    def __init__(self, config: ShardConfig, *, bus: Bus, clock: Clock) -> None:
        self._config, self._bus, self._clock = config, bus, clock
        self._book = Book.empty(config.index)
        self._chain: Chain | None = None
        self._sequence = 0
        self._sent_ns: dict[str, int] = {}
        self._progress_ns = 0
        self._latencies_ns: deque[int] = deque(maxlen=LATENCIES)

    def open(self) -> None:
        """Load every kernel, so that none compiles later, then ask the feed for its whole book.

        Raises UnknownName for an index nobody knows.
        """
        check_index(self._config.index)
        pricing.warm()
        self._refresh()

    def on_ticks(self, ticks: pa.RecordBatch) -> None:
        """Take quotes in and publish the chain as of the newest of them. Raises SchemaError for what is not ours."""
        self._take(ticks)
        if ticks.num_rows:
            self._latencies_ns.append(self._progress_ns - pc.min(ticks["received_ns"]).as_py())

    def on_snapshot(self, snapshot: pa.RecordBatch) -> None:
        """The feed's answer to refresh: its latest quote of every contract. Newer quotes that came first stay."""
        self._take(snapshot)

    def on_wanted(self, wanted: pa.RecordBatch) -> None:
        """All that the feed watches now: what has left has a quote that would never change again, and is forgotten."""
        self._book = self._book.only(frozenset(map(str, schemas.check("wanted", wanted)["symbol"].to_pylist())))

    def on_gap(self, source: str) -> None:
        """Messages of `source` were lost: quotes may be old without looking it, so the whole book is asked for."""
        if source == f"feed.{self._config.index}":
            self._refresh()

    def latencies_ns(self) -> list[int]:
        """Wall nanoseconds from the arrival of a batch's first tick to its chain published, since last asked.

        Arrival is at the link, which gathers for up to its batch period; of a source that is polled, at the feed.
        """
        taken, self._latencies_ns = self._latencies_ns, deque(maxlen=LATENCIES)
        return list(taken)

    def chain(self) -> Chain | None:
        """Return the latest chain; None before the first tick."""
        return self._chain

    def check_health(self) -> int:
        """Return the wall nanoseconds of the latest chain; 0 before the first."""
        return self._progress_ns

    def _take(self, ticks: pa.RecordBatch) -> None:
        book = self._book.updated(ticks)
        if ticks.num_rows == 0:
            return
        self._clock.advance(book.newest_ns)
        chain = analyse(
            book,
            as_of_ns=book.newest_ns,
            sequence=self._sequence + 1,
            rate=self._config.rate,
            max_age_ns=self._config.max_age_ms * 1_000_000,
        )
        self._book, self._chain, self._sequence = book, chain, self._sequence + 1
        self._publish(chain, self._clock.now_ns())  # a link's quotes are stamped in whole seconds
        self._progress_ns = self._clock.wall_ns()

    def _refresh(self) -> None:
        self._bus.publish("refresh", schemas.NO_TICKS, index=self._config.index)

    def _publish(self, chain: Chain, now_ns: int) -> None:
        self._bus.publish("chain", chain, index=self._config.index)
        for topic, every_ms in (("marks", self._config.marks_ms), ("chain_tape", self._config.tape_ms)):
            before_ns = self._sent_ns.get(topic)
            if before_ns is None or now_ns - before_ns >= every_ms * 1_000_000:
                self._bus.publish(topic, chain, index=self._config.index)
                self._sent_ns[topic] = now_ns
