"""Kite's rate limits of one account and its app (kite.md §3), each a setting, all of them off at will.

A window a class of call, as a token bucket lets nearly twice as many through in its first second; a refusal starts a
cool-down in which further calls of the class fail too. Orders are counted by the minute and by the day as well; what is
refused counts too, cancels and modifications do not.
"""

from collections import deque
from dataclasses import dataclass, field

from exchange.refusal import KiteError

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Rates:
    """Calls a second of each class; orders a minute and a day; modifications of one order; tokens of one socket."""

    quote: float = 1.0
    historical: float = 3.0
    order: float = 10.0
    other: float = 10.0
    orders_a_minute: int = 400
    orders_a_day: int = 5000
    modifications: int = 25
    cool_down_s: float = 10.0
    tokens_a_socket: int = 3000
    sockets: int = 3
    enforced: bool = True


@dataclass
class _Window:
    """At most so many calls as come in a second (one, where fewer do), in the time that they take at the rate."""

    rate: float
    closed_until_ns: int = 0
    _times: deque[int] = field(default_factory=deque)

    def take(self, now_ns: int, cool_down_s: float) -> bool:
        if now_ns < self.closed_until_ns:
            return False
        most = max(1, int(self.rate))
        while self._times and self._times[0] <= now_ns - round(most / self.rate * SECOND):
            self._times.popleft()
        if len(self._times) >= most:
            self.closed_until_ns = now_ns + round(cool_down_s * SECOND)
            return False
        self._times.append(now_ns)
        return True


@dataclass
class Limits:
    """The counters of one account. Times are the wall's, UTC ns: a faster market does not have faster limits."""

    rates: Rates
    _windows: dict[str, _Window] = field(default_factory=dict)
    _orders: deque[int] = field(default_factory=deque)
    orders_today: int = 0

    def take(self, call: str, now_ns: int) -> None:
        """One call of class quote, historical, order or other; 429 NetworkException past its limit."""
        if not self.rates.enforced:
            return
        window = self._windows.setdefault(call, _Window(float(getattr(self.rates, call))))
        if not window.take(now_ns, self.rates.cool_down_s):
            raise KiteError(429, "NetworkException", "Too many requests")

    def count_order(self, now_ns: int) -> None:
        """One order placed, whatever becomes of it; refused past the minute's or the day's number."""
        if not self.rates.enforced:
            return
        while self._orders and self._orders[0] <= now_ns - 60 * SECOND:
            self._orders.popleft()
        if len(self._orders) >= self.rates.orders_a_minute or self.orders_today >= self.rates.orders_a_day:
            raise KiteError(429, "NetworkException", "Maximum allowed order requests exceeded")
        self._orders.append(now_ns)
        self.orders_today += 1

    def new_day(self) -> None:
        self.orders_today = 0
