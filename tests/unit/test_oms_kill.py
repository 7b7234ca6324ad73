"""The kill switch through the order manager: who pulls it, what it does, that it holds, and who lets go."""

import msgspec
import pytest

from actors.oms.config import KillConfig
from core.errors import InputError, LedgerDown
from core.orders.budget import BudgetConfig
from core.orders.plans import Bracket, ExitRules
from core.records import LIVE
from tests.fakes_orders import INDEX, LOT, SECOND, SYMBOL, intent, ticks
from tests.world_oms import World, leave


class MemoryFile:
    """core.ports.KillFile without a disk."""

    def __init__(self) -> None:
        self.said = ""
        self.broken = False

    def words(self) -> str:
        return self.said

    def pull(self, words: str) -> None:
        if self.broken:
            raise OSError("no space left on device")
        self.said = words

    def remove(self) -> None:
        if self.broken:
            raise OSError("read-only file system")
        self.said = ""


class Killable(World):
    """An order manager with a kill file, which outlives it as the ledger does."""

    def __init__(self, **config: object) -> None:
        self.file = MemoryFile()
        super().__init__(**config)

    def more(self) -> dict[str, object]:
        return {"kill_file": self.file}

    def live(self) -> list[str]:
        return [order.intent.tag for order in self.oms.orders() if order.state in LIVE]


def busy() -> Killable:
    """Two lots are held, an exit and two entries rest."""
    world = Killable()
    world.long()
    world.oms.submit(leave("X", LOT))
    for tag in ("E1", "E2"):
        world.oms.submit(intent(tag, limit_paise=100))
    return world


def test_it_cancels_everything_entries_first_and_refuses_what_comes() -> None:
    world = busy()
    kill = world.oms.kill("fat finger", "asha")
    asked_first = [order.intent.tag for order in world.oms.orders() if order.state == "CANCELLED"]
    world.later(1)
    late = world.oms.submit(intent("LATE"))

    assert (kill.pulled, kill.who, kill.why) == (True, "asha", "fat finger")
    assert set(asked_first) <= {"E1", "E2", "X"}
    assert world.live() == []
    assert (late.state, world.oms.state()) == ("REFUSED", "HALTED")
    assert "kill switch is pulled by asha: fat finger" in late.message
    assert world.ledger.kill == kill
    assert any("KILL SWITCH pulled by asha" in words for words in world.ledger.alerts())
    assert [position.quantity for position in world.oms.positions()] == [2 * LOT], "no square-off was asked for"


def test_entries_are_cancelled_before_exits() -> None:
    world = Killable()
    world.long(8 * LOT)
    asked: list[str] = []
    cancel = world.broker.cancel
    for number in range(4):
        world.oms.submit(leave(f"X{number}", LOT))
        world.oms.submit(intent(f"E{number}", limit_paise=100))
    tags = {order.broker_id: tag for tag, order in world.broker.orders.items()}
    world.broker.cancel = lambda broker_id: (asked.append(tags[broker_id]), cancel(broker_id))[1]  # type: ignore[method-assign, assignment]
    world.oms.kill("drill", "asha")
    while world.live():
        world.later(0.1)

    assert [tag[0] for tag in asked] == ["E"] * 4 + ["X"] * 4


def test_with_square_off_it_also_closes_what_is_held() -> None:
    world = busy()
    world.oms.kill("out", "asha", True)
    world.later(1)
    world.later(1)

    (exit_,) = [order for order in world.oms.orders() if order.intent.reason == "kill switch: out"]
    assert (exit_.intent.side, exit_.intent.quantity, exit_.state) == ("SELL", 2 * LOT, "OPEN")
    world.broker.fill(exit_.intent.tag, 2 * LOT, 34_000)
    for _ in range(8):
        world.later(1)
    assert [position.quantity for position in world.oms.positions()] == [0]
    assert len([order for order in world.oms.orders() if order.intent.reason == "kill switch: out"]) == 1


def test_a_second_pull_may_only_add_the_square_off() -> None:
    world = busy()
    first = world.oms.kill("one", "asha")
    assert world.oms.kill("two", "ravi") == first
    third = world.oms.kill("three", "ravi", True)
    assert (third.why, third.square_off) == ("three", True)


