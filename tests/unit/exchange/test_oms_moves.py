"""Conversions and positions taken over, by the order manager, at the local exchange over HTTP."""

from collections.abc import Iterator

import pytest

from core.errors import DeskError, InputError
from exchange.faults import Fault
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.oms_desk import Desk, buy, opened
from tests.unit.exchange.test_oms_account_on_exchange import at_broker, by_hand


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


def held(desk: Desk) -> dict[tuple[str, str], int]:
    return {(one.strategy, one.product): one.quantity for one in desk.oms.positions() if one.quantity}


def entered(desk: Desk, served: Served) -> tuple[str, int]:
    """Two lots in NRML: the contract, and the units of one."""
    entry = desk.oms.submit(buy(served, "moves entry", lots=2))
    assert desk.ended(entry.intent.tag) == "COMPLETE"
    return entry.intent.symbol, entry.intent.quantity // 2


def test_a_lot_becomes_mis_here_and_there_and_no_more_than_is_held(desk: Desk, served: Served) -> None:
    symbol, lot = entered(desk, served)
    done = desk.oms.convert(symbol, "NRML", "MIS", lot, "manual", "asha", "M1")
    assert (done.phase, done.message) == ("done", "")
    desk.restart()
    assert held(desk) == {("manual", "NRML"): lot, ("manual", "MIS"): lot}
    assert {name: units for name, units in at_broker(desk, symbol).items() if units} == {"NRML": lot, "MIS": lot}
    with pytest.raises(InputError, match="cannot be converted"):
        desk.oms.convert(symbol, "NRML", "MIS", 2 * lot, "manual", "asha", "M2")
    assert len(desk.oms.exit_all("the end")) == 2, "an exit for each product"
    desk.until(lambda: held(desk) == {})


@pytest.mark.parametrize(("fault", "phase"), [(Fault.SLOW, "done"), (Fault.BAD_GATEWAY, "refused")])
def test_without_an_answer_the_positions_say_whether_it_was_done(
    desk: Desk, served: Served, wall: Wall, fault: Fault, phase: str
) -> None:
    symbol, lot = entered(desk, served)
    desk.timeout_s = 1.0
    desk.restart()
    positions = desk.broker.positions

    def once() -> object:
        found = positions()
        served.world.fault(fault, uses=1)  # of the next request, which converts
        desk.broker.positions = positions  # type: ignore[method-assign]
        return found

    desk.broker.positions = once  # type: ignore[method-assign]
    assert desk.oms.convert(symbol, "NRML", "MIS", lot, "manual", "asha", "M1").phase == "asked"
    desk.restart()

    def settled() -> bool:
        wall.on(40)
        desk.oms.on_timer()
        return desk.oms.moves()[0].phase != "asked"

    if phase == "done":
        desk.until(lambda: at_broker(desk, symbol).get("MIS", 0) == lot)
    desk.until(settled)
    assert desk.oms.moves()[0].phase == phase
    assert held(desk) == {("manual", name): units for name, units in at_broker(desk, symbol).items() if units}


def test_what_was_bought_by_hand_is_taken_over_at_the_brokers_average(desk: Desk, served: Served, wall: Wall) -> None:
    symbol, lot = entered(desk, served)
    by_hand(desk, desk.oms.orders()[0].intent, "BUY", lots=1)  # that contract: the most traded one may be another now
    with pytest.raises(DeskError, match="traded a moment ago"):
        desk.oms.adopt(symbol, "NRML", "ema", "asha", "A1")
    wall.on(11)
    move = desk.oms.adopt(symbol, "NRML", "ema", "asha", "A1")
    assert (move.quantity, held(desk)) == (lot, {("manual", "NRML"): 2 * lot, ("ema", "NRML"): lot})
    (row,) = [row for row in desk.kite.positions()["net"] if row["tradingsymbol"] == symbol]
    ours = sum(one.average_paise * one.quantity for one in desk.oms.positions())
    assert ours == pytest.approx(row["average_price"] * 100 * row["quantity"], abs=row["quantity"])
    with pytest.raises(InputError, match=r"nothing of .* is external"):
        desk.oms.adopt(symbol, "NRML", "ema", "asha", "A2")
    desk.restart()
    assert held(desk) == {("manual", "NRML"): 2 * lot, ("ema", "NRML"): lot}
