"""The short form of `make fuzz` of the client, and by name what the long one has found."""

import json
import time
from typing import Any

import pytest

from brokers.kite import session, wire
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.login import Login
from core.errors import BrokerDown, NotLoggedIn
from tests.unit.kite.fuzz_bodies import Reply, failure, success
from tests.unit.kite.fuzz_client import INTENT, fuzz
from tests.unit.kite.fuzz_seeds import BOOK, ORDER, PROFILE, TRADE, TRADES, samples
from tests.unit.kite.fuzz_server import Server

TYPED = (("Content-Type", "application/json"),)


def test_malformed_answers_are_judged_and_harm_nothing() -> None:
    totals = fuzz(400, seed=1)

    assert totals.total() == 400
    assert {f"place: {kind}" for kind in ("ACK", "REFUSED", "UNKNOWN")} <= set(totals)
    assert {"book: list", "book: BrokerDown", "trades: list", "instruments: Listing", "history: list"} <= set(totals)


def test_the_samples_of_kite_are_among_the_seeds() -> None:
    if not (found := set(samples())):
        pytest.skip("../shared/data/kite-mocks is not here: the fuzz drew from its own answers alone")
    assert {"orders", "trades", "profile", "generate_session"} <= found


def broker(reply: Reply, book: Reply | None = None, timeout_s: float = 5.0) -> Any:
    """A server of one answer, of two if the book has its own, and the broker that asks it."""
    server = Server(lambda _, path: book if book is not None and path == "/orders" else reply)
    return server, lambda: KiteBroker(
        KiteConfig(api_key="key", root=server.root, timeout_s=timeout_s), lambda: "T" * 32
    )


ID = {"order_id": "7"}
CONTRADICTIONS = {
    "success in a 500": Reply(500, body=success(ID).body),
    "success in a 400": Reply(400, body=success(ID).body),
    "success in a 429": Reply(429, body=success(ID).body),
    "success in a 202": Reply(202, body=success(ID).body),
    "success without the word": Reply(body=json.dumps({"data": ID}).encode()),
    "another word": Reply(body=json.dumps({"status": "queued", "data": ID}).encode()),
    "a redirect to nowhere": Reply(302, (*TYPED, ("Location", "")), success(ID).body),
    "refused, with an order": Reply(400, body=json.dumps({"status": "error", "error_type": "InputException",
                                                          "message": "?", "data": ID}).encode()),
    "refused, and a success": Reply(400, body=json.dumps({"status": "success", "error_type": "InputException",
                                                          "message": "?", "data": ID}).encode()),
    "refused, by nobody's name": failure(400, ""),
    "nested too deeply": Reply(body=b"[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("reply", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_an_answer_that_says_two_things_is_unknown(reply: Reply) -> None:
    server, made = broker(reply)
    with server:
        got = made().place(INTENT)

    assert (got.kind, got.broker_id, len(server.asked)) == ("UNKNOWN", "", 1)


NO_ORDERS: dict[str, object] = {
    "an object": BOOK[0], "infinitely many": [ORDER | {"quantity": float("inf")}],
    "part of one": [ORDER | {"quantity": 65.5}], "true": [ORDER | {"quantity": True}],
    "none": [ORDER | {"quantity": 0}], "less than none": [ORDER | {"quantity": -65}],
    "more filled than asked": [ORDER | {"filled_quantity": 131}], "no symbol": [{"tag": ORDER["tag"]}],
    "a tag that is none": [ORDER | {"tag": 7}], "no id": [ORDER | {"order_id": None}],
    "a price that is none": [ORDER | {"price": float("nan")}], "a price below nothing": [ORDER | {"price": -1}],
    "no status": [ORDER | {"status": None}],
}  # fmt: skip


@pytest.mark.parametrize("data", NO_ORDERS.values(), ids=NO_ORDERS)
def test_a_book_with_a_row_that_is_no_order_is_no_book(data: object) -> None:
    server, made = broker(success(data))
    with server, pytest.raises(BrokerDown):
        made().book()


NO_TRADES: dict[str, object] = {
    "infinitely dear": TRADE | {"average_price": float("inf")}, "for nothing": TRADE | {"average_price": 0},
    "of nothing": TRADE | {"quantity": 0}, "no id": TRADE | {"trade_id": None},
    "never": TRADE | {"fill_timestamp": None}, "of nobody's order": TRADE | {"order_id": None},
}  # fmt: skip


@pytest.mark.parametrize("row", NO_TRADES.values(), ids=NO_TRADES)
def test_a_row_that_is_no_trade_is_no_answer(row: object) -> None:
    server, made = broker(success([*TRADES, row]), success(BOOK))
    with server, pytest.raises(BrokerDown):
        made().trades()


def test_what_is_sound_is_read() -> None:
    server, made = broker(success(TRADES), success(BOOK))
    with server:
        client = made()
        assert [order.broker_id for order in client.book()] == ["1953341975595868160", "2", "4", "5"]
        assert [fill.trade_id for fill in client.trades()] == ["2-10000000", "5-2"]


def test_an_answer_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the last would come in minutes."""
    monkeypatch.setattr(wire, "WHOLE_S", 0.3)
    server, made = broker(Reply(body=b" " * 6000 + success(ID).body, fault="drip"))
    with server:
        began = time.monotonic()
        assert made().place(INTENT).kind == "UNKNOWN"
        assert time.monotonic() - began < 20


def test_an_answer_without_an_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_BYTES", 100_000)
    server, made = broker(Reply(body=b" " * 200_000 + success(ID).body))
    with server:
        assert made().place(INTENT).kind == "UNKNOWN"


def test_calls_share_a_connection() -> None:
    server, made = broker(success(BOOK))
    with server:
        client = made()
        for _ in range(3):
            client.book()

    assert (len(server.asked), server.connections) == (3, 1)


@pytest.mark.parametrize("reply", [success(None), success("x"), success([PROFILE]), failure(500, "TokenException")])
def test_a_session_lives_until_kite_says_that_it_does_not(reply: Reply) -> None:
    with Server(lambda *_: reply) as server:
        login = Login(root=server.root, api_key="key", api_secret="secret", access_token="T" * 32)
        for ask in (session.is_alive, session.close_session, lambda held: session.adopt(held, "T" * 32, 0)):
            with pytest.raises(BrokerDown):
                ask(login)


def test_a_login_is_dead_when_kite_says_so_with_a_403() -> None:
    for status, dead in ((403, True), (500, False), (400, False)):
        server, made = broker(failure(status, "TokenException"))
        with server, pytest.raises(BrokerDown) as raised:
            made().book()
        assert isinstance(raised.value, NotLoggedIn) is dead


def test_a_login_time_that_is_no_time_is_no_answer() -> None:
    reply = success(PROFILE | {"access_token": "A" * 32, "login_time": "9999999999999999999"})
    with Server(lambda *_: reply) as server, pytest.raises(BrokerDown):
        session.open_session(Login(root=server.root, api_key="key", api_secret="secret"), "R" * 32, 0)
