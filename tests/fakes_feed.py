"""The feed's world in its tests: a bus that remembers, a clock that is told, a source that is a list."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.records import Chain
from core.schemas import DEPTH, TICKS


class HeardBus:
    def __init__(self) -> None:
        self.heard: list[tuple[str, Any, str]] = []

    def publish(self, topic: str, payload: pa.RecordBatch | Chain, *, index: str = "") -> None:
        self.heard.append((topic, payload, index))

    def of(self, topic: str) -> list[Any]:
        return [payload for name, payload, _ in self.heard if name == topic]


class ToldClock:
    """The wall goes one millisecond a look, so that a budget of wall time ends without waiting."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now, self.wall = now_ns, 1_000

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        self.wall += 1_000_000
        return self.wall

    def advance(self, to_ns: int) -> None:
        self.now = max(self.now, to_ns)


class ListSource:
    def __init__(self, batches: Sequence[tuple[int, pa.RecordBatch]]) -> None:
        self.batches, self.given, self.opened = list(batches), 0, 0

    def open(self) -> None:
        self.opened += 1
        self.given = 0

    def poll(self, now_ns: int) -> Iterator[pa.RecordBatch]:
        while (due := self.next_ns()) is not None and due <= now_ns:
            self.given += 1
            yield self.batches[self.given - 1][1]

    def next_ns(self) -> int | None:
        return self.batches[self.given][0] if self.given < len(self.batches) else None

    def counts(self) -> Mapping[str, int]:
        return {"total": len(self.batches)}


def ticks(*rows: Mapping[str, Any]) -> pa.RecordBatch:
    """TICKS from partial rows: an index at 100 rupees unless a row says otherwise."""
    plain: dict[str, Any] = {
        "index": "NIFTY", "symbol": "NIFTY", "kind": 0, "expiry": None, "strike_paise": 0, "exchange_ns": 0,
        "received_ns": 0, "last_paise": 10_000, "prev_close_paise": 10_000, "volume": 0, "oi": 0, "prev_oi": -1,
        **{f"{side}_{what}": [0] * DEPTH for side in ("bid", "ask") for what in ("paise", "qty", "orders")},
    }  # fmt: skip
    return pa.RecordBatch.from_pylist([{**plain, **row} for row in rows], schema=TICKS)
