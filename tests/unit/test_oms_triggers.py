"""Triggers over night, run by the order manager: asked for once, wherever it dies; their orders are the desk's own."""

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest

from actors.oms.triggers import UNREAD
from core.errors import InputError
from core.market import IST, to_ns
from core.orders.gtt import Trigger
from core.orders.plans import ExitRules, Overnight, Protect
from core.records import LIVE, Order, PlanStatus
from tests.fakes_broker import Died
from tests.fakes_orders import INDEX, LOT, SYMBOL, ticks
from tests.world_oms import World

RULES = ExitRules(stop_paise=32_000, target_paise=40_000)
EVENING = to_ns(dt.datetime(2025, 9, 9, 16, 0, tzinfo=IST))
MORNING = to_ns(dt.datetime(2025, 9, 10, 9, 16, tzinfo=IST))


class Night(World):
    """Two lots are held, quoted at 350.00, and a plan of a trigger runs."""

    def __init__(self, *, start: bool = True) -> None:
        super().__init__()
        self.long()
        self.turn()
        if start:
            self.oms.start_plan(self.plan())

    def plan(self, plan_id: str = "N1", **changes: object) -> str:
        given = {
            "plan_id": plan_id, "strategy": "s", "index": INDEX, "symbol": SYMBOL, "quantity": 2 * LOT, "exit": RULES,
            "created_ns": self.clock.now_ns(),
        }  # fmt: skip
        return msgspec.json.encode(Overnight(**(given | changes))).decode()  # type: ignore[arg-type]

    def turn(self, bid: int = 35_000, *, seconds: float = 0.5) -> None:
        self.clock.sleep(seconds)
        at_ns = self.clock.now_ns()
        self.oms.on_ticks(ticks(bids=[(bid, 500)], asks=[(bid + 100, 500)], last=bid, at_ns=at_ns))
        self.oms.on_timer()

    def until(self, so: Callable[[], object], *, seconds: float = 0.5) -> None:
        for _ in range(200):
            if so():
                return
            self.turn(seconds=seconds)
        raise AssertionError([(word.key, word.message) for word in self.told().words])

    def told(self) -> PlanStatus:
        return self.oms.plans()[-1]

    def said(self, plan_id: str = "N1") -> dict[str, str]:
        (plan,) = [one for one in self.oms.plans() if one.plan_id == plan_id]
        return {word.key.split(" ")[-1] if " " in word.key else word.key: word.message for word in plan.words}

    def waiting(self) -> list[Trigger]:
        return [one for one in self.broker.triggers.values() if one.status == "active"]

    def placed(self) -> Trigger:
        self.until(self.waiting)
        (one,) = self.waiting()
        self.turn()
        return one

    def exits(self) -> list[Order]:
        return [one for one in self.oms.orders() if one.intent.purpose == "exit"]

    def held(self) -> int:
        return sum(position.quantity for position in self.oms.positions())


def test_its_order_is_the_plans_and_its_trades_are_the_strategys() -> None:
    world = Night()
    one = world.placed()
    assert [(leg.trigger_paise, leg.limit_paise) for leg in one.legs] == [(32_000, 30_400), (40_000, 40_000)]
    order_id = world.broker.fire(one.trigger_id, 1)
    world.until(world.exits)
    (order,) = world.exits()
    assert (order.broker_id, order.intent.plan, order.intent.strategy) == (order_id, "N1", "s")
    assert (order.intent.reason, order.intent.limit_paise, order.state) == ("target", 40_000, "OPEN")
    world.broker.fill(order.intent.tag, 2 * LOT, 40_050)
    world.until(lambda: not world.told().running)
    assert world.said()["done"].startswith("closed: ")
    assert "target" in world.said()["done"]
    assert world.held() == 0
    assert world.ledger.trades[-1].strategy == "s"
    assert world.ledger.trades[-1].reason == "target"
    assert len(world.broker.placed) == 1, "the desk has sent nothing itself"


