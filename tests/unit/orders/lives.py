"""One account at the local exchange, one ledger, and the processes of an order manager that live and die on them."""

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from msgspec import structs

from actors.oms.oms import OmsActor, OmsConfig
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.limiter import Limiter
from core.orders.machine import terms
from core.ports import Clock, Ledger
from core.records import LIVE, Order, Terms
from core.schemas import DEPTH
from exchange.listing import Instrument
from exchange.orders.order import Order as Taken
from exchange.world import World
from tests.fakes_broker import FakeRisk
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import ListBus
from tests.unit.exchange.oms_desk import MANY
from tests.unit.exchange.test_orders import traded_option
from tests.unit.orders.answers import Answered, Impatient
from tests.unit.orders.clocks import MarketClock, StandingWall
from tests.unit.orders.points import Trap
from tests.world_oms import WIDE

PATIENT_S = 30.0  # of a call: how busy a machine is decides nothing
SHOWN = 3  # lots at each of the best prices, at the start
HALF_HOUR_NS = 1_800_000_000_000
LATE_S = 100  # by which an order is in every book, if ever


def _anew(world: World, one: Instrument) -> None:
    """Nobody has traded, nothing is wrong, and it is half an hour after the open again; `one` shows SHOWN lots."""
    for side in ("bid", "ask"):
        world.day.quotes.book[f"{side}_qty"][one.place] = SHOWN * one.lot
    for side, best in (("bid", -1), ("ask", 1)):
        steps = np.arange(1, DEPTH + 1) * best * one.tick_paise
        world.day.quotes.book[f"{side}_paise"][one.place] = world.day.quotes.last[one.place] + steps
    for held in (world.engine.orders, world.engine._live, world.engine.trades, world.positions._held):
        held.clear()
    world.faults.stop()
    world.clock.jump(world.day.open_ns + HALF_HOUR_NS - world.clock.now_ns())


class Process:
    """An order manager of an account, alone: what it needs of the exchange is its address, the time and a token."""

    def __init__(self, root: str, wall: StandingWall, clock: Clock, ledger: Ledger, token: str) -> None:
        self.root, self.wall, self.clock, self.ledger, self.token = root, wall, clock, ledger, token
        self.risk = FakeRisk()

    def start(self, trap: Trap | None = None) -> OmsActor:
        """A new one, open; what it leaves marks by passes `trap`."""
        trap = trap or Trap()
        config = KiteConfig(api_key="vikalp", root=self.root, timeout_s=PATIENT_S, most_wait_s=0.0)
        broker = KiteBroker(config, lambda: self.token, clock=self.clock.wall_ns)
        broker._limiter = Limiter(MANY, clock=self.clock.wall_ns, cool_down_ns=1_000_000)
        for scheme in ("https://", "http://"):
            broker._access.client().reqsession.mount(scheme, Impatient())
        self.oms = OmsActor(
            OmsConfig(budget=WIDE), bus=ListBus(), clock=self.clock, ledger=trap.wrap("ledger", self.ledger),
            broker=trap.wrap("broker", broker), risk=trap.wrap("risk", self.risk), pause=self.wall.on,
        )  # fmt: skip
        self.oms.open()
        return self.oms

    def orders(self) -> dict[str, Order]:
        return {order.intent.tag: order for order in self.oms.orders()}

    def held(self) -> dict[str, int]:
        return {one.symbol: one.quantity for one in self.oms.positions() if one.quantity}

    def later(self, seconds: float = 0.5) -> None:
        """The exchange, whenever it is asked, does what is due; the order manager looks."""
        self.wall.on(seconds)
        self.oms.on_timer()

    def login(self) -> None:
        """Nobody is there."""

    def arrives(self) -> None:
        """What is on its way to the exchange arrives when this process has ended."""

    def cancel(self, tag: str) -> None:
        """As a person would: again, as long as the order lives."""
        while self.orders()[tag].state in LIVE:
            self.oms.cancel(tag)
            self.later()


