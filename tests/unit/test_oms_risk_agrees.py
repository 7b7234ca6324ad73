"""After any death, outage or lost answer risk counts as working exactly the orders that live in the journal."""

from collections.abc import Collection, Mapping
from itertools import count

import pytest

from actors.oms.oms import OmsActor, OmsConfig
from actors.risk.risk import RiskActor, RiskConfig
from core.errors import DeskError
from core.records import LIVE, Fill, Funds, Intent, Verdict
from core.risk.book import RiskBook
from core.risk.limits.limits import LimitsConfig
from core.risk.limits.trades_per_day import TradesPerDay
from core.risk.resting import live_limits
from tests.fakes_broker import Died, FakeBroker
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import LOT, SECOND, HandClock, ListBus, intent
from tests.unit.test_risk_actor import chain
from tests.world_oms import WIDE


def working(book: RiskBook) -> set[str]:
    """Tags of the orders that may still fill."""
    return set(live_limits(book))


class Fault:
    """Counts every step that crosses a process or a disk; at the chosen one the process dies, before or after it."""

    def __init__(self) -> None:
        self.steps, self.dies_at = 0, -1

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            raise Died

    def around(self, port: object, *names: str) -> None:
        for name in names:
            setattr(port, name, self._wrapped(getattr(port, name)))

    def _wrapped(self, function: object) -> object:
        def call(*args: object) -> object:
            self.step()
            answer = function(*args)  # type: ignore[operator]
            self.step()
            return answer

        return call


class CrashDesk:
    """The order manager's process may die anywhere; ledger, broker and risk, the real actor, live on."""

    def __init__(self) -> None:
        self.clock, self.ledger, self.broker, self.fault = HandClock(), MemoryLedger(), FakeBroker(), Fault()
        limits = LimitsConfig(trades_per_day=TradesPerDay(max_trades=1_000))
        self.risk = RiskActor(RiskConfig(limits=limits), bus=ListBus(), clock=self.clock, ledger=self.ledger)
        self.risk._reload()
        self.risk.on_marks(chain())
        self.start()
        self.fault.around(self.ledger, "journal_intent", "record_order", "record_fill", "record_refusal")
        self.fault.around(self.broker, "place", "cancel", "book", "trades")
        self.fault.around(self.risk, "check", "book", "rests", "release", "settle")

    def start(self) -> None:
        self.oms = self.make()
        self.oms.open()

    def make(self) -> OmsActor:
        return OmsActor(
            OmsConfig(budget=WIDE),
            bus=ListBus(),
            clock=self.clock,
            ledger=self.ledger,
            broker=self.broker,
            risk=self.risk,
            pause=self.clock.sleep,
        )

    def day(self) -> None:
        """An entry that fills in two parts, one that rests and is cancelled, one refused, an exit that rests."""
        self.oms.submit(intent("IN", quantity=2 * LOT))
        self.broker.fill("IN", LOT, 35_000)
        self.oms.on_timer()
        self.oms.submit(intent("RESTS"))
        self.oms.submit(intent("BIG", quantity=21 * LOT))
        self.oms.cancel("RESTS")
        self.broker.fill("IN", LOT, 35_100)
        self.oms.on_timer()
        self.oms.submit(intent("OUT", side="SELL", purpose="exit"))

    def live(self) -> set[str]:
        return {order.intent.tag for order in self.oms.orders() if order.state in LIVE}


def died_at(step: int) -> CrashDesk | None:
    desk = CrashDesk()
    desk.fault.dies_at = desk.fault.steps + step
    try:
        desk.day()
    except Died:
        desk.fault.dies_at = -1
        desk.start()
        return desk
    return None


def test_after_a_death_at_any_step_risk_counts_as_working_what_is_live_in_the_journal() -> None:
    steps = 0
    for step in count(1):
        desk = died_at(step)
        if desk is None:
            break
        steps = step
        assert working(desk.risk._book) == desk.live(), f"died at step {step}"
        assert {fill.trade_id for fill in desk.ledger.trades} == {
            trade for holding in desk.risk._book.holdings.values() for trade in holding.trades
        }, f"died at step {step}"
    assert steps > 40


def test_a_never_journalled_order_leaves_no_ghost_at_risk_after_the_crash() -> None:
    desk = CrashDesk()
    desk.ledger.journal_intent = lambda epoch, made: (_ for _ in ()).throw(Died)  # type: ignore[method-assign]
    with pytest.raises(Died):
        desk.oms.submit(intent("GHOST"))
    ghost = working(desk.risk._book)
    del desk.ledger.journal_intent
    desk.start()

    assert (ghost, working(desk.risk._book)) == ({"GHOST"}, set())
    assert {use.limit: use.used for use in desk.risk.limits()}["position"] == 0


