"""The paper broker's book in PostgreSQL: what survives the process that hosts it."""

import threading
from collections.abc import Sequence
from typing import Any

from core.records import Fill, Order
from storage.link import Link, Work
from storage.rows import FILL, INTENT, ORDER, fill_of, insert, order_of, select, update_on, values

COLUMNS = (*INTENT, *ORDER)
PUT_ORDER = insert("paper_orders", COLUMNS, update_on("tag", COLUMNS))
ADD_FILL = insert("paper_fills", FILL, "ON CONFLICT DO NOTHING")
ORDERS = select(COLUMNS, "FROM paper_orders WHERE session_id = $1 ORDER BY seq")
FILLS = select(FILL, "FROM paper_fills WHERE session_id = $1 ORDER BY seq")


class PostgresBrokerStore:
    """Implements core.ports.BrokerStore; a picklable description that connects on first use.

    Raises LedgerDown when the database does not answer: the save may then have been made.
    """

    def __init__(self, dsn: str, session_id: str, *, timeout_s: float = 5.0) -> None:
        self._dsn, self._session, self._timeout_s = dsn, session_id, timeout_s
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("_dsn", "_session", "_timeout_s")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __repr__(self) -> str:
        return f"PostgresBrokerStore(session_id={self._session!r})"  # never the password

    def save(self, order: Order, fills: Sequence[Fill]) -> None:
        """The order's new state and its new fills in one transaction; a fill saved before is not saved twice."""

        async def work(connection: Any) -> None:
            await connection.execute(PUT_ORDER, self._session, *values(order.intent, INTENT), *values(order, ORDER))
            for fill in fills:
                await connection.execute(ADD_FILL, self._session, *values(fill, FILL))

        self._call("saving the paper broker's order", work)

    def load(self) -> tuple[list[Order], list[Fill]]:
        async def work(connection: Any) -> tuple[list[Order], list[Fill]]:
            orders = [order_of(row) for row in await connection.fetch(ORDERS, self._session)]
            return orders, [fill_of(row) for row in await connection.fetch(FILLS, self._session)]

        orders, fills = self._call("loading the paper broker's book", work)
        return orders, fills

    def close(self) -> None:
        with self._making:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _forget(self) -> None:
        self._link: Link | None = None
        self._making = threading.Lock()

    def _call(self, what: str, work: Work[Any]) -> Any:
        with self._making:
            if self._link is None:
                self._link = Link(self._dsn, name="vikalp-broker", timeout_s=self._timeout_s)
            link = self._link
        return link.call(what, work)
