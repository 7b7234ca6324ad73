"""The order manager with the account at Kite, against the local exchange: a whole life, and what a day adds up to."""

from collections.abc import Iterator

import numpy as np
import pytest

from brokers.kite.limiter import Call, Limiter, Window
from core.records import LIVE, Order
from exchange.listing import Instrument
from exchange.world import World, WorldConfig
from tests.fakes_orders import news
from tests.unit.exchange.conftest import DATE, Served, Wall
from tests.unit.exchange.oms_desk import MANY, SECOND, Desk, buy, opened, out_of, quoted
from tests.unit.exchange.test_orders import traded_option


@pytest.fixture
def desk(served: Served) -> Iterator[Desk]:
    yield from opened(served)


def test_a_whole_life_with_a_restart_in_the_middle(desk: Desk, served: Served) -> None:
    entry = desk.oms.submit(buy(served, "entry", lots=2))
    assert (entry.state, desk.ended(entry.intent.tag)) == ("OPEN", "COMPLETE")
    resting = desk.oms.submit(buy(served, "rests", rests=True))
    desk.restart()
    assert desk.held() == {entry.intent.symbol: entry.intent.quantity}
    assert (desk.order(resting.intent.tag).state, desk.oms.submit(resting.intent).state) == ("OPEN", "OPEN")
    desk.until(lambda: desk.theirs()[resting.intent.tag] == ["OPEN"])
    assert desk.oms.cancel(resting.intent.tag).state == "CANCELLED"
    kept = desk.oms.submit(buy(served, "kept", rests=True))
    desk.until(lambda: desk.theirs()[kept.intent.tag] == ["OPEN"])
    (leave,) = desk.oms.exit_all("the end")
    desk.restart()
    assert desk.ended(leave.intent.tag) == "COMPLETE"
    assert (desk.order(kept.intent.tag).state, desk.held()) == ("CANCELLED", {})
    desk.agrees()
    assert {alert for alert in desk.ledger.alerts() if "exit all" not in alert} == set()


def shallow(served: Served) -> Instrument:
    """The traded option that shows the least for sale at its best price."""
    day = served.world.day
    found = [
        one for one in day.listing.instruments
        if one.exchange == "NFO" and one.type == "CE" and day.quotes.volume[one.place]
        and 5_000 < day.quotes.last[one.place] < 50_000 and day.quotes.book["ask_qty"][one.place][0]
    ]  # fmt: skip
    return min(found, key=lambda one: int(day.quotes.book["ask_qty"][one.place][0]))


def test_what_the_depth_leaves_rests_and_a_cancel_keeps_what_was_filled(
    desk: Desk, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.world.day, "step", lambda _: np.zeros(0, np.int64))  # the market stands still
    one = shallow(served)
    most = 1800 // one.lot * one.lot
    order = desk.oms.submit(
        buy(served, "deep", symbol=one.symbol, quantity=most, limit_paise=quoted(served, one, "ask"))
    )
    tag = order.intent.tag
    desk.until(lambda: desk.order(tag).filled_quantity)
    assert (desk.order(tag).state, desk.order(tag).filled_quantity < most) == ("OPEN", True)
    assert desk.oms.cancel(tag).state == "CANCELLED"
    assert desk.held() == {one.symbol: desk.order(tag).filled_quantity}
    monkeypatch.undo()
    assert {order.state for order in desk.oms.exit_all("the end")} == {"OPEN"}
    desk.until(lambda: not desk.held())
    desk.agrees()


def test_kites_words_reach_the_order_and_nothing_is_held(desk: Desk, served: Served) -> None:
    """Too far from the market: the order manager has no such rule, the broker has."""
    order = desk.oms.submit(buy(served, "far", limit_paise=5))
    assert desk.ended(order.intent.tag) == "REJECTED"
    assert "circuit limits" in desk.order(order.intent.tag).message
    assert "lot" in desk.oms.submit(buy(served, "odd", quantity=1)).message
    assert list(desk.theirs()) == [order.intent.tag]


