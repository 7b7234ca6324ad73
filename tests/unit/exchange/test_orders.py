"""Orders through the unmodified client: accepted, matched, changed, refused; rows beside Kite's samples."""

import hashlib
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException, NetworkException
from websockets.sync.client import connect

from exchange.limits import Limits, Rates
from exchange.listing import Instrument
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.shapes import differences, mock, raw


def traded_option(served: Served, kind: str = "CE") -> Instrument:
    """The option of the kind with the best two-sided book."""
    quotes = served.world.day.quotes
    found = [
        one for one in served.world.day.listing.instruments
        if one.type == kind and one.exchange == "NFO" and quotes.volume[one.place]
        and quotes.book["bid_qty"][one.place][0] and 5000 < quotes.last[one.place] < 50000
    ]  # fmt: skip
    return max(found, key=lambda one: int(quotes.volume[one.place]))


def order_of(served: Served, one: Instrument, **changes: Any) -> dict[str, Any]:
    """A bid a quarter below the market, which rests."""
    low = served.world.day.quotes.last[one.place] * 3 // 4 // 5 * 5 / 100
    return {
        "variety": "regular", "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": "BUY",
        "quantity": one.lot, "product": "NRML", "order_type": "LIMIT", "price": low, "tag": "T1",
    } | changes  # fmt: skip


