"""Every strict sample of Kite's beside our answer to the call that gives it: none is forgotten, none lacks a key.

The unmodified client makes the calls; what is compared is what was on the wire, before the client converts it.
"""

import base64
import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import requests
from kiteconnect import KiteConnect, KiteTicker
from websockets.sync.client import connect

from exchange.listing import Instrument
from tests.unit.exchange.conftest import Served
from tests.unit.exchange.shapes import MOCKS, differences, mock
from tests.unit.exchange.test_funds import row_of, wings
from tests.unit.exchange.test_gtt import leg_of
from tests.unit.exchange.test_orders import order_of, traded_option, wait
from tests.unit.exchange.test_stream import ask, url

STRICT = (
    "generate_session", "session_logout", "profile", "margins", "margins_equity", "margin_commodity", "orders",
    "order_response", "order_modify", "order_cancel", "autoslice_response", "trades", "order_trades", "positions",
    "convert_position", "holdings", "auctions_list", "instruments_all.csv", "instruments_nse.csv", "quote", "ohlc",
    "ltp", "historical_minute", "historical_oi", "order_margins", "basket_margins", "virtual_contract_note",
    "gtt_place_order", "gtt_get_orders", "gtt_get_order", "gtt_modify_order", "gtt_delete_order", "postback",
    "ticker_quote.packet", "ticker_full.packet",
)  # fmt: skip
NO_SHARES = {"holdings", "auctions_list"}  # an account of index options holds none: the answer is an empty list


@dataclass
class Desk:
    """A client that has traded a little, and what its last call said on the wire."""

    served: Served
    kite: KiteConnect
    one: Instrument
    wire: list[requests.Response] = field(default_factory=list)

    def said(self) -> Any:
        return self.wire[-1].json()["data"]

    def resting(self) -> str:
        order_id = self.kite.place_order(**order_of(self.served, self.one))
        wait(self.kite, order_id, "OPEN")
        return str(order_id)

    def trigger(self) -> int:
        answer = self.kite.place_gtt("single", self.one.symbol, self.one.exchange, [1.0], 2.0, [leg_of(self.one, 1.0)])
        return int(answer["trigger_id"])


@pytest.fixture(scope="module")
def desk(served: Served) -> Iterator[Desk]:
    """With a position in MIS, trades, and a trigger that has fired."""
    one = traded_option(served)
    made = Desk(served, served.client(), one)
    made.kite.reqsession = requests.Session()
    made.kite.reqsession.hooks["response"].append(lambda answer, **_: made.wire.append(answer))
    price = round(served.world.day.quotes.last[one.place] * 1.2 / 100, 1)
    wait(made.kite, made.kite.place_order(**order_of(served, one, price=price, product="MIS")), "COMPLETE")
    last = served.world.day.quotes.last[one.place] / 100
    made.kite.place_gtt("single", one.symbol, one.exchange, [round(last / 2, 1)], 1.0, [leg_of(one, price)])
    served.do(lambda: served.world.triggers.fire([one.place]))
    yield made


def generate_session(desk: Desk) -> Any:
    """A second login, so it is the last call of the table but the logout."""
    page = requests.get(f"{desk.served.root}/connect/login?v=3&api_key=vikalp", allow_redirects=False, timeout=30)
    token = parse_qs(urlparse(page.headers["location"]).query)["request_token"][0]
    desk.kite.set_access_token(desk.kite.generate_session(token, api_secret="vikalp")["access_token"])
    return desk.said()


def session_logout(desk: Desk) -> Any:
    desk.kite.invalidate_access_token()
    return desk.said()


def order_modify(desk: Desk) -> Any:
    order_id, low = desk.resting(), order_of(desk.served, desk.one)["price"]
    desk.kite.modify_order("regular", order_id, price=round(low - 0.05, 2))
    return desk.said()


def order_cancel(desk: Desk) -> Any:
    desk.kite.cancel_order("regular", desk.resting())
    return desk.said()


def order_trades(desk: Desk) -> Any:
    desk.kite.order_trades(desk.kite.trades()[0]["order_id"])
    return desk.said()


def convert_position(desk: Desk) -> Any:
    desk.kite.convert_position(
        exchange=desk.one.exchange, tradingsymbol=desk.one.symbol, transaction_type="BUY", position_type="day",
        quantity=desk.one.lot, old_product="MIS", new_product="NRML",
    )  # fmt: skip
    return desk.said()


def autoslice_response(desk: Desk) -> Any:
    desk.kite.place_autoslice_order(**order_of(desk.served, desk.one, quantity=desk.one.lot * 28))
    return desk.said()


def basket(desk: Desk) -> Any:
    near, far = wings(desk.served)
    desk.kite.basket_order_margins([row_of(desk.served, near), row_of(desk.served, far, "BUY")])
    return desk.said()


def gtt_modify_order(desk: Desk) -> Any:
    made = desk.trigger()
    desk.kite.modify_gtt(made, "single", desk.one.symbol, desk.one.exchange, [1.5], 2.0, [leg_of(desk.one, 1.0)])
    return desk.said()


