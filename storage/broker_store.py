"""The paper broker's book in PostgreSQL: what survives the process that hosts it."""

from collections.abc import Sequence
from typing import Any

from core.matching.queue import ARRIVED, Place
from core.records import Fill, Order
from storage.ledger.ledger import TIMEOUT_S
from storage.link import Link
from storage.rows import FILL, INTENT, ORDER, fill_of, insert, order_of, select, update_on, values

PLACE = Place.__struct_fields__
COLUMNS = (*INTENT, *ORDER, *PLACE)
PUT_ORDER = insert("paper_orders", COLUMNS, update_on("tag", COLUMNS))
ADD_FILL = insert("paper_fills", FILL, "ON CONFLICT DO NOTHING")
# Waits for every save that is still on its way: one that was not answered is done or undone before the book is read.
SETTLE = "LOCK TABLE paper_orders IN SHARE MODE"
ORDERS = select(COLUMNS, "FROM paper_orders WHERE session_id = $1 ORDER BY seq")
FILLS = select(FILL, "FROM paper_fills WHERE session_id = $1 ORDER BY seq")
PLACES = select(("tag", *PLACE), "FROM paper_orders WHERE session_id = $1")


class PostgresBrokerStore:
    """Implements core.ports.BrokerStore; a picklable description that connects on first use.

    Raises LedgerDown when the database does not answer: the save may then have been made.
    """

    def __init__(self, dsn: str, session_id: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._session = session_id
        self._link = Link(dsn, name="vikalp-broker", timeout_s=timeout_s)

    def __repr__(self) -> str:
        return f"PostgresBrokerStore(session_id={self._session!r})"  # never the password

    def save(self, order: Order, fills: Sequence[Fill], place: Place = ARRIVED) -> None:
        """The order's new state and place and its new fills in one transaction; of a fill saved before none again."""
        row = (*values(order.intent, INTENT), *values(order, ORDER), *values(place, PLACE))

        async def work(connection: Any) -> None:
            await connection.execute(PUT_ORDER, self._session, *row)
            for fill in fills:
                await connection.execute(ADD_FILL, self._session, *values(fill, FILL))

        self._link.call("saving the paper broker's order", work)

    def load(self) -> tuple[list[Order], list[Fill]]:
        """Every order and fill of this session, oldest first; nothing saved before it lands after it."""

        async def work(connection: Any) -> tuple[list[Order], list[Fill]]:
            await connection.execute(SETTLE)
            orders = [order_of(row) for row in await connection.fetch(ORDERS, self._session)]
            return orders, [fill_of(row) for row in await connection.fetch(FILLS, self._session)]

        orders, fills = self._link.call("loading the paper broker's book", work)
        return orders, fills

    def places(self) -> dict[str, Place]:
        """How far each order of this session has come, by tag."""

        async def work(connection: Any) -> dict[str, Place]:
            rows = await connection.fetch(PLACES, self._session)
            return {str(row["tag"]): Place(**{name: row[name] for name in PLACE}) for row in rows}

        return self._link.call("loading the places of the paper broker's orders", work)

    def close(self) -> None:
        self._link.close()
