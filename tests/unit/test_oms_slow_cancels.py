"""Cancels that are answered late or never, at a broker that answers all else at once: nothing else waits for them."""

import pytest

from actors.oms.broker_link import TURN_NS
from actors.oms.standing import BLIND_NS
from brokers.kite.broker import KiteConfig
from core.orders.answer import Answer
from core.orders.budget import BudgetConfig
from core.records import Intent
from tests.fakes_orders import LOT, SECOND, intent
from tests.unit.test_oms_plans import Planned
from tests.world_oms import World, leave

TIMEOUT_S = KiteConfig(api_key="key").timeout_s


class Hanging(Planned):
    """Two lots are held, exit X and four entries rest; no cancel is answered in time, nor done unless `reaches`."""

    def __init__(self, *, reaches: bool) -> None:
        super().__init__()
        self.long(2 * LOT)
        self.oms.submit(leave("X"))
        for number in range(4):
            self.oms.submit(intent(f"E{number}", limit_paise=30_000 + 10 * number))
        self.quote(35_000)
        self.asked: list[str] = []  # tags, in the order in which their cancels were asked for
        self._done, self._reaches, self._tags = self.broker.cancel, reaches, dict[str, str]()
        self._tags = {order.broker_id: tag for tag, order in self.broker.orders.items()}
        self.broker.cancel = self._hang  # type: ignore[method-assign]

    def _hang(self, broker_id: str) -> Answer:
        self.asked.append(self._tags.get(broker_id, broker_id))
        if self._reaches:
            self._done(broker_id)
        self.clock.sleep(TIMEOUT_S)
        return Answer(kind="UNKNOWN", message="timed out")

    def resting(self) -> set[str]:
        return {tag for tag in ("X", "E0", "E1", "E2", "E3") if self.order(tag).state == "OPEN"}

    def closing(self) -> list[tuple[str, int]]:
        return [
            (order.state, order.intent.quantity)
            for order in self.broker.orders.values()
            if order.intent.reason == "kill switch: out" and order.state == "OPEN"
        ]

    def run(self, turns: int) -> None:
        """The timer alone: no news, no ticks."""
        for _ in range(turns):
            self.later(0.5)


def false_alarms(world: World) -> list[str]:
    return [alert.message for alert in world.oms.alerts() if "be followed" in alert.message]


def test_every_order_is_cancelled_and_what_is_held_is_closed() -> None:
    world = Hanging(reaches=True)
    world.oms.kill("out", "asha", True)
    world.run(6)

    rested = [tag for tag in world.asked if tag in ("X", "E0", "E1", "E2", "E3")]
    assert sorted(rested) == ["E0", "E1", "E2", "E3", "X"], "each once: the book says what became of them"
    assert world.resting() == set()
    assert world.closing() == [("OPEN", 2 * LOT)]
    assert false_alarms(world) == []


def test_everybody_is_asked_in_turn_and_the_exit_is_sent_all_the_same() -> None:
    world = Hanging(reaches=False)
    world.oms.kill("out", "asha", True)
    looks, began = world.broker.looks, world.clock.wall
    world.run(40)

    entries = [tag for tag in world.asked if tag != "X"]
    assert set(entries[:4]) == {"E0", "E1", "E2", "E3"}, "none twice before all were asked once"
    assert min(world.asked.count(tag) for tag in ("E0", "E1", "E2", "E3", "X")) > 3, "in turn"
    assert world.broker.looks - looks >= (world.clock.wall - began) // (2 * (TIMEOUT_S + 0.5) * SECOND)
    assert sum(units for _, units in world.closing()) == LOT, "of the other lot X may still take off all"


@pytest.mark.parametrize(("reaches", "units"), [(True, 2 * LOT), (False, LOT)])
def test_no_exit_waits_for_the_late_answers_of_forty_entries(units: int, *, reaches: bool) -> None:
    world = Hanging(reaches=reaches)
    for number in range(4, 40):
        world.oms.submit(intent(f"E{number}", limit_paise=30_000 + 10 * number))
        world.clock.sleep(0.2)
    began = world.clock.wall
    world.oms.kill("out", "asha", True)
    while not world.closing():
        world.run(1)
    assert (world.clock.wall - began) / SECOND < 12
    world.run(50)
    assert sum(quantity for _, quantity in world.closing()) == units
    entries = [order.state for order in world.oms.orders() if order.intent.purpose == "entry"]
    assert entries.count("CANCELLED") == (40 if reaches else 0)


