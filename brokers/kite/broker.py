"""An account at Kite as the order manager's broker: one call, one request, one answer.

Every order carries its tag and nothing is sent again; what Kite took is found by the tag. A MARKET order goes out with
automatic market protection, without which Kite refuses it. Orders and trades without one of our tags are somebody
else's, placed in Kite's own apps: they are not shown here and nobody touches them. The positions are the account's,
whoever traded them.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException
from pydantic import BaseModel, Field

from brokers.kite.access import REMEDY, Access
from brokers.kite.bounded import within
from brokers.kite.limiter import Call, Limiter
from brokers.kite.outcome import FORBIDDEN, Cause, Outcome, send
from brokers.kite.reads import read
from brokers.kite.rows import fill_of, is_ours, moment_ns, order_of, position_of, text
from core.errors import BrokerDown, NotLoggedIn, VikalpError
from core.market import derivatives_exchange_of
from core.orders.answer import Answer
from core.records import Fill, Intent, Order

Row = Mapping[str, Any]
T = TypeVar("T")
SECOND = 1_000_000_000
AUTOMATIC = -1  # market protection: Kite's own band
LEAST = 0.25  # of a call's time: with less of it left nothing is sent


class KiteConfig(BaseModel, frozen=True, extra="forbid"):
    api_key: str
    root: str = Field(default="https://api.kite.trade", description="Kite, or this machine's own exchange")
    timeout_s: float = Field(
        default=2.5, gt=0, description="all of a call: the token, waiting for the budget, connecting, the answer, s"
    )
    most_wait_s: float = Field(default=1.5, ge=0, description="of it, waiting for the budget of calls, s")


class KiteBroker:
    """Implements core.ports.Broker. No call takes longer than `timeout_s`; the order manager counts on it.

    `token` gives the day's access token, and is asked on first use, and again while there is none that works, every few
    seconds: a login made meanwhile is found. Picklable until it is used: the client is made in the actor's own process.
    """

    unlisted_ms = 120_000  # orders were seen in the book a minute and a half late (kite.md §8)
    trades_at_once = False  # an order goes through its states first, and news tell of each

    def __init__(
        self, config: KiteConfig, token: Callable[[], str], *, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """`clock` times the questions for a token."""
        self._config, self._token = config, token
        self._access = Access(config.api_key, config.root, config.timeout_s, token, clock)
        self._limiter = Limiter()
        self._tags: dict[str, str] = {}  # order id → tag, of orders that are ours
        self._foreign: set[str] = set()  # order ids of others
        self._sent: set[str] = set()  # tags: their orders are in the budget, whether or not anybody heard of them
        self._counted: set[str] = set()  # order ids of the book that are in the budget

    def __reduce__(self) -> tuple[object, ...]:
        return KiteBroker, (self._config, self._token)

    def place(self, intent: Intent) -> Answer:
        """Send once. REFUSED proves that nothing was placed; UNKNOWN is to be looked up."""
        market = intent.order_type == "MARKET"
        order = {
            "variety": KiteConnect.VARIETY_REGULAR, "exchange": derivatives_exchange_of(intent.index),
            "tradingsymbol": intent.symbol, "transaction_type": intent.side, "quantity": intent.quantity,
            "product": intent.product, "order_type": intent.order_type, "validity": KiteConnect.VALIDITY_DAY,
            "price": None if market else intent.limit_paise / 100, "tag": intent.tag,
            "market_protection": AUTOMATIC if market else None,
        }  # fmt: skip
        is_exit = intent.purpose == "exit"
        self._sent.add(intent.tag)
        answer = self._send(Call.PLACE, lambda client: client.place_order(**order), is_exit=is_exit)
        if answer.kind == "ACK":
            self._tags[answer.broker_id] = intent.tag
        return answer

    def cancel(self, broker_id: str) -> Answer:
        """Ask for a cancel: an ACK says the request was taken, the book says when it is done.

        One that names another order proves nothing.
        """
        # A cancel takes risk off: what is reserved for exits is for it too.
        regular = KiteConnect.VARIETY_REGULAR
        answer = self._send(Call.CHANGE, lambda client: client.cancel_order(regular, broker_id), is_exit=True)
        if answer.kind == "ACK" and answer.broker_id != broker_id:
            said = f"{answer.broker_id!r:.40}"
            return Answer(kind="UNKNOWN", message=f"asked to cancel {broker_id}, Kite says that it cancels {said}")
        return answer

    def find(self, tag: str) -> Order | None:
        """Kite's own order with that tag; of several, which only a fault of ours can make, the first."""
        return next((order for order in self.book() if order.intent.tag == tag), None)

    def book(self) -> Sequence[Order]:
        """Our orders of the day, oldest first. Raises BrokerDown when Kite does not say; NotLoggedIn is one."""
        return self._book(self._until())

    def _book(self, until: float) -> list[Order]:
        rows = self._read("orders", until)
        ours = _understood(lambda row: is_ours(row, self._sent), rows)
        orders = _understood(order_of, [row for row, mine in zip(rows, ours, strict=True) if mine])
        self._tags.update({order.broker_id: order.intent.tag for order in orders})
        self._foreign = {str(row.get("order_id")) for row, mine in zip(rows, ours, strict=True) if not mine}
        self._count_others(rows)
        return orders

    def trades(self) -> Sequence[Fill]:
        """Trades of our orders of the day. Raises as `book`."""
        until = self._until()
        rows = self._read("trades", until)
        whose = _understood(lambda row: text(row, "order_id"), rows)
        if not self._tags.keys() | self._foreign >= set(whose):
            self._book(until)
        ours = [row for row, order_id in zip(rows, whose, strict=True) if order_id in self._tags]
        return _understood(lambda row: fill_of(row, self._tags[row["order_id"]]), ours)

    def positions(self) -> Mapping[tuple[str, str], int]:
        """Signed units of the account by contract and product, whoever traded them. Raises as `book`."""
        rows = self._read("positions", self._until(), "net")
        net = Counter[tuple[str, str]]()
        for known in _understood(position_of, rows):
            if known is not None:
                net[known[0]] += known[1]
        return net

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:  # noqa: ARG002 an exchange sees its own market
        """An exchange has its own book: nothing fills by this."""
        return False

    def _count_others(self, rows: Sequence[Row]) -> None:
        """Kite counts every order of the day, whoever sent it: those of others and of earlier lives take from its
        budget as soon as the book shows them.

        As if the newest had been sent now: Kite's clock is not ours.
        """
        others = {str(row.get("order_id")): row for row in rows if (row.get("tag") or "") not in self._sent}
        new = others.keys() - self._counted
        at = _understood(lambda row: moment_ns(row["order_timestamp"]), [others[order_id] for order_id in new])
        newest = max(at, default=0)
        self._limiter.restore(Call.PLACE, [newest - one for one in at])
        self._counted.update(new)

    def _read(self, what: str, until: float, part: str = "") -> list[Row]:
        """A list of Kite's, or its list `part`; every failure is BrokerDown, since a read can be asked again."""
        client = self._access.client()
        try:
            rows: Any = read(
                Call.OTHER, lambda: within(until - time.monotonic(), getattr(client, what)), self._limiter,
                most_wait_s=min(self._most_wait_s, until - time.monotonic()),
            )  # fmt: skip
        except VikalpError as error:
            cause = error.__cause__
            if isinstance(cause, TokenException) and cause.code == FORBIDDEN:
                raise self._access.died(f"{cause}") from error
            self._access.drop()
            raise BrokerDown(f"Kite's {what} cannot be read: {error}") from error
        if part:
            rows = rows.get(part) if isinstance(rows, dict) else None
        if not isinstance(rows, list):
            raise BrokerDown(f"Kite's {what} cannot be read: they are no list, but {type(rows).__name__}")
        return rows

    def _send(self, call: Call, ask: Callable[[KiteConnect], object], *, is_exit: bool) -> Answer:
        """One request; REFUSED, and not sent, without a login, a budget or the time for an answer."""
        until = self._until()
        try:
            client = self._access.client()
        except VikalpError as error:
            return Answer(kind="REFUSED", message=f"not sent: {error}", again=not isinstance(error, NotLoggedIn))
        waited = self._wait(call, until, is_exit=is_exit)
        if waited is not None:
            return waited
        return self._learn(call, send(lambda: within(until - time.monotonic(), lambda: ask(client))))

    def _wait(self, call: Call, until: float, *, is_exit: bool) -> Answer | None:
        """Until the budget grants the call; REFUSED, and not sent, if that takes too long.

        An order that nobody could wait for would be UNKNOWN for two minutes, whatever became of it.
        """
        last = until - LEAST * self._config.timeout_s
        waited = time.monotonic() + self._most_wait_s
        while time.monotonic() <= last:
            wait = self._limiter.ask(call, is_exit=is_exit) / SECOND
            if not wait:
                return None
            if time.monotonic() + wait > min(waited, last):
                why = f"not sent: Kite's limit on calls to {call} is reached; {wait:.1f} s to go"
                return Answer(kind="REFUSED", message=why, again=True)
            time.sleep(wait)
        why = f"not sent: of its {self._config.timeout_s:g} s too few are left for an answer"
        return Answer(kind="REFUSED", message=why, again=True)

    def _learn(self, call: Call, outcome: Outcome) -> Answer:
        if outcome.cause == Cause.RATE:
            self._limiter.too_many(call)
        elif outcome.cause == Cause.LOGIN:
            self._access.died(outcome.answer.message)
            return Answer(kind="REFUSED", message=f"{outcome.answer.message}: {REMEDY}")
        elif outcome.cause == Cause.UNSURE:
            self._access.drop()
        return outcome.answer

    def _until(self) -> float:
        return time.monotonic() + self._config.timeout_s

    @property
    def _most_wait_s(self) -> float:
        return min(self._config.most_wait_s, self._config.timeout_s / 2)


def _understood(parse: Callable[[Row], T], rows: Sequence[Row]) -> list[T]:
    """Every row, or BrokerDown: a book without one of its orders would say that the order does not exist."""
    out: list[T] = []
    for row in rows:
        try:
            out.append(parse(row))
        except (KeyError, TypeError, ValueError, OverflowError, VikalpError) as error:
            raise BrokerDown(f"Kite's row cannot be read ({type(error).__name__}: {error}): {dict(row)}") from error
    return out
