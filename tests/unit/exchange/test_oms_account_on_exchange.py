"""The account at the local exchange beside the order manager's journal: what others trade, what was there before."""

from collections.abc import Iterator

import pytest
from kiteconnect import KiteConnect

from core.records import Intent, Order
from exchange.orders.rules import square_off_ns
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.oms_desk import Desk, buy, opened


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


def at_broker(desk: Desk, symbol: str) -> dict[str, int]:
    """Net units by product."""
    return {row["product"]: row["quantity"] for row in desk.kite.positions()["net"] if row["tradingsymbol"] == symbol}


def by_hand(desk: Desk, intent: Intent, side: str, *, lots: int) -> None:
    """Somebody trades through the plain client, at once, and nobody tells the desk."""
    before = at_broker(desk, intent.symbol).get(intent.product, 0)
    units = lots * intent.quantity // 2
    price = intent.limit_paise if side == "BUY" else intent.limit_paise * 4 // 5 // 5 * 5
    desk.kite.place_order(
        variety=KiteConnect.VARIETY_REGULAR, exchange="NFO", tradingsymbol=intent.symbol, transaction_type=side,
        quantity=units, product=intent.product, order_type="LIMIT", validity="DAY", price=price / 100,
    )  # fmt: skip
    after = before + (units if side == "BUY" else -units)
    desk.until(lambda: at_broker(desk, intent.symbol).get(intent.product, 0) == after)


def compare(desk: Desk, wall: Wall, times: int) -> None:
    for _ in range(times):
        wall.on(11)
        desk.oms.on_timer()


def told(desk: Desk) -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in desk.oms.alerts() if one.subject.startswith("positions")]


def held(desk: Desk, served: Served, **changes: object) -> Order:
    """Two lots that the desk has bought."""
    entry = desk.oms.submit(buy(served, "entry", lots=2, **changes))
    assert desk.ended(entry.intent.tag) == "COMPLETE"
    return desk.order(entry.intent.tag)


def test_an_account_that_trades_through_the_desk_alone_raises_nothing(desk: Desk, served: Served, wall: Wall) -> None:
    entry = held(desk, served)
    compare(desk, wall, 3)
    (leave,) = desk.oms.exit_all("the end")
    assert desk.ended(leave.intent.tag) == "COMPLETE"
    compare(desk, wall, 3)
    assert (told(desk), desk.held(), at_broker(desk, entry.intent.symbol)["NRML"]) == ([], {}, 0)


def test_a_sale_by_hand_is_told_and_exit_all_opens_no_short(desk: Desk, served: Served, wall: Wall) -> None:
    intent = held(desk, served).intent
    by_hand(desk, intent, "SELL", lots=2)
    compare(desk, wall, 4)
    ((severity, words),) = told(desk)
    (withheld,) = desk.oms.exit_all("the end")
    compare(desk, wall, 1)
    assert (severity, f"+0 NRML at the broker, +{intent.quantity} here" in words) == ("alarm", True)
    assert (withheld.state, f"has 0 of the {intent.quantity} NRML" in withheld.message) == ("REFUSED", True)
    assert at_broker(desk, intent.symbol) == {"NRML": 0}


def test_exit_all_right_after_a_sale_by_hand_sells_the_rest(desk: Desk, served: Served) -> None:
    intent = held(desk, served).intent
    by_hand(desk, intent, "SELL", lots=1)
    withheld, leave = desk.oms.exit_all("the end")
    assert desk.ended(leave.intent.tag) == "COMPLETE"
    assert (withheld.state, withheld.intent.quantity, leave.intent.quantity) == (
        "REFUSED", intent.quantity // 2, intent.quantity // 2,
    )  # fmt: skip
    assert at_broker(desk, intent.symbol) == {"NRML": 0}


def test_it_is_told_when_the_account_agrees_again(desk: Desk, served: Served, wall: Wall) -> None:
    intent = held(desk, served).intent
    by_hand(desk, intent, "SELL", lots=1)
    compare(desk, wall, 3)
    by_hand(desk, intent, "BUY", lots=1)
    compare(desk, wall, 3)
    assert [severity for severity, _ in told(desk)] == ["alarm", "info"]


def test_a_square_off_by_the_broker_is_told(desk: Desk, served: Served, wall: Wall) -> None:
    intent = held(desk, served, product="MIS").intent
    world = served.world

    def square_off() -> None:
        world._square_off._next_ns = 0
        world._square_off.step(world.day, square_off_ns(world.day, world.config.square_off))

    try:
        served.do(square_off)
    finally:
        world._square_off._next_ns = 0  # the day's own is still to come
    desk.until(lambda: at_broker(desk, intent.symbol) == {"MIS": 0})
    compare(desk, wall, 3)
    ((severity, words),) = told(desk)
    (withheld,) = desk.oms.exit_all("the end")
    assert (severity, f"+0 MIS at the broker, +{intent.quantity} here" in words) == ("alarm", True)
    assert (withheld.state, at_broker(desk, intent.symbol)) == ("REFUSED", {"MIS": 0})


def test_a_position_from_before_the_desk_is_told_and_is_not_the_desks_to_exit(
    desk: Desk, served: Served, wall: Wall
) -> None:
    intent = buy(served, "never sent", lots=2)
    by_hand(desk, intent, "BUY", lots=2)
    desk.restart()
    compare(desk, wall, 3)
    ((severity, words),) = told(desk)
    assert (severity, f"+{intent.quantity} NRML at the broker, +0 here" in words) == ("alarm", True)
    assert (list(desk.oms.exit_all("the end")), at_broker(desk, intent.symbol)) == ([], {"NRML": intent.quantity})
