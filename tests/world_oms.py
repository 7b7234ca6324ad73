"""An order manager and all that outlives its process, in memory."""

from typing import Any

from actors.oms.oms import OmsActor, OmsConfig
from actors.oms.waited import MOST_NS
from core.orders.budget import BudgetConfig
from core.records import Intent, Order
from tests.fakes_broker import FakeBroker, FakeRisk
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import INDEX, LOT, SECOND, HandClock, ListBus, intent

# The clock of these tests stands still while they send: a budget no account has keeps out of the way of what they ask.
WIDE = BudgetConfig.model_construct(
    **{name: 1_000_000 if "keep" not in name else 0 for name in BudgetConfig.model_fields}
)


class World:
    """What outlives an order manager's process; `oms` is the process, `restart` a new one."""

    def __init__(self, **config: object) -> None:
        self.config = OmsConfig(indices=(INDEX,), **({"budget": WIDE} | config))
        self.bus, self.clock, self.ledger, self.broker, self.risk = (
            ListBus(),
            HandClock(),
            MemoryLedger(),
            FakeBroker(),
            FakeRisk(),
        )
        self.oms = self.restart()

    def make(self) -> OmsActor:
        return OmsActor(
            self.config,
            bus=self.bus,
            clock=self.clock,
            ledger=self.ledger,
            broker=self.broker,
            risk=self.risk,
            pause=self.clock.sleep,
            **self.more(),
        )

    def more(self) -> dict[str, Any]:
        """Ports that only some worlds have."""
        return {}

    def restart(self) -> OmsActor:
        self.oms = self.make()
        self.oms.open()
        return self.oms

    def order(self, tag: str = "A") -> Order:
        return {order.intent.tag: order for order in self.oms.orders()}[tag]

    def later(self, seconds: float = 1.0) -> None:
        """The timer's turn then, and in a longer time as often as time without a look counts as waited for."""
        while seconds > MOST_NS / SECOND:
            self.clock.sleep(MOST_NS / SECOND)
            self.oms.on_timer()
            seconds -= MOST_NS / SECOND
        self.clock.sleep(seconds)
        self.oms.on_timer()

    def long(self, quantity: int = 2 * LOT) -> None:
        """A position to exit."""
        self.oms.submit(intent("LONG", quantity=quantity))
        self.broker.fill("LONG", quantity, 35_000)
        self.oms.on_timer()

    def sold(self) -> list[tuple[str, int]]:
        """What the broker holds open for sale, by state and units."""
        return [
            (order.state, order.intent.quantity)
            for order in self.broker.orders.values()
            if order.intent.side == "SELL" and order.state == "OPEN"
        ]


def leave(tag: str, quantity: int = LOT) -> Intent:
    """An exit that never fills."""
    return intent(tag, side="SELL", purpose="exit", quantity=quantity, limit_paise=90_000)


def leaving_world() -> World:
    """Two lots are held, and exit X, which never fills, is to sell them."""
    world = World()
    world.long(2 * LOT)
    world.oms.submit(leave("X", 2 * LOT))
    return world
