"""A trader of chaos asks as a real strategy does: the same tag until somebody answers, and nothing it was not told."""

import threading
from collections import Counter
from typing import Any

import msgspec

from core.errors import DeskError
from core.orders.plans import Plan
from core.records import Intent, Order, PlanStatus, Terms
from tests.chaos.actions import ACTIONS, act
from tests.chaos.plan import ChaosConfig
from tests.chaos.prices import Contract
from tests.chaos.traders import UNSENT_TRIES, Notes, Trader

CONFIG = ChaosConfig(indices=("NIFTY",), pause_s=(0.0, 0.0))
AS_OF_NS = 1_795_146_300_000_000_000  # 2026-11-20 09:15 IST
HALTED = "state: HALTED, the ledger is away; nothing was sent"


class Market:
    def near(self, index: str) -> list[Contract]:
        strikes = (25_000, 25_050, 25_100)
        return [Contract(f"NIFTY26N24{k}{kind}", 65, 9_900, 10_000) for k in strikes for kind in ("CE", "PE")]

    def as_of_ns(self, index: str) -> int:
        return AS_OF_NS


class Desk:
    """Fills what crosses, unless it is told to say nothing, or that it is halted, so many times first."""

    def __init__(self, silent: int = 0, halted: int = 0) -> None:
        self.silent, self.halted = silent, halted
        self.asked: Counter[str] = Counter()
        self.orders: dict[str, Order] = {}
        self.plans: dict[str, str] = {}

    def submit(self, intent: Intent) -> Order:
        self.asked[intent.tag] += 1
        if self.silent:
            self.silent -= 1
            raise DeskError("oms is down or restarting; the call may or may not have run")
        if self.halted:
            self.halted -= 1
            return Order(intent=intent, state="REFUSED", message=HALTED)
        first = self.orders.setdefault(
            intent.tag, Order(intent=intent, state="COMPLETE", filled_quantity=intent.quantity)
        )
        assert first.intent == intent, "a tag names one order for ever"
        return first

    def modify(self, tag: str, terms: Terms) -> Order:
        return self.orders[tag]

    def cancel(self, tag: str) -> Order:
        return self.orders[tag]

    def start_plan(self, body: str) -> PlanStatus:
        fields = msgspec.json.decode(body)
        msgspec.convert({**fields, "created_ns": AS_OF_NS}, Plan)
        assert self.plans.setdefault(fields["plan_id"], body) == body
        return PlanStatus(
            plan_id=fields["plan_id"], kind=fields["type"], strategy=fields["strategy"], index="NIFTY", running=True,
            body=body,
        )  # fmt: skip

    def end_plan(self, plan_id: str, why: str) -> None:
        assert plan_id in self.plans


def trader(desk: Any) -> Trader:
    return Trader(0, CONFIG, desk, act, prices=Market(), notes=Notes(), stop=threading.Event())  # type: ignore[arg-type]


def test_an_order_nobody_answers_for_is_asked_for_again_by_the_same_tag() -> None:
    desk = Desk(silent=3)
    one = trader(desk)
    one.ask(Market().near("NIFTY")[0], "BUY", 65, order_type="MARKET")

    assert list(desk.asked.values()) == [4]
    assert one.notes.answered == dict.fromkeys(desk.asked, "COMPLETE")
    assert one.notes.asked_ns.keys() == desk.asked.keys()


def test_a_halted_desk_that_kept_nothing_is_asked_a_few_times_and_owes_nothing() -> None:
    desk = Desk(halted=99)
    one = trader(desk)
    one.ask(Market().near("NIFTY")[0], "BUY", 65, order_type="MARKET")

    assert list(desk.asked.values()) == [UNSENT_TRIES]
    assert one.notes.answered == {}


def test_two_traders_of_one_seed_ask_for_the_same_orders() -> None:
    desks = Desk(), Desk()
    for desk in desks:
        one = trader(desk)
        for _ in range(60):
            act(one)

    assert desks[0].orders == desks[1].orders
    assert desks[0].plans == desks[1].plans


def test_every_action_is_taken_and_what_is_asked_for_is_an_order_or_a_plan_the_desk_knows() -> None:
    desk = Desk()
    one = trader(desk)
    for _ in range(600):
        act(one)

    assert one.notes.did.keys() == {each.__name__ for each, _ in ACTIONS}
    assert not one.notes.unanswered
    kinds = {msgspec.json.decode(body)["type"] for body in desk.plans.values()}
    assert kinds == {"bracket", "twap", "multi_leg"}
    assert {order.intent.order_type for order in desk.orders.values()} == {"LIMIT", "MARKET", "SL"}


def test_no_more_is_sold_than_was_bought() -> None:
    desk = Desk()
    one = trader(desk)
    for _ in range(400):
        act(one)
        held: Counter[str] = Counter()
        for order in desk.orders.values():
            held[order.intent.symbol] += order.filled_quantity * (1 if order.intent.side == "BUY" else -1)
        assert all(units >= 0 for units in held.values())