def test_a_sale_in_another_product_is_refused_and_exit_all_leaves_in_the_right_one(desk: Desk, served: Served) -> None:
    held = desk.oms.submit(buy(served, "mis", product="MIS"))
    assert desk.ended(held.intent.tag) == "COMPLETE"
    other = desk.oms.submit(out_of(held, "nrml"))
    (leave,) = desk.oms.exit_all("the end")
    assert desk.ended(leave.intent.tag) == "COMPLETE"
    net = [
        row for row in desk.kite.positions()["net"] if row["tradingsymbol"] == held.intent.symbol and row["quantity"]
    ]
    assert (other.state, leave.intent.product) == ("REFUSED", "MIS")
    assert [row for row in net if row["product"] == "MIS"] == []


def test_the_end_of_a_process_between_the_exchange_and_the_journal_doubles_nothing(desk: Desk, served: Served) -> None:
    intent = buy(served, "died")
    desk.ledger.lost = lambda name: name == "journal_intent"
    desk.oms.submit(intent)
    desk.ledger.lost = lambda name: False
    desk.restart()
    unsent = desk.order(intent.tag).state
    sent = desk.oms.submit(buy(served, "sent"))
    desk.ledger.table[sent.intent.tag] = Order(intent=sent.intent, state="JOURNALLED", updated_ns=1)
    desk.restart()
    assert (unsent, desk.ended(sent.intent.tag)) == ("UNKNOWN", "COMPLETE")
    assert desk.theirs() == {sent.intent.tag: ["COMPLETE"]}
    desk.agrees()


def test_the_days_orders_count_after_a_restart(desk: Desk, served: Served) -> None:
    for number in range(3):
        desk.oms.submit(buy(served, f"before {number}", rests=True))
    desk.restart()
    day = Window(frozenset({Call.PLACE}), 4, 3600 * SECOND)
    rest = Window(frozenset(set(Call) - {Call.PLACE}), 10_000, SECOND)
    desk.broker._limiter, desk.broker._counted = Limiter([day, rest]), set()
    desk.oms.on_timer()
    fourth, fifth = (desk.oms.submit(buy(served, f"after {number}", rests=True)) for number in range(2))
    assert (fourth.state, fifth.state) == ("OPEN", "REJECTED")
    assert "Kite's limit on calls to place is reached" in fifth.message


def test_trades_of_somebody_elses_orders_cost_no_second_look(desk: Desk, served: Served) -> None:
    one = traded_option(served)
    desk.kite.place_order(
        variety="regular", exchange="NFO", tradingsymbol=one.symbol, transaction_type="BUY", quantity=one.lot,
        product="NRML", order_type="LIMIT", price=quoted(served, one, "ask") * 11 // 10 // 5 * 5 / 100,
    )  # fmt: skip
    desk.until(desk.kite.trades)
    asked: list[str] = []
    desk.broker._limiter = Counting(asked)
    desk.oms.on_timer()
    assert (len(asked), desk.held(), desk.ledger.alerts()) == (2, {}, [])


class Counting(Limiter):
    def __init__(self, asked: list[str]) -> None:
        super().__init__(MANY)
        self._asked = asked

    def ask(self, call: Call, *, is_exit: bool = False) -> int:
        self._asked.append(call)
        return super().ask(call, is_exit=is_exit)


def test_a_busy_desk_stays_within_the_limits_of_the_account() -> None:
    """The exchange enforces Kite's, and refuses everything for 10 s after one call too many."""
    wall = Wall()
    world = World(WorldConfig(date=DATE, indices=("NIFTY",)), wall=wall)
    world.step()
    wall.on(1800)
    world.step()
    with Served(world) as served:
        desk = Desk(served)
        desk.broker._limiter = Limiter()
        for number in range(6):
            assert desk.oms.submit(buy(served, f"busy {number}", rests=True)).state == "OPEN"
            for _ in range(2):
                wall.on(0.3)
                desk.oms.on_order_news(news(("", "", "")))
        desk.oms.exit_all("the end")
        desk.until(lambda: all(order.state not in LIVE for order in desk.oms.orders()))
        desk.agrees()
    assert [said for said in desk.ledger.alerts() if "exit all" not in said] == []
