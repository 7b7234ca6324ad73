"""Risk that hangs: an exit never waits for it twice, and what it missed it is told as soon as it is back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import DeskError, LedgerDown
from core.records import Intent, Refusal, Side, Verdict
from tests.fakes_broker import FakeRisk
from tests.fakes_orders import LOT, SECOND, HandClock, intent
from tests.world_oms import World


class HangingRisk(FakeRisk):
    """Takes the whole deadline of a call and then has not answered; counts what it was asked."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock, self.calls, self.hangs, self.costs_ns = clock, 0, False, SECOND

    def _reach(self) -> None:
        self.calls += 1
        if self.hangs:
            self.clock.wall += self.costs_ns
            raise DeskError("risk did not answer within 1 s")


class Hung(World):
    """A desk that holds four lots, and whose risk then stops answering."""

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        self.risk = self.slow = HangingRisk(self.clock)
        self.restart()
        self.long(4 * LOT)
        self.slow.hangs, self.slow.calls = True, 0

    def spent_ns(self, tag: str) -> int:
        """Wall time that an exit of one lot took."""
        before = self.clock.wall
        assert self.oms.submit(leave(tag)).state == "OPEN"
        return self.clock.wall - before


def leave(tag: str) -> Intent:
    return intent(tag, side="SELL", purpose="exit")


@pytest.fixture
def world() -> Hung:
    return Hung()


def test_an_exit_under_a_hanging_risk_costs_one_deadline_and_the_next_nothing(world: Hung) -> None:
    assert [world.spent_ns(tag) for tag in ("X1", "X2", "X3")] == [SECOND, 0, 0]
    assert world.slow.calls == 1


def test_an_exit_that_fills_at_once_waits_for_risk_once(world: Hung) -> None:
    place = world.broker.place
    world.broker.place = lambda made: (place(made), world.broker.fill(made.tag, LOT, 35_000))[0]  # type: ignore[method-assign]
    before = world.clock.wall
    order = world.oms.submit(leave("X"))

    assert (order.state, world.clock.wall - before, world.slow.calls) == ("COMPLETE", SECOND, 1)


def test_entries_are_refused_at_once_while_risk_is_away(world: Hung) -> None:
    first = world.oms.submit(intent("E1"))
    before = world.clock.wall
    second = world.oms.submit(intent("E2"))

    assert (first.state, second.state) == ("REFUSED", "REFUSED")
    assert "risk cannot be reached, so only exits pass: risk did not answer within 1 s" in second.message
    assert (world.clock.wall - before, world.slow.calls) == (0, 1)


def test_exit_all_of_many_slices_waits_for_risk_once(world: Hung) -> None:
    world.slow.hangs = False
    for number in range(3):
        world.oms.submit(intent(f"BIG{number}", quantity=50 * LOT))
        world.broker.fill(f"BIG{number}", 50 * LOT, 35_000)
    world.oms.on_timer()
    world.slow.hangs, world.slow.calls, before = True, 0, world.clock.wall
    sent = world.oms.exit_all("risk hangs")

    assert [order.state for order in sent] == ["OPEN"] * 4
    assert (world.clock.wall - before, world.slow.calls) == (SECOND, 1)


def test_it_is_asked_once_after_the_pause_by_the_timer_and_never_by_an_exit(world: Hung) -> None:
    world.spent_ns("X1")
    world.later(2.9)
    during = world.slow.calls
    world.clock.sleep(0.2)
    by_an_exit = world.spent_ns("X2")
    world.oms.on_timer()
    after = world.slow.calls
    world.later(2.9)

    assert (during, by_an_exit, after, world.slow.calls) == (1, 0, 2, 2)


def test_a_failure_that_took_no_time_is_asked_again_on_the_next_timer(world: Hung) -> None:
    """Risk that restarts refuses at once: nobody waits for it, and it is wanted back as soon as it is there."""
    world.slow.costs_ns = 0
    refused = world.oms.submit(intent("E1"))
    world.slow.hangs = False
    world.later(0.5)

    assert (refused.state, world.oms.submit(intent("E2")).state) == ("REFUSED", "OPEN")


