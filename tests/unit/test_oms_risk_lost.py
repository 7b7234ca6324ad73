"""A lost exit counts as working at risk, and holds no other exit up all the same."""

import pytest

from core.errors import DeskError
from core.records import Intent, Verdict
from tests.fakes_orders import LOT, intent
from tests.unit.test_oms_risk_agrees import CrashDesk, working


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
