"""Exactly once, whatever fails when: random days of orders, fills, deaths and outages, then one quiet minute."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.oms.oms import OmsActor, OmsConfig
from core.errors import VikalpError
from core.orders.positions import fold
from core.records import LIVE, Intent
from tests.fakes_broker import Died, FakeBroker, FakeRisk
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import LOT, HandClock, ListBus, intent
from tests.world_oms import WIDE

WRITES = ("journal_intent", "record_order", "record_fill", "record_refusal", "orders", "fills", "record_alert")
PLACES = ("ack", "refuse", "lose the request", "lose the answer", "die before accept", "die after accept")
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 4), st.sampled_from(PLACES)),
    st.tuples(st.just("fill"), st.integers(0, 9), st.sampled_from((LOT, 2 * LOT, 4 * LOT))),
    st.tuples(st.just("exit"), st.integers(0, 1), st.sampled_from((LOT, 4 * LOT))),
    st.tuples(st.just("again"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("cancel"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("exit_all"), st.just(0), st.just("")),
    st.tuples(st.just("lag"), st.just(0), st.booleans()),
    st.tuples(st.just("slow"), st.just(0), st.booleans()),
    st.tuples(st.just("kill"), st.just(0), st.just("")),
    st.tuples(st.just("wait"), st.integers(1, 9), st.just("")),
    st.tuples(st.just("ledger"), st.just(0), st.sampled_from((*WRITES, "down all", "lost all", "back"))),
    st.tuples(st.just("lost"), st.just(0), st.sampled_from(WRITES)),
    st.tuples(st.just("risk"), st.just(0), st.booleans()),
    st.tuples(st.just("broker"), st.just(0), st.booleans()),
)

EXITS = st.one_of(
    st.tuples(st.just("exit"), st.integers(0, 2), st.sampled_from((LOT, 2 * LOT, 4 * LOT))),
    st.tuples(st.just("exit_all"), st.just(0), st.just("")),
    st.tuples(st.just("fill"), st.integers(0, 2), st.sampled_from((LOT, 2 * LOT, 4 * LOT))),
    st.tuples(st.just("cancel live"), st.integers(0, 2), st.just("")),
    st.tuples(st.just("lag"), st.just(0), st.booleans()),
    st.tuples(st.just("slow"), st.just(0), st.booleans()),
    st.tuples(st.just("wait"), st.just(1), st.just("")),
    st.tuples(st.just("kill"), st.just(0), st.just("")),
)


class Day:
    def __init__(self) -> None:
        self.clock, self.ledger, self.broker, self.risk = HandClock(), MemoryLedger(), FakeBroker(), FakeRisk()
        self.start()

    def start(self) -> None:
        """A new process; its guard tries open() again and again, here on every wait."""
        self.oms = OmsActor(
            OmsConfig(budget=WIDE),
            bus=ListBus(),
            clock=self.clock,
            ledger=self.ledger,
            broker=self.broker,
            risk=self.risk,
            pause=self.clock.sleep,
        )
        self.opened = False
        self.open()

    def open(self) -> None:
        try:
            self.oms.open()
            self.opened = True
        except VikalpError:
            return

    def order(self, number: int) -> Intent:
        return intent(f"T{number}", quantity=4 * LOT)

    def step(self, what: str, number: int, how: object) -> None:
        live = [order.intent.tag for order in self.oms.orders() if order.state in LIVE]
        steps = {
            "submit": lambda: self.submit(number, str(how)),
            "fill": lambda: self.fill(number, int(str(how))),
            "exit": lambda: self.oms.submit(
                intent(f"X{number}{how}", side="SELL", purpose="exit", quantity=int(str(how)))
            ),
            "again": lambda: self.broker.fills.extend(self.broker.fills[number:][:1]),
            "cancel": lambda: self.oms.cancel(f"T{number}"),
            "cancel live": lambda: live and self.oms.cancel(live[number % len(live)]),
            "exit_all": self.exit_all,
            "kill": self.start,
            "wait": lambda: self.wait(number),
        }
        if what in steps:
            steps[what]()
        else:
            self.fault(what, how)

    def submit(self, number: int, how: str) -> None:
        self.broker.next_place = how
        self.oms.submit(self.order(number))
        self.broker.next_place = "ack"

    def exit_all(self) -> None:
        self.clock.sleep(0.001)
        self.oms.exit_all("a test")

    def fill(self, number: int, quantity: int) -> None:
        """Of the orders open at the broker, exits among them; a sale never turns what is truly held."""
        live = [order for order in self.broker.orders.values() if order.state == "OPEN"]
        if live:
            order = live[number % len(live)]
            self.broker.fill(order.intent.tag, min(quantity, order.intent.quantity - order.filled_quantity), 35_000)
            true = fold({fill.trade_id: fill for fill in self.broker.fills}.values())
            assert all(holding.quantity >= 0 for holding in true.values()), f"{order.intent.tag} sold what was not held"

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if self.opened:
            self.oms.on_timer()
        else:
            self.open()

    def fault(self, what: str, how: object) -> None:
        if what == "ledger":
            self.ledger.down = lambda name: how in {name, "down all"}
            self.ledger.lost = lambda name: how == "lost all"
        elif what == "lost":
            self.ledger.lost = lambda name: name == how
        elif what == "risk":
            self.risk.away = bool(how)
        elif what == "broker":
            self.broker.away = bool(how)
        elif what == "lag":
            self.broker.lags(bool(how))
        elif what == "slow":
            self.broker.slow = bool(how)
            if not how:
                self.broker.confirm()

    def heal(self) -> None:
        self.fault("ledger", "back")
        self.fault("risk", how=False)
        for what in ("broker", "lag", "slow"):
            self.fault(what, how=False)
        for _ in range(40):
            self.wait(1)


def held_day() -> Day:
    """At a position of four lots, bought by T0."""
    day = Day()
    day.step("submit", 0, "ack")
    day.fill(0, 4 * LOT)
    day.wait(1)
    return day


@settings(max_examples=300, deadline=None)
@given(st.lists(EXITS, min_size=3, max_size=15))
def test_no_exit_turns_a_position_and_exit_all_leaves_none_without_one(steps: list[tuple[str, int, object]]) -> None:
    """While trades are listed late and cancels confirmed late: what all exits together may sell is held."""
    day = held_day()
    for what, number, how in steps:
        day.step(what, number, how)
    day.step("exit_all", 0, "")
    day.heal()
    held = sum(position.quantity for position in day.oms.positions())
    leaving = [order for order in day.broker.orders.values() if order.state == "OPEN"]

    assert sum(order.intent.quantity - order.filled_quantity for order in leaving) == held
    for _ in range(20):
        day.fill(0, 4 * LOT)
        day.wait(1)
    assert [position.quantity for position in day.oms.positions()] == [0]


@settings(max_examples=200, deadline=None)
@given(st.lists(EXITS, min_size=1, max_size=12))
def test_exit_all_sells_all_that_was_held_and_nothing_bought_after_it(steps: list[tuple[str, int, object]]) -> None:
    day = held_day()
    for what, number, how in steps:
        day.step(what, number, how)
    day.step("exit_all", 0, "")
    day.oms.submit(intent("NEW", quantity=3 * LOT))
    day.broker.fill("NEW", 3 * LOT, 35_000)
    day.heal()
    for _ in range(20):
        day.fill(0, 4 * LOT)
        day.wait(1)

    assert [position.quantity for position in day.oms.positions()] == [3 * LOT]


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_nothing_is_sent_twice_and_no_fill_is_lost_or_doubled(steps: list[tuple[str, int, object]]) -> None:
    day = Day()
    for what, number, how in steps:
        try:
            day.step(what, number, how)
        except Died:
            day.start()
        except VikalpError:
            continue  # the caller is told; the day goes on
    day.heal()
    orders = {order.intent.tag: order for order in day.oms.orders()}
    ours = {fill.trade_id: fill for fill in day.broker.fills if fill.tag in orders}

    assert day.oms.state() == "ACTIVE"
    assert len(day.broker.placed) == len(set(day.broker.placed))
    assert set(day.broker.placed) <= set(day.ledger.table)
    assert [fill.trade_id for fill in day.ledger.trades] == list(ours)
    assert ours.keys() <= set(day.risk.booked)
    assert day.risk.working == {tag for tag, order in orders.items() if order.state in LIVE}
    assert {p.symbol: p.quantity for p in day.oms.positions()} == {
        s: h.quantity for s, h in fold(ours.values()).items()
    }
    for tag, order in orders.items():
        theirs = day.broker.orders.get(tag)
        filled = sum(fill.quantity for fill in ours.values() if fill.tag == tag)
        assert order.filled_quantity == filled
        assert order.state not in {"JOURNALLED", "UNKNOWN"}
        assert order.state not in LIVE or (theirs is not None and theirs.state == "OPEN")
        assert theirs is None or theirs.state != "OPEN" or order.state == "OPEN"
    restarted = msgspec.json.encode(day.oms.orders())
    day.start()
    assert msgspec.json.encode(day.oms.orders()) == restarted