class LostAnswers:
    """The real risk; of the calls named, the answer is lost after they were done, or they are not done at all."""

    def __init__(self, risk: RiskActor) -> None:
        self.risk, self.before, self.after = risk, False, False

    def _call(self, name: str, *args: object) -> object:
        if self.before:
            raise DeskError("risk: the request was lost")
        answer = getattr(self.risk, name)(*args)
        if self.after:
            raise DeskError("risk: the answer was lost")
        return answer

    def check(self, made: Intent, replaces: str = "") -> Verdict:
        return self._call("check", made, replaces)  # type: ignore[return-value]

    def book(self, fill: Fill) -> None:
        self._call("book", fill)

    def release(self, tag: str) -> None:
        self._call("release", tag)

    def rests(self, tag: str, limit_paise: int) -> None:
        self._call("rests", tag, limit_paise)

    def settle(self, live: Mapping[str, int], trades: Collection[str]) -> None:
        self._call("settle", live, trades)

    def lease(self) -> int:
        return self._call("lease")  # type: ignore[return-value]

    def unsound(self) -> str:
        return self._call("unsound")  # type: ignore[return-value]

    def breach(self) -> str:
        return self._call("breach")  # type: ignore[return-value]

    def funds(self, found: Funds) -> None:
        self._call("funds", found)


@pytest.mark.parametrize("way", ["before", "after"])
@pytest.mark.parametrize("step", range(6))
def test_after_an_outage_of_risk_both_count_the_same_orders_as_working(way: str, step: int) -> None:
    desk = CrashDesk()
    line = LostAnswers(desk.risk)
    desk.risk = line  # type: ignore[assignment]
    desk.start()
    actions = (
        lambda: desk.oms.submit(intent("IN", quantity=2 * LOT)),
        lambda: desk.broker.fill("IN", 2 * LOT, 35_000) if "IN" in desk.broker.orders else None,
        desk.oms.on_timer,
        lambda: desk.oms.submit(intent("RESTS")),
        lambda: desk.oms.cancel("RESTS") if "RESTS" in desk.broker.orders else None,
        lambda: desk.oms.submit(intent("OUT", side="SELL", purpose="exit")),
    )
    for place, action in enumerate(actions):
        setattr(line, way, place >= step)
        action()
    setattr(line, way, False)
    desk.oms.on_timer()

    assert working(line.risk._book) == desk.live()
    assert line.risk._book.holdings.keys() == {position.symbol for position in desk.oms.positions()}


def test_an_order_journalled_though_the_answer_was_lost_is_working_at_risk_again() -> None:
    desk = CrashDesk()
    desk.ledger.lost = lambda name: name == "journal_intent"
    desk.oms.submit(intent("A"))
    desk.ledger.lost = lambda name: False
    released = working(desk.risk._book)
    desk.oms.on_timer()

    assert (released, working(desk.risk._book), desk.live()) == (set(), {"A"}, {"A"})


def test_risk_that_began_anew_between_its_yes_and_the_journal_counts_the_order_soon() -> None:
    desk = CrashDesk()
    journal_intent = desk.ledger.journal_intent

    def anew(epoch: int, made: Intent) -> None:
        desk.risk._book = RiskBook()
        desk.risk._reload()
        journal_intent(epoch, made)

    desk.ledger.journal_intent = anew  # type: ignore[method-assign]
    desk.oms.submit(intent("A"))
    at_once = working(desk.risk._book)
    desk.clock.sleep(10)
    desk.oms.on_timer()

    assert (at_once, working(desk.risk._book)) == (set(), {"A"})


def test_an_order_manager_that_was_replaced_and_does_not_know_it_ends_no_order_at_risk() -> None:
    desk = CrashDesk()
    old = desk.oms
    desk.start()
    desk.oms.submit(intent("A"))
    desk.clock.sleep(10)
    old._parts.rounds._risk.settle()

    assert working(desk.risk._book) == {"A"}


def test_an_order_manager_that_is_not_open_or_was_replaced_says_nothing_to_risk() -> None:
    desk = CrashDesk()
    desk.oms.submit(intent("A"))
    old = desk.oms
    desk.start()
    old.submit(intent("B"))
    fresh = desk.make()
    steps = desk.fault.steps
    desk.clock.sleep(10)
    old.on_timer()
    fresh.on_timer()

    assert (old.state(), fresh.state(), desk.fault.steps - steps) == ("HALTED", "HALTED", 0)


def test_an_order_that_lives_into_the_next_day_does_not_make_risk_read_the_ledger_again_and_again() -> None:
    desk = CrashDesk()
    desk.oms.submit(intent("A"))
    reads: list[str] = []
    orders = desk.ledger.orders
    desk.ledger.orders = lambda: (reads.append("orders"), orders())[1]  # type: ignore[method-assign]
    desk.clock.now += 86_400 * SECOND
    desk.risk.on_marks(chain())
    for _ in range(5):
        desk.clock.sleep(10)
        desk.oms.on_timer()

    assert (desk.live(), len(reads)) == ({"A"}, 0)
