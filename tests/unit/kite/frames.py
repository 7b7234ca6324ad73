"""Frames to decode, good and bad, and what the unmodified KiteTicker makes of one."""

import datetime as dt
import struct
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from core.kite import DTYPES, Packets

MOCKS = (Path(__file__).parents[3] / "../shared/data/kite-mocks").resolve()
SEGMENTS = (*range(13), 255)  # every one that is known, and three that are not
TICKER = KiteTicker("key", "token")
SIDES = {"buy": "bid", "sell": "ask"}


def framed(*packets: bytes) -> bytes:
    """A whole frame of these packets."""
    return struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """A packet of any of the five lengths and any segment; each number small, large or anything, padding 0."""
    body = bytearray(draw(st.binary(min_size=184, max_size=184)))
    body = body[: draw(st.sampled_from(tuple(DTYPES)))]
    for word in draw(st.lists(st.integers(1, len(body) // 4 - 1), max_size=4)):
        body[4 * word : 4 * word + 4] = draw(st.sampled_from((b"\0" * 4, b"\xff" * 4, b"\0\0\0\1", b"\x80\0\0\0")))
    body[3] = draw(st.sampled_from(SEGMENTS))
    for level in range(64, len(body), 12):
        body[level + 10 : level + 12] = b"\0\0"
    return bytes(body)


def epoch_ns(moment: dt.datetime | None) -> int:
    """UTC nanoseconds of one of KiteTicker's times, which are naive and in the zone of the host."""
    return 0 if moment is None else round(moment.timestamp()) * 1_000_000_000


def theirs(frame: bytes, parse: Any = TICKER._parse_binary) -> list[dict[str, object]]:
    """KiteTicker's ticks in our names and units: its float prices times what it had divided the wire's number by."""
    return [_tick(tick) for tick in parse(frame)]


def _tick(tick: dict[str, Any]) -> dict[str, object]:
    segment = tick["instrument_token"] & 0xFF
    divisor = {3: 10_000_000, 6: 10_000, 12: 10_000}.get(segment, 100)

    def wire(price: float) -> int:
        return round(price * divisor)

    quantities = {"last_traded_quantity": "last_quantity", "volume_traded": "volume", "oi": "oi",
                  "total_buy_quantity": "buy_quantity", "total_sell_quantity": "sell_quantity",
                  "oi_day_high": "oi_day_high", "oi_day_low": "oi_day_low"}  # fmt: skip
    times = {"last_trade_time": "last_trade_ns", "exchange_timestamp": "exchange_ns"}
    out: dict[str, object] = {"token": tick["instrument_token"], "last_price": wire(tick["last_price"])}
    out |= {ours: tick.get(name, 0) for name, ours in quantities.items()}
    out |= {ours: epoch_ns(tick.get(name)) for name, ours in times.items()}
    out["average_price"] = wire(tick.get("average_traded_price", 0))
    out |= {name: wire(tick.get("ohlc", {}).get(name, 0)) for name in ("open", "high", "low", "close")}
    for side, name in SIDES.items():
        levels = tick.get("depth", {}).get(side, [{"price": 0, "quantity": 0, "orders": 0}] * 5)
        out[f"{name}_price"] = [wire(level["price"]) for level in levels]
        out[f"{name}_quantity"] = [level["quantity"] for level in levels]
        out[f"{name}_orders"] = [level["orders"] for level in levels]
    return out


def ours(packets: Packets) -> list[dict[str, object]]:
    """Our columns row by row, without the two KiteTicker does not give: a length and an index's change."""
    names = [name for name in Packets.__dataclass_fields__ if name not in {"length", "index_change"}]
    columns = [getattr(packets, name).tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def same(one: Packets, other: Packets) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Packets.__dataclass_fields__)
