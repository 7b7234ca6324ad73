"""A clock and a bus for tests of orders, and the orders and ticks they are about."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import pyarrow as pa

from core.market import to_ns
from core.records import Intent
from core.schemas import DEPTH, ORDER_NEWS, TICKS, check

IST = dt.timezone(dt.timedelta(hours=5, minutes=30))
DAY = dt.date(2025, 9, 5)
NOON = to_ns(dt.datetime(2025, 9, 5, 12, 0, tzinfo=IST))
SYMBOL, INDEX, LOT = "SENSEX2591180500PE", "SENSEX", 20
SECOND = 1_000_000_000


class HandClock:
    """Stands still until moved by hand."""

    def __init__(self, now_ns: int = NOON) -> None:
        self.now = now_ns
        self.wall = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return self.wall

    def advance(self, to_ns: int) -> None:
        self.now = max(self.now, to_ns)

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.wall += int(seconds * SECOND)


class ListBus:
    """`symbols` apart: they are told again and again."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.symbols: list[tuple[str, list[str]]] = []  # by index

    def publish(self, topic: str, payload: object, *, index: str = "") -> None:
        if topic == "symbols":
            assert isinstance(payload, pa.RecordBatch)
            self.symbols.append((index, [str(one) for one in check(topic, payload).column("symbol").to_pylist()]))
        else:
            self.sent.append((topic, index))


def intent(tag: str = "A", **changes: object) -> Intent:
    """A buy of one lot at 350.00."""
    made = Intent(
        tag=tag,
        strategy="s",
        index=INDEX,
        symbol=SYMBOL,
        side="BUY",
        quantity=LOT,
        order_type="LIMIT",
        limit_paise=35_000,
    )
    return msgspec.structs.replace(made, **changes)


def news(*rows: tuple[str, str, str]) -> pa.RecordBatch:
    """ORDER_NEWS of (order id, tag, status)."""
    named = [dict(zip(ORDER_NEWS.names, row, strict=True)) for row in rows]
    return pa.RecordBatch.from_pylist(named, schema=ORDER_NEWS)


def ticks(
    bids: Sequence[tuple[int, int]] = (), asks: Sequence[tuple[int, int]] = (), *, last: int = 35_000, at_ns: int = NOON
) -> pa.RecordBatch:
    """One row of SYMBOL with (paise, quantity) levels, best first."""

    def side(levels: Sequence[tuple[int, int]], place: int) -> list[int]:
        return [level[place] for level in levels] + [0] * (DEPTH - len(levels))

    row = {
        "index": INDEX,
        "symbol": SYMBOL,
        "kind": 3,
        "expiry": dt.date(2025, 9, 11),
        "strike_paise": 8_050_000,
        "exchange_ns": at_ns,
        "received_ns": at_ns,
        "last_paise": last,
        "prev_close_paise": 34_000,
        "volume": 1_000,
        "oi": 1_000,
        "prev_oi": -1,
        "bid_paise": side(bids, 0),
        "bid_qty": side(bids, 1),
        "bid_orders": [0] * DEPTH,
        "ask_paise": side(asks, 0),
        "ask_qty": side(asks, 1),
        "ask_orders": [0] * DEPTH,
    }
    return pa.RecordBatch.from_pylist([row], schema=TICKS)
