"""A broker that hangs, on a hand clock: no call of the order manager lasts until its supervisor ends it."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.oms.broker_link import PAUSE, TURN_NS
from actors.oms.config import KillConfig
from brokers.kite.broker import KiteConfig
from cluster.decide import SupervisionConfig
from cluster.topology import RISK_DEADLINE_S
from core.errors import BrokerDown, DeskError
from core.orders.answer import Answer
from core.records import Intent, Order, Verdict
from storage.ledger.ledger import TIMEOUT_S as LEDGER_S
from tests.fakes_broker import FakeBroker, FakeRisk
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import LOT, SECOND, HandClock, intent, news, ticks
from tests.world_oms import World

BROKER_S = KiteConfig(api_key="key").timeout_s
STUCK_S = SupervisionConfig().stuck_s
SYMBOLS = [f"SENSEX25911{strike}PE" for strike in range(80_000, 80_800, 100)]


class HangingBroker(FakeBroker):
    """While it `hangs`, every call takes `seconds`; with `answers` it does what was asked at the end of them."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock, self.hangs, self.answers, self.seconds = clock, False, False, BROKER_S
        self.calls: list[tuple[int, str]] = []  # wall ns at which each began

    def wait(self, what: str) -> bool:
        """Whether nobody hears the answer."""
        self.calls.append((self.clock.wall, what))
        if self.hangs:
            self.clock.sleep(self.seconds)
        return self.hangs and not self.answers

    def place(self, intent: Intent) -> Answer:
        lost = self.wait("place")
        return Answer(kind="UNKNOWN", message="timed out") if lost else super().place(intent)

    def cancel(self, broker_id: str) -> Answer:
        lost = self.wait("cancel")
        return Answer(kind="UNKNOWN", message="timed out") if lost else super().cancel(broker_id)

    def book(self) -> list[Order]:
        if self.wait("book"):
            raise BrokerDown("timed out")
        return list(super().book())

    def positions(self) -> Mapping[tuple[str, str], int]:
        if self.wait("positions"):
            raise BrokerDown("timed out")
        return super().positions()

    def trades(self) -> list:
        if self.wait("trades"):
            raise BrokerDown("timed out")
        return list(super().trades())


class HangingRisk(FakeRisk):
    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock, self.hangs = clock, False

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        if self.hangs:
            self.clock.sleep(RISK_DEADLINE_S)
            raise DeskError("risk does not answer")
        return super().check(intent, replaces)


class Slow(World):
    """Eight symbols are held, and an exit and an entry of each rest."""

    def __init__(self) -> None:
        super().__init__(kill=KillConfig(broker_gone_s=1_000, ledger_gone_s=1_000))
        self.clock = HandClock()
        self.ledger, self.broker, self.risk = MemoryLedger(), HangingBroker(self.clock), HangingRisk(self.clock)
        self.restart()
        for number, symbol in enumerate(SYMBOLS):
            self.oms.submit(intent(f"L{number}", symbol=symbol, quantity=2 * LOT))
            self.broker.fill(f"L{number}", 2 * LOT, 35_000)
            self.later(0.5)
            self.oms.submit(intent(f"X{number}", symbol=symbol, side="SELL", purpose="exit", limit_paise=90_000))
            self.oms.submit(intent(f"E{number}", symbol=symbol))
        self.later(0.5)
        self.broker.calls.clear()
        self.longest_s = 0.0

    def do(self, act: object, *given: object) -> object:
        before = self.clock.wall
        answer = act(*given)  # type: ignore[operator]
        self.longest_s = max(self.longest_s, (self.clock.wall - before) / SECOND)
        return answer

    def rest(self, seconds: float = 0.5) -> None:
        self.clock.sleep(seconds)
        self.do(self.oms.on_timer)


def test_the_longest_turn_is_shorter_than_what_counts_as_stuck() -> None:
    assert TURN_NS / SECOND + BROKER_S + LEDGER_S + RISK_DEADLINE_S == 7.5 < STUCK_S


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("also", ["nothing", "ledger", "risk"])
def test_whatever_is_asked_of_it_while_the_broker_hangs_is_over_in_time(also: str, *, answers: bool) -> None:
    """Also when each call is answered, just before nobody would have heard it, and with another that hangs beside."""
    world = Slow()
    world.broker.hangs, world.broker.answers, world.risk.hangs = True, answers, also == "risk"
    if also == "ledger":
        world.ledger.down = lambda name: bool(world.clock.sleep(LEDGER_S)) or True
    world.do(world.oms.exit_all, "kill switch")
    for _ in range(3):
        world.rest()
        world.do(world.oms.submit, intent(f"N{world.clock.wall}"))
        world.do(world.oms.cancel, "X0")
        world.do(world.oms.on_order_news, news(("", "", "")))
        world.do(world.oms.on_ticks, ticks())
        world.do(world.oms.exit_all, "again")

    assert len(world.broker.calls) > 5
    assert 0 < world.longest_s < STUCK_S


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.booleans())
def test_no_turn_is_too_long_whoever_hangs_when(seed: int, killed: bool) -> None:  # noqa: FBT001 hypothesis' own call
    """Each call of broker, ledger and risk by chance: done at once, done late, or not heard of in its time."""
    world, chance = Slow(), random.Random(seed)
    ways = ((False, False), (True, False), (True, True))
    wait = world.broker.wait

    def drawn(what: str) -> bool:
        world.broker.hangs, world.broker.answers = chance.choice(ways)
        world.broker.seconds = chance.choice((0.6, 1.3, 1.9, BROKER_S)) if world.broker.answers else BROKER_S
        return wait(what)

    world.broker.wait = drawn  # type: ignore[method-assign]
    world.ledger.down = lambda name: chance.random() < 0.1 and (bool(world.clock.sleep(LEDGER_S)) or True)
    if killed:
        world.do(world.oms.kill, "drill", "asha", True)
    for number in range(12):
        world.risk.hangs = chance.random() < 0.3
        world.rest(chance.choice((0.1, 0.5, 5.0)))
        act, *given = chance.choice(
            (
                (world.oms.exit_all, "all"),
                (world.oms.cancel, f"X{number % 8}"),
                (world.oms.submit, intent(f"N{number}")),
                (world.oms.on_order_news, news(("", "", ""))),
                (world.oms.on_ticks, ticks()),
            )
        )
        world.do(act, *given)

    assert 0 < world.longest_s < STUCK_S
    assert len(world.broker.placed) == len(set(world.broker.placed))


