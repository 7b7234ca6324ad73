"""What a sender keeps until its receiver has it on disk: the reliable half of the bus, without Ray.

Entries leave when the receiver names a durable sequence at or above theirs. After a receiver's death everything kept is
sent again, in order; the receiver ignores what it already has.
"""

from collections import deque
from dataclasses import dataclass

from cluster.wire import Wire
from core.ports import Payload
from core.records import Sender, Stamp


@dataclass(frozen=True, slots=True)
class Entry:
    stamp: Stamp
    payload: Wire | Payload
    size: int  # bytes


class Ring:
    """Bounded in bytes. When full the oldest entry is given up and counted in `lost`: an alarm, not a habit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: deque[Entry] = deque()
        self._sent = 0  # entries at the front that have been handed out since the last rewind
        self._durable: dict[Sender, int] = {}
        self.bytes = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def unsent(self) -> int:
        return len(self._kept) - self._sent

    def append(self, entry: Entry) -> None:
        self._kept.append(entry)
        self.bytes += entry.size
        while self.bytes > self._limit and len(self._kept) > 1:
            self._drop_first()
            self.lost += 1

    def peek(self) -> Entry | None:
        """The oldest entry not handed out yet; None when there is none."""
        return self._kept[self._sent] if self._sent < len(self._kept) else None

    def next(self) -> Entry | None:
        """The same, handed out."""
        entry = self.peek()
        self._sent += entry is not None
        return entry

    def durable(self, stamp: Stamp, sequence: int) -> None:
        """Everything of this stamp's sender up to `sequence` is on disk."""
        self._durable[stamp.sender] = max(sequence, self._durable.get(stamp.sender, 0))
        while self._sent and self._kept and self._is_durable(self._kept[0]):
            self._drop_first()

    def rewind(self) -> None:
        """Hand everything out again, from the oldest: the receiver began anew."""
        self._sent = 0
        self._kept = deque(entry for entry in self._kept if not self._is_durable(entry))
        self.bytes = sum(entry.size for entry in self._kept)

    def _is_durable(self, entry: Entry) -> bool:
        return entry.stamp.sequence <= self._durable.get(entry.stamp.sender, 0)

    def _drop_first(self) -> None:
        self.bytes -= self._kept.popleft().size
        self._sent = max(0, self._sent - 1)
