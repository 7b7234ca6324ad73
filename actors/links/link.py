"""One socket's prices, told apart by index, and the word that something has happened to an order.

in       wanted (of each feed, all that it wants); the socket behind its port
out      quotes, order_news
state    what each feed wants (soft: a feed says it every second)
restart  empty: the feeds are carried again within a second, each contract's latest packet first
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, Field

from actors.links.gather import Gather
from actors.links.line import OPEN, REPEAT_NS, Line
from actors.links.news import news, text
from actors.links.wants import Wants
from actors.said import Said
from core.errors import InputError
from core.kite import Registry, warm
from core.market.list_day import list_ends_ns
from core.ports import Bus, Clock, Socket
from core.records import Alert
from core.schemas import ORDER_NEWS

_MS, _S = 1_000_000, 1_000_000_000
MOST_WORDS = 200  # of what the server says


class LinkConfig(BaseModel, frozen=True, extra="forbid"):
    indices: tuple[str, ...] = Field(min_length=1, description="indices this link carries")
    timer_ms: int = Field(default=200, gt=0, description="ms between two looks at a socket that brings nothing")
    batch_ms: int = Field(
        default=80,
        ge=0,
        description="ms between two batches of an index, at least: frames that come in less are gathered",
    )


class LinkActor:
    """Decodes what the socket brings and passes it on; what becomes no tick is counted, and no frame stops it.

    A frame after `batch_ms` of quiet goes on at once; what comes earlier waits until so long after the last batch. A
    message that says what a feed wants is all of it; until a feed has spoken nothing of its index is carried, and what
    would be too much for one socket changes nothing. If the thread of the socket ends, so does this actor.
    """

    def __init__(
        self, config: LinkConfig, *, bus: Bus, clock: Clock, socket: Socket, registry: Registry, on: dt.date
    ) -> None:
        """`on`: the trading day `registry` is of; on another one no quotes are passed on (counts: `other_day`)."""
        self._on, self._ends_ns = on, 0
        self._config, self._bus, self._clock, self._socket, self._registry = config, bus, clock, socket, registry
        self._said = Said(f"link {', '.join(config.indices)}", clock.wall_ns, REPEAT_NS)
        self._line = Line(self._said)
        self._wants, self._gather = Wants(registry, config.indices), Gather(registry, ())
        self._counts = {"wanted_unknown": 0, "orders": 0, "odd_texts": 0, "other_day": 0}
        self._sent_ns = self._progress_ns = self._dropped = 0

    def open(self) -> None:
        """Compile or load the kernels, then connect. InputError for an index of which the registry has nothing."""
        warm()
        self._gather = Gather(self._registry, self._config.indices)
        self._ends_ns = list_ends_ns(self._config.indices[0], self._on)
        self._socket.open()

    def close(self) -> None:
        self._socket.close()

    def wait(self, longest_s: float) -> None:
        """Until something has come or a batch is due; called beside the others, with no lock held."""
        due_s = self._due_in_ns(self._clock.wall_ns()) / _S if self._gather.waits else longest_s
        self._socket.wait(min(longest_s, due_s))

    def on_timer(self) -> None:
        arrived = self._socket.take()
        for state, why in arrived.states:
            self._line.state(state, why)
        for frame, received_ns in arrived.frames:
            self._line.frame(received_ns, self._gather.add(frame, received_ns))
        found = [row for kind, data, _ in arrived.texts for row in self._heard(kind, data)]
        opened = any(state == OPEN for state, _ in arrived.states)
        self._tell([*([news({})] if opened else []), *found])
        self._say_what_was_dropped()
        self._send()

    def on_wanted(self, wanted: pa.RecordBatch) -> None:
        """A feed's; which one, its contracts say. SchemaError, InputError: it is of no feed, and changes nothing."""
        index, tokens, strange = self._wants.read(wanted)
        if not index or not self._wants.differs(index, tokens):
            return
        if strange:
            self._counts["wanted_unknown"] += len(strange)
            few = ", ".join(strange[:3])
            self._said.say("warning", f"{len(strange)} contracts of {index} are not in today's registry, as {few}")
        try:
            self._socket.subscribe(self._wants.with_(index, tokens))
        except InputError as error:
            self._said.say("alarm", f"what {index} wants now is not carried, but what it wanted before: {error}")
            return
        self._wants.carried(index, tokens)

    def alerts(self) -> tuple[Alert, ...]:
        """Its latest, oldest first."""
        return self._said.alerts

    def counts(self) -> Mapping[str, int]:
        """Of this life: Gather's and Line's, orders, odd_texts, other_day; `socket_…` is what the socket counts."""
        socket = {f"socket_{name}": count for name, count in self._socket.counts().items()}
        return {**self._gather.counts, **self._line.counts, **self._counts, **socket}

    def check_health(self) -> int:
        """Wall nanoseconds of the last ticks passed on; 0 before the first."""
        return self._progress_ns

    def _send(self) -> None:
        now_ns = self._clock.wall_ns()
        if self._due_in_ns(now_ns):
            return
        over = self._clock.now_ns() >= self._ends_ns
        for index, ticks in self._gather.take():
            if over:  # a token may by now be another contract's
                self._counts["other_day"] += ticks.num_rows
                continue
            self._bus.publish("quotes", ticks, index=index)
            self._sent_ns = self._progress_ns = now_ns

    def _due_in_ns(self, now_ns: int) -> int:
        """Wall, until the next batch may go; a clock that was set back holds nothing up."""
        since_ns = now_ns - self._sent_ns
        return max(0, self._config.batch_ms * _MS - since_ns) if since_ns >= 0 else 0

    def _say_what_was_dropped(self) -> None:
        dropped = self._socket.counts().get("dropped_frames", 0)
        if dropped > self._dropped:
            self._said.say("alarm", f"{dropped - self._dropped} frames were dropped: this link did not keep up")
        self._dropped = dropped

    def _heard(self, kind: str, data: Any) -> Sequence[dict[str, str]]:
        """The order news in a text of the server."""
        if kind == "order":
            self._counts["orders"] += 1
            return [news(data)]
        if kind in {"error", "message"}:
            words = text(data)[:MOST_WORDS] or f"something without words ({type(data).__name__})"
            self._said.say("warning" if kind == "error" else "info", f"Kite says: {words}")
        else:
            self._counts["odd_texts"] += 1
        return []

    def _tell(self, rows: Sequence[dict[str, str]]) -> None:
        if rows:
            self._bus.publish("order_news", pa.RecordBatch.from_pylist(list(rows), schema=ORDER_NEWS))