class Account(Process):
    """What outlives a process: the exchange, the ledger, risk. `oms` is the process, `start` a new one."""

    def __init__(self, served: Answered, ledger: Ledger | None = None) -> None:
        self.served = served
        wall = served.world.wall
        assert isinstance(wall, StandingWall)
        served.do(lambda: _anew(served.world, traded_option(served)))
        served.script.clear()
        clock = MarketClock(wall, served.world.clock.now_ns())
        token = str(served.client().access_token)
        super().__init__(served.root, wall, clock, MemoryLedger() if ledger is None else ledger, token)

    def login(self) -> None:
        """A person logs in anew, where the login has died."""
        if self.oms.state() == "HALTED":
            self.token = str(self.served.client().access_token)
            self.later(4)

    def arrives(self) -> None:
        self.served.give_up()

    def until(self, done: Callable[[], object], seconds: float = 0.5) -> None:
        end = time.monotonic() + 20
        while not done():
            assert time.monotonic() < end, [(one.intent.tag, one.state, one.message) for one in self.oms.orders()]
            self.later(seconds)

    def recover(self, trap: Trap | None = None) -> None:
        """A new process, a login if there is none, and as long as it takes until every order is known for what it is.

        What was on its way when the process ended arrives after the first look at the book.
        """
        self.start(trap)
        self.arrives()
        self.later()
        self.login()
        self.until(lambda: all(order.state not in {"JOURNALLED", "UNKNOWN"} for order in self.oms.orders()), LATE_S / 2)
        self.later(LATE_S)  # what the book shows late it shows now

    def taken(self) -> list[Taken]:
        """What the exchange itself has."""
        return self.served.do(lambda: list(self.served.world.engine.orders.values()))

    def flat(self) -> None:
        """As a person would: exit again, as long as something is held."""
        while self.held():
            self.oms.exit_all("a person")
            self.later()

    def judge(self) -> None:
        """Nothing lost, nothing doubled: orders, fills, positions and what risk counts are the exchange's."""
        ours, theirs = self.orders(), Counter(str(order.tag) for order in self.taken())
        posts = Counter(tag for method, tag in self.served.script.asked if method == "POST")
        assert all(number == 1 for number in theirs.values()), f"an order is there twice: {theirs}"
        assert all(number == 1 for number in posts.values()), f"an order was sent twice: {posts}"
        assert theirs.keys() <= ours.keys(), "the exchange has an order that the ledger does not know"
        for taken in self.taken():
            mine = ours[str(taken.tag)]
            state = str(taken.status) if taken.ended else "OPEN"
            assert (mine.state, mine.filled_quantity) == (state, taken.filled), mine
            assert taken.modifications <= mine.modifications, "it was changed more often than anybody wrote down"
            if not taken.ended:
                rests = Terms(order_type=taken.asked.order_type, limit_paise=taken.price_paise)
                assert terms(mine) == rests, mine
        for tag in ours.keys() - theirs.keys():
            assert ours[tag].state in {"REJECTED", "REFUSED"}, ours[tag]
            assert ours[tag].filled_quantity == 0
        self._money(ours)

    def _money(self, ours: dict[str, Order]) -> None:
        trades = self.served.do(lambda: list(self.served.world.engine.trades))
        counted = [fill.trade_id for fill in self.ledger.fills()]
        assert sorted(counted) == sorted(f"{one.order.order_id}-{one.trade_id}" for one in trades)
        assert set(self.risk.booked) == set(counted), "risk has not heard of every trade"
        assert self.risk.working == {tag for tag, order in ours.items() if order.state in LIVE}
        net = Counter[str]()
        for one in trades:
            net[one.order.one.symbol] += one.quantity if one.order.side == "BUY" else -one.quantity
        assert all(units >= 0 for units in net.values()), "more was sold than was held"
        assert self.held() == +net
        assert self.oms.state() == "ACTIVE", (
            self.oms._parts.standing.said,
            [alert.message for alert in self.oms.alerts()],
        )

    def stays(self) -> None:
        """However long one waits, nothing changes by itself."""
        before = {tag: structs.replace(order, updated_ns=0) for tag, order in self.orders().items()}
        for _ in range(2):
            self.later(LATE_S)
        assert {tag: structs.replace(order, updated_ns=0) for tag, order in self.orders().items()} == before
        self.judge()
