"""A plan whose stop the broker no longer lists: nothing is done twice for it, and a person can leave."""

import msgspec
import pytest

from core.orders.plans import ExitRules, Protect
from core.records import Order
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


@pytest.mark.parametrize("how", ["jumped", "ended"])
def test_a_lost_stop_is_left_alone_and_what_it_covered_leaves_by_a_person(how: str) -> None:
    world = Lost()
    if how == "ended":
        world.oms.end_plan("P1", "going home")
    world.wait(20, 30_000 if how == "jumped" else 35_000)
    assert world.listed() == [], "the plan sends no second order for what a lost one may still sell"
    assert (world.asked, world.broker.modified) == ([], [])
    assert any("no longer lists it" in words for words in world.ledger.alerts())

    world.oms.exit_all("compared with the broker")
    world.wait(2, 30_000)
    (out,) = world.listed()
    world.broker.fill(out.intent.tag, LOT, 30_000)
    world.wait(2)
    assert [position.quantity for position in world.oms.positions()] == [0]


def test_a_lost_stop_that_is_listed_again_protects_again() -> None:
    world = Lost()
    world.listed_again()
    world.wait(5, 30_000)
    assert world.broker.modified, "jumped: it is priced into the market"
    assert world.sold() == [("OPEN", LOT)]


def test_the_day_end_takes_over_from_a_plan_that_waits_for_a_lost_stop() -> None:
    world = Mis()
    plan = Protect(
        plan_id="P1", strategy="s", index=INDEX, created_ns=world.clock.now_ns(), product="MIS", symbol=SHORT,
        quantity=LOT, exit=ExitRules(stop_paise=32_000),
    )  # fmt: skip
    world.oms.start_plan(msgspec.json.encode(plan).decode())
    world.quote()
    (stop,) = world.exits("SELL")
    (gone,) = world.vanish(stop.intent.tag)
    world.at(15, 21, MIS_DAY)
    (out,) = [one for one in world.exits("SELL") if not one.lost]
    assert (out.intent.plan != "P1", out.intent.order_type) == (True, "LIMIT")
    world.broker.orders[stop.intent.tag] = gone
    for _ in range(3):
        world.quote()
    assert world.order(stop.intent.tag).state == "CANCELLED"
    assert sum(units for _, units in world.sold()) == LOT
