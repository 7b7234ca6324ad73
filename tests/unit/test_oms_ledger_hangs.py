"""A ledger that hangs, on a hand clock: who wants something waits for one of its deadlines, not for one a write."""

import contextlib
from collections.abc import Sequence

import pytest

from brokers.paper import PaperBroker
from cluster.decide import SupervisionConfig
from cluster.topology import WAITS_S
from core.errors import InputError, LedgerDown
from core.matching.queue import Place
from core.orders.answer import Answer
from core.records import Alert, Fill, Order
from storage.broker_store import PostgresBrokerStore
from storage.ledger import PostgresLedger
from storage.ledger.ledger import TIMEOUT_S
from tests.fakes_ledger import MemoryLedger, MemoryStore
from tests.fakes_orders import LOT, SECOND, HandClock, intent, ticks
from tests.world_oms import World

DEADLINE_S = 5


class Hanging(World):
    """Two lots are held; of every call of the ledger from now on the whole deadline is spent, and then it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.long(2 * LOT)
        self.calls: list[str] = []

    def hang(self) -> None:
        def down(name: str) -> bool:
            self.calls.append(name)
            self.clock.sleep(DEADLINE_S)
            return True

        self.ledger.down = down

    def waited_s(self, since_ns: int) -> float:
        return (self.clock.wall - since_ns) / SECOND


@pytest.fixture
def world() -> Hanging:
    return Hanging()


def test_every_cancel_of_exit_all_leaves_before_the_ledger_is_asked_and_it_is_asked_once(world: Hanging) -> None:
    for number in range(3):
        world.oms.submit(intent(f"R{number}"))
    began, left, cancel = world.clock.wall, [], world.broker.cancel

    def timed(broker_id: str) -> Answer:
        left.append(world.waited_s(began))
        return cancel(broker_id)

    world.broker.cancel = timed  # type: ignore[method-assign]
    world.hang()
    answer = world.oms.exit_all("kill switch")

    assert left == [0, 0, 0]
    assert (world.waited_s(began), world.calls) == (DEADLINE_S, ["record_order"])
    assert [order.state for order in answer] == ["REFUSED"] * 4
    assert {order.state for order in world.broker.orders.values()} == {"COMPLETE", "CANCELLED"}


def test_a_submit_a_cancel_and_the_timer_each_wait_for_one_deadline(world: Hanging) -> None:
    world.oms.submit(intent("R"))
    world.broker.fill("R", LOT, 35_000)
    world.hang()
    waited = []
    for act in (
        lambda: world.oms.submit(intent("A")),
        lambda: world.oms.submit(intent("B")),
        lambda: world.oms.cancel("R"),
        world.oms.on_timer,
        lambda: world.oms.halt("enough"),
    ):
        began = world.clock.wall
        with contextlib.suppress(LedgerDown):  # the halt says that it is not kept
            act()
        waited.append(world.waited_s(began))

    assert waited == [DEADLINE_S, 0, 0, DEADLINE_S, 0]
    assert world.calls == ["journal_intent", "orders"]


def test_what_had_to_wait_is_said_as_soon_as_the_ledger_is_back(world: Hanging) -> None:
    world.hang()
    world.oms.submit(intent("A"))
    world.ledger.down = lambda name: False
    world.later(0.5)

    assert [said for said in world.ledger.alerts() if "HALTED, the ledger is away" in said]
    assert world.oms.state() == "ACTIVE"


def test_an_alert_alone_that_fails_halts_nothing_for_longer_than_a_timer(world: Hanging) -> None:
    world.ledger.down = lambda name: name == "record_alert"
    world.oms.resume()
    world.ledger.down = lambda name: False
    world.later(0.5)

    assert world.oms.submit(intent("A")).state == "OPEN"
    assert world.ledger.alerts() == ["ACTIVE: resumed"]


def test_what_the_ledger_and_risk_keep_waiting_is_over_before_it_counts_as_stuck() -> None:
    limits = SupervisionConfig()
    assert limits.stuck_s > WAITS_S
    for link in (PostgresLedger("", "s")._link, PostgresBrokerStore("", "s")._link):
        assert link._about[2] == TIMEOUT_S


def test_an_alert_the_ledger_cannot_hold_stops_no_other_and_no_exit(world: Hanging) -> None:
    record = world.ledger.record_alert

    def strict(alert: Alert) -> None:
        if "strange" in alert.message:
            raise InputError("recording an alert: the ledger cannot hold this value")
        record(alert)

    world.ledger.record_alert = strict  # type: ignore[method-assign]
    world.oms.submit(intent("R"))
    world.broker.cancel = lambda broker_id: Answer(kind="REFUSED", message="strange")  # type: ignore[method-assign]
    answer = world.oms.exit_all("kill switch")
    world.oms.halt("said after it")

    assert [order.state for order in answer] == ["REFUSED", "OPEN"]
    assert world.ledger.alerts() == ["HALTED: said after it"]


def test_a_brokers_words_are_kept_as_text_a_ledger_can_hold(world: Hanging) -> None:
    world.oms.submit(intent("R"))
    world.broker.cancel = lambda broker_id: Answer(kind="REFUSED", message="too\0late \ud800")  # type: ignore[method-assign]
    order = world.oms.cancel("R")

    assert order.message == "the broker refused to cancel it: too?late ?"
    assert world.ledger.table["R"] == order


class HangingStore(MemoryStore):
    """The paper broker's, in the same database."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock, self.hangs = clock, False

    def _wait(self) -> None:
        if self.hangs:
            self.clock.sleep(TIMEOUT_S)
            raise LedgerDown("the store does not answer")

    def save(self, order: Order, fills: Sequence[Fill], place: Place) -> None:
        self._wait()
        super().save(order, fills, place)

    def load(self) -> tuple[Sequence[Order], Sequence[Fill]]:
        self._wait()
        return super().load()


def test_exit_all_of_twenty_orders_is_over_before_it_counts_as_stuck_though_the_whole_database_hangs() -> None:
    world = Hanging()
    store = HangingStore(world.clock)
    world.broker = PaperBroker(store, world.clock)  # type: ignore[assignment]
    world.ledger = MemoryLedger()
    world.restart()
    world.oms.on_ticks(ticks(bids=[(34_900, 500)], asks=[(35_000, 500)]))
    world.oms.submit(intent("LONG", quantity=2 * LOT))
    for number in range(20):
        world.oms.submit(intent(f"R{number}", limit_paise=30_000))
    store.hangs = True
    world.ledger.down = lambda name: bool(world.clock.sleep(TIMEOUT_S)) or True
    began = world.clock.wall
    answer = world.oms.exit_all("kill switch")
    took_s = world.waited_s(began)
    store.hangs, world.ledger.down = False, lambda name: False
    for _ in range(3):
        world.later(0.5)

    assert len(answer) == 21
    assert {order.state for order in answer} == {"REFUSED"}
    assert took_s == 4 < WAITS_S
    assert {order.state for order in world.oms.orders() if order.intent.limit_paise == 30_000} == {"CANCELLED"}
    assert [position.quantity for position in world.oms.positions()] == [0]
