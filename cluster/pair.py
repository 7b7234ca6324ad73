"""Feed and shard of one index in one process (`layout: compact`): what the one passes on the other takes as it is.

in       what the feed takes: quotes, symbols, refresh
out      what the two send, each under its own name
state    the feed's and the shard's
restart  both begin again, as each does alone
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from pydantic import BaseModel

from actors.analytics.shard import ShardActor, ShardConfig
from actors.feeds.config import FeedConfig
from cluster.bus import RayBus
from core.errors import VikalpError
from core.ports import Clock, Payload

log = structlog.get_logger()


class PairConfig(BaseModel, frozen=True, extra="forbid"):
    feed: FeedConfig
    shard: ShardConfig

    @property
    def timer_ms(self) -> int:
        return self.feed.timer_ms


class PairBus:
    """The feed's bus and the shard's: who hears them sees the names, epochs and sequences of two actors."""

    def __init__(self, feed: RayBus, shard: RayBus) -> None:
        self.feed, self.shard = feed, shard

    def stats(self) -> dict[str, int]:
        return dict(Counter(self.feed.stats()) + Counter(self.shard.stats()))

    def drained(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        return self.feed.drained(within_s) and self.shard.drained(max(0.0, until - time.monotonic()))


class PairActor:
    """Answers whatever the feed or the shard answers; where both do, the feed, but for what is said of both here.

    What the one sends the other is handled before the sender's `publish` returns. What the shard refuses is counted
    (`refused_by_shard`) and spoils nothing of the feed's.
    """

    def __init__(
        self, config: PairConfig, *, bus: PairBus, clock: Clock, make_feed: Callable[..., Any], shard_clock: Clock
    ) -> None:
        """`make_feed` is the feed's class with its own ports. Two clocks: in a replay each stands where its data do."""
        self._feed: Any = make_feed(config.feed, bus=bus.feed, clock=clock)
        self._shard = ShardActor(config.shard, bus=bus.shard, clock=shard_clock)
        self._refused: Counter[str] = Counter()
        name = f"pair.{config.shard.index}"
        bus.feed.host(name, partial(self._hand, self._shard, "refused_by_shard"))
        bus.shard.host(name, partial(self._hand, self._feed, "refused_by_feed"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._feed if hasattr(self._feed, name) else self._shard, name)

    def open(self) -> None:
        """The feed first: the shard asks it for its book. Raises what they raise."""
        self._feed.open()
        self._shard.open()

    def counts(self) -> Mapping[str, int]:
        """The feed's, and what the two refused of each other."""
        return {**self._feed.counts(), **self._refused}

    def check_health(self) -> int:
        """Wall nanoseconds of the last progress of the one that is further behind."""
        return min(self._feed.check_health(), self._shard.check_health())

    def _hand(self, to: Any, refused: str, topic: str, payload: Payload) -> None:
        try:
            getattr(to, f"on_{topic}")(payload)
        except VikalpError as error:
            self._refused[refused] += 1
            if self._refused[refused] <= 10 or self._refused[refused] % 1000 == 0:
                log.warning("refused", by=type(to).__name__, topic=topic, error=str(error))
