"""The paper broker's book, read while a commit nobody heard of is still on its way."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from core.matching.queue import ARRIVED, Place
from core.records import Fill, Order
from storage.broker_store import PLACE, PUT_ORDER, PostgresBrokerStore
from storage.rows import INTENT, ORDER, values
from tests.fakes_orders import intent

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vikalp-broker' AND wait_event_type = 'Lock'"


@pytest.fixture
def store(dsn: str) -> Iterator[PostgresBrokerStore]:
    made = PostgresBrokerStore(dsn, "broker-store", timeout_s=20)
    yield made
    made.close()


def test_what_an_unanswered_save_still_does_is_in_the_book_that_is_read_after_it(
    dsn: str, store: PostgresBrokerStore
) -> None:
    """Otherwise an order the broker has is said to be absent, which the order manager takes for proof."""
    order = Order(intent=intent("A"), state="OPEN", broker_id="PAPERA")
    read: list[tuple[list[Order], list[Fill]]] = []
    reader = threading.Thread(target=lambda: read.append(store.load()))

    async def waits(connection: Any) -> None:
        async with asyncio.timeout(15):
            while not await connection.fetchval(WAITS):
                pass  # each look is a round trip

    async def save_slowly() -> None:
        saver, looker = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        async with saver.transaction():
            row = (*values(order.intent, INTENT), *values(order, ORDER), *values(Place(), PLACE))
            await saver.execute(PUT_ORDER, "broker-store", *row)
            reader.start()
            await waits(looker)
        await saver.close()
        await looker.close()

    asyncio.run(save_slowly())
    reader.join(20)
    assert read == [([order], [])]


def test_how_far_an_order_has_come_outlives_its_broker(dsn: str, store: PostgresBrokerStore) -> None:
    places = {
        "P1": Place(arrives_ns=7),
        "P2": Place(arrives_ns=7, arrived=True, triggered=True, joined=3),
        "P3": ARRIVED,
    }
    for tag, place in places.items():
        order = Order(intent=intent(tag, order_type="SL", trigger_paise=34_900), state="OPEN", broker_id=tag)
        store.save(order, [], place)
    store.save(order, [])
    again = PostgresBrokerStore(dsn, "broker-store", timeout_s=20)
    assert {tag: place for tag, place in again.places().items() if tag in places} == places
    store.save(order, [], Place(joined=9))
    assert again.places()["P3"] == Place(joined=9)
    again.close()
