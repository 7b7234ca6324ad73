"""An order manager with the account at Kite, at the local exchange: all that outlives its process."""

import time
from collections.abc import Callable, Iterator

from kiteconnect import KiteConnect
from msgspec import structs

from actors.oms.oms import OmsActor, OmsConfig
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.limiter import Call, Limiter, Window
from core.orders.tag import make_tag
from core.records import LIVE, Intent, Order
from exchange.listing import Instrument
from tests.fakes_broker import FakeRisk
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import ListBus
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.test_orders import traded_option
from tests.world_oms import WIDE

SECOND = 1_000_000_000
MANY = [Window(frozenset(Call), 10_000, SECOND)]  # a test looks more often than a desk


class DeskClock:
    """The exchange's market time, and the wall that a test can set on."""

    def __init__(self, served: Served) -> None:
        self._world = served.world

    def now_ns(self) -> int:
        return self._world.clock.now_ns()

    def wall_ns(self) -> int:
        return self._world.wall()

    def advance(self, to_ns: int) -> None: ...


class Desk:
    """What outlives an order manager's process; `oms` is the process."""

    def __init__(self, served: Served, *, timeout_s: float = 5.0) -> None:
        self.served, self.clients, self.timeout_s = served, [served.client()], timeout_s
        self.bus, self.ledger, self.risk, self.clock = ListBus(), MemoryLedger(), FakeRisk(), DeskClock(served)
        self.asks = 0  # for a token
        self.restart()

    @property
    def kite(self) -> KiteConnect:
        """The same account, seen past the order manager."""
        return self.clients[-1]

    def token(self) -> str:
        self.asks += 1
        return str(self.kite.access_token)

    def restart(self) -> None:
        config = KiteConfig(api_key="vikalp", root=self.served.root, timeout_s=self.timeout_s)
        self.broker = KiteBroker(config, self.token, clock=self.clock.wall_ns)
        self.broker._limiter = Limiter(MANY, cool_down_ns=SECOND // 5)
        self.oms = OmsActor(
            OmsConfig(indices=("NIFTY", "SENSEX"), budget=WIDE), bus=self.bus, clock=self.clock, ledger=self.ledger,
            broker=self.broker, risk=self.risk,
        )  # fmt: skip
        self.oms.open()

    def order(self, tag: str) -> Order:
        return {order.intent.tag: order for order in self.oms.orders()}[tag]

    def until(self, done: Callable[[], object]) -> None:
        """Timers, until it is so."""
        end = time.monotonic() + 20
        while not done():
            assert time.monotonic() < end, [(one.intent.tag, one.state, one.message) for one in self.oms.orders()]
            time.sleep(0.03)
            self.oms.on_timer()

    def ended(self, tag: str) -> str:
        self.until(lambda: self.order(tag).state not in LIVE)
        return self.order(tag).state

    def theirs(self) -> dict[str, list[str]]:
        """What the exchange itself has taken: states by tag."""
        found: dict[str, list[str]] = {}
        for order in self.served.do(lambda: list(self.served.world.engine.orders.values())):
            found.setdefault(str(order.tag), []).append(str(order.status))
        return found

    def held(self) -> dict[str, int]:
        return {one.symbol: one.quantity for one in self.oms.positions() if one.quantity}

    def agrees(self) -> None:
        """Nothing is doubled and nothing lost: orders, fills and positions are the exchange's."""
        self.oms.on_timer()
        taken = self.served.do(lambda: list(self.served.world.engine.orders.values()))
        ours = {order.intent.tag: order for order in self.oms.orders()}
        assert len(taken) == len({order.tag for order in taken}), "an order is there twice"
        assert {(order.tag, order.filled) for order in taken} == {
            (tag, ours[str(tag)].filled_quantity) for tag in (order.tag for order in taken)
        }
        net: dict[str, int] = {}
        for trade in self.served.do(lambda: list(self.served.world.engine.trades)):
            sign = 1 if trade.order.side == "BUY" else -1
            net[trade.order.one.symbol] = net.get(trade.order.one.symbol, 0) + sign * trade.quantity
        assert self.held() == {symbol: units for symbol, units in net.items() if units}
        assert len(self.ledger.trades) == len({fill.trade_id for fill in self.ledger.trades})


def quoted(served: Served, one: Instrument, side: str) -> int:
    """The best price of a side, paise."""
    return int(served.world.day.quotes.book[f"{side}_paise"][one.place][0])


def buy(served: Served, seed: str, *, lots: int = 1, rests: bool = False, **changes: object) -> Intent:
    """One that fills at once, or one a fifth below the market."""
    one = traded_option(served)
    limit = quoted(served, one, "bid") * 4 // 5 // 5 * 5 if rests else quoted(served, one, "ask") * 11 // 10 // 5 * 5
    given = {
        "tag": make_tag(seed), "strategy": "manual", "index": "NIFTY", "symbol": one.symbol, "side": "BUY",
        "quantity": lots * one.lot, "order_type": "LIMIT", "limit_paise": limit,
    }  # fmt: skip
    return Intent(**(given | changes))  # type: ignore[arg-type]


def out_of(held: Order, seed: str) -> Intent:
    """The exit of an order that has filled, at a limit that meets the market; in NRML."""
    limit = held.intent.limit_paise * 4 // 5 // 5 * 5
    return structs.replace(
        held.intent, tag=make_tag(seed), side="SELL", purpose="exit", product="NRML", limit_paise=limit
    )


def opened(served: Served) -> Iterator[Desk]:
    """A desk of an account without orders and positions; no fault of one test outlives it."""
    engine, positions = served.world.engine, served.world.positions
    served.do(lambda: (engine.orders.clear(), engine._live.clear(), engine.trades.clear(), positions._held.clear()))
    yield Desk(served)
    served.world.faults.stop()
