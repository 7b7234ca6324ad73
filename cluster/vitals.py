"""What an actor's guard answers the supervisor."""

import msgspec

from core.records import Alert, Health


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """An actor's health and the process it lives in."""

    name: str
    pid: int
    spec_hash: str  # of the spec this actor was made from
    node_id: str
    rss_mb: int
    dropped: dict[str, int]  # messages given up on the way to each subscriber
    health: Health
    alerts: tuple[Alert, ...] = ()  # its own latest, oldest first: told here too, since the ledger may be away
    counts: dict[str, int] = {}  # what it counts beside messages, by name: a feed's rows, and those it refused
