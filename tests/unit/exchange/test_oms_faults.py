"""What the order manager does when the broker misbehaves: each fault of the local exchange in turn."""

import json
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from brokers.kite.limiter import Limiter
from core.orders.answer import Answer
from core.records import Intent
from exchange.faults import Fault
from exchange.server import call
from tests.fakes_orders import news
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.oms_desk import MANY, Desk, buy, opened, out_of
from tests.unit.exchange.test_stream import url


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


def test_429_of_an_order_is_a_rejection_and_the_next_call_waits_for_the_cool_down(desk: Desk, served: Served) -> None:
    served.world.fault(Fault.TOO_MANY, uses=1)
    order = desk.oms.submit(buy(served, "busy"))
    assert (order.state, order.message) == ("REJECTED", "Too many requests")
    assert desk.theirs() == {}
    again = desk.oms.submit(buy(served, "after"))
    assert desk.ended(again.intent.tag) == "COMPLETE"
    desk.agrees()


def test_an_exit_that_was_refused_for_the_moment_is_sent_when_the_moment_is_over(
    desk: Desk, served: Served, wall: Wall
) -> None:
    held = desk.oms.submit(buy(served, "held"))
    desk.ended(held.intent.tag)
    place = desk.broker.place

    def busy(intent: Intent) -> Answer:
        desk.broker.place = place  # type: ignore[method-assign]
        served.world.fault(Fault.TOO_MANY, uses=1)
        return place(intent)

    desk.broker.place = busy  # type: ignore[method-assign]
    (first,) = desk.oms.exit_all("kill switch")
    desk.oms.on_timer()
    early = len(desk.oms.orders())
    wall.on(1)
    desk.until(lambda: not desk.held())
    assert (first.state, first.message, early) == ("REJECTED", "Too many requests", 2)
    assert len(desk.theirs()) == 2
    desk.agrees()


def test_exit_all_reaches_the_order_the_book_does_not_show_yet(desk: Desk, served: Served, wall: Wall) -> None:
    served.world.fault(Fault.LATE_IN_THE_BOOK, uses=1)
    late = desk.oms.submit(buy(served, "late", rests=True))
    (told,) = desk.oms.exit_all("kill switch")
    for _ in range(8):
        wall.on(10)
        desk.oms.on_timer()
    early = desk.order(late.intent.tag).state
    wall.on(12)
    assert (late.state, told.state, early) == ("OPEN", "REFUSED", "OPEN")
    assert "Couldn't find that `order_id`" in told.message
    assert desk.ended(late.intent.tag) == "CANCELLED"
    desk.agrees()


def test_429_of_a_read_is_one_alarm_until_the_cool_down_is_over(desk: Desk, served: Served) -> None:
    desk.broker._limiter = Limiter(MANY)  # 11 s to cool down
    served.world.fault(Fault.TOO_MANY, uses=1)
    for _ in range(20):
        desk.oms.on_timer()
    assert not served.world.faults.now(served.world.wall()), "the first call was the one that was refused"
    assert len([said for said in desk.ledger.alerts() if "cannot be followed" in said]) == 1
    desk.broker._limiter = Limiter(MANY)
    desk.until(lambda: any("can be followed again" in said for said in desk.ledger.alerts()))


@pytest.mark.parametrize("fault", [Fault.BAD_GATEWAY, Fault.UNAVAILABLE])
def test_an_order_into_an_outage_is_unsure_never_sent_again_and_given_up_in_time(
    desk: Desk, served: Served, wall: Wall, fault: Fault
) -> None:
    served.world.fault(fault, uses=1)
    order = desk.oms.submit(buy(served, f"outage {fault}"))
    tag = order.intent.tag
    desk.oms.on_timer()
    assert (order.state, desk.oms.submit(order.intent).state) == ("UNKNOWN", "UNKNOWN")
    for _ in range(17):
        wall.on(7)
        desk.oms.on_timer()
    early = desk.order(tag).state
    wall.on(2)
    desk.oms.on_timer()
    assert (early, desk.order(tag).state, desk.theirs()) == ("UNKNOWN", "REJECTED", {})
    assert desk.oms.state() == "ACTIVE"


@pytest.mark.parametrize("fault", [Fault.BAD_GATEWAY, Fault.UNAVAILABLE])
def test_while_the_book_cannot_be_read_entries_are_refused_and_exits_are_sent(
    desk: Desk, served: Served, wall: Wall, fault: Fault
) -> None:
    held = desk.oms.submit(buy(served, "held"))
    desk.ended(held.intent.tag)
    served.world.fault(fault, seconds=3600)
    desk.oms.on_timer()
    wall.on(4)
    desk.oms.on_timer()
    entry = desk.oms.submit(buy(served, "blind"))
    leave = desk.oms.submit(out_of(held, "leave"))
    assert (desk.oms.state(), entry.state, leave.state) == ("REDUCING", "REFUSED", "UNKNOWN")
    assert "the broker's book cannot be read" in entry.message
    served.world.faults.stop()
    desk.until(lambda: desk.oms.state() == "ACTIVE")
    assert [said for said in desk.ledger.alerts() if "followed" in said][-1] == "the broker can be followed again"
    assert entry.intent.tag not in desk.theirs()


