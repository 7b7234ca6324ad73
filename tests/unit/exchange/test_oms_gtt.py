"""A trigger over night, through the order manager and Kite's adapter, at the local exchange over HTTP."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from core.orders.plans import ExitRules, Overnight
from core.records import Order
from core.schemas import TICKS
from exchange.faults import Fault
from exchange.listing import Instrument
from exchange.orders.gtt import State
from tests.fakes_orders import ticks
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.oms_desk import Desk, buy, opened
from tests.unit.exchange.test_orders import traded_option


@pytest.fixture
def desk(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(served.world.day, "step", lambda _: np.zeros(0, np.int64))  # the market stands still
    served.do(served.world.triggers._all.clear)
    yield from opened(served)


def show(desk: Desk) -> None:
    """The contract's last price, as a feed would."""
    one = traded_option(desk.served)
    last = int(desk.served.world.day.quotes.last[one.place])
    row = ticks(last=last, at_ns=desk.clock.now_ns()).to_pylist()[0]
    row |= {
        "index": "NIFTY",
        "symbol": one.symbol,
        "expiry": one.expiry_date,
        "strike_paise": one.strike_paise,
        "kind": 2,
    }
    desk.oms.on_ticks(pa.RecordBatch.from_pylist([row], schema=TICKS))


def tick(paise: float) -> int:
    return round(paise / 5) * 5


def started(desk: Desk) -> tuple[Instrument, Order]:
    """A lot is held, and a plan of a trigger has been started."""
    one = traded_option(desk.served)
    entry = desk.oms.submit(buy(desk.served, "gtt entry"))
    assert desk.ended(entry.intent.tag) == "COMPLETE"
    last = int(desk.served.world.day.quotes.last[one.place])
    plan = Overnight(
        plan_id="NIGHT1", strategy="manual", index="NIFTY", created_ns=desk.clock.now_ns(), symbol=one.symbol,
        quantity=one.lot, exit=ExitRules(stop_paise=tick(last * 0.8), target_paise=tick(last * 1.3)),
    )  # fmt: skip
    desk.oms.start_plan(msgspec.json.encode(plan).decode())
    show(desk)
    return one, entry


def states(desk: Desk) -> list[State]:
    return [one.state for one in desk.served.do(lambda: list(desk.served.world.triggers._all.values()))]


def looked(desk: Desk, wall: Wall) -> None:
    wall.on(6)
    desk.oms.on_timer()


def fall(desk: Desk, one: Instrument) -> None:
    """The last price touches the stop, and is back: its limit meets the book."""

    def move() -> None:
        quotes, triggers = desk.served.world.day.quotes, desk.served.world.triggers
        before = int(quotes.last[one.place])
        quotes.last[one.place] = tick(before * 0.79)
        triggers.fire([one.place])
        quotes.last[one.place] = before

    desk.served.do(move)


def test_a_stop_at_the_broker_leaves_for_the_strategy_across_a_restart(desk: Desk, wall: Wall) -> None:
    one, _ = started(desk)
    desk.until(lambda: states(desk) == [State.ACTIVE])
    desk.restart()
    show(desk)
    looked(desk, wall)
    assert states(desk) == [State.ACTIVE]
    fall(desk, one)
    looked(desk, wall)
    (leave,) = [order for order in desk.oms.orders() if order.intent.plan == "NIGHT1"]
    assert (leave.intent.purpose, leave.intent.reason) == ("exit", "stop")
    desk.restart()
    assert desk.ended(leave.intent.tag) == "COMPLETE"
    desk.until(lambda: not desk.oms.plans()[0].running)
    assert (desk.held(), states(desk)) == ({}, [State.TRIGGERED])
    assert not [alert for alert in desk.ledger.alerts() if "did not send" in alert], "no order of a stranger's"


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.BAD_GATEWAY])
def test_an_answer_that_never_comes_leaves_one_trigger(desk: Desk, served: Served, wall: Wall, fault: Fault) -> None:
    desk.timeout_s = 1.0
    desk.restart()
    gtts = desk.broker.gtts

    def once() -> object:
        found = gtts()
        served.world.fault(fault, uses=1)  # of the next request, which is for the trigger
        desk.broker.gtts = gtts  # type: ignore[method-assign]
        return found

    desk.broker.gtts = once  # type: ignore[method-assign]
    started(desk)
    desk.until(lambda: states(desk) == [State.ACTIVE] or looked(desk, wall) or show(desk))
    for _ in range(3):
        desk.restart()
        for _ in range(3):
            looked(desk, wall)
            show(desk)
    assert states(desk) == [State.ACTIVE]
    desk.oms.exit_all("the end")
    desk.until(lambda: states(desk) == [State.DELETED])
