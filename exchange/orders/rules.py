"""What the risk system of a broker refuses after an order was taken: the order ends REJECTED, in these words."""

import datetime as dt
from collections.abc import Iterable
from typing import Protocol

from core.errors import UnknownDate
from core.market import IST, freeze, phase, to_ns
from core.orders.price_guard import band_about, inside
from core.orders.stops import stop_refusal, turned_away
from exchange.day import Day
from exchange.orders.order import Order


class Money(Protocol):
    """Whether an order can be paid for beside those that live."""

    def refuse(self, order: Order, live: Iterable[Order]) -> str | None: ...


class Rules:
    """Session, freeze quantity, band, a stop's trigger; then the money. `square_off`: no new MIS order from then on."""

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
        return outside_band(order, day) or no_stop(order, day) or self._money.refuse(order, live)


def square_off_ns(day: Day, at: dt.time) -> int:
    """When MIS positions are closed on `day`; before its close, should that be earlier than usual."""
    return min(to_ns(dt.datetime.combine(day.date, at, IST)), day.close_ns - 300_000_000_000)


def outside_band(order: Order, day: Day) -> str | None:
    """A limit too far from the last price."""
    band = band_about(int(day.quotes.last[order.one.place]), order.one.tick_paise)
    if order.price_paise and band is not None and inside(order.price_paise, band) != order.price_paise:
        return "Price exceeds circuit limits for the instrument. Place an order within the daily range."
    return None


def no_stop(order: Order, day: Day) -> str | None:
    """A stop that would trigger at once, or whose limit lies too far beyond its trigger."""
    if not order.waits:
        return None
    asked, last = order.asked, int(day.quotes.last[order.one.place])
    words = turned_away(order.side, asked.trigger_paise, last)
    if words or order.asked.order_type != "SL":
        return words or None
    try:
        far = stop_refusal(order.side, order.price_paise, asked.trigger_paise, index=order.one.index, on=day.date)
    except UnknownDate:
        return None  # of a day for which no rule is known the exchange has none
    return far and f"16448 : Difference between limit price and trigger price is beyond permissible range ({far.why})"
