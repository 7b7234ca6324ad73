"""Triggers through the unmodified client: made, changed, fired by a published price, over; beside Kite's samples."""

import json
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException

from exchange.listing import Instrument
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.shapes import differences, mock, raw
from tests.unit.exchange.test_orders import traded_option, wait


def last_of(served: Served, one: Instrument) -> float:
    return float(served.world.day.quotes.last[one.place]) / 100


def leg_of(one: Instrument, price: float, **changes: Any) -> dict[str, Any]:
    return {
        "transaction_type": "BUY", "quantity": one.lot, "order_type": "LIMIT", "product": "NRML", "price": price,
    } | changes  # fmt: skip


def made(served: Served, kite: KiteConnect, one: Instrument, *shares: float, last: float | None = None) -> int:
    """A trigger at shares of the last price, one or two of them, that buys a fifth above the last."""
    now = last_of(served, one)
    values = [round(now * share, 1) for share in shares]
    legs = [leg_of(one, round(now * 1.2, 1)) for _ in values]
    kind = kite.GTT_TYPE_SINGLE if len(values) == 1 else kite.GTT_TYPE_OCO
    answer = kite.place_gtt(kind, one.symbol, one.exchange, values, last or now, legs)
    assert not differences(answer, mock("gtt_place_order"))
    trigger_id = answer["trigger_id"]
    assert isinstance(trigger_id, int)
    return trigger_id


def publish(served: Served, one: Instrument) -> None:
    """As a step of the market does with the instrument that changed."""
    served.do(lambda: served.world.triggers.fire([one.place]))


def test_a_trigger_waits_is_changed_and_deleted(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    trigger_id = made(served, kite, one, 0.5)
    row = kite.get_gtt(trigger_id)
    assert not differences(row, mock("gtt_get_order"))
    assert (row["status"], row["type"], row["orders"][0]["result"]) == ("active", "single", None)
    assert row["expires_at"][:4] == str(int(row["created_at"][:4]) + 1)
    now = last_of(served, one)
    changed = kite.modify_gtt(
        trigger_id, kite.GTT_TYPE_SINGLE, one.symbol, one.exchange, [round(now / 4, 1)], now, [leg_of(one, 1.0)]
    )
    assert not differences(changed, mock("gtt_modify_order"))
    assert kite.get_gtt(trigger_id)["condition"]["trigger_values"] == [round(now / 4, 1)]
    publish(served, one)
    assert kite.get_gtt(trigger_id)["status"] == "active"
    assert not differences(kite.delete_gtt(trigger_id), mock("gtt_delete_order"))
    assert kite.get_gtt(trigger_id)["status"] == "deleted"
    with pytest.raises(InputException, match="deleted"):
        kite.delete_gtt(trigger_id)


def test_a_price_that_reaches_it_sends_the_order_once(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    trigger_id = made(served, kite, one, 0.9, last=round(last_of(served, one) * 0.8, 1))  # has been passed upwards
    publish(served, one)
    publish(served, one)
    row = kite.get_gtt(trigger_id)
    assert row["status"] == "triggered"
    result = row["orders"][0]["result"]
    assert not differences(result, mock("gtt_get_order")["orders"][1]["result"])
    assert result["order_result"]["status"] == "success"
    assert json.loads(result["meta"])["gtt"] == trigger_id
    order = wait(kite, result["order_result"]["order_id"], "COMPLETE")
    assert (order["quantity"], order["tradingsymbol"]) == (one.lot, one.symbol)
    with pytest.raises(InputException, match="triggered"):
        kite.delete_gtt(trigger_id)


def test_of_two_legs_the_one_that_is_reached_is_sent_and_the_other_is_not(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    trigger_id = made(served, kite, one, 1.1, 1.6, last=round(last_of(served, one) * 1.3, 1))
    publish(served, one)
    row = kite.get_gtt(trigger_id)
    assert row["status"] == "triggered"
    assert [leg["result"] is not None for leg in row["orders"]] == [True, False]
    assert not differences(raw(kite, "/gtt/triggers"), mock("gtt_get_orders"))


def test_an_order_that_is_rejected_says_so_in_its_result(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    now = last_of(served, one)
    sent = kite.place_gtt(
        kite.GTT_TYPE_SINGLE, one.symbol, one.exchange, [round(now * 1.1, 1)], round(now * 1.2, 1), [leg_of(one, 0.05)]
    )
    publish(served, one)
    result = kite.get_gtt(sent["trigger_id"])["orders"][0]["result"]["order_result"]
    wait(kite, result["order_id"], "REJECTED")
    result = kite.get_gtt(sent["trigger_id"])["orders"][0]["result"]["order_result"]
    assert (result["status"], "circuit limits" in result["rejection_reason"]) == ("failed", True)


def test_a_trigger_ends_after_a_year(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    trigger_id = made(served, kite, one, 0.5)
    trigger = served.world.triggers.find(served.world.config.users[0], str(trigger_id))
    trigger.expires_ns = served.world.clock.now_ns()
    publish(served, one)
    assert kite.get_gtt(trigger_id)["status"] == "expired"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"product": "MIS"}, "NRML"),
        ({"order_type": "MARKET"}, "market protection|LIMIT"),
        ({"quantity": 1}, "lot size"),
        ({"price": -1.0}, "price"),
    ],
)
def test_a_trigger_sends_limit_orders_overnight(served: Served, changes: dict[str, Any], says: str) -> None:
    kite, one = served.client(), traded_option(served)
    now = last_of(served, one)
    with pytest.raises(InputException, match=says):
        kite.place_gtt(
            kite.GTT_TYPE_SINGLE, one.symbol, one.exchange, [round(now / 2, 1)], now, [leg_of(one, now) | changes]
        )


def test_two_legs_lie_on_both_sides_of_the_price(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    with pytest.raises(InputException, match="between"):
        made(served, kite, one, 1.1, 1.2)
    now = round(last_of(served, one), 1)
    with pytest.raises(InputException, match="already met"):
        kite.place_gtt(kite.GTT_TYPE_SINGLE, one.symbol, one.exchange, [now], now, [leg_of(one, now)])
    with pytest.raises(GeneralException, match="not found"):
        kite.get_gtt(99)


FORMS = [
    {}, {"type": "single"}, {"type": "single", "condition": "{", "orders": "[]"},
    {"type": "single", "condition": "[]", "orders": "[]"}, {"type": "single", "condition": "{}", "orders": "{}"},
    {"type": "single", "condition": '{"trigger_values": 1}', "orders": "[{}]"},
    {"type": "single", "condition": '{"trigger_values": [[1]]}', "orders": "[{}]"},
    {"type": "three-leg", "condition": '{"trigger_values": [1]}', "orders": "[{}]"},
    {"type": "single", "condition": '{"trigger_values": [1], "last_price": "x"}', "orders": "[{}]"},
    {"type": "single", "condition": '{"trigger_values": [1], "last_price": NaN}', "orders": "[{}]"},
    {"type": "single", "condition": '{"trigger_values": [1], "last_price": 1}', "orders": "[1]"},
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_trigger_is_bad_input(served: Served, form: dict[str, str]) -> None:
    headers = {"Authorization": f"token vikalp:{served.client().access_token}"}
    answer = requests.post(f"{served.root}/gtt/triggers", data=form, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")
