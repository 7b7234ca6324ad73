"""What the publisher asks of the world: the ledger's events, whoever takes them, and where it keeps how far it is."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from core.records import LedgerEvent


class Outbox(Protocol):
    """The events of any session, by offset; raises LedgerDown."""

    def events(
        self, session: str, after: int, topics: Collection[str] = (), limit: int = 500
    ) -> Sequence[LedgerEvent]: ...

    def head(self, session: str) -> int:
        """The offset of the last event; 0 before the first."""


class EventSink(Protocol):
    """Whoever takes events. Does not promise that what it did not confirm was not taken."""

    def publish(self, events: Sequence[LedgerEvent]) -> tuple[int, str]:
        """How many, from the first on, were confirmed, within a few seconds; and why not all, empty if all were."""

    def close(self) -> None: ...


class Places(Protocol):
    """How far each session was published, durably."""

    def read(self) -> dict[str, int]:
        """Offsets by session; empty where none was kept. ConfigError where it cannot be read."""

    def keep(self, places: Mapping[str, int]) -> None:
        """Returns once it is on disk; raises OSError."""
