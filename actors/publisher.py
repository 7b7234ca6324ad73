"""The ledger's events to a broker of messages, in their order, each at least once.

in       the ledger's outbox, by offset
out      every event that a reader from outside may want
state    the last offset of each session that was confirmed (hard: on disk)
restart  goes on after that; what was confirmed and not yet kept is sent again, under the same key
"""

from collections import Counter
from collections.abc import Mapping

from pydantic import BaseModel, Field

from actors.said import Said
from core.ports import Clock
from core.ports.events import EventSink, Outbox, Places
from core.records import Alert

OWN = "ledger."  # topics that make the chain whole, and are nobody else's
SECOND = 1_000_000_000
LONGEST_NS = 1 * SECOND  # of one look at the outbox that has much; the rest waits for the next


class PublisherConfig(BaseModel, frozen=True, extra="forbid"):
    timer_ms: int = Field(default=500, gt=0, description="ms between two looks at the ledger's events")
    page: int = Field(default=500, gt=0, description="events sent at once, and kept in memory")
    back_off_s: float = Field(default=30.0, gt=0, description="seconds between two tries while the broker is away")


class PublisherActor:
    """An event counts as published when the sink has confirmed it and all before it, and its place is on disk.

    While the sink is away nothing is kept but the place: the ledger has the events. Nobody waits for this actor.
    """

    def __init__(
        self, config: PublisherConfig, *, clock: Clock, outbox: Outbox, sink: EventSink, places: Places, session: str
    ) -> None:
        self._config, self._clock, self._outbox, self._sink = config, clock, outbox, sink
        self._places, self._session = places, session
        self._at: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._said = Said("publisher", clock.wall_ns, repeat_ns=0)
        self._failures, self._again_ns, self._progress_ns = 0, 0, 0

    def open(self) -> None:
        """Where it was, in sessions of before too; ConfigError where the places cannot be read."""
        self._at = {self._session: 0} | self._places.read()
        self._look()

    def on_timer(self) -> None:
        """Publish what has come; raises LedgerDown."""
        now_ns = self._clock.wall_ns()
        if now_ns < self._again_ns:
            self._look()
            return
        for session in sorted(self._at, key=lambda name: name == self._session):  # those of before are finished first
            while self._page(session):
                if self._clock.wall_ns() - now_ns > LONGEST_NS or self._failures:
                    self._look()
                    return
            if session != self._session:
                left = {name: at for name, at in self._at.items() if name != session}
                if why := self._keep(left):
                    self._judge(whole=False, why=why)
                    break
        self._look()

    def alerts(self) -> tuple[Alert, ...]:
        return self._said.alerts

    def counts(self) -> Mapping[str, int]:
        """`published` and `failures` of this life; `behind`: events of the session not yet published, now."""
        return dict(self._counts)

    def check_health(self) -> int:
        """Wall nanoseconds of the last look; a broker that is away is no reason to start this anew."""
        return self._progress_ns

    def close(self) -> None:
        self._sink.close()

    def _page(self, session: str) -> bool:
        """Whether there may be more."""
        found = self._outbox.events(session, self._at[session], limit=self._config.page)
        if not found:
            return False
        told = [event for event in found if not event.topic.startswith(OWN)]
        taken, why = self._sink.publish(told) if told else (0, "")
        whole = taken == len(told)
        # What is nobody's and lies before the first that was not taken is passed as well.
        reached = found[-1].offset if whole else told[taken].offset - 1
        if reached > self._at[session] and (unkept := self._keep(self._at | {session: reached})):
            whole, why = False, unkept
        self._counts["published"] += taken
        self._judge(whole=whole, why=why)
        return True

    def _keep(self, places: Mapping[str, int]) -> str:
        """Why not, empty when it is done: a full disk passes, and what was sent is sent again."""
        try:
            self._places.keep(places)
        except OSError as error:
            return f"how far they are cannot be kept: {error}"
        self._at = dict(places)
        return ""

    def _judge(self, *, whole: bool, why: str) -> None:
        """Once a failure a warning, however often it is tried again; once it is over, that."""
        if whole:
            if self._failures:
                self._said.say("info", "events are published again")
            self._failures = 0
            return
        if not self._failures:
            self._said.say("warning", f"events are not published ({why}): the ledger keeps them, they are sent later")
        self._failures += 1
        self._counts["failures"] += 1
        wait_s = min(self._config.back_off_s, 2.0 ** min(self._failures - 1, 10))
        self._again_ns = self._clock.wall_ns() + int(wait_s * SECOND)

    def _look(self) -> None:
        self._counts["behind"] = self._outbox.head(self._session) - self._at[self._session]
        self._progress_ns = self._clock.wall_ns()
