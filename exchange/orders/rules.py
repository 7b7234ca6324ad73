"""What the risk system of a broker refuses after an order was taken: the order ends REJECTED, in these words."""

from collections.abc import Iterable
from typing import Protocol

from core.market import freeze, phase
from exchange.day import Day
from exchange.orders.order import Order

BAND = 0.4  # of the last price: the exchange's limit price protection, with LEAST_BAND; kite.md §10, unverified
LEAST_BAND_PAISE = 20_00


class Money(Protocol):
    """What an order would need, and what a user has."""

    def refuse(self, order: Order, live: Iterable[Order], day: Day, now_ns: int) -> str | None: ...


class Rules:
    """Session, freeze quantity and price band; then the money."""

    def __init__(self, money: Money | None) -> None:
        self._money = money

    def refuse(self, order: Order, live: Iterable[Order], day: Day, now_ns: int) -> str | None:
        """Why `order` is refused now; None if it is not."""
        exchange = "BSE" if order.one.exchange == "BFO" else "NSE"
        if phase(exchange, now_ns) != "open":
            return "Markets are closed right now. Place an after market order (AMO)."
        most = freeze(order.one.index, day.date)
        if order.quantity > most:
            return f"Order quantity exceeds the freeze quantity of {most}. Use autoslice or place smaller orders."
        why = outside_band(order, day)
        return why if why or self._money is None else self._money.refuse(order, live, day, now_ns)


def outside_band(order: Order, day: Day) -> str | None:
    """A limit too far from the last price."""
    last = int(day.quotes.last[order.one.place])
    if not order.price_paise or not last:
        return None
    width = max(BAND * last, LEAST_BAND_PAISE)
    if abs(order.price_paise - last) > width:
        return "Price exceeds circuit limits for the instrument. Place an order within the daily range."
    return None