@pytest.mark.parametrize("late", ["E0", "E2", "X"])
def test_one_late_answer_puts_no_exit_before_a_cancel(late: str) -> None:
    world, taken = Hanging(reaches=False), list[str]()

    def cancel(broker_id: str) -> Answer:
        taken.append(tag := world._tags[broker_id])
        return world._hang(broker_id) if tag == late else world._done(broker_id)

    def place(made: Intent) -> Answer:
        taken.append("exit")
        return placed(made)

    placed = world.broker.place
    world.broker.cancel, world.broker.place = cancel, place  # type: ignore[method-assign]
    world.oms.kill("out", "asha", True)
    world.run(12)
    assert taken[:5] == ["E0", "E1", "E2", "E3", "X"]
    assert "exit" in taken


def test_the_book_is_not_lost_sight_of() -> None:
    world = Hanging(reaches=False)
    world.oms.kill("drill", "asha")
    for _ in range(20):
        before = world.broker.looks, world.clock.wall
        world.later(0.5)
        if world.broker.looks > before[0]:
            continue
        world.later(0.5)
        assert world.broker.looks > before[0], "at least in every other turn"
    assert false_alarms(world) == []


def test_an_order_filled_meanwhile_counts() -> None:
    world = Hanging(reaches=False)
    world.oms.kill("drill", "asha")
    world.broker.fill("E3", LOT, 35_000)
    world.run(3)
    assert world.order("E3").state == "COMPLETE"
    assert world.oms.positions()[0].quantity == 3 * LOT


@pytest.mark.parametrize("how", ["cancel", "exit_all"])
def test_an_order_the_broker_never_had_is_given_up_in_time_beside_them(how: str) -> None:
    """Somebody asks for a cancel every five seconds; every look that is made is answered."""
    world = Hanging(reaches=False)
    world.broker.next_place = "lose the request"
    world.oms.submit(intent("LOST"))
    began = world.clock.wall
    while world.order("LOST").state == "UNKNOWN" and world.clock.wall < began + 300 * SECOND:
        world.oms.cancel("E0") if how == "cancel" else world.oms.exit_all("out")
        world.run(5)

    assert world.order("LOST").state == "REJECTED"
    assert 15 <= (world.clock.wall - began) / SECOND < 40
    assert false_alarms(world) == []


def test_a_list_of_trades_that_fails_beside_an_answered_book_begins_the_wait_anew() -> None:
    world = World()
    world.broker.next_place = "lose the request"
    world.oms.submit(intent())
    for number in range(60):
        world.broker.away = number % 20 == 19
        if world.broker.away:
            book, world.broker.book = world.broker.book, list  # type: ignore[method-assign, assignment]
        world.later(0.5)
        if world.broker.away:
            world.broker.book = book  # type: ignore[method-assign]
    assert world.order().state == "UNKNOWN"


def test_who_has_no_time_to_look_for_long_says_so() -> None:
    """A ledger that is slow and never fails may use up every turn before the book is asked for."""
    world = World()
    world.ledger.down = lambda name: name == "check_epoch" and bool(world.clock.sleep(TURN_NS / SECOND))
    looks = world.broker.looks
    for _ in range(4):
        world.later(0.5)
    assert world.broker.looks == looks
    assert (world.oms.state(), BLIND_NS) == ("REDUCING", 3 * SECOND)
    assert any("the broker cannot be followed" in words for words in world.ledger.alerts())
    world.ledger.down = lambda name: False
    world.later(0.5)
    assert world.oms.state() == "ACTIVE"


def test_fifty_orders_go_at_the_rate_of_the_budget_the_first_of_them_at_once() -> None:
    """As benchmarks/kill_switch.py measures it on a desk: acknowledged within 50 / rate + 1 s, then the exit."""
    rate = 5
    world = Planned(
        budget=BudgetConfig(requests_a_second=rate, orders_a_minute=400, exits_keep_a_minute=25, hedges_keep_a_second=0)
    )
    world.long(LOT)
    for number in range(50):
        world.oms.submit(intent(f"E{number}", limit_paise=30_000))
        world.quote(35_000)
    cancel, place, taken, placed = world.broker.cancel, world.broker.place, list[int](), list[int]()
    world.broker.cancel = lambda broker_id: (taken.append(world.clock.wall), cancel(broker_id))[1]  # type: ignore[method-assign, assignment]
    world.broker.place = lambda made: (placed.append(world.clock.wall), place(made))[1]  # type: ignore[method-assign, assignment]
    began = world.clock.wall
    world.oms.kill("drill", "asha", True)
    while not placed:
        world.oms.wait(0.5)
        world.oms.on_timer()

    assert taken[0] == began
    assert len(taken) == 50, "each once"
    assert (taken[-1] - began) / SECOND <= 50 / rate + 1
    assert 0 <= (placed[0] - taken[-1]) / SECOND <= 1