def test_an_order_that_is_taken_and_not_answered_is_found_by_its_tag(served: Served, desk: Desk) -> None:
    hasty = Desk(served, timeout_s=1.0)
    served.world.fault(Fault.ACCEPT_THEN_TIMEOUT, uses=1)
    order = hasty.oms.submit(buy(served, "taken"))
    assert order.state == "UNKNOWN"
    assert hasty.ended(order.intent.tag) == "COMPLETE"
    hasty.agrees()


def test_an_order_a_slow_broker_takes_after_nobody_waits_any_more_is_unsure_and_found_by_its_tag(
    served: Served, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "SLOW_S", 2.0)
    hasty = Desk(served, timeout_s=1.0)
    served.world.fault(Fault.SLOW, uses=1)
    order = hasty.oms.submit(buy(served, "slow"))
    tag = order.intent.tag
    assert (order.state, hasty.theirs()) == ("UNKNOWN", {}), "nobody waits, and the exchange has not taken it yet"
    hasty.oms.on_timer()
    assert hasty.oms.submit(order.intent).state == "UNKNOWN", "nothing is sent again"
    assert hasty.ended(tag) == "COMPLETE"
    hasty.agrees()


@pytest.mark.parametrize("answered", [True, False])
def test_an_order_the_book_shows_ninety_seconds_late_is_waited_for_and_found(
    served: Served, desk: Desk, wall: Wall, *, answered: bool
) -> None:
    late = desk if answered else Desk(served, timeout_s=1.0)
    served.world.fault(Fault.LATE_IN_THE_BOOK, uses=1)
    if not answered:
        served.world.fault(Fault.ACCEPT_THEN_TIMEOUT, uses=1)
    order = late.oms.submit(buy(served, f"late {answered}"))
    tag, first = order.intent.tag, order.state
    for _ in range(8):
        wall.on(10)
        late.oms.on_timer()
        assert (late.order(tag).state, late.order(tag).lost, late.oms.submit(order.intent).state) == (
            first,
            False,
            first,
        )
    assert late.bus.symbols[-2][1] == [order.intent.symbol]
    wall.on(12)
    assert (first, late.ended(tag)) == ("OPEN" if answered else "UNKNOWN", "COMPLETE")
    assert late.ledger.alerts() == []
    late.agrees()


def test_updates_that_come_twice_and_the_last_first_end_where_the_book_is(desk: Desk, served: Served) -> None:
    with connect(url(served, desk.kite.access_token)) as socket:
        served.world.fault(Fault.UPDATES_OUT_OF_ORDER, seconds=600)
        order = desk.oms.submit(buy(served, "updates"))
        told: list[str] = []
        while told.count("COMPLETE") < 2:
            frame = socket.recv(timeout=20)
            row = json.loads(frame)["data"] if isinstance(frame, str) else {}
            if row.get("order_id") == order.broker_id:
                told.append(row["status"])
                desk.oms.on_order_news(news((row["order_id"], row["tag"], row["status"])))
    assert told.index("COMPLETE") < len(told) - 1 - told[::-1].index("OPEN"), "the end was told before what led to it"
    assert desk.ended(order.intent.tag) == "COMPLETE"
    desk.agrees()


def test_news_of_an_order_are_enough_without_a_timer(desk: Desk, served: Served, wall: Wall) -> None:
    order = desk.oms.submit(buy(served, "nudged"))
    end = time.monotonic() + 20
    while desk.order(order.intent.tag).state != "COMPLETE":
        assert time.monotonic() < end
        time.sleep(0.02)
        wall.on(0.3)
        desk.oms.on_order_news(news((order.broker_id, order.intent.tag, "COMPLETE")))
    desk.agrees()


def test_a_dead_token_halts_in_words_and_a_login_lets_everything_go_on(desk: Desk, served: Served, wall: Wall) -> None:
    held, resting = desk.oms.submit(buy(served, "held")), desk.oms.submit(buy(served, "rests", rests=True))
    desk.ended(held.intent.tag)
    served.do(lambda: served.world.fault(Fault.TOKEN_DEATH))
    desk.oms.on_timer()
    desk.asks = 0
    entry = desk.oms.submit(buy(served, "entry"))
    back, flat = desk.oms.cancel(resting.intent.tag), desk.oms.exit_all("kill switch")
    for _ in range(30):
        desk.oms.on_timer()
    assert desk.oms.state() == "HALTED"
    assert desk.asks <= 1, "a token is asked for every few seconds, and none that is dead is tried"
    assert all("vikalp login" in one.message for one in (entry, back, *flat)), [one.message for one in flat]
    assert {one.state for one in (entry, *flat)} == {"REFUSED"}
    assert len([said for said in desk.ledger.alerts() if "HALTED" in said and "vikalp login" in said]) == 1

    desk.clients.append(served.client())
    wall.on(4)
    desk.until(lambda: desk.oms.state() == "ACTIVE")
    again = desk.oms.submit(buy(served, "entry"))
    assert desk.ended(again.intent.tag) == "COMPLETE", "its tag was free: nothing had been sent"
    said = [alert for alert in desk.ledger.alerts() if "logged in" in alert]
    assert said == ["somebody has logged in, and the broker can be followed again"]
    desk.agrees()
