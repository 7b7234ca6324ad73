"""The broker's own orders: what is still open in MIS near the close is closed, for a fee an order.

Zerodha's page on call and trade charges: ₹50 and GST an order that it squares off, index derivatives at 15:25, slices
of the freeze quantity. That page is of the time when the session ended at 15:30; whether 15:25 still holds since it
ends at 15:40 (2026-08-03) nobody says, so from then on the time is an estimate and a setting.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from core.market import rates, usable_freeze
from exchange.accounts import User
from exchange.day import Day
from exchange.orders.engine import Engine
from exchange.orders.positions import Position, Positions
from exchange.orders.request import Asked
from exchange.orders.rules import square_off_ns
from exchange.orders.steps import waits_for_morning

AT = dt.time(15, 25)
FEE = Decimal(50)  # rupees an order, before GST
AGAIN_NS = 60_000_000_000  # what did not trade is tried again at a fresh price


class SquareOff:
    """Closes MIS positions of `users` from `at` on, IST."""

    def __init__(self, users: Iterable[User], positions: Positions, engine: Engine, at: dt.time) -> None:
        self._users, self._positions, self._engine, self._at = tuple(users), positions, engine, at
        self._next_ns = 0

    def step(self, day: Day, now_ns: int) -> None:
        """Cancel MIS orders and close MIS positions, once a minute, while the session lasts."""
        if not square_off_ns(day, self._at) <= now_ns < day.close_ns or now_ns < self._next_ns:
            return
        self._next_ns = now_ns + AGAIN_NS
        for user in self._users:
            open_now = (one for one in self._engine.live(user) if not waits_for_morning(one))
            self._engine.withdraw([one for one in open_now if one.product == "MIS"], now_ns)
            held = [one for one in self._positions.of(user) if one.product == "MIS" and one.quantity]
            for position in sorted(held, key=lambda one: one.quantity):  # shorts first
                self._close(user, position, day.date)

    def _close(self, user: User, position: Position, on: dt.date) -> None:
        size = usable_freeze(position.one.index, position.one.expiry_date, on)
        left = abs(position.quantity)
        while left:
            self._engine.place(user, _closing(position, min(size, left)), forced=True)
            left -= min(size, left)


def fee(on: dt.date) -> Decimal:
    """Of one order that was squared off, rupees with GST; UnknownDate where its rate is not known."""
    return FEE * (1 + rates.rate(rates.GST, on, "GST"))


def _closing(position: Position, units: int) -> Asked:
    return Asked(
        one=position.one, variety="regular", side="BUY" if position.quantity < 0 else "SELL", product="MIS",
        order_type="MARKET", quantity=units, price_paise=0, trigger_paise=0, validity="DAY", ttl_minutes=0,
        protection=-1.0, disclosed=0, legs=0, leg_quantity=0, tag=None, autoslice=False,
    )  # fmt: skip
