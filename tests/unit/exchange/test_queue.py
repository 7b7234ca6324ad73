"""Who trades first, and by what: price, time, and only what traded after an order came to stand where it stands."""

import dataclasses
from typing import Any

import pytest

from exchange.orders.order import Order, Status
from exchange.refusal import KiteError
from tests.unit.exchange.test_engine import ASK, BID, SIZE, Book

INSIDE = BID + 5  # nobody is published there
FAR = (BID - 200) / 100


def sent(run: Book, one_at: int, **fields: Any) -> Order:
    """An order that has not reached the exchange yet; of its fields those that a form would not let through."""
    like = run.place(run.one, price=FAR)
    asked = dataclasses.replace(like.asked, price_paise=one_at, **fields)
    run.world.engine.cancel(run.user, like.order_id)
    run.look()
    return run.world.engine.place(run.user, asked, forced=True)


def trade(run: Book, paise: int, units: int, seconds: float = 0.5) -> None:
    run.quotes.last[run.place_of] = paise
    run.look(traded=units, seconds=seconds)


def offer(run: Book, paise: int) -> None:
    """The market comes down: one lot at this price and nothing else."""
    run.publish(bid=BID - 50, ask=paise)
    run.quotes.book["ask_qty"][run.place_of] = [run.one.lot, 0, 0, 0, 0]
    run.quotes.last[run.place_of] = paise


def test_an_order_beside_another_is_not_filled_by_what_traded_before_it_came() -> None:
    run = Book()
    run.place(run.one, price=FAR)
    order = sent(run, INSIDE)
    trade(run, INSIDE, 10_000)  # while it was on its way
    assert (order.status, order.filled) == (Status.OPEN, 0)
    trade(run, INSIDE, run.one.lot)
    assert order.status == Status.COMPLETE


@pytest.mark.parametrize("beside", [False, True])
def test_a_stop_is_not_filled_by_the_trade_that_triggered_it(*, beside: bool) -> None:
    run = Book()
    if beside:
        run.place(run.one, price=FAR)
    stop = run.place(run.one, order_type="SL", price=INSIDE / 100, trigger_price=INSIDE / 100)
    assert stop.status == Status.TRIGGER_PENDING
    trade(run, INSIDE, 10_000)
    assert (stop.status, stop.filled) == (Status.OPEN, 0)
    trade(run, INSIDE, run.one.lot)
    assert stop.status == Status.COMPLETE


def test_a_changed_price_is_not_filled_by_what_traded_before_the_change() -> None:
    run = Book()
    order = run.place(run.one, price=FAR)
    run.change(order, price=INSIDE / 100)
    trade(run, INSIDE, 10_000)
    assert (order.status, order.filled) == (Status.OPEN, 0)


def test_one_that_comes_with_a_new_book_does_not_go_before_one_that_stood_there() -> None:
    run = Book()
    old = run.place(run.one, price=(BID + 50) / 100)
    new = sent(run, BID + 50)
    offer(run, BID + 50)
    run.look()
    assert (old.filled, new.filled) == (run.one.lot, 0)


def test_a_stop_does_not_go_before_one_that_stood_there() -> None:
    run = Book()
    old = run.place(run.one, price=(BID + 50) / 100)
    stop = run.place(run.one, order_type="SL", price=(BID + 60) / 100, trigger_price=(BID + 40) / 100)
    offer(run, BID + 50)
    run.look()
    assert (old.filled, stop.status, stop.filled) == (run.one.lot, Status.OPEN, 0)


def test_a_cancel_that_is_through_comes_before_what_trades_now() -> None:
    run = Book()
    order = run.place(run.one, price=INSIDE / 100)
    run.world.engine.cancel(run.user, order.order_id)
    trade(run, INSIDE, run.one.lot)
    assert (order.status, order.filled) == (Status.CANCELLED, 0)


def test_the_better_price_trades_first_and_at_its_own_limit() -> None:
    run = Book()
    worse, better = (run.place(run.one, price=paise / 100) for paise in (BID, INSIDE))
    trade(run, BID, run.one.lot)  # below the better one's price: it was hit on the way down
    assert (worse.filled, better.filled) == (0, run.one.lot)
    assert better.average_paise == INSIDE
    trade(run, BID, SIZE + run.one.lot)
    assert worse.status == Status.COMPLETE


def test_a_better_offer_trades_first_too() -> None:
    run = Book()
    run.place(run.one)  # something to sell
    run.publish()
    order = run.place(run.one, "SELL", price=(ASK - 5) / 100)
    trade(run, ASK, run.one.lot - 1)
    assert (order.filled, order.average_paise) == (run.one.lot - 1, ASK - 5)


def test_a_trade_short_of_the_limit_fills_nothing() -> None:
    run = Book()
    order = run.place(run.one, price=INSIDE / 100)
    trade(run, INSIDE + 5, 10_000)
    assert order.filled == 0


def test_a_changed_price_comes_after_those_that_stood_at_it() -> None:
    run = Book()
    moved = run.place(run.one, price=FAR)
    stood = run.place(run.one, price=INSIDE / 100)
    run.change(moved, price=INSIDE / 100)
    run.look()
    trade(run, INSIDE, run.one.lot)
    assert (moved.filled, stood.filled) == (0, run.one.lot)


def test_an_iceberg_that_is_being_cancelled_has_no_further_leg() -> None:
    run = Book()
    lot = run.one.lot
    leg = run.place(run.one, variety="iceberg", price=INSIDE / 100, quantity=3 * lot, iceberg_legs=3,
                    iceberg_quantity=lot)  # fmt: skip
    assert leg.status == Status.OPEN
    run.world.engine.cancel(run.user, leg.order_id)
    trade(run, INSIDE, lot, seconds=0.01)  # before the cancel is through
    assert leg.status == Status.COMPLETE
    run.look()
    assert len(run.world.engine.orders) == 1


def test_an_iceberg_that_is_being_changed_goes_on() -> None:
    run = Book()
    lot = run.one.lot
    leg = run.place(run.one, variety="iceberg", price=INSIDE / 100, quantity=3 * lot, iceberg_legs=3,
                    iceberg_quantity=lot)  # fmt: skip
    run.change(leg, price=(INSIDE - 5) / 100)
    trade(run, INSIDE, lot, seconds=0.01)
    assert (leg.status, len(run.world.engine.orders)) == (Status.COMPLETE, 2)


def converted(run: Book, quantity: int, *, buy: bool) -> dict[str, int]:
    run.world.positions.convert(run.user, run.one, quantity=quantity, buy=buy, old="NRML", new="MIS")
    return {held.product: held.quantity for held in run.world.positions.of(run.user)}


def test_only_the_side_that_is_open_is_converted() -> None:
    run = Book()
    lot = run.one.lot
    run.place(run.one, "SELL", quantity=2 * lot)
    run.publish()
    run.place(run.one, "BUY")
    with pytest.raises(KiteError, match="cannot be converted"):
        converted(run, lot, buy=True)
    assert converted(run, lot, buy=False) == {"NRML": 0, "MIS": -lot}


def test_whole_lots_are_converted() -> None:
    run = Book()
    run.place(run.one)
    with pytest.raises(KiteError, match="lot"):
        converted(run, 1, buy=True)
