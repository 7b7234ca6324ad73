"""What a person told the order manager outlives its process, and risk counts nothing that was never sent."""

import pytest

from core.errors import DeskError, LedgerDown, LedgerFenced
from core.records import Intent, Verdict
from core.risk.book import RiskBook, with_end, with_intent, working
from tests.fakes_broker import FakeRisk
from tests.fakes_orders import LOT, SYMBOL, intent, ticks
from tests.world_oms import World


class LateRisk(FakeRisk):
    """Counts the order as working, and its answer does not arrive."""

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        super().check(intent, replaces)
        raise DeskError("risk did not answer within 5 s")


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("said", ["halt", "reduce"])
def test_what_a_person_stopped_stays_stopped_after_a_crash(world: World, said: str) -> None:
    state = getattr(world.oms, said)("enough for today")
    world.restart()
    answer = world.oms.submit(intent())

    assert world.oms.state() == state
    assert (answer.state, "enough for today" in answer.message) == ("REFUSED", True)
    assert world.oms.resume() == "ACTIVE"
    assert world.restart().state() == "ACTIVE"


def test_what_the_end_of_a_desk_stopped_is_not_stopped_on_its_next_start(world: World) -> None:
    ended = world.oms.halt("the desk is going down", False)
    refused = world.oms.submit(intent())

    assert (ended, refused.state, "going down" in refused.message) == ("HALTED", "REFUSED", True)
    assert world.restart().state() == "ACTIVE"


def test_the_end_of_a_desk_neither_forgets_nor_replaces_what_a_person_stopped(world: World) -> None:
    world.ledger.down = lambda name: name == "record_standing"
    with pytest.raises(LedgerDown, match="REDUCING is not kept"):
        world.oms.reduce("enough for today")
    world.oms.halt("the desk is going down", False)
    world.ledger.down = lambda name: False
    world.later()

    assert world.oms.state() == "HALTED"
    assert world.ledger.said == ("REDUCING", "enough for today")
    assert world.restart().state() == "REDUCING"


def test_the_stricter_of_the_settings_and_the_person_holds_after_a_crash() -> None:
    world = World(state_after_start="HALTED")
    world.oms.resume()

    assert world.oms.state() == "ACTIVE"
    assert world.restart().state() == "HALTED"


def test_a_halt_while_the_ledger_is_away_is_kept_when_it_is_back(world: World) -> None:
    world.ledger.down = lambda name: True
    world.later()
    with pytest.raises(LedgerDown, match="the order manager is HALTED, but HALTED is not kept"):
        world.oms.halt("kill switch")
    world.ledger.down = lambda name: False
    world.later()

    assert world.oms.state() == "HALTED"
    assert world.restart().state() == "HALTED"


def test_a_halt_or_a_reduce_the_ledger_could_not_keep_says_so_and_a_resume_need_not(world: World) -> None:
    world.ledger.down = lambda name: name == "record_standing"
    with pytest.raises(LedgerDown, match="REDUCING is not kept: if its process ends"):
        world.oms.reduce("enough")
    world.ledger.down = lambda name: True
    resumed = world.oms.resume()
    world.ledger.down = lambda name: False
    world.later()

    assert (resumed, world.oms.state(), world.ledger.said) == ("HALTED", "ACTIVE", ("ACTIVE", "resumed"))


def test_a_broker_that_is_away_is_said_once_and_its_return_too(world: World) -> None:
    world.broker.away = True
    for _ in range(20):
        world.oms.on_ticks(ticks(bids=[(34_000, 500)], asks=[(34_100, 500)]))
        world.later(0.5)
    world.broker.away = False
    world.later(0.5)
    world.later(0.5)

    assert world.ledger.alerts() == [
        "the broker cannot be followed, orders stand as last known: broker: connection refused",
        "the broker can be followed again",
    ]


def test_a_refused_order_is_the_same_after_a_restart(world: World) -> None:
    decided_ns = world.clock.now_ns()
    world.clock.sleep(2)
    refused = world.oms.submit(intent(quantity=1, created_ns=decided_ns))

    assert refused.state == "REFUSED"
    assert world.restart().submit(intent(quantity=1)) == refused


def test_a_replaced_order_manager_cancels_nothing(world: World) -> None:
    old = world.oms
    old.submit(intent())
    world.restart()
    old.on_timer()
    old.halt("so that it writes")

    assert old.state() == "HALTED"
    with pytest.raises(LedgerFenced, match="newer order manager"):
        old.cancel("A")
    with pytest.raises(LedgerFenced, match="newer order manager"):
        old.exit_all("all")
    assert world.broker.orders["A"].state == "OPEN"


def test_an_entry_refused_because_risk_answered_too_late_is_not_working_there(world: World) -> None:
    world.oms._parts.rounds._risk._risk = LateRisk()
    answer = world.oms.submit(intent())

    world.later()

    assert (answer.state, world.broker.placed) == ("REFUSED", [])
    assert world.oms._parts.rounds._risk._risk.released == ["A"]


def test_an_order_that_could_not_be_journalled_is_not_working_at_risk(world: World) -> None:
    world.ledger.down = lambda name: name == "journal_intent"
    assert world.oms.submit(intent()).state == "REFUSED"

    assert (world.risk.asked, world.risk.released, world.broker.placed) == (["A"], ["A"], [])


def test_what_risk_was_not_told_of_a_never_sent_order_survives_the_recovery(world: World) -> None:
    def lost(tag: str) -> None:
        world.risk.away = True  # from when it is told that the order was never sent
        raise DeskError(f"risk did not hear of {tag}")

    world.risk.release = lost
    world.ledger.down = lambda name: name == "journal_intent"
    world.oms.submit(intent())
    counted = set(world.risk.working)
    world.later()
    world.ledger.down = lambda name: False
    world.later()
    del world.risk.release
    world.risk.away = False
    world.later()

    assert (counted, world.risk.working, world.risk.released) == ({"A"}, set(), ["A"])


def test_a_tag_asked_again_after_its_order_was_never_sent_is_working_again() -> None:
    made = intent(created_ns=1_757_050_000_000_000_000)
    book = with_intent(with_end(with_intent(RiskBook(), made), "A"), made)

    assert working(book, SYMBOL, "BUY") == LOT


def test_a_trade_that_cannot_be_counted_is_an_alarm_and_holds_up_no_other(world: World) -> None:
    world.oms.submit(intent(quantity=2 * LOT))
    world.broker.fill("A", 0, 35_000)
    world.broker.fill("A", LOT, 35_000)
    world.later()
    world.later()

    assert [position.quantity for position in world.oms.positions()] == [LOT]
    assert [said for said in world.ledger.alerts() if "T1" in said and "quantity > 0" in said]
    assert len([said for said in world.ledger.alerts() if "T1" in said]) == 1
