"""Strategies that trade through the desk's own client, and ask again with the same tag when they hear no answer."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import DeskError, VikalpError
from core.orders.tag import make_tag
from core.records import LIVE, Intent, Order, Product, Side
from tests.chaos.parts import Part
from tests.chaos.plan import ChaosConfig, rng_of
from tests.chaos.prices import Contract, Prices

MOST_LIVE = 6  # orders of one trader; then it cancels
MOST_LOTS = 30  # held by one trader; then it only exits
MOST_PLANS = 20  # remembered by one trader
TICK = 5  # paise
UNSENT_TRIES = 4  # of an order that a halted desk says it did not send


@dataclass
class Notes:
    """What the traders have seen, for the audit and the progress line. Each is written by one thread a tag."""

    asked_ns: dict[str, int] = field(default_factory=dict)  # tag → wall ns of the first asking
    answered: dict[str, str] = field(default_factory=dict)  # tag → the state last told, of orders that a ledger has
    did: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)  # calls that were not, by their words

    def asks(self, tag: str) -> None:
        self.asked_ns.setdefault(tag, time.time_ns())


class Trader(Part):
    """One strategy. Every draw is from its own generator; what becomes of it is the market's and the killer's."""

    def __init__(
        self, number: int, config: ChaosConfig, client: Any, act: Callable[["Trader"], None], *,
        prices: Prices, notes: Notes, stop: threading.Event,
    ) -> None:  # fmt: skip
        super().__init__(f"chaos{number}", stop)
        self.config, self.prices, self.notes = config, prices, notes
        self.rng = rng_of(config.seed, self.name)
        self.plans: list[str] = []  # ids of the newest
        self._number, self._client, self._act = number, client, act
        self._product: Product = "MIS" if number == 1 else "NRML"
        self._asked = 0
        self._own: dict[str, Order] = {}  # as last heard

    def work(self) -> None:
        while not self.stopped.wait(self.rng.uniform(*self.config.pause_s)):
            self._act(self)

    # -- how it asks ----------------------------------------------------------------

    def ask(
        self, contract: Contract, side: Side, quantity: int, *, limit_paise: int = 0, trigger_paise: int = 0,
        order_type: Literal["LIMIT", "MARKET", "SL"] = "LIMIT", purpose: Literal["entry", "exit"] = "entry",
        validity: Literal["DAY", "IOC"] = "DAY",
    ) -> None:  # fmt: skip
        """The same tag, again and again, until somebody says what it is; a desk that is halted is asked a few times."""
        intent = Intent(
            tag=self._tag("order"), strategy=self.name, index=self.index_of(contract.symbol), symbol=contract.symbol,
            side=side, quantity=quantity, order_type=order_type, limit_paise=limit_paise, trigger_paise=trigger_paise,
            product=self._product, validity=validity, purpose=purpose, reason="chaos",
        )  # fmt: skip
        unsent = 0
        while not self.stopped.is_set() and unsent < UNSENT_TRIES:
            self.notes.asks(intent.tag)
            order = self.call("submit", intent)
            if order is not None and not _unsent(order):
                self.hear(order)
                return
            unsent += order is not None
            self.stopped.wait(self.rng.uniform(0.05, 0.3))

    def plan(self, kind: str, contract: Contract, body: Mapping[str, Any]) -> None:
        """Start it; the same body again until somebody has it."""
        plan_id = self._tag("plan")
        head = {"type": kind, "plan_id": plan_id, "strategy": self.name, "index": self.index_of(contract.symbol)}
        whole = json.dumps({**head, "created_ns": 0, "product": self._product, **body})
        for _ in range(UNSENT_TRIES):
            if self.stopped.is_set():
                return
            if self.call("start_plan", whole) is not None:
                self.plans = [*self.plans, plan_id][-MOST_PLANS:]
                return
            self.stopped.wait(self.rng.uniform(0.05, 0.3))

    def call(self, method: str, *args: Any) -> Any:
        """The answer; None for none, and for what the desk says is no order."""
        try:
            return getattr(self._client, method)(*args)
        except DeskError as error:
            self.notes.unanswered[" ".join(str(error).split()[:5])] += 1
        except VikalpError as error:
            self.notes.unanswered[f"{method}: {type(error).__name__}: {error}"[:120]] += 1
        return None

    def hear(self, order: Order | None) -> None:
        if order is not None and not _unsent(order):
            self._own[order.intent.tag] = order
            self.notes.answered[order.intent.tag] = order.state

    def look(self) -> None:
        """What has become of its live orders: asking again is how a strategy looks one up."""
        for order in self.live()[:3]:
            self.hear(self.call("submit", order.intent))

    def _tag(self, what: str) -> str:
        self._asked += 1
        return make_tag(f"chaos {self.config.seed} {self.name} {what} {self._asked}")

    # -- what it has ----------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Of what can be cancelled: nobody knows of an UNKNOWN one before the troubles are over, and they add up."""
        return sum(order.state != "UNKNOWN" for order in self.live()) >= MOST_LIVE

    @property
    def has_enough(self) -> bool:
        return sum(map(abs, self._lots().values())) >= MOST_LOTS

    def live(self) -> list[Order]:
        return [order for order in self._own.values() if order.state in LIVE]

    def held(self) -> tuple[Contract, int] | None:
        """A contract near the money that its orders have brought, and the units none of them is taking off yet."""
        lots = self._lots()
        near = [one for index in self.config.indices for one in self.prices.near(index) if lots[one.symbol] > 0]
        self.rng.shuffle(near)
        for contract in near:
            leaving = sum(
                order.intent.quantity - order.filled_quantity
                for order in self.live()
                if order.intent.symbol == contract.symbol and order.intent.side == "SELL"
            )
            left = lots[contract.symbol] * contract.lot - leaving
            if left > 0:
                return contract, contract.lot * self.rng.randint(1, left // contract.lot)
        return None

    def contract(self) -> Contract | None:
        """One of those near the money, mostly of its own strikes: traders seldom meet."""
        near = self.prices.near(self.rng.choice(self.config.indices))
        own = [one for i, one in enumerate(sorted(near)) if i % self.config.traders == self._number]
        pool = own if self.rng.random() < 0.8 else near
        return self.rng.choice(pool) if pool else None

    def index_of(self, symbol: str) -> str:
        return next(one for one in self.config.indices if symbol.startswith(one))

    def _lots(self) -> Counter[str]:
        """Lots by contract of its own orders, as far as it has heard."""
        units: Counter[str] = Counter()
        for order in self._own.values():
            sign = 1 if order.intent.side == "BUY" else -1
            units[order.intent.symbol] += sign * order.filled_quantity
        lots = {one.symbol: one.lot for index in self.config.indices for one in self.prices.near(index)}
        return Counter({symbol: count // lots.get(symbol, count or 1) for symbol, count in units.items() if count})


def ticks(paise: float) -> int:
    """The nearest price on a tick."""
    return max(TICK, round(paise / TICK) * TICK)


def _unsent(order: Order) -> bool:
    """The desk is halted and kept nothing of it: its tag is free."""
    return (
        order.state == "REFUSED" and order.message.startswith("state: HALTED") and "nothing was sent" in order.message
    )