ANSWERS = ["ack", "refuse", "lose the request", "lose the answer", "die before accept", "die after accept"]
WORDS = ["record_plan_word", ""]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("dies", ["", "down", "lost"])
def test_at_every_point_of_a_crash_there_is_one_trigger_at_the_end(answer: str, dies: str) -> None:
    """`dies`: the write of the word before the request is not made, or made and not heard of, and the process ends."""
    world = Night(start=False)
    world.broker.next_gtt = answer
    world.oms.start_plan(world.plan())
    if dies:
        setattr(world.ledger, dies, lambda name: name == "record_plan_word")
        world.turn()
        assert not world.broker.triggers, "no request without its word"
        setattr(world.ledger, dies, lambda name: False)
        world.restart()
    try:
        world.until(world.waiting)
    except Died:
        world.restart()
    world.until(world.waiting)
    for _ in range(5):
        world.restart()
        for _ in range(8):
            world.turn(seconds=5)

    assert len(world.waiting()) == 1
    assert len(world.broker.triggers) == 1, "none was placed and taken back either"
    order_id = world.broker.fire(world.waiting()[0].trigger_id, 0)
    world.until(lambda: any(one.broker_id == order_id for one in world.exits()))
    assert [one.intent.reason for one in world.exits()] == ["stop"]


@pytest.mark.parametrize("write", ["record_plan_word", "journal_intent", "record_order"])
@pytest.mark.parametrize("how", ["down", "lost"])
def test_a_crash_while_its_order_is_taken_over_leaves_one_order_with_its_trades(write: str, how: str) -> None:
    world = Night()
    one = world.placed()
    order_id = world.broker.fire(one.trigger_id, 0)
    failed: list[str] = []

    def fails(name: str) -> bool:
        failed.extend([name] if name == write else [])
        return name == write

    setattr(world.ledger, how, fails)
    world.until(lambda: failed, seconds=5)
    setattr(world.ledger, how, lambda name: False)
    world.broker.adopted.clear()
    world.restart()
    world.until(lambda: any(each.broker_id for each in world.exits()))
    assert world.broker.adopted == {order_id: world.exits()[0].intent.tag}
    world.restart()
    assert world.broker.adopted == {order_id: world.exits()[0].intent.tag}
    world.broker.fill(world.exits()[0].intent.tag, 2 * LOT, 31_900)
    world.until(lambda: not world.told().running)
    assert (world.held(), len(world.exits())) == (0, 1)
    assert "stop" in world.said()["done"]


def test_one_that_is_listed_late_is_taken_back_once_another_waits() -> None:
    world = Night(start=False)
    world.broker.next_gtt, world.broker.hidden = "lose the answer", True
    world.oms.start_plan(world.plan())
    world.until(lambda: "absent" in world.said(), seconds=5)
    world.broker.hidden = False
    world.until(lambda: len(world.broker.triggers) == 2 and len(world.waiting()) == 1)
    late, second = world.broker.triggers.values()
    assert (late.status, second.status) == ("gone", "active")


def test_a_trigger_like_it_that_a_person_has_placed_is_not_taken_for_it() -> None:
    world = Night(start=False)
    by_hand = Trigger(
        trigger_id="7", status="active", symbol=SYMBOL, side="SELL", quantity=2 * LOT, product="NRML",
        legs=(), created_ns=1,
    )  # fmt: skip
    world.oms.start_plan(world.plan())
    legs = world.placed().legs
    world.broker.triggers = {"7": msgspec.structs.replace(by_hand, legs=legs)}  # ours was deleted in the broker's app
    world.until(lambda: len(world.broker.triggers) == 2, seconds=5)
    world.oms.end_plan("N1", "morning")
    world.until(lambda: not world.told().running)
    assert world.broker.triggers["7"].status == "active"
    assert len(world.waiting()) == 1


def test_it_is_taken_back_when_the_position_is_gone() -> None:
    world = Night()
    world.placed()
    world.oms.submit(msgspec.structs.replace(world.order("LONG").intent, tag="X", side="SELL", purpose="exit"))
    world.broker.fill("X", 2 * LOT, 35_000)
    world.until(lambda: not world.told().running)
    assert world.waiting() == []
    assert world.said()["done"].startswith("closed: ")


def test_of_a_part_that_is_gone_another_trigger_waits() -> None:
    world = Night()
    world.placed()
    part = msgspec.structs.replace(world.order("LONG").intent, tag="X", side="SELL", purpose="exit", quantity=LOT)
    world.oms.submit(part)
    world.broker.fill("X", LOT, 35_000)
    world.until(lambda: [one.quantity for one in world.waiting()] == [LOT])