def test_a_wall_clock_that_is_set_back_does_not_keep_risk_away(world: Hung) -> None:
    world.spent_ns("X1")
    world.clock.wall -= 3_600 * SECOND
    world.slow.hangs = False
    world.oms.on_timer()

    assert world.oms.submit(intent("E")).state == "OPEN"


def test_what_a_hanging_risk_missed_it_is_told_when_it_is_back(world: Hung) -> None:
    world.spent_ns("X1")
    world.broker.fill("X1", LOT, 35_000)
    world.spent_ns("X2")
    world.oms.on_timer()
    world.slow.hangs, missed = False, list(world.risk.booked)
    world.later(4)

    assert (missed, world.risk.booked) == (["T1"], ["T1", "T2"])
    assert world.risk.working == {"X2"}


def test_an_error_of_risks_own_is_no_reason_to_call_it_away(world: Hung) -> None:
    world.slow.hangs = False
    check = world.risk.check
    world.risk.check = lambda *made: (_ for _ in ()).throw(LedgerDown("risk cannot write"))  # type: ignore[method-assign]
    refused, passed = world.oms.submit(intent("E1")), world.oms.submit(leave("X"))
    world.risk.check = check  # type: ignore[method-assign]

    assert (refused.state, passed.state, world.oms.submit(intent("E2")).state) == ("REFUSED", "OPEN", "OPEN")


def test_without_risks_lease_entries_are_refused_with_every_reason_and_exits_pass() -> None:
    world = World()
    world.long()
    world.risk.lease_ms = 0
    world.clock.sleep(4)
    entry = world.oms.submit(intent("A"))
    assert (entry.state, "lease: " in entry.message) == ("REFUSED", True)
    assert "the chain of NIFTY is old" in entry.message
    assert "A" not in world.risk.working, "risk counts nothing that was not sent"
    world.risk.answer = Verdict(refusals=(Refusal(limit="stale_quote", allowed="10", asked="20", why="old"),))
    both = world.oms.submit(intent("B"))
    assert [name in both.message for name in ("stale_quote: ", "lease: ")] == [True, True]
    world.risk.answer = Verdict()
    assert world.oms.submit(leave("X")).state == "OPEN"
    world.risk.lease_ms = 3_000
    assert world.oms.submit(intent("C")).state == "OPEN"


def desk_of(held: dict[str, int]) -> World:
    """Each strategy holds so many lots, − sold."""
    world = World()
    for name, lots in held.items():
        side: Side = "BUY" if lots > 0 else "SELL"
        world.oms.submit(intent(name.upper(), strategy=name, side=side, quantity=abs(lots) * LOT))
        world.broker.fill(name.upper(), abs(lots) * LOT, 35_000)
    world.oms.on_timer()
    return world


def buy_back(lots: int = 1) -> Intent:
    return intent("X", strategy="a", side="BUY", purpose="exit", reason="stop", quantity=lots * LOT)


@pytest.mark.parametrize("gone", ["away", "no lease"])
def test_without_risk_a_strategy_buys_its_short_back_whatever_the_others_hold_or_wait_for(gone: str) -> None:
    """The desk as a whole is flat, or would be by another's purchase: the short is the strategy's own all the same."""
    for held, waits in (({"a": -1, "b": 1}, False), ({"a": -1}, True)):
        world = desk_of(held)
        if waits:
            assert world.oms.submit(intent("B", strategy="b")).state == "OPEN"
        world.risk.away, world.risk.lease_ms = gone == "away", 0
        world.clock.sleep(4)

        assert world.oms.submit(buy_back()).state == "OPEN", (held, waits)


@settings(max_examples=25)
@given(st.integers(-3, 3).filter(bool), st.integers(-3, 3).filter(bool), st.integers(1, 4))
def test_without_risk_a_buy_passes_if_and_only_if_it_closes_no_more_than_its_strategys_short(
    mine: int, other: int, asked: int
) -> None:
    world = desk_of({"a": mine, "b": other})
    world.risk.away = True

    assert (world.oms.submit(buy_back(asked)).state == "OPEN") is (asked <= -mine)