def test_it_holds_through_a_restart_and_goes_on_cancelling() -> None:
    world = Killable(budget=BudgetConfig())
    for number in range(6):
        world.oms.submit(intent(f"E{number}", limit_paise=100))
        world.clock.sleep(1)
    world.oms.kill("drill", "asha")
    left = world.live()
    world.restart()
    world.clock.sleep(3)
    refused = world.oms.submit(intent("LATE"))
    for _ in range(6):
        world.later(1)

    assert left, "three a turn"
    assert (refused.state, world.oms.state()) == ("REFUSED", "HALTED")
    assert world.live() == []


@pytest.mark.parametrize("kept", ["ledger", "file"])
def test_either_of_ledger_and_file_holds_it(kept: str) -> None:
    world = Killable()
    if kept == "file":
        world.ledger.down = lambda name: name == "record_kill"
    else:
        world.file.broken = True
    world.oms.kill("drill", "asha")
    assert (world.ledger.kill is None, bool(world.file.said)) == ((True, True) if kept == "file" else (False, False))
    world.ledger.down = lambda name: False
    world.restart()

    assert world.oms.state() == "HALTED"
    killed = world.oms.killed()
    assert killed is not None
    assert "drill" in killed.why


def test_a_file_pulls_it_between_two_timers() -> None:
    world = Killable()
    world.oms.submit(intent("E", limit_paise=100))
    world.file.said = "the desk is on fire"
    began = world.clock.wall
    world.oms.wait(10.0)
    woken = world.clock.wall - began
    world.oms.on_timer()

    assert woken <= SECOND
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.who, killed.why) == ("the kill file", "the desk is on fire")
    assert world.order("E").state in {"OPEN", "CANCELLED"}
    world.later(1)
    assert world.live() == []


def test_a_file_may_say_who_pulled_it() -> None:
    world = Killable()
    world.file.said = "fat finger (asha)"
    world.oms.on_timer()
    killed = world.oms.killed()
    assert killed is not None
    assert (killed.who, killed.why) == ("asha", "fat finger")


def test_only_a_person_with_a_reason_lets_go_and_then_it_is_halted() -> None:
    world = busy()
    world.oms.kill("drill", "asha")
    for words in (("", "asha"), ("looked into it", " ")):
        with pytest.raises(InputError, match="who does and why"):
            world.oms.release(*words)
    assert world.oms.resume() == "HALTED", "nobody resumes while it is pulled"
    assert world.oms.release("looked into it", "asha") == "HALTED"
    assert world.oms.killed() is None
    assert world.file.said == ""
    assert world.ledger.kill is not None
    assert not world.ledger.kill.pulled
    assert world.oms.resume() == "ACTIVE"
    world.restart()
    assert world.oms.submit(intent("AGAIN")).state == "OPEN"


def test_without_the_ledger_or_with_a_file_that_stays_it_is_not_released() -> None:
    world = Killable()
    world.oms.kill("drill", "asha")
    world.ledger.down = lambda name: name == "record_kill"
    with pytest.raises(LedgerDown):
        world.oms.release("looked into it", "asha")
    world.ledger.down = lambda name: False
    world.later(1)
    world.file.broken = True
    with pytest.raises(InputError, match="cannot be removed"):
        world.oms.release("looked into it", "asha")
    assert world.oms.state() == "HALTED"
    assert world.oms.killed() is not None


@pytest.mark.parametrize("what", ["ledger", "broker"])
def test_it_pulls_itself_when_ledger_or_broker_are_gone_too_long_and_cancels_what_it_can(what: str) -> None:
    world = Killable(kill=KillConfig(ledger_gone_s=30, broker_gone_s=60))
    world.oms.submit(intent("E", limit_paise=100))
    world.ledger.down = lambda name: what == "ledger"
    world.broker.away = what == "broker"
    for _ in range(28):
        world.later(1)
    before = world.oms.killed()
    for _ in range(40):
        world.later(1)
    killed = world.oms.killed()

    assert before is None
    assert killed is not None
    assert f"the {what} is gone for" in killed.why
    assert world.broker.orders["E"].state == "CANCELLED", "a cancel needs no ledger"
    world.ledger.down, world.broker.away = (lambda name: False), False
    world.later(12)
    world.later(1)
    assert world.ledger.kill == killed, "kept as soon as the ledger is back"


def test_a_ledger_that_is_gone_outside_the_session_pulls_nothing() -> None:
    world = Killable()
    world.clock.now += 6 * 3_600 * SECOND  # 18:00
    world.ledger.down = lambda name: True
    for _ in range(60):
        world.later(1)
    assert world.oms.killed() is None


