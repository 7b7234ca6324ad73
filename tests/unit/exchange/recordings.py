"""Recordings as a market, and a world of one that a test steps."""

import datetime as dt
from pathlib import Path

from core.market import IST, to_ns
from exchange.limits import Rates
from exchange.listing import Instrument
from exchange.orders.order import Order
from exchange.orders.request import parse
from exchange.recorded_day import Recording
from exchange.world import DEFAULT_USER, World, WorldConfig
from storage.recordings import recorded_sources

DATE = dt.date(2026, 11, 20)
OLD, SUNDAY = dt.date(2022, 1, 3), dt.date(2026, 11, 22)
SECOND = 1_000_000_000
BEGAN = to_ns(dt.datetime(2026, 11, 20, 10, 0, tzinfo=IST))
MINUTES = 4
CALL = "NIFTY2590224500CE"
CALLS = {"LTP": 107.1, "Net_Chng": -0.5, "Bid_Qty": 75, "Bid_Price": 106.1, "Ask_Price": 107.4, "Ask_Qty": 525,
         "OI": 12, "Volume": 18}  # fmt: skip


def recording(path: str | Path, date: dt.date | None = None) -> Recording:
    return Recording(str(path), *recorded_sources(str(path), date))


class Stepped:
    """A world of a recording whose wall stands where the test puts it."""

    def __init__(self, path: str | Path) -> None:
        self.at = 0
        config = WorldConfig(recording=recording(path), rates=Rates(enforced=False))
        self.world = World(config, wall=lambda: self.at)
        self.began = self.world.clock.now_ns()
        self.world.step()

    def go(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)
        self.world.step()

    def one(self, symbol: str) -> Instrument:
        return self.world.day.listing.by_name["NFO", symbol]

    def place(self, one: Instrument, side: str, units: int, paise: int) -> Order:
        form = {
            "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": side, "quantity": str(units),
            "product": "NRML", "order_type": "LIMIT", "price": str(paise / 100),
        }  # fmt: skip
        order = self.world.engine.place(DEFAULT_USER, parse("regular", form, self.world.day.listing))
        for _ in range(4):
            self.at += 20_000_000
            self.world.engine.advance()
        return order
