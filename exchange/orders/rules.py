"""What the risk system of a broker refuses after an order was taken: the order ends REJECTED, in these words."""

import datetime as dt
from collections.abc import Iterable
from typing import Protocol

from core.market import IST, freeze, phase, to_ns
from exchange.day import Day
from exchange.orders.order import Order

BAND = 0.4  # of the last price: the exchange's limit price protection, with LEAST_BAND; kite.md §10, unverified
LEAST_BAND_PAISE = 20_00


class Money(Protocol):
    """Whether an order can be paid for beside those that live."""

    def refuse(self, order: Order, live: Iterable[Order]) -> str | None: ...


class Rules:
    """Session, freeze quantity and price band; then the money. `square_off`: no new MIS order from this time on."""

    def __init__(self, money: Money, square_off: dt.time) -> None:
        self._money, self._square_off = money, square_off

    def refuse(self, order: Order, live: Iterable[Order], day: Day, now_ns: int) -> str | None:
        """Why `order` is refused now; None if it is not. What the broker itself squares off is never refused."""
        if order.forced:
            return None
        exchange = "BSE" if order.one.exchange == "BFO" else "NSE"
        if phase(exchange, now_ns) != "open" or now_ns >= day.close_ns:  # a market may end with its day
            return "Markets are closed right now. Place an after market order (AMO)."
        if order.product == "MIS" and now_ns >= square_off_ns(day, self._square_off):
            return "MIS orders are not allowed after the auto square-off time. Use NRML."
        most = freeze(order.one.index, day.date)
        if order.quantity > most:
            return f"Order quantity exceeds the freeze quantity of {most}. Use autoslice or place smaller orders."
        return outside_band(order, day) or self._money.refuse(order, live)


def square_off_ns(day: Day, at: dt.time) -> int:
    """When MIS positions are closed on `day`; before its close, should that be earlier than usual."""
    return min(to_ns(dt.datetime.combine(day.date, at, IST)), day.close_ns - 300_000_000_000)


def band(last_paise: int, tick_paise: int) -> tuple[int, int]:
    """Lowest and highest price of an order, whole ticks, never below one; (0, 0) where nothing has traded."""
    if not last_paise:
        return 0, 0
    width, tick = max(round(BAND * last_paise), LEAST_BAND_PAISE), max(tick_paise, 1)
    return max(tick, -(-(last_paise - width) // tick) * tick), (last_paise + width) // tick * tick


def outside_band(order: Order, day: Day) -> str | None:
    """A limit too far from the last price."""
    low, high = band(int(day.quotes.last[order.one.place]), order.one.tick_paise)
    if order.price_paise and high and not low <= order.price_paise <= high:
        return "Price exceeds circuit limits for the instrument. Place an order within the daily range."
    return None