def test_a_reason_is_expected() -> None:
    world = Killable()
    with pytest.raises(InputError, match="who pulls it and why"):
        world.oms.kill("  ", "asha")
    assert world.oms.state() == "ACTIVE"


def with_spread() -> Killable:
    """A lot is short, and its wing covers it."""
    world = Killable()
    wing = SYMBOL.replace("80500", "80000")
    world.oms.submit(intent("WING", symbol=wing, quantity=LOT, purpose="hedge"))
    world.broker.fill("WING", LOT, 20_000)
    world.later(1)
    world.oms.submit(intent("SHORT", side="SELL", quantity=LOT))
    world.broker.fill("SHORT", LOT, 35_000)
    world.later(1)
    return world


def test_no_short_loses_its_cover_while_it_squares_off() -> None:
    world = with_spread()
    world.oms.kill("out", "asha", True)
    world.later(1)
    world.later(1)
    sent = {order.intent.side for order in world.oms.orders() if order.intent.reason == "kill switch: out"}
    assert sent == {"BUY"}, "the wing waits until the short is bought back"
    (back,) = [one for one in world.oms.orders() if one.intent.reason == "kill switch: out"]
    world.broker.fill(back.intent.tag, LOT, 36_000)
    for _ in range(4):
        world.later(1)
    assert {one.intent.side for one in world.oms.orders() if one.intent.reason == "kill switch: out"} == {"BUY", "SELL"}


def test_a_kill_for_a_ledger_that_is_gone_ends_the_plans_once_it_is_back() -> None:
    world = Killable()
    world.oms.on_ticks(ticks(bids=[(35_000, 500)], asks=[(35_100, 500)], at_ns=world.clock.now_ns()))
    plan = Bracket(
        plan_id="P1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), symbol=SYMBOL, side="BUY",
        quantity=LOT, limit_paise=30_000, exit=ExitRules(stop_paise=20_000),
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.ledger.down = lambda name: True
    for _ in range(40):
        world.later(1)
    assert world.oms.killed() is not None
    world.ledger.down = lambda name: False
    for _ in range(3):
        world.later(1)
    world.oms.release("seen", "asha")
    assert [status.running for status in world.oms.plans()] == [False]


def test_a_square_off_that_was_asked_for_while_the_ledger_was_away_is_not_forgotten() -> None:
    world = busy()
    world.oms.kill("first", "asha")
    world.later(1)
    world.ledger.down = lambda name: True
    world.later(1)
    assert world.oms.kill("second", "asha", True).square_off
    world.ledger.down = lambda name: False
    for _ in range(4):
        world.later(1)
    killed = world.oms.killed()
    assert killed is not None
    assert killed.square_off
    assert world.ledger.kill == killed
    assert [one.intent.side for one in world.oms.orders() if one.intent.reason == "kill switch: second"] == ["SELL"]


def test_outside_the_session_nothing_is_squared_off() -> None:
    world = busy()
    world.clock.now += 6 * 3_600 * SECOND  # 18:00
    world.oms.kill("out", "asha", True)
    for _ in range(20):
        world.later(1)
    assert [one for one in world.oms.orders() if one.intent.reason == "kill switch: out"] == []


def test_a_short_that_cannot_be_bought_back_is_tried_again_while_its_wing_waits() -> None:
    world = with_spread()
    world.oms.kill("out", "asha", True)
    for _ in range(14):
        world.later(1)
    tries = [one for one in world.oms.orders() if one.intent.reason == "kill switch: out"]
    assert {one.intent.side for one in tries} == {"BUY"}
    assert len(tries) >= 2, "with a fresh price every five seconds"
    assert len([one for one in tries if one.state in LIVE]) == 1


def test_words_no_ledger_can_hold_stop_the_desk_all_the_same() -> None:
    world = Killable()
    world.oms.halt("a\0b")
    world.oms.kill("a\0b", "as\0ha")
    kept = world.ledger.kill_switch()
    assert (world.ledger.standing(), kept and (kept.why, kept.who)) == (("HALTED", "a?b"), ("a?b", "as?ha"))
    world.oms.release("a\0b", "asha")
    kept = world.ledger.kill_switch()
    assert kept is not None
    assert (kept.pulled, kept.why) == (False, "a?b")
    world.oms.resume()
    world.long()
    (sold,) = world.oms.exit_all("a\0b")
    assert sold.intent.reason == "a?b"
