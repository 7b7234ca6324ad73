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

WRITES = ("journal_intent", "record_order", "record_fill", "record_refusal", "orders", "fills", "record_alert")
PLACES = ("ack", "refuse", "lose the request", "lose the answer", "die before accept", "die after accept")
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 4), st.sampled_from(PLACES)),
    st.tuples(st.just("fill"), st.integers(0, 4), st.sampled_from((LOT, 2 * LOT))),
    st.tuples(st.just("again"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("cancel"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("exit_all"), st.just(0), st.just("")),
    st.tuples(st.just("kill"), st.just(0), st.just("")),
    st.tuples(st.just("wait"), st.integers(1, 9), st.just("")),
    st.tuples(st.just("ledger"), st.just(0), st.sampled_from((*WRITES, "down all", "lost all", "back"))),
    st.tuples(st.just("lost"), st.just(0), st.sampled_from(WRITES)),
    st.tuples(st.just("risk"), st.just(0), st.booleans()),
    st.tuples(st.just("broker"), st.just(0), st.booleans()),
)


class Day:
    def __init__(self) -> None:
        self.clock, self.ledger, self.broker, self.risk = HandClock(), MemoryLedger(), FakeBroker(), FakeRisk()
        self.start()

    def start(self) -> None:
        """A new process; its guard tries open() again and again, here on every wait."""
        self.oms = OmsActor(
            OmsConfig(), bus=ListBus(), clock=self.clock, ledger=self.ledger, broker=self.broker, risk=self.risk
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
        if what == "submit":
            self.broker.next_place = str(how)
            self.oms.submit(self.order(number))
            self.broker.next_place = "ack"
        elif what == "fill":
            order = self.broker.orders.get(f"T{number}")
            if order is not None and order.state == "OPEN":
                self.broker.fill(f"T{number}", min(int(str(how)), 4 * LOT - order.filled_quantity), 35_000)
        elif what == "again" and self.broker.fills:
            self.broker.fills.append(self.broker.fills[number % len(self.broker.fills)])
        elif what == "cancel":
            self.oms.cancel(f"T{number}")
        elif what == "exit_all":
            self.clock.sleep(0.001)
            self.oms.exit_all("a test")
        elif what == "kill":
            self.start()
        elif what == "wait":
            self.wait(number)
        else:
            self.fault(what, how)

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

    def heal(self) -> None:
        self.fault("ledger", "back")
        self.fault("risk", how=False)
        self.fault("broker", how=False)
        for _ in range(40):
            self.wait(1)


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
