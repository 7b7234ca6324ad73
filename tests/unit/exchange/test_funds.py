"""What is blocked, what is refused for want of money, and what orders would cost, beside Kite's samples."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect

from core.market import charges_at
from exchange.listing import Instrument
from tests.unit.exchange.conftest import DATE, Served
from tests.unit.exchange.shapes import differences, mock, raw
from tests.unit.exchange.test_orders import order_of, traded_option, wait

USER = "VK0001"


@pytest.fixture(autouse=True)
def whole_purse(served: Served) -> Iterator[None]:
    """The cash of the user is what it was after every test, and no order or position of one stands in the next."""
    purse = served.world.funds.purses[USER]
    before = purse.opening_paise
    yield
    purse.opening_paise = before
    world, user = served.world, served.world.config.users[0]
    served.do(lambda: world.engine.withdraw(world.engine.live(user), world.clock.now_ns()))
    served.do(lambda: world.positions.taken(user))


def leave(served: Served, rupees: float) -> None:
    """Take cash away until so much is free."""
    user = served.world.config.users[0]
    net = served.world.funds.balance(user, served.world.engine.live(user))["net"]
    assert isinstance(net, float)
    served.world.funds.purses[USER].opening_paise += round((rupees - net) * 100)


def sale_of(served: Served, one: Instrument, **changes: Any) -> dict[str, Any]:
    """An offer a quarter above the market, which rests."""
    price = served.world.day.quotes.last[one.place] * 5 // 4 // 5 * 5 / 100
    return order_of(served, one, transaction_type="SELL", price=price, **changes)


def buy(served: Served, kite: KiteConnect, one: Instrument) -> None:
    price = round(served.world.day.quotes.last[one.place] * 1.2 / 100, 1)
    wait(kite, kite.place_order(**order_of(served, one, price=price)), "COMPLETE")


def row_of(served: Served, one: Instrument, side: str = "SELL", **changes: Any) -> dict[str, Any]:
    return {
        "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": side, "variety": "regular",
        "product": "NRML", "order_type": "LIMIT", "quantity": one.lot,
        "price": served.world.day.quotes.last[one.place] / 100,
    } | changes  # fmt: skip


def wings(served: Served) -> tuple[Instrument, Instrument]:
    """A traded call and the call of the same expiry some strikes above."""
    near = traded_option(served)
    above = [
        one for one in served.world.day.listing.instruments
        if (one.index, one.expiry, one.kind) == (near.index, near.expiry, near.kind)
        and near.strike_paise < one.strike_paise <= near.strike_paise + 200_00
    ]  # fmt: skip
    return near, above[-1]


def test_margins_have_what_kites_have(served: Served) -> None:
    kite = served.client()
    assert not differences(raw(kite, "/user/margins"), mock("margins"))
    assert not differences(raw(kite, "/user/margins/equity"), mock("margins_equity"))
    assert not differences(raw(kite, "/user/margins/commodity"), mock("margin_commodity"))
    assert kite.margins("commodity")["net"] == 0


def test_a_purchase_blocks_its_premium_while_it_rests_and_costs_it_once_it_has_traded(served: Served) -> None:
    kite, one = served.client(), traded_option(served, "PE")
    before = kite.margins("equity")["net"]
    resting = order_of(served, one)
    order_id = kite.place_order(**resting)
    wait(kite, order_id, "OPEN")
    assert kite.margins("equity")["net"] == pytest.approx(before - resting["price"] * one.lot)
    kite.cancel_order("regular", order_id)
    wait(kite, order_id, "CANCELLED")
    assert kite.margins("equity")["net"] == pytest.approx(before)
    buy(served, kite, one)
    paid = sum(trade["quantity"] * trade["average_price"] for trade in kite.trades())
    now = kite.margins("equity")
    assert now["net"] == pytest.approx(before - paid)
    assert now["utilised"]["option_premium"] == pytest.approx(paid)


def test_a_second_resting_sale_against_one_long_is_a_new_short_and_refused(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    buy(served, kite, one)
    leave(served, 5000)
    assert wait(kite, kite.place_order(**sale_of(served, one)), "OPEN", "REJECTED")["status"] == "OPEN"
    net = kite.margins("equity")["net"]
    row = wait(kite, kite.place_order(**sale_of(served, one)), "OPEN", "REJECTED")
    assert row["status"] == "REJECTED"
    said = re.fullmatch(
        r"Insufficient funds\. Required margin is (\d+\.\d\d) but available margin is (\d+\.\d\d)\.",
        row["status_message"],
    )
    assert said is not None
    assert float(said[1]) > 50_000
    assert float(said[2]) == pytest.approx(net, abs=0.01)


def test_mis_is_margined_as_nrml(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    both = kite.order_margins([row_of(served, one, product=product) for product in ("NRML", "MIS")])
    assert both[0] == both[1]
    assert both[0]["total"] > 50_000


def test_a_change_that_cannot_be_paid_for_leaves_the_order_as_it_was(served: Served) -> None:
    kite, one = served.client(), traded_option(served, "PE")
    resting = order_of(served, one)
    leave(served, resting["price"] * one.lot * 1.5)
    order_id = kite.place_order(**resting)
    wait(kite, order_id, "OPEN")
    kite.modify_order("regular", order_id, quantity=2 * one.lot)
    row = wait(kite, order_id, "OPEN")
    assert (row["quantity"], "Insufficient funds" in row["status_message"]) == (one.lot, True)


def test_slices_that_cannot_be_paid_for_say_so_one_by_one(served: Served) -> None:
    kite, one = served.client(), traded_option(served, "PE")
    large = order_of(served, one, quantity=one.lot * 54)
    leave(served, large["price"] * one.lot * 28)
    answer = kite.place_autoslice_order(**large)
    assert not differences(answer["children"][0], mock("autoslice_response")["children"][0])
    assert not differences(answer["children"][1], mock("autoslice_response")["children"][2])
    assert [set(child) for child in answer["children"]] == [{"order_id"}, {"error"}]
    error = answer["children"][1]["error"]
    assert (error["code"], error["error_type"]) == (400, "MarginException")
    assert error["message"].startswith("Insufficient funds. Required margin is")


def test_what_orders_would_block_has_the_shape_of_kites(served: Served) -> None:
    kite, (near, far) = served.client(), wings(served)
    sold, bought = kite.order_margins([row_of(served, near), row_of(served, far, "BUY")])
    for row in (sold, bought):
        assert not differences([row], mock("order_margins"))
        assert row["total"] == pytest.approx(row["span"] + row["exposure"] + row["option_premium"])
    assert sold["span"] > 0
    assert sold["exposure"] == pytest.approx(0.02 * served.world.day.quotes.last[0] / 100 * near.lot, rel=1e-3)
    assert (bought["span"], bought["exposure"]) == (0, 0)
    assert bought["option_premium"] == pytest.approx(served.world.day.quotes.last[far.place] / 100 * far.lot, rel=0.05)


def test_a_basket_is_kites_sum_at_first_and_cheaper_once_its_wing_protects(served: Served) -> None:
    kite, (near, far) = served.client(), wings(served)
    rows = [row_of(served, near, price=40.0), row_of(served, far, "BUY", price=8.0)]
    basket = kite.basket_order_margins(rows, consider_positions=False)
    assert not differences(basket, mock("basket_margins"))
    first, last = basket["initial"], basket["final"]
    for name in ("span", "exposure", "option_premium", "total"):
        assert first[name] == pytest.approx(sum(row[name] for row in basket["orders"]))
    assert last["span"] < first["span"] / 4
    assert last["exposure"] == pytest.approx(first["exposure"], rel=1e-3)
    assert last["option_premium"] == pytest.approx((8.0 - 40.0) * near.lot)
    compact = kite.basket_order_margins(rows, consider_positions=False, mode="compact")
    assert (compact["orders"], set(compact)) == ([], set(basket))


def test_a_basket_can_stand_on_what_is_held(served: Served) -> None:
    kite, (_, far) = served.client(), wings(served)
    buy(served, kite, far)
    near = [row_of(served, wings(served)[0])]
    alone = kite.basket_order_margins(near, consider_positions=False)["final"]["span"]
    assert kite.basket_order_margins(near, consider_positions=True)["final"]["span"] < alone / 2


def test_charges_are_the_markets(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    rows = [row_of(served, one, side, average_price=100.0, price=0, order_id="1") for side in ("BUY", "SELL")]
    notes = kite.get_virtual_contract_note(rows)
    assert not differences(notes, mock("virtual_contract_note"))
    for note, side in zip(notes, ("BUY", "SELL"), strict=True):
        known = charges_at("NIFTY", "BUY" if side == "BUY" else "SELL", one.lot, 100_00, DATE)
        assert note["charges"]["total"] == pytest.approx(float(known.total))
        parts = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty")
        assert sum(note["charges"][part] for part in parts) + note["charges"]["gst"]["total"] == pytest.approx(
            note["charges"]["total"]
        )


BODIES = [
    "", "{", "[]", "{}", "null", "[1]", "[null]", '[{"exchange":"NFO"}]', "[" * 3000, '[{"exchange":["NFO"]}]',
    '[{"exchange":"\\ud800"}]', "\xff", "[" + "9" * 5000 + "]", "[{}]" * 2, '[{"quantity":NaN}]',
]  # fmt: skip


@pytest.mark.parametrize("path", ["/margins/orders", "/margins/basket", "/charges/orders"])
@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_list_of_orders_is_bad_input(served: Served, path: str, body: str) -> None:
    headers = {"Authorization": f"token vikalp:{token(served)}"}
    answer = requests.post(served.root + path, data=body.encode("latin-1"), headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": 1}, {"quantity": -65}, {"quantity": 65.5}, {"quantity": True}, {"price": "abc"},
        {"price": float("nan")}, {"price": 1e300}, {"tradingsymbol": "NIFTY 50", "exchange": "NSE"},
        {"product": "CNC"}, {"variety": "bo"}, {"order_type": None}, {"transaction_type": ["BUY"]},
    ],
)  # fmt: skip
def test_a_row_that_is_no_order_is_bad_input(served: Served, changes: dict[str, Any]) -> None:
    row = row_of(served, traded_option(served)) | changes
    text = str([{k: v for k, v in row.items() if v is not None}])
    for said, json in (("'", '"'), ("True", "true"), ("nan", "NaN")):
        text = text.replace(said, json)
    headers = {"Authorization": f"token vikalp:{token(served)}"}
    for path in ("/margins/orders", "/margins/basket", "/charges/orders"):
        answer = requests.post(served.root + path, data=text, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException"), text


def token(served: Served) -> str:
    """A token that lives, of one login a test."""
    return str(served.client().access_token)
