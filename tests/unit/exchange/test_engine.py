"""Orders between two steps of the market, with quotes the test sets: queue, changes under way, the book left."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from brokers.kite.rows import fill_of
from core.schemas import DEPTH
from exchange.orders.order import Order, Status
from exchange.refusal import KiteError
from exchange.server.market import full
from tests.unit.exchange.test_days import Run

BID, ASK, SIZE = 100_00, 101_00, 650


class Book(Run):
    """One option whose book stands still: five levels a side, last traded at the bid."""

    def __init__(self) -> None:
        super().__init__()
        self.one = self.option()
        self.quotes, self.place_of = self.world.day.quotes, self.one.place
        self.publish()

    def publish(self, bid: int = BID, ask: int = ASK) -> None:
        steps = 5 * np.arange(DEPTH)
        for side, best in (("bid", bid - steps), ("ask", ask + steps)):
            for column, values in (("paise", best), ("qty", SIZE), ("orders", 1 + np.arange(DEPTH))):
                self.quotes.book[f"{side}_{column}"][self.place_of] = values
        self.quotes.last[self.place_of] = bid

    def look(self, *, traded: int = 0, seconds: float = 0.5) -> None:
        """So much later, with so many units traded, the exchange looks at this instrument alone."""
        self.at += round(seconds * 1e9)
        self.quotes.volume[self.place_of] += traded
        self.world.engine.advance([self.place_of])

    def wait(self, seconds: float = 1.0) -> None:
        self.look(seconds=seconds)

    def change(self, order: Order, **form: Any) -> None:
        fields = {name: str(value) for name, value in form.items()}
        self.world.engine.modify(self.user, order.order_id, fields, 25)


def test_a_second_order_of_a_contract_is_not_credited_with_what_traded_before_it() -> None:
    run = Book()
    first = run.place(run.one, price=BID / 100)
    run.world.engine.cancel(run.user, first.order_id)
    run.look()
    assert first.status == Status.CANCELLED
    run.look(traded=10_000_000, seconds=3600)
    second = run.place(run.one, price=BID / 100)
    assert (second.status, second.ahead, second.filled) == (Status.OPEN, SIZE, 0)
    run.look(traded=SIZE)
    assert second.filled == 0, "those before it at its price trade first"
    run.look(traded=run.one.lot)
    assert second.filled == run.one.lot


def test_what_trades_between_an_orders_arrival_and_the_next_look_counts() -> None:
    run = Book()
    order = run.place(run.one, price=(ASK - 5) / 100)  # alone at its price
    run.quotes.last[run.place_of] = ASK - 5
    run.look(traded=run.one.lot)
    assert order.status == Status.COMPLETE


def test_a_trade_of_another_start_of_the_exchange_is_another_fill() -> None:
    fills = []
    for _ in range(2):
        run = Book()
        run.wait(len(fills))  # a start at another moment
        run.place(run.one)
        (trade,) = run.world.engine.trades
        fills.append((trade.trade_id, fill_of(trade.row(), "T1").trade_id))
        assert trade.order.order_id in fills[-1][1]
    assert len({name for names in fills for name in names}) == 4


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"order_type": "FOO"}, "Invalid `order_type`"),
        ({"validity": "FOO"}, "Invalid `validity`"),
        ({"validity": "TTL"}, "`validity_ttl`"),
        ({"market_protection": "sNaN"}, "market_protection"),
        ({"price": "1e999999999999"}, "Invalid `price`"),
        ({"order_type": "SL", "trigger_price": "100.05"}, "Trigger price can't be higher than price"),
    ],
)
def test_what_makes_no_order_is_no_change(form: dict[str, str], says: str) -> None:
    run = Book()
    order = run.place(run.one, price=BID / 100)
    with pytest.raises(KiteError, match=says):
        run.change(order, **form)
    assert (order.status, order.modifications) == (Status.OPEN, 0)


def test_an_order_changed_to_ioc_does_not_rest() -> None:
    run = Book()
    order = run.place(run.one, price=BID / 100)
    run.change(order, validity="IOC")
    run.look()
    assert (order.status, order.filled) == (Status.CANCELLED, 0)


def test_a_time_to_live_counts_from_the_change_that_gives_it_and_ends_with_the_one_that_takes_it() -> None:
    run = Book()
    one, other = (run.place(run.one, price=BID / 100) for _ in range(2))
    run.look(seconds=300)
    for order in (one, other):
        run.change(order, validity="TTL", validity_ttl=2)
    run.look(seconds=60)
    assert one.row()["validity_ttl"] == 2
    run.change(other, validity="DAY")
    run.look(seconds=61)
    assert (one.status, other.status) == (Status.CANCELLED, Status.OPEN)


def test_a_stop_made_a_limit_order_queues_behind_what_is_published() -> None:
    run = Book()
    order = run.place(run.one, order_type="SL", price=(ASK + 50) / 100, trigger_price=(ASK + 50) / 100)
    assert (order.status, order.ahead) == (Status.TRIGGER_PENDING, 0)
    run.change(order, order_type="LIMIT", price=BID / 100)
    run.look()
    assert (order.status, order.ahead) == (Status.OPEN, SIZE)
    run.change(order, price=BID / 100)  # nothing new: the place is kept
    run.look(traded=SIZE)
    assert order.ahead == 0


def test_an_order_is_not_made_a_market_order_on_a_contract_that_has_not_traded() -> None:
    run = Book()
    order = run.place(run.one, price=BID / 100)
    run.quotes.volume[run.place_of] = 0
    run.change(order, order_type="MARKET", market_protection="-1")
    run.look()
    assert (order.status, order.asked.order_type, order.price_paise) == (Status.OPEN, "LIMIT", BID)
    assert (order.message or "").startswith("17181")


def test_a_trigger_while_a_change_is_on_its_way_leaves_the_status_with_the_change() -> None:
    run = Book()
    stop = {"order_type": "SL", "price": (ASK - 5) / 100, "trigger_price": (ASK - 20) / 100}
    one, other = (run.place(run.one, **stop) for _ in range(2))
    assert {one.status, other.status} == {Status.TRIGGER_PENDING}
    run.world.engine.cancel(run.user, one.order_id)
    run.change(other, price=(ASK - 10) / 100)
    run.quotes.last[run.place_of] = ASK - 5
    run.look(seconds=0.001)
    assert (one.triggered, one.status) == (True, Status.CANCEL_PENDING)
    assert (other.triggered, other.status) == (True, Status.MODIFY_VALIDATION_PENDING)
    with pytest.raises(KiteError, match="being processed"):
        run.change(other, price=BID / 100)
    run.look()
    assert one.status == Status.CANCELLED
    assert (other.status, other.price_paise) == (Status.OPEN, ASK - 10)


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "says"),
    [
        ("BUY", BID, BID, "buy orders should be higher than the last traded price (100.00)"),
        ("SELL", BID, BID, "sell orders should be lower than the last traded price (100.00)"),
        ("BUY", 110_00, 132_05, "16448"),
        ("SELL", 90_00, 71_95, "16448"),
    ],
)
def test_a_stop_that_would_trigger_at_once_or_reaches_too_far_is_turned_away(
    side: str, trigger: int, limit: int, says: str
) -> None:
    run = Book()
    asked = {"order_type": "SL", "transaction_type": side, "price": limit / 100, "trigger_price": trigger / 100}
    order = run.place(run.one, **asked)
    assert order.status == Status.REJECTED
    assert says in (order.message or "")


def test_a_stop_that_triggered_and_a_limit_order_become_stops_that_wait() -> None:
    run = Book()
    beyond = {"order_type": "SL", "price": (ASK + 100) / 100, "trigger_price": (ASK + 50) / 100}
    order = run.place(run.one, order_type="LIMIT", price=BID / 100)
    run.change(order, **beyond)
    run.look()
    assert order.status == Status.TRIGGER_PENDING
    run.change(order, trigger_price=BID / 100)  # the last price: it would trigger at once
    run.look()
    assert (order.status, order.asked.trigger_paise) == (Status.TRIGGER_PENDING, ASK + 50)
    assert "higher than" in (order.message or "")
    run.publish(bid=BID - 50, ask=ASK + 200)
    run.quotes.last[run.place_of] = ASK + 50
    run.look()
    assert (order.triggered, order.status) == (True, Status.OPEN)
    run.change(order, order_type="LIMIT", price=BID / 100)
    run.look()
    run.change(order, order_type="SL", price=(ASK + 150) / 100, trigger_price=(ASK + 100) / 100)
    run.look()
    assert (order.triggered, order.status) == (False, Status.TRIGGER_PENDING)


def test_what_is_left_of_a_book_keeps_its_counts_of_orders_and_is_published() -> None:
    run = Book()
    run.world.step()
    run.publish()
    two = SIZE + run.one.lot
    run.place(run.one, quantity=two, price=(ASK + 5) / 100)
    book = {name: run.quotes.book[f"ask_{name}"][run.place_of].tolist() for name in ("paise", "qty", "orders")}
    assert book["paise"] == [ASK + 5, ASK + 10, ASK + 15, ASK + 20, 0]
    assert book["qty"] == [SIZE - run.one.lot, SIZE, SIZE, SIZE, 0]
    assert book["orders"] == [2, 3, 4, 5, 0]
    run.at += 1  # no new quote of the market
    assert run.place_of in run.world.step()
    assert run.world.engine.drain() == set()


def test_a_leg_of_an_iceberg_keeps_its_quantity() -> None:
    run = Book()
    lot = run.one.lot
    ice = {"variety": "iceberg", "quantity": 4 * lot, "iceberg_legs": 4, "iceberg_quantity": lot}
    order = run.place(run.one, price=BID / 100, **ice)
    with pytest.raises(KiteError, match="iceberg"):
        run.change(order, quantity=3 * lot)
    run.change(order, quantity=lot, price=(BID - 5) / 100)
    run.look()
    assert (order.quantity, order.price_paise) == (lot, BID - 5)


def test_the_square_off_leaves_what_waits_for_the_morning() -> None:
    run = Run()
    one = run.option(later=True)
    order = run.place(one, variety="amo", product="MIS", price=round(run.world.day.quotes.last[one.place] / 125, 1))
    run.go(dt.time(15, 26))
    assert order.status == Status.AMO_RECEIVED


def test_the_published_circuit_limits_are_those_that_orders_meet() -> None:
    run = Book()
    row = full(run.world, run.one)
    low, high = row["lower_circuit_limit"], row["upper_circuit_limit"]
    assert (low, high) == (60.0, 140.0)
    for beyond, price in ((False, low), (True, low - 0.05), (False, high), (True, high + 0.05)):
        order = run.place(run.one, price=round(price, 2))
        assert ("circuit limits" in (order.message or "")) == beyond


def test_an_order_with_a_time_to_live_ends_by_itself() -> None:
    run = Run()
    one = run.option()
    low = round(run.world.day.quotes.last[one.place] * 0.7 / 100, 1)
    order = run.place(one, price=low, validity="TTL", validity_ttl=2)
    run.wait(118)
    assert order.status == Status.OPEN
    run.wait(2)
    assert order.status == Status.CANCELLED