@pytest.mark.parametrize("how", ["kill", "exit_all"])
def test_whoever_closes_everything_takes_it_back(how: str) -> None:
    world = Night()
    world.placed()
    if how == "kill":
        world.oms.kill("drill", "asha")
        world.turn()
    else:
        world.oms.exit_all("drill")
    assert world.waiting() == []
    world.restart()
    world.turn(seconds=6)
    assert world.waiting() == []


def test_what_it_sends_while_it_is_being_taken_back_is_still_the_strategys() -> None:
    world = Night()
    one = world.placed()
    world.broker.fire(one.trigger_id, 0)
    world.oms.kill("drill", "asha")
    world.until(world.exits)
    world.broker.fill(world.exits()[0].intent.tag, 2 * LOT, 31_900)
    world.until(lambda: world.held() == 0)


def test_the_desks_own_stop_and_the_trigger_take_turns() -> None:
    world = Night(start=False)
    rules = msgspec.structs.replace(RULES, overnight=True)
    plan = Protect(
        plan_id="D1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), symbol=SYMBOL, quantity=2 * LOT,
        exit=rules,
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.until(world.exits)
    (stop,) = world.exits()
    assert (stop.intent.order_type, world.broker.triggers) == ("SL", {})
    world.clock.sleep((EVENING - world.clock.now_ns()) / 1e9)
    world.broker.cancel(stop.broker_id)  # the exchange does so at the close
    world.until(world.waiting)
    assert [one.kind for one in world.oms.all_plans()] == ["protect", "overnight"]
    assert [one.running for one in world.oms.all_plans()] == [False, True]
    world.restart()
    world.clock.sleep((MORNING - world.clock.now_ns()) / 1e9)
    world.until(lambda: [one for one in world.exits() if one.state in LIVE])
    assert world.waiting() == []
    assert [one.kind for one in world.oms.all_plans()] == ["protect", "overnight", "protect"]
    assert [one.running for one in world.oms.all_plans()] == [False, False, True]
    (again,) = [one for one in world.exits() if one.state in LIVE]
    assert (again.intent.order_type, again.intent.quantity, again.intent.strategy) == ("SL", 2 * LOT, "s")


def test_a_second_plan_for_the_same_units_is_refused() -> None:
    world = Night()
    with pytest.raises(InputError, match=r"plan N1 \(overnight\) has the stop"):
        world.oms.start_plan(world.plan("N2"))
    protect = Protect(
        plan_id="D1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), symbol=SYMBOL, quantity=LOT,
        exit=RULES,
    )  # fmt: skip
    with pytest.raises(InputError, match="take turns"):
        world.oms.start_plan(msgspec.json.encode(protect).decode())


def test_a_broker_without_triggers_is_said_when_it_is_asked_for() -> None:
    world = Night(start=False)
    world.broker.keeps_triggers = False
    world.restart()
    with pytest.raises(InputError, match="keeps no triggers over night"):
        world.oms.start_plan(world.plan())
    assert world.oms.plans() == []


def test_where_the_account_has_less_no_trigger_is_placed() -> None:
    world = Night(start=False)
    world.broker.by_hand[SYMBOL, "NRML"] -= 2 * LOT
    for _ in range(5):
        world.turn(seconds=5)
    world.oms.start_plan(world.plan())
    for _ in range(5):
        world.turn(seconds=5)
    assert world.broker.triggers == {}
    assert any("the account has less" in words for words in world.ledger.alerts())


def test_triggers_that_cannot_be_read_are_told_once() -> None:
    world = Night()
    world.placed()
    gtts = world.broker.gtts

    def fails() -> list[Trigger]:
        world.broker.away = True
        try:
            return list(gtts())
        finally:
            world.broker.away = False

    world.broker.gtts = fails  # type: ignore[method-assign]
    for _ in range(8):
        world.turn(seconds=5)
    assert sum("triggers cannot be read" in words for words in world.ledger.alerts()) == 1
    assert world.oms.state() == "ACTIVE"


def test_turns_without_time_left_to_read_them_are_no_alarm() -> None:
    world = Night()
    world.placed()
    world.oms._parts.broker.begin(0)
    for _ in range(UNREAD):
        assert not world.oms._parts.plans._triggers._read()
    assert not any("cannot be read" in words for words in world.ledger.alerts())
