"""A live feed in an exchange of notes, with a small market of NIFTY."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from actors.feeds.feed import FeedConfig
from actors.feeds.live import LiveFeedActor
from core.kite import Registry
from core.kite.ticks import CONTRACT
from core.market import session, to_ns
from core.market.symbols import VIX
from core.schemas import SYMBOLS, Kind
from tests.fakes_feed import HeardBus, ToldClock, ticks
from tests.fakes_past import ListPast

S = 1_000_000_000
DAY = dt.date(2026, 11, 20)
HOURS = session("NSE", DAY)
assert HOURS is not None
OPEN = to_ns(HOURS.open)
WEEKS = [dt.date(2026, 11, 24), dt.date(2026, 12, 1), dt.date(2026, 12, 8)]
STRIKES = range(24_000, 28_001, 50)
FUTURE = "NIFTY26NOVFUT"
ALWAYS = {"NIFTY", VIX, FUTURE}


def option(day: dt.date, strike: int, right: str = "CE") -> str:
    return f"NIFTY{day:%y%m%d}{strike}{right}"


def listed() -> list[tuple[str, str, Kind, dt.date | None, int]]:
    rows: list[tuple[str, str, Kind, dt.date | None, int]] = [
        ("NIFTY", "NIFTY", Kind.INDEX, None, 0),
        ("NIFTY", VIX, Kind.INDEX, None, 0),
        ("NIFTY", FUTURE, Kind.FUTURE, WEEKS[-1], 0),
        ("SENSEX", "SENSEX", Kind.INDEX, None, 0),
    ]
    for day in WEEKS:
        for strike in STRIKES:
            rows += [
                ("NIFTY", option(day, strike, right), kind, day, strike * 100)
                for right, kind in (("CE", Kind.CALL), ("PE", Kind.PUT))
            ]
    return rows


LISTED = listed()
KIND = {symbol: kind for _, symbol, kind, _, _ in LISTED}
TERMS = {symbol: (index, kind, expiry, strike) for index, symbol, kind, expiry, strike in LISTED}
REGISTRY = Registry(
    np.arange(1, len(LISTED) + 1, dtype=np.int64) * 256 + 2,
    pa.record_batch(
        [pa.array(list(column), f.type) for column, f in zip(zip(*LISTED, strict=True), CONTRACT, strict=True)],
        schema=CONTRACT,
    ),
)
SMALL: dict[str, Any] = {"index": "NIFTY", "strikes": 2, "slack": 1, "expiries": 2}


class StillClock(ToldClock):
    """Its wall goes with the market, and by no look."""

    def wall_ns(self) -> int:
        return self.wall


class World:
    """A live feed in an exchange of notes."""

    def __init__(
        self, *, past: ListPast | None = None, at: float = 0.0, again: bool = False, on: dt.date = DAY, **config: Any
    ) -> None:
        """`again`: a second life."""
        self.bus, self.clock = HeardBus(), StillClock(OPEN + round(at * S))
        self.clock.wall = 1_000 * S
        self.feed = LiveFeedActor(
            FeedConfig(**{**SMALL, **config}), bus=self.bus, clock=self.clock, registry=REGISTRY,
            past=past or ListPast(), on=on,
        )  # fmt: skip
        if again:
            self.feed.restarted()
        self.feed.open()

    def go(self, seconds: float) -> None:
        """Time passes, the timer runs."""
        end = self.clock.wall + round(seconds * S)
        while self.clock.wall < end:
            step = min(100_000_000, end - self.clock.wall)
            self.clock.wall, self.clock.now = self.clock.wall + step, self.clock.now + step
            self.feed.on_timer()

    def quote(self, *symbols: str, last: int = 26_000_00, **row: Any) -> None:
        self.feed.on_quotes(self.rows(*symbols, last=last, **row))

    def rows(self, *symbols: str, last: int = 26_000_00, **row: Any) -> pa.RecordBatch:
        names = ("index", "kind", "expiry", "strike_paise")
        common = {"exchange_ns": self.clock.now, "received_ns": 77, "last_paise": last, **row}
        return ticks(*(dict(zip(names, TERMS[one], strict=True)) | {"symbol": one} | common for one in symbols))

    def hold(self, *symbols: str) -> None:
        self.feed.on_symbols(held(symbols))

    def wanted(self) -> set[str]:
        return set(self.bus.of("wanted")[-1]["symbol"].to_pylist())


def held(symbols: Sequence[str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(list(symbols), pa.string())], schema=SYMBOLS)


def band(middle: int, each_side: int = 3, weeks: Sequence[dt.date] = WEEKS[:2]) -> set[str]:
    strikes = range(middle - 50 * each_side, middle + 50 * each_side + 1, 50)
    return ALWAYS | {option(day, strike, right) for day in weeks for strike in strikes for right in ("CE", "PE")}
