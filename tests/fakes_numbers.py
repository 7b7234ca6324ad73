"""Small books of quotes, and the ports of a shard."""

import datetime as dt
import math

import pyarrow as pa

from core import schemas
from core.chain import Book, analyse
from core.ports import Payload
from core.pricing import price
from core.records import Chain
from core.schemas import Kind

NOW_NS = int(dt.datetime(2026, 11, 20, 10, 10, tzinfo=dt.UTC).timestamp()) * 10**9  # 15:40 IST, the hour options stop
EXPIRY = dt.date(2026, 12, 29)
RATE = 0.055
SECOND = 10**9
LEVELS = ("bid_paise", "bid_qty", "bid_orders", "ask_paise", "ask_qty", "ask_orders")


def row(symbol: str, kind: Kind = Kind.INDEX, **values: object) -> dict[str, object]:
    """One tick; prices in paise, only the best level, whatever is not said is unknown."""
    full: dict[str, object] = {"index": "NIFTY", "symbol": symbol, "kind": kind, "expiry": None, "strike_paise": 0}
    full |= {"exchange_ns": NOW_NS, "last_paise": 0, "prev_close_paise": 0, "volume": 0, "oi": 0, "prev_oi": -1}
    full |= values
    full.setdefault("received_ns", full["exchange_ns"])
    return full | {name: [values.get(name, 0), 0, 0, 0, 0] for name in LEVELS}


def option(kind: Kind, strike: float, *, expiry: dt.date = EXPIRY, **values: object) -> dict[str, object]:
    """An option; `bid`, `ask`, `last` and `strike` in rupees."""
    for name in ("bid", "ask", "last"):
        if name in values:
            values[f"{name}_paise"] = round(100 * float(values.pop(name)))  # type: ignore[arg-type]
    symbol = f"{expiry:%y%m%d}{strike:g}{kind.name}"
    return row(symbol, kind, expiry=expiry, strike_paise=round(strike * 100), **values)


def ticks(*rows: dict[str, object]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=schemas.TICKS)


def smile(expiry: dt.date, F: float, vol: float = 0.13) -> list[dict[str, object]]:
    """21 strikes of calls and puts at one vol, on the forward F, quoted 20 paise wide and traded."""
    years = (expiry - dt.date(2026, 11, 20)).days / 365
    rows = []
    for strike in range(24500, 25550, 50):
        for kind, sign in ((Kind.CALL, 1), (Kind.PUT, -1)):
            mid = float(price(sign, F, strike, years, vol, math.exp(-RATE * years)))
            rows.append(option(kind, strike, expiry=expiry, bid=mid - 0.1, ask=mid + 0.1, volume=10, oi=75, last=mid))
    return rows


def chain_of(*rows: dict[str, object], as_of_ns: int = NOW_NS) -> Chain:
    return analyse(
        Book.empty("NIFTY").updated(ticks(*rows)), as_of_ns=as_of_ns, sequence=7, rate=RATE, max_age_ns=3 * SECOND
    )


def future_of(bid: float = 25_149, ask: float = 25_151) -> dict[str, object]:
    return row("NIFTY26DECFUT", Kind.FUTURE, expiry=EXPIRY, bid_paise=round(bid * 100), ask_paise=round(ask * 100))


class KeepingBus:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Payload, str]] = []

    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        self.sent.append((topic, payload, index))


class DataClock:
    """A replay's clock, with a wall that counts."""

    def __init__(self) -> None:
        self.market_ns = 0
        self.wall = 1000

    def now_ns(self) -> int:
        return self.market_ns

    def wall_ns(self) -> int:
        self.wall += 1
        return self.wall

    def advance(self, to_ns: int) -> None:
        self.market_ns = to_ns
