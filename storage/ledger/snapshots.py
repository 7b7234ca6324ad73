"""Snapshots as rows: written once, read by people and by the day's result."""

from typing import Any

import msgspec

from core.orders.snapshot import Snapshot
from storage.ledger import write
from storage.rows import insert

ADD_SNAPSHOT = insert("snapshots", ("at_ns", "body"))
SNAPSHOTS = "SELECT body FROM snapshots WHERE session_id = $1 ORDER BY at_ns, seq"


async def record_snapshot(connection: Any, session: str, epoch: int, taken: Snapshot) -> None:
    """Raises LedgerFenced for an order manager that was replaced."""
    await write.holds(connection, session, epoch)
    await connection.execute(ADD_SNAPSHOT, session, taken.at_ns, msgspec.json.encode(taken).decode())


async def snapshots(connection: Any, session: str) -> list[Snapshot]:
    """Of a session, oldest first."""
    found = await connection.fetch(SNAPSHOTS, session)
    return [msgspec.json.decode(row["body"], type=Snapshot) for row in found]