def wait(kite: KiteConnect, order_id: str, *states: str) -> dict[str, Any]:
    """The order's row once it is in one of the states; an order takes some sixty milliseconds to be one."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        row: dict[str, Any] = next(row for row in kite.orders() if row["order_id"] == order_id)
        if row["status"] in states:
            return row
        time.sleep(0.02)
    raise AssertionError(f"{row['status']}: {row['status_message']}")


def test_an_order_that_meets_the_book_trades_at_its_levels_and_is_a_position(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    ask = served.world.day.quotes.book["ask_paise"][one.place][0] / 100
    order_id = kite.place_order(**order_of(served, one, price=round(ask * 1.1, 1)))
    row = wait(kite, order_id, "COMPLETE")
    assert row["average_price"] < ask * 1.1
    assert (row["filled_quantity"], row["pending_quantity"], row["tag"]) == (one.lot, 0, "T1")
    trades = kite.order_trades(order_id)
    assert sum(trade["quantity"] for trade in trades) == one.lot
    held = next(p for p in kite.positions()["net"] if p["tradingsymbol"] == one.symbol)
    assert held["quantity"] >= one.lot
    assert held["pnl"] == pytest.approx(
        held["sell_value"] - held["buy_value"] + held["quantity"] * held["last_price"] * held["multiplier"]
    )
    states = [state["status"] for state in kite.order_history(order_id)]
    assert states[:5] == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "COMPLETE"]


def test_rows_have_the_keys_and_types_of_kites(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    wait(
        kite,
        kite.place_order(**order_of(served, one, price=round(served.world.day.quotes.last[one.place] / 90, 1))),
        "COMPLETE",
    )
    for path, sample in (("/orders", "orders"), ("/trades", "trades"), ("/portfolio/positions", "positions")):
        assert not differences(raw(kite, path), mock(sample))
    assert kite.holdings() == []


def test_an_order_that_rests_can_be_changed_twenty_five_times_and_cancelled(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    kite, one = served.client(), traded_option(served)
    order_id = kite.place_order(**order_of(served, one))
    assert wait(kite, order_id, "OPEN")["pending_quantity"] == one.lot
    low = order_of(served, one)["price"]
    served.world.engine.orders[order_id].modifications = 24
    config = served.world.config
    limited = replace(config, rates=replace(config.rates, enforced=True))
    for i, rates in enumerate((limited, config), 1):  # the twenty-fifth, and without limits one more
        monkeypatch.setattr(served.world, "config", rates)
        kite.modify_order("regular", order_id, price=round(low - i * 0.05, 2))
        assert wait(kite, order_id, "OPEN")["price"] == pytest.approx(low - i * 0.05)
    monkeypatch.setattr(served.world, "config", limited)
    with pytest.raises(NetworkException, match="Maximum allowed order modifications exceeded"):
        kite.modify_order("regular", order_id, price=low)
    kite.cancel_order("regular", order_id)
    row = wait(kite, order_id, "CANCELLED")
    assert (row["cancelled_quantity"], row["modified"]) == (one.lot, True)
    with pytest.raises(InputException, match="cancelled"):
        kite.cancel_order("regular", order_id)


def test_an_exit_of_a_cover_order_is_a_cancel_that_names_its_parent(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    with pytest.raises(InputException, match="`co` orders are not available for index options"):
        kite.place_order(**order_of(served, one, variety="co", trigger_price=1.0))
    wire: list[requests.Response] = []
    kite.reqsession.hooks["response"].append(lambda answer, **_: wire.append(answer))

    # There is none to exit, so it is tried on what there is; the parent is the client's word and decides nothing.
    for variety, parent in (("co", "1953341975595868160"), ("regular", None)):
        order_id = kite.place_order(**order_of(served, one))
        wait(kite, order_id, "OPEN")
        answer = kite.exit_order(variety, order_id, parent_order_id=parent)
        asked = urlsplit(wire[-1].request.url or "")
        assert (wire[-1].request.method, asked.path) == ("DELETE", f"/orders/{variety}/{order_id}")
        assert parse_qs(asked.query) == ({"parent_order_id": [parent]} if parent else {})
        assert (answer, wire[-1].json()["data"]) == (order_id, {"order_id": order_id})
        assert wait(kite, order_id, "CANCELLED")["filled_quantity"] == 0
        with pytest.raises(InputException, match="cancelled"):
            kite.exit_order(variety, order_id, parent_order_id=parent)
    with pytest.raises(InputException, match="Couldn't find that `order_id`"):
        kite.exit_order("co", "1", parent_order_id="2")


def test_what_does_not_trade_at_once_of_an_ioc_is_cancelled(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    assert wait(kite, kite.place_order(**order_of(served, one, validity="IOC")), "CANCELLED")["filled_quantity"] == 0


def test_a_market_order_becomes_a_limit_inside_its_protection(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    market = order_of(served, one, order_type="MARKET", price=None)
    with pytest.raises(InputException, match="without market protection"):
        kite.place_order(**market)
    row = wait(kite, kite.place_order(**market, market_protection=-1), "COMPLETE", "OPEN")
    assert row["tags"] == ["T1", "mktp", "mktp:-1.00"]


def test_a_stop_waits_for_its_trigger(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    last = served.world.day.quotes.last[one.place] / 100
    stop = order_of(served, one, order_type="SL", trigger_price=round(last * 1.3, 1), price=round(last * 1.35, 1))
    assert wait(kite, kite.place_order(**stop), "TRIGGER PENDING")["filled_quantity"] == 0
    behind = order_of(served, one, order_type="SL", trigger_price=round(last * 0.7, 1), price=round(last * 1.3, 1))
    assert "higher than the last" in wait(kite, kite.place_order(**behind), "REJECTED")["status_message"]
    ahead = order_of(served, one, order_type="SL", trigger_price=round(last * 1.1, 1), price=round(last * 1.3, 1))
    name = kite.place_order(**ahead)
    wait(kite, name, "TRIGGER PENDING")

    def rise() -> None:
        served.world.day.quotes.last[one.place] = round(last * 120)
        served.world.engine.advance([one.place])

    served.do(rise)
    assert wait(kite, name, "COMPLETE")["filled_quantity"] == one.lot


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tradingsymbol": "NIFTY99DEC1CE"}, "expired or does not exist"),
        ({"quantity": 1}, "multiples of the lot size"),
        ({"price": 1.02}, "Tick size"),
        ({"order_type": "SL-M", "trigger_price": 5.0, "market_protection": -1}, "SL-M orders are blocked"),
        ({"variety": "bo"}, "discontinued"),
        ({"tag": "X" * 21}, "at most 20"),
        ({"product": "CNC"}, "Invalid `product`"),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`"),
        ({"price": "abc"}, "Invalid `price`"),
    ],
)
def test_what_is_no_order_is_refused_in_kites_words(served: Served, changes: dict[str, Any], says: str) -> None:
    kite = served.client()
    before = len(kite.orders())
    with pytest.raises((InputException, GeneralException), match=says):
        kite.place_order(**order_of(served, traded_option(served), **changes))
    assert len(kite.orders()) == before


def test_an_order_above_the_freeze_quantity_is_rejected_or_sliced(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    large = order_of(served, one, quantity=one.lot * 28)
    assert "freeze" in wait(kite, kite.place_order(**large), "REJECTED")["status_message"]
    answer = kite.place_autoslice_order(**large)
    assert not differences(answer, mock("autoslice_response"))
    sizes = {row["order_id"]: row["quantity"] for row in kite.orders()}
    assert [sizes[child["order_id"]] for child in answer["children"]] == [one.lot * 27, one.lot]


def test_a_limit_far_from_the_market_is_rejected(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    far = round(served.world.day.quotes.last[one.place] / 50, 1)
    row = wait(kite, kite.place_order(**order_of(served, one, price=far)), "REJECTED")
    assert (row["exchange_order_id"], "circuit limits" in row["status_message"]) == (None, True)


def test_updates_come_on_the_socket_with_kites_checksum(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    url = f"{served.root.replace('http', 'ws')}/?api_key=vikalp&access_token={kite.access_token}"
    with connect(url) as socket:
        order_id = kite.place_order(**order_of(served, one))
        heard: list[dict[str, Any]] = []
        for _ in range(100):
            frame = socket.recv(timeout=30)
            row = json.loads(frame)["data"] if isinstance(frame, str) else {}
            heard += [row] if row.get("order_id") == order_id else []
            if heard and heard[-1]["status"] == "OPEN":
                break
    assert heard[-1]["status"] == "OPEN"
    assert not differences(heard[-1], mock("postback"))
    signed = order_id + heard[-1]["order_timestamp"] + "vikalp"
    assert heard[-1]["checksum"] == hashlib.sha256(signed.encode()).hexdigest()


def test_a_position_moves_from_one_product_to_the_other(served: Served) -> None:
    kite, one = served.client(), traded_option(served, "PE")
    price = round(served.world.day.quotes.last[one.place] / 90, 1)
    wait(kite, kite.place_order(**order_of(served, one, price=price, product="MIS")), "COMPLETE")
    kite.convert_position(
        exchange=one.exchange, tradingsymbol=one.symbol, transaction_type="BUY", position_type="day",
        quantity=one.lot, old_product="MIS", new_product="NRML",
    )  # fmt: skip
    held = {p["product"]: p["quantity"] for p in kite.positions()["net"] if p["tradingsymbol"] == one.symbol}
    assert held == {"MIS": 0, "NRML": one.lot}
    with pytest.raises(InputException, match="overnight"):
        kite.convert_position(
            exchange=one.exchange, tradingsymbol=one.symbol, transaction_type="BUY", position_type="overnight",
            quantity=one.lot, old_product="NRML", new_product="MIS",
        )  # fmt: skip


def test_what_is_no_order_counts_as_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    kite, one = served.client(), traded_option(served)
    user, limits = served.world.config.users[0].user_id, Limits(Rates(orders_a_day=2, other=1000, order=1000))
    monkeypatch.setitem(served.world.limits, user, limits)
    for _ in range(2):
        with pytest.raises(InputException):
            kite.place_order(**order_of(served, one, quantity=1))
    with pytest.raises(NetworkException, match="Maximum allowed order requests"):
        kite.place_order(**order_of(served, one))
    assert limits.orders_today == 2
