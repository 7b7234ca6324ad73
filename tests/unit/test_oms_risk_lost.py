"""A lost exit counts as working at risk, and holds no other exit up all the same."""

import pyarrow as pa
import pytest

from core.errors import DeskError
from core.records import Intent, Verdict
from tests.fakes_orders import LOT, SYMBOL, intent
from tests.unit.test_oms_risk_agrees import CrashDesk, working
from tests.unit.test_risk_actor import Chain, chain

WING = SYMBOL.replace("80500", "80600")


def leaving(tag: str, quantity: int = LOT) -> Intent:
    return intent(tag, side="SELL", purpose="exit", quantity=quantity, limit_paise=37_000)


def lost_exit() -> CrashDesk:
    desk = CrashDesk()
    desk.oms.submit(intent("IN"))
    desk.broker.fill("IN", LOT, 35_000)
    desk.oms.on_timer()
    desk.oms.submit(leaving("X"))
    desk.broker.orders.pop("X")
    for _ in range(40):
        desk.clock.sleep(0.5)
        desk.oms.on_timer()
    return desk


@pytest.mark.parametrize("away", [False, True])
def test_an_exit_goes_out_past_a_lost_one_whatever_risk_counts(*, away: bool) -> None:
    desk = lost_exit()

    def check(one: Intent, replaces: str = "") -> Verdict:
        raise DeskError("risk does not answer")

    if away:
        desk.risk.check = check  # type: ignore[method-assign]
    assert desk.oms.submit(leaving("Y")).state == "OPEN"
    assert desk.oms.submit(leaving("Z")).state == "REFUSED", "that is leaving already"
    desk.clock.sleep(11)
    desk.oms.on_timer()
    assert working(desk.risk._book) == {"X", "Y"}


def with_wing(at_ns: int) -> Chain:
    made = chain(at_ns=at_ns)
    (row,) = made.contracts.to_pylist()
    wing = {"symbol": WING, "strike_paise": 8_060_000, "bid_paise": 39_900, "ask_paise": 40_100, "last_paise": 40_000}
    return Chain(
        contracts=pa.RecordBatch.from_pylist([row, row | wing], schema=made.contracts.schema), expiries=made.expiries
    )


def test_what_covers_a_lost_sale_that_may_still_fill_stays() -> None:
    desk = CrashDesk()

    def turns(count: int) -> None:
        for _ in range(count):
            desk.clock.sleep(0.5)
            desk.risk.on_marks(with_wing(desk.clock.now_ns()))
            desk.oms.on_timer()

    turns(1)
    desk.oms.submit(intent("WING", symbol=WING, limit_paise=40_000))
    desk.broker.fill("WING", LOT, 40_000)
    turns(1)
    assert desk.oms.submit(intent("SHORT", side="SELL", limit_paise=36_000)).state == "OPEN"
    desk.broker.orders.pop("SHORT")
    turns(60)

    assert [order.lost for order in desk.oms.orders() if order.intent.tag == "SHORT"] == [True]
    out = desk.oms.submit(intent("OUT", symbol=WING, side="SELL", purpose="exit", limit_paise=39_900))
    assert (out.state, "lose more" in out.message) == ("REFUSED", True), out.message
