"""What the broker sends and what it makes of the answers, against a server that says what a test has it say."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.limiter import Call, Limiter, Window
from brokers.kite.wire import UNACKNOWLEDGED_MS
from core.errors import BrokerDown
from core.orders.tag import make_tag
from tests.unit.kite.fuzz_bodies import Reply, success
from tests.unit.kite.fuzz_client import INTENT
from tests.unit.kite.fuzz_seeds import ORDER, OURS, TRADES
from tests.unit.kite.fuzz_server import Server

PAGE = Reply(429, (("Content-Type", "text/html"),), b"<html>slow down</html>")
TOKEN = "T" * 32


@contextmanager
def broker(
    answer: Callable[[], Reply], *, timeout_s: float = 30.0, token: Callable[[], str] = lambda: TOKEN
) -> Iterator[tuple[KiteBroker, Server]]:
    with Server(lambda *_: answer()) as server:
        yield KiteBroker(KiteConfig(api_key="key", root=server.root, timeout_s=timeout_s), token), server


def listing(*rows: dict[str, Any]) -> Callable[[], Reply]:
    return lambda: success(list(rows))


class Late:
    """A clock and a token: to ask for the second takes 25 s of the first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = time.monotonic
        monkeypatch.setattr("brokers.kite.broker.time.monotonic", lambda: real() + self.ahead)

    def token(self) -> str:
        self.ahead += 25.0
        return TOKEN


def test_an_order_whose_time_is_over_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)
    with broker(lambda: success({"order_id": "1"}), token=late.token) as (kite, server):
        first, asked = kite.place(INTENT), len(server.asked)
        again = kite.place(INTENT)
    assert (first.kind, first.again, asked) == ("REFUSED", True, 0)
    assert first.message.startswith("not sent: ")
    assert (again.kind, len(server.asked)) == ("ACK", 1), "the token is there now"


def test_an_order_for_which_the_login_did_not_open_in_time_may_be_sent_again() -> None:
    over = threading.Event()
    with broker(listing(), timeout_s=0.05, token=lambda: str(over.wait(30))) as (kite, server):
        got = kite.place(INTENT)
        over.set()
    assert (got.kind, got.again, server.asked) == ("REFUSED", True, [])


def test_trades_that_need_the_book_too_take_no_longer_than_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(monkeypatch)

    def answer() -> Reply:
        late.ahead += 31.0
        return success(TRADES)

    with broker(answer) as (kite, server):
        with pytest.raises(BrokerDown, match="not asked: the time for it is over"):
            kite.trades()
        assert [path for _, path in server.asked] == ["/trades"]


@pytest.mark.parametrize("call", ["place", "cancel"])
def test_after_a_429_of_any_body_nothing_is_sent_until_it_has_cooled_down(call: str) -> None:
    with broker(lambda: PAGE) as (kite, server):
        calls = {"place": lambda: kite.place(INTENT), "cancel": lambda: kite.cancel("7")}
        first, second = calls[call](), calls[call]()
    assert (first.kind, second.kind, len(server.asked)) == ("UNKNOWN", "REFUSED", 1)
    assert "limit" in second.message


def test_a_429_of_any_body_cools_reads_down() -> None:
    with broker(lambda: PAGE, timeout_s=5.0) as (kite, server):
        for _ in range(2):
            with pytest.raises(BrokerDown, match="limit"):
                kite.book()
    assert len(server.asked) == 1


def test_a_cancel_of_another_order_is_no_acknowledgement() -> None:
    with broker(lambda: success({"order_id": "999"})) as (kite, _):
        other, own = kite.cancel("7"), kite.cancel("999")
    assert (other.kind, other.broker_id, own.kind, own.broker_id) == ("UNKNOWN", "", "ACK", "999")
    assert "999" in other.message


@pytest.mark.parametrize("symbol", ["NIFTY99XYZ", "", None, "NIFTY 50"])
def test_an_order_we_have_sent_is_nobody_elses_whatever_its_row_says(symbol: object) -> None:
    row = ORDER | {"tradingsymbol": symbol, "tag": INTENT.tag, "exchange": "NSE"}
    answers = iter([PAGE, *[success([row])] * 9])
    with broker(lambda: next(answers)) as (kite, _):
        kite.place(INTENT)
        with pytest.raises(BrokerDown, match="cannot be read"):
            kite.book()


def test_an_order_an_earlier_life_has_sent_is_nobody_elses_either() -> None:
    with broker(listing(ORDER | {"tradingsymbol": "NIFTY99XYZ"})) as (kite, _), pytest.raises(BrokerDown):
        kite.find(OURS[0])


@pytest.mark.parametrize(
    "row",
    [
        {"tradingsymbol": "RELIANCE26NOV1500CE", "tag": "MYALGO1"},
        {"tradingsymbol": "INFY", "exchange": "NSE"},
        {"tradingsymbol": "INFY", "exchange": "NSE", "tag": None},
    ],
    ids=["another's tag", "a share", "no tag"],
)
def test_an_order_of_another_program_is_left_out(row: dict[str, Any]) -> None:
    with broker(listing(ORDER, ORDER | {"order_id": "2"} | row)) as (kite, _):
        assert [order.broker_id for order in kite.book()] == [ORDER["order_id"]]


def test_orders_of_others_count_as_soon_as_the_book_shows_them_and_our_own_once() -> None:
    rows = [ORDER | {"order_id": f"{n}", "tag": make_tag(f"life before {n}")} for n in range(3)]
    answers = [success({"order_id": "77"}), success([*rows, ORDER | {"order_id": "77", "tag": INTENT.tag}])]
    answers += [success([*rows, ORDER | {"order_id": f"9{len(answers)}", "tag": None, "tradingsymbol": "INFY"}])] * 2
    with broker(lambda: answers.pop(0)) as (kite, _):
        window = Window(frozenset({Call.PLACE}), 100, 10**15)
        kite._limiter = Limiter([window, Window(frozenset(Call) - {Call.PLACE}, 100, 1)])
        taken = kite._limiter._kept[0][1]
        counts = []
        for ask in (lambda: kite.place(INTENT), kite.book, kite.book, kite.book):
            ask()
            counts.append(len(taken))
    assert counts == [1, 4, 5, 5]


@pytest.mark.parametrize("call", ["place", "cancel"])
def test_a_process_that_was_stopped_while_it_connected_sends_nothing_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Its successor has long given up what it journalled, and nobody waits for the answer."""
    late, connect = Late(monkeypatch), HTTPConnection.connect

    def stopped(connection: HTTPConnection) -> None:
        connect(connection)
        late.ahead += 130.0

    with broker(lambda: success({"order_id": "1"})) as (kite, server):
        monkeypatch.setattr(HTTPConnection, "connect", stopped)
        got = kite.place(INTENT) if call == "place" else kite.cancel("1")
        asked = len(server.asked)
        monkeypatch.setattr(HTTPConnection, "connect", connect)
        again = kite.place(INTENT)
    assert (got.kind, asked) == ("UNKNOWN", 0)
    assert "the time for it was over" in got.message
    assert (again.kind, len(server.asked)) == ("ACK", 1), "the next one has a connection and a time of its own"


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system does not bound what a kernel resends")
def test_the_kernel_does_not_go_on_sending_what_nobody_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    connect = HTTPConnection.connect

    def looked_at(connection: HTTPConnection) -> None:
        connect(connection)
        made.append(connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))

    monkeypatch.setattr(HTTPConnection, "connect", looked_at)
    with broker(lambda: success({"order_id": "1"})) as (kite, _):
        kite.place(INTENT)
    assert made == [UNACKNOWLEDGED_MS]
