"""An account at Kite as the order manager's broker: one call, one request, one answer.

Every order carries its tag and nothing is sent again; what Kite took is found by the tag. A MARKET order goes out with
automatic market protection, without which Kite refuses it. Orders and trades without one of our tags are somebody
else's, placed in Kite's own apps: they are not shown here and nobody touches them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException
from pydantic import BaseModel, Field

from brokers.kite.limiter import Call, Limiter
from brokers.kite.outcome import Cause, Outcome, careful, send
from brokers.kite.reads import read
from brokers.kite.rows import fill_of, is_ours, order_of, text
from core.errors import BrokerDown, VikalpError
from core.market import derivatives_exchange_of
from core.orders.answer import Answer
from core.records import Fill, Intent, Order

Row = Mapping[str, Any]
T = TypeVar("T")
SECOND = 1_000_000_000
AUTOMATIC = -1  # market protection: Kite's own band


class KiteConfig(BaseModel, frozen=True, extra="forbid"):
    api_key: str
    root: str = Field(default="https://api.kite.trade", description="Kite, or this machine's own exchange")
    timeout_s: float = Field(default=7.0, gt=0, description="to connect, and again to be answered, s")
    most_wait_s: float = Field(default=1.0, ge=0, description="an order may wait so long for the budget of calls, s")


class KiteBroker:
    """Implements core.ports.Broker. `token` gives the day's access token, and is asked on first use and after a 403.

    Picklable until it is used: the client is made in the actor's own process.
    """

    unlisted_ms = 120_000  # orders were seen in the book a minute and a half late (kite.md §8)
    trades_at_once = False  # an order goes through its states first, and news tell of each

    def __init__(self, config: KiteConfig, token: Callable[[], str]) -> None:
        self._config, self._token = config, token
        self._client: KiteConnect | None = None
        self._limiter: Limiter | None = None
        self._tags: dict[str, str] = {}  # order id → tag, of orders that are ours

    def __getstate__(self) -> dict[str, object]:
        return {"_config": self._config, "_token": self._token, "_client": None, "_limiter": None, "_tags": {}}

    def place(self, intent: Intent) -> Answer:
        """Send once. REFUSED proves that nothing was placed; UNKNOWN is to be looked up."""
        is_exit = intent.purpose == "exit"
        client, market = self._ready(Call.PLACE, is_exit=is_exit), intent.order_type == "MARKET"
        if isinstance(client, Answer):
            return client
        order = {
            "variety": client.VARIETY_REGULAR, "exchange": derivatives_exchange_of(intent.index),
            "tradingsymbol": intent.symbol, "transaction_type": intent.side, "quantity": intent.quantity,
            "product": intent.product, "order_type": intent.order_type, "validity": client.VALIDITY_DAY,
            "price": None if market else intent.limit_paise / 100, "tag": intent.tag,
            "market_protection": AUTOMATIC if market else None,
        }  # fmt: skip
        return self._learn(Call.PLACE, send(lambda: client.place_order(**order)))

    def cancel(self, broker_id: str) -> Answer:
        """Ask for a cancel: an ACK says the request was taken, the book says when it is done."""
        client = self._ready(Call.CHANGE, is_exit=True)  # a cancel takes risk off
        if isinstance(client, Answer):
            return client
        return self._learn(Call.CHANGE, send(lambda: client.cancel_order(client.VARIETY_REGULAR, broker_id)))

    def find(self, tag: str) -> Order | None:
        """Kite's own order with that tag; of several, which only a fault of ours can make, the first."""
        return next((order for order in self.book() if order.intent.tag == tag), None)

    def book(self) -> Sequence[Order]:
        """Our orders of the day, oldest first. Raises BrokerDown when Kite does not say."""
        rows = self._read("orders")
        ours = _understood(is_ours, rows)
        orders = _understood(order_of, [row for row, mine in zip(rows, ours, strict=True) if mine])
        self._tags.update({order.broker_id: order.intent.tag for order in orders})
        return orders

    def trades(self) -> Sequence[Fill]:
        """Trades of our orders of the day. Raises BrokerDown when Kite does not say."""
        rows = self._read("trades")
        whose = _understood(lambda row: text(row, "order_id"), rows)
        if not self._tags.keys() >= set(whose):
            self.book()
        ours = [row for row, order_id in zip(rows, whose, strict=True) if order_id in self._tags]
        return _understood(lambda row: fill_of(row, self._tags[row["order_id"]]), ours)

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:  # noqa: ARG002 an exchange sees its own market
        """An exchange has its own book: nothing fills by this."""
        return False

    def _read(self, what: str) -> list[Row]:
        """A list of Kite's; every failure is BrokerDown, since a read can be asked again."""
        client = self._connected()
        self._limiter = self._limiter or Limiter()
        try:
            rows: list[Row] = read(
                Call.OTHER, getattr(client, what), self._limiter, most_wait_s=self._config.most_wait_s
            )
        except VikalpError as error:
            if isinstance(error.__cause__, TokenException):
                self._client = None  # as in _learn
            raise BrokerDown(f"Kite's {what} cannot be read: {error}") from error
        if not isinstance(rows, list):
            raise BrokerDown(f"Kite's {what} cannot be read: they are no list, but {type(rows).__name__}")
        return rows

    def _ready(self, call: Call, *, is_exit: bool) -> KiteConnect | Answer:
        """A client that may make the call; else REFUSED, since without a budget or a login nothing is sent."""
        waited = self._wait(call, is_exit=is_exit)
        if waited is not None:
            return waited
        try:
            return self._connected()
        except VikalpError as error:
            return Answer(kind="REFUSED", message=f"not sent: {error}")

    def _connected(self) -> KiteConnect:
        if self._client is None:
            c = self._config
            client = KiteConnect(api_key=c.api_key, root=c.root, timeout=c.timeout_s)
            client.set_access_token(self._token())
            self._client = careful(client)
        return self._client

    def _wait(self, call: Call, *, is_exit: bool) -> Answer | None:
        """Until the budget grants the call; REFUSED, and not sent, if that takes too long."""
        self._limiter = self._limiter or Limiter()
        until = time.monotonic_ns() + round(self._config.most_wait_s * SECOND)
        while wait := self._limiter.ask(call, is_exit=is_exit):
            if time.monotonic_ns() + wait > until:
                why = f"not sent: Kite's limit on calls to {call} is reached; {wait / SECOND:.1f} s to go"
                return Answer(kind="REFUSED", message=why)
            time.sleep(wait / SECOND)
        return None

    def _learn(self, call: Call, outcome: Outcome) -> Answer:
        if outcome.cause == Cause.RATE and self._limiter is not None:
            self._limiter.too_many(call)
        elif outcome.cause == Cause.LOGIN:
            self._client = None  # the next call asks for the token again: somebody may have logged in
        return outcome.answer


def _understood(parse: Callable[[Row], T], rows: Sequence[Row]) -> list[T]:
    """Every row, or BrokerDown: a book without one of its orders would say that the order does not exist."""
    out: list[T] = []
    for row in rows:
        try:
            out.append(parse(row))
        except (KeyError, TypeError, ValueError, OverflowError, VikalpError) as error:
            raise BrokerDown(f"Kite's row cannot be read ({type(error).__name__}: {error}): {dict(row)}") from error
    return out
