"""The ledger as its server has it, by SQL on a connection of chaos's own: never through the desk's code."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

import asyncpg

from storage.link import AWAY
from tests.chaos.books import Ledger, ledger_of
from tests.chaos.points import Way

ORDERS = """SELECT i.tag, i.strategy, i.symbol, i.side, i.product, i.quantity, o.state, o.broker_id, o.filled_quantity,
    o.average_paise, o.message FROM intents i JOIN orders o USING (session_id, tag) WHERE session_id = $1
    ORDER BY i.seq"""
FILLS = "SELECT trade_id, tag, symbol, side, quantity, price_paise FROM fills WHERE session_id = $1"
POSITIONS = """SELECT strategy, symbol, product, quantity, average_paise, realised_paise, charges_paise FROM positions
    WHERE session_id = $1"""
NEWEST = "SELECT coalesce(max(seq), 0) FROM intents"
JOURNALLED = """SELECT i.seq, i.tag FROM intents i JOIN orders o USING (session_id, tag)
    WHERE i.seq > $1 AND o.state = 'JOURNALLED' ORDER BY i.seq DESC LIMIT 1"""
STATES = "SELECT state, count(*) AS n FROM orders WHERE session_id = $1 GROUP BY state"
TIMES = """SELECT detail->>'tag' AS tag,
    min(recorded_at) FILTER (WHERE action = 'intent') AS journalled,
    min(recorded_at) FILTER (WHERE action IN ('order', 'fill')) AS acknowledged
    FROM audit_log WHERE session_id = $1 AND action IN ('intent', 'order', 'fill') GROUP BY 1"""
STORY = """SELECT recorded_at::text, action, detail::text FROM audit_log
    WHERE session_id = $1 AND detail->>'tag' = $2 ORDER BY seq"""
POLL_S = 0.001


class LedgerEye:
    """One connection, made anew whenever the server was away. Not for two threads."""

    def __init__(self, dsn: str, session_id: str) -> None:
        self._dsn, self._session = dsn, session_id
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._drop())
        self._runner.close()

    def journalled(self, within_s: float, stop: threading.Event) -> str:
        """The tag of an intent that is journalled from now on and not answered yet; empty if none is in that time."""
        return self._runner.run(self._journalled(time.monotonic() + within_s, stop))

    def answers(self) -> bool:
        return bool(self.rows("SELECT 1"))

    def states(self) -> dict[str, int]:
        """Orders by state; empty while the server is away."""
        return {row["state"]: row["n"] for row in self.rows(STATES, self._session)}

    def book(self) -> Ledger:
        """Raises as asyncpg where the server is away."""
        return self._runner.run(self._book())

    def ways(self) -> list[Way]:
        """When each intent was journalled and first spoken of again; refused ones, which are never sent, left out."""
        rows = self._runner.run(self._ask(TIMES, self._session))
        return [
            Way(tag=row["tag"], journalled_ns=_ns(row["journalled"]), acknowledged_ns=_ns(row["acknowledged"]))
            for row in rows
            if row["journalled"] is not None
        ]

    def story(self, tag: str) -> list[str]:
        """What the audit log says of an order, oldest first."""
        return [" ".join(row) for row in self.rows(STORY, self._session, tag)]

    def rows(self, question: str, *args: object) -> Sequence[Any]:
        """None at all while the server is away."""
        try:
            return self._runner.run(self._ask(question, *args))
        except AWAY:
            self._runner.run(self._drop())
            return []

    async def _book(self) -> Ledger:
        connection = await self._connected()
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            asked = [await connection.fetch(question, self._session) for question in (ORDERS, FILLS, POSITIONS)]
        return ledger_of(*asked)

    async def _journalled(self, deadline: float, stop: threading.Event) -> str:
        newest: int | None = None
        while time.monotonic() < deadline and not stop.is_set():
            try:
                connection = await self._connected()
                if newest is None:
                    newest = await connection.fetchval(NEWEST)
                row = await connection.fetchrow(JOURNALLED, newest)
                if row is not None:
                    return str(row["tag"])
                await asyncio.sleep(POLL_S)
            except AWAY:
                await self._drop()
                await asyncio.sleep(0.02)
        return ""

    async def _ask(self, question: str, *args: object) -> Sequence[Any]:
        return await (await self._connected()).fetch(question, *args)  # type: ignore[no-any-return]

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, timeout=2, command_timeout=10)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _ns(at: Any) -> int:
    """UTC ns of an aware datetime, exact to its microsecond; None is 0."""
    return 0 if at is None else round(at.timestamp() * 1e6) * 1000