def postback(desk: Desk) -> Any:
    """The update of an order on the socket."""
    with connect(url(desk.served, desk.kite.access_token)) as socket:
        order_id = desk.resting()
        for _ in range(100):
            frame = socket.recv(timeout=30)
            row = json.loads(frame)["data"] if isinstance(frame, str) else {}
            if row.get("order_id") == order_id:
                signed = f"{order_id}{row['order_timestamp']}vikalp"
                assert row["checksum"] == hashlib.sha256(signed.encode()).hexdigest()
                return row
    raise AssertionError("no update of the order")


def simply(call: Callable[[Desk], Any]) -> Callable[[Desk], Any]:
    """A call whose answer is all that matters."""

    def give(desk: Desk) -> Any:
        call(desk)
        return desk.said()

    return give


def named(call: Callable[[Desk], Any]) -> Callable[[Desk], Any]:
    """A call that answers by name: one row of it, as the sample's one row."""

    def give(desk: Desk) -> Any:
        call(desk)
        return list(desk.said().values())

    return give


def key(desk: Desk) -> str:
    return f"{desk.one.exchange}:{desk.one.symbol}"


GIVES: dict[str, Callable[[Desk], Any]] = {
    "profile": simply(lambda d: d.kite.profile()),
    "margins": simply(lambda d: d.kite.margins()),
    "margins_equity": simply(lambda d: d.kite.margins("equity")),
    "margin_commodity": simply(lambda d: d.kite.margins("commodity")),
    "orders": simply(lambda d: d.kite.orders()),
    "order_response": simply(lambda d: d.kite.place_order(**order_of(d.served, d.one))),
    "order_modify": order_modify,
    "order_cancel": order_cancel,
    "autoslice_response": autoslice_response,
    "trades": simply(lambda d: d.kite.trades()),
    "order_trades": order_trades,
    "positions": simply(lambda d: d.kite.positions()),
    "convert_position": convert_position,
    "holdings": simply(lambda d: d.kite.holdings()),
    "auctions_list": simply(lambda d: d.kite.get_auction_instruments()),
    "quote": named(lambda d: d.kite.quote([key(d)])),
    "ohlc": named(lambda d: d.kite.ohlc([key(d)])),
    "ltp": named(lambda d: d.kite.ltp([key(d)])),
    "historical_minute": simply(lambda d: d.kite.historical_data(256265, "2026-11-20", "2026-11-20", "minute")),
    "historical_oi": simply(
        lambda d: d.kite.historical_data(d.one.token, "2026-11-20", "2026-11-20 15:40:00", "minute", oi=True)
    ),
    "order_margins": simply(lambda d: d.kite.order_margins([row_of(d.served, d.one)])),
    "basket_margins": basket,
    "virtual_contract_note": simply(lambda d: d.kite.get_virtual_contract_note([row_of(d.served, d.one)])),
    "gtt_place_order": simply(lambda d: d.trigger()),
    "gtt_get_orders": simply(lambda d: d.kite.get_gtts()),
    "gtt_get_order": simply(lambda d: d.kite.get_gtt(100_001)),
    "gtt_modify_order": gtt_modify_order,
    "gtt_delete_order": simply(lambda d: d.kite.delete_gtt(d.trigger())),
    "postback": postback,
    "generate_session": generate_session,
    "session_logout": session_logout,
}
TABLES = {"instruments_all.csv": None, "instruments_nse.csv": "NSE"}
PACKETS = {"ticker_quote.packet": "quote", "ticker_full.packet": "full"}


def test_no_strict_sample_is_without_its_call() -> None:
    assert len(STRICT) == 35
    assert set(STRICT) == {*GIVES, *TABLES, *PACKETS}


@pytest.mark.parametrize("name", TABLES)
def test_a_dump_has_the_header_of_kites_and_cells_its_client_can_cast(desk: Desk, name: str) -> None:
    rows = desk.kite.instruments(TABLES[name])
    header = desk.wire[-1].text.splitlines()[0]
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with path.open() as sample:
        assert header.split(",") == next(csv.reader(sample))
    assert rows


@pytest.mark.parametrize("name", PACKETS)
def test_a_packet_is_read_by_kites_own_parser_as_the_sample_is(desk: Desk, name: str) -> None:
    path = MOCKS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    body = base64.b64decode(path.read_text())
    parser = KiteTicker("vikalp", "nothing")
    (sample,) = parser._parse_binary(b"\x00\x01" + len(body).to_bytes(2) + body)
    with connect(url(desk.served, desk.kite.access_token)) as socket:
        ask(socket, "mode", [PACKETS[name], [desk.one.token]])
        frames = (socket.recv(timeout=30) for _ in range(100))
        ours = next(
            tick
            for frame in frames
            if isinstance(frame, bytes) and len(frame) > 1
            for tick in parser._parse_binary(frame)
            if tick["mode"] == sample["mode"]
        )
    assert not differences(ours, sample)


@pytest.mark.parametrize("name", GIVES)
def test_the_answer_has_every_key_of_the_sample(desk: Desk, name: str) -> None:
    ours, sample = GIVES[name](desk), mock(name)
    if name in {"quote", "ohlc", "ltp"}:
        sample = list(sample.values())
    assert bool(ours) != (name in NO_SHARES), "an empty answer has no shape"
    if name == "gtt_get_order":  # the fired leg is the sample's second
        assert not differences(ours["orders"][0]["result"], sample["orders"][1]["result"])
    assert not differences(ours, sample)