def test_what_a_hanging_broker_kept_exit_all_from_is_done_when_it_is_back() -> None:
    world = Slow()
    world.broker.hangs = True
    first = world.oms.exit_all("kill switch")
    for _ in range(5):
        world.rest()
    world.broker.hangs = False
    for _ in range(80):
        world.rest()
    sells = Counter[str]()
    for order in world.broker.orders.values():
        sells[order.intent.symbol] += order.intent.quantity * (order.intent.side == "SELL" and order.state == "OPEN")

    assert {order.state for order in first} == {"REFUSED"}
    resting = [f"{kind}{number}" for kind in "XE" for number in range(len(SYMBOLS))]
    assert {world.broker.orders[tag].state for tag in resting} == {"CANCELLED"}
    assert sells == dict.fromkeys(SYMBOLS, 2 * LOT), "also those whose first exit the broker never had"
    assert len(world.broker.placed) == len(set(world.broker.placed))


def test_a_book_that_hangs_is_left_alone_for_a_while_and_orders_are_not() -> None:
    world = Slow()
    world.broker.hangs = True
    began = world.clock.wall
    while world.clock.wall < began + 100 * SECOND:
        world.rest()
    reads = len(world.broker.calls)
    world.oms.cancel("E0")

    assert 100 / (BROKER_S * (PAUSE + 1)) - 2 < reads < 100 / (BROKER_S * (PAUSE + 1)) + 2
    assert world.broker.calls[-1][1] == "cancel"


def test_a_new_connection_ends_the_pause() -> None:
    world = Slow()
    world.broker.hangs = True
    world.rest()
    world.broker.hangs = False
    world.rest()
    paused = len(world.broker.calls)
    world.clock.sleep(0.3)
    world.oms.on_order_news(news(("", "", "")))

    assert paused == 1
    assert [what for _, what in world.broker.calls] == ["book", "book", "trades"]


def test_entries_are_refused_while_the_book_cannot_be_read_and_exits_pass() -> None:
    world = World()
    world.long()
    world.broker.away = True
    world.later(0.5)
    early = world.oms.submit(intent("EARLY"))
    for _ in range(7):
        world.later(0.5)
    blind = world.oms.state()
    entry, leave = world.oms.submit(intent("E")), world.oms.submit(intent("X", side="SELL", purpose="exit"))
    world.broker.away = False
    world.later(0.5)

    assert (early.state, blind, entry.state, leave.state) == ("OPEN", "REDUCING", "REFUSED", "OPEN")
    assert "the broker's book cannot be read: broker: connection refused" in entry.message
    assert (world.oms.state(), world.oms.submit(intent("F")).state) == ("ACTIVE", "OPEN")
    assert world.ledger.said is None, "what a person wants is not touched"


@pytest.mark.parametrize("said", ["halt", "reduce"])
def test_what_a_person_wants_is_not_loosened_by_a_book_nobody_can_read(said: str) -> None:
    world = World()
    state = getattr(world.oms, said)("enough")
    world.broker.away = True
    for _ in range(8):
        world.later(0.5)

    assert world.oms.state() == state
    assert "enough" in world.oms.submit(intent("E")).message


def test_mis_and_nrml_of_a_contract_are_positions_of_their_own() -> None:
    world = World()
    world.oms.submit(intent("M", product="MIS", quantity=2 * LOT))
    other = world.oms.submit(intent("N"))
    world.broker.fill("M", 2 * LOT, 35_000)
    world.later(0.5)
    leave = world.oms.submit(intent("X", side="SELL", purpose="exit"))
    (sent,) = world.oms.exit_all("kill switch")
    world.broker.fill(sent.intent.tag, 2 * LOT, 35_000)
    world.later(0.5)

    assert [one.state for one in (other, leave, sent)] == ["OPEN", "REFUSED", "OPEN"]
    assert "holds +0 of SENSEX2591180500PE in NRML" in leave.message
    assert (sent.intent.product, sent.intent.strategy) == ("MIS", "s")
    assert [(one.product, one.quantity) for one in world.oms.positions()] == [("MIS", 0)]
