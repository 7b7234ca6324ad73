"""The day's end where cancels are answered late or not at all: nothing else waits for these."""

import pytest

from brokers.kite.broker import KiteConfig
from core.orders.answer import Answer
from tests.fakes_orders import LOT
from tests.unit.test_oms_day_end import MIS_DAY, SHORT, WING, Mis

TIMEOUT_S = KiteConfig(api_key="key").timeout_s


class Late(Mis):
    """Nobody answers in time to the cancels of some orders, nor takes them back."""

    def stick(self, *tags: str) -> list[str]:
        """Tags, in the order in which their cancels are asked for from now on."""
        names, cancel = {order.broker_id: order.intent.tag for order in self.oms.orders()}, self.broker.cancel
        asked = list[str]()

        def late(broker_id: str) -> Answer:
            tag = names.get(broker_id, broker_id)
            asked.append(tag)
            if tag not in tags:
                return cancel(broker_id)
            self.clock.sleep(TIMEOUT_S)
            return Answer(kind="UNKNOWN", message="timed out")

        self.broker.cancel = late  # type: ignore[method-assign]
        return asked

    def alarms(self) -> list[str]:
        return [alert.message for alert in self.oms.alerts() if alert.severity == "alarm"]

    def rests(self) -> list[str]:
        return [words for words in self.alarms() if "still rests in the last minutes" in words]


@pytest.mark.parametrize("late", [("E0",), ("E1",), ("E0", "E2")])
def test_an_entry_whose_cancel_is_answered_late_keeps_no_other_from_its_own(late: tuple[str, ...]) -> None:
    world = Late()
    for number in range(4):
        world.rest(f"E{number}")
    asked = world.stick(*late)
    world.at(15, 21, MIS_DAY)
    world.at(15, 22, MIS_DAY)
    assert {tag for tag in ("E0", "E1", "E2", "E3") if world.order(tag).state == "OPEN"} == set(late)
    assert max(asked.count(tag) for tag in late) - min(asked.count(tag) for tag in late) <= 1, "in turn"


@pytest.mark.parametrize("late", ["X", "Y"])
def test_an_exit_whose_cancel_is_answered_late_keeps_no_other_book_from_its_square_off(late: str) -> None:
    world = Late()
    world.hold("M", WING, "BUY", product="MIS", strategy="t")
    world.rest("X", side="SELL")
    world.rest("Y", side="SELL", symbol=WING, strategy="t")
    world.stick(late)
    world.at(15, 21, MIS_DAY)
    other = WING if late == "X" else SHORT
    assert [one.intent.symbol for one in world.exits("SELL") if one.intent.tag not in ("X", "Y")] == [other]
    assert world.order(late).state == "OPEN"


def test_an_entry_whose_cancel_is_answered_late_keeps_no_exit_of_another_book_from_its_own() -> None:
    world = Late()
    world.hold("M", WING, "BUY", product="MIS", strategy="t")
    world.rest("E")
    world.rest("Y", side="SELL", symbol=WING, strategy="t")
    world.stick("E")
    world.at(15, 21, MIS_DAY)
    assert [(one.intent.symbol, one.intent.quantity) for one in world.exits("SELL")] == [(WING, LOT)]
    assert world.order("Y").state == "CANCELLED"


def test_what_is_forced_out_waits_for_no_entry_and_that_it_rests_is_said_once() -> None:
    world = Late()
    world.rest("E")
    world.stick("E")
    world.at(15, 21, MIS_DAY)
    assert world.exits("SELL", live=False) == [], "an entry is cancelled first"
    world.at(15, 26, MIS_DAY)
    (out,) = world.exits("SELL")
    assert (out.intent.quantity, out.intent.limit_paise < 30_000) == (LOT, True)
    for _ in range(10):
        world.quote()
    assert len(world.rests()) == 1
    assert "(E)" in world.rests()[0]


def test_an_entry_that_fills_beside_what_is_forced_out_leaves_at_a_later_look() -> None:
    world = Late()
    world.rest("E")
    world.stick("E")
    world.at(15, 26, MIS_DAY)
    world.fill("SELL")
    world.broker.fill("E", LOT, 33_000)
    for _ in range(4):
        world.quote()
    world.fill("SELL")
    assert {position.quantity for position in world.oms.positions()} == {0}
    assert [one.filled_quantity for one in world.exits("SELL", live=False)] == [LOT, LOT]


def test_a_sale_that_may_still_fill_is_not_doubled_by_one_that_is_forced() -> None:
    """Both would leave a short. Once the entry is gone the position leaves."""
    world = Late()
    world.rest("E", side="SELL", purpose="entry")
    world.stick("E")
    world.at(15, 26, MIS_DAY)
    assert [units for _, units in world.sold()] == [LOT]
    assert len(world.rests()) == 1
    world.broker._cancel(world.order("E").broker_id)
    for _ in range(4):
        world.quote()
    assert [one.intent.quantity for one in world.exits("SELL")] == [LOT]


def test_what_an_exit_may_still_take_off_is_not_forced_out_beside_it_and_that_is_said() -> None:
    world = Late()
    world.rest("X", side="SELL")
    world.stick("X")
    world.at(15, 26, MIS_DAY)
    for _ in range(10):
        world.quote()
    assert sum(quantity for _, quantity in world.sold()) == LOT
    assert len(world.rests()) == 1
