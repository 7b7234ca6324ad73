"""The protecting stop of a plan that the broker no longer lists: what it covered leaves all the same, and once."""

import msgspec
import pytest

from core.orders.machine import terms
from core.orders.plans import ExitRules, Protect
from core.records import Order, Terms
from tests.fakes_orders import INDEX, LOT
from tests.unit.test_oms_day_end import MIS_DAY, SHORT, Mis
from tests.unit.test_oms_plans import Planned


class Lost(Planned):
    """A bracket whose stop the broker took, and lists no more."""

    def __init__(self) -> None:
        super().__init__()
        self.oms.start_plan(self.bracket(quantity=LOT))
        self.quote(35_000)
        (entry,) = self.of("BUY")
        self.broker.fill(entry.intent.tag, LOT, 35_100)
        self.quote(35_000)
        (self.stop,) = self.of("SELL")
        self.gone = self.broker.orders.pop(self.stop.intent.tag)
        self.asked: list[str] = []
        self._cancel_at_broker = self.broker.cancel
        self.broker.cancel = self._cancelled  # type: ignore[method-assign]
        self.wait(20)

    def _cancelled(self, broker_id: str) -> object:
        self.asked.append(broker_id)
        return self._cancel_at_broker(broker_id)

    def wait(self, seconds: float, bid: int = 35_000) -> None:
        for _ in range(int(2 * seconds)):
            self.quote(bid)

    def listed_again(self) -> None:
        self.broker.orders[self.stop.intent.tag] = self.gone

    def listed(self) -> list[Order]:
        return [order for order in self.of("SELL", live=True) if not order.lost]


def test_another_stop_takes_the_place_of_a_lost_one_and_that_is_left_alone() -> None:
    world = Lost()
    (other,) = world.listed()
    assert terms(other) == Terms(order_type="SL", limit_paise=30_400, trigger_paise=32_000)
    assert (other.intent.quantity, other.intent.purpose) == (LOT, "exit")
    world.wait(30)
    assert len(world.broker.placed) == 3
    assert (world.asked, world.broker.modified) == ([world.stop.broker_id], []), "asked back once"


@pytest.mark.parametrize("how", ["jumped", "ended"])
def test_what_a_lost_stop_covered_leaves(how: str) -> None:
    world = Lost()
    if how == "ended":
        world.oms.end_plan("P1", "going home")
    world.wait(10, 30_000 if how == "jumped" else 35_000)
    (out,) = world.listed()
    assert terms(out).order_type == "LIMIT"
    assert world.order(world.stop.intent.tag).modifications == 0
    world.broker.fill(out.intent.tag, LOT, 30_000)
    world.wait(2)
    assert [position.quantity for position in world.oms.positions()] == [0]
    assert world.sold() == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_lost_stop_that_is_listed_again_is_taken_back_and_the_other_stays(*, restarts: bool) -> None:
    world = Lost()
    (other,) = world.listed()
    world.listed_again()
    if restarts:
        world.restart()
    world.wait(5)
    assert world.order(world.stop.intent.tag).state == "CANCELLED"
    assert [order.intent.tag for order in world.of("SELL", live=True)] == [other.intent.tag]
    assert world.sold() == [("OPEN", LOT)]


def test_one_that_is_listed_again_when_all_is_sold_is_taken_back_and_the_plan_is_over() -> None:
    world = Lost()
    (other,) = world.listed()
    world.broker.fill(other.intent.tag, LOT, 31_900)
    world.wait(5, 31_800)
    assert world.oms.plans()[0].running, "the lost one may still sell"
    world.listed_again()
    world.wait(5, 31_800)
    assert world.sold() == []
    assert world.words()["done"].startswith("closed: ")


def test_after_a_restart_the_stop_in_its_place_is_left_alone_and_no_third_goes_out() -> None:
    world = Lost()
    (other,) = world.listed()
    world.restart()
    world.wait(40)
    assert [order.intent.tag for order in world.listed()] == [other.intent.tag]
    assert len(world.broker.placed) == 3
    assert len(world.asked) < 40


def test_a_lost_stop_that_fills_beside_the_other_is_an_alarm() -> None:
    world = Lost()
    (other,) = world.listed()
    world.listed_again()
    for order in (world.stop, other):
        world.broker.fill(order.intent.tag, LOT, 31_900)
    world.wait(3)
    assert any("20 too many of" in words for words in world.ledger.alerts())
    assert world.words()["done"].startswith("failed: ")


@pytest.mark.parametrize("fills", [False, True])
def test_the_day_end_takes_over_from_a_plan_that_waits_for_a_lost_stop(*, fills: bool) -> None:
    world = Mis()
    plan = Protect(
        plan_id="P1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), product="MIS", symbol=SHORT,
        quantity=LOT, exit=ExitRules(stop_paise=32_000),
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.quote()
    (stop,) = world.exits("SELL")
    (gone,) = world.vanish(stop.intent.tag)
    (other,) = [one for one in world.exits("SELL") if not one.lost]
    if fills:  # and a lot more is held, of which the plan knows nothing
        world.broker.fill(other.intent.tag, LOT, 35_000)
        world.hold("M", SHORT, "BUY", product="MIS")
    world.at(15, 21, MIS_DAY)
    (out,) = [one for one in world.exits("SELL") if not one.lost]
    assert (out.intent.plan != "P1", out.intent.order_type) == (True, "LIMIT")
    world.broker.orders[stop.intent.tag] = gone
    for _ in range(3):
        world.quote()
    assert world.order(stop.intent.tag).state == "CANCELLED"
    assert sum(units for _, units in world.sold()) == LOT
