"""Each fault as a client meets it; the same seed draws the same ones."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
import requests
from kiteconnect.exceptions import DataException, NetworkException, TokenException
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from core.kite import decode
from exchange.faults import Fault, Faults, schedule
from exchange.server import call, hub
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.test_orders import order_of, traded_option, wait
from tests.unit.exchange.test_stream import NIFTY, ask, url

HOUR = 3600 * 1_000_000_000


@pytest.fixture(autouse=True)
def quiet(served: Served) -> Iterator[None]:
    """No fault of one test outlives it."""
    yield
    served.world.faults.stop()


def switch(served: Served, fault: Fault, **how: float) -> None:
    answer = requests.post(f"{served.root}/admin/faults/{fault}", data=how, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (Fault.TOO_MANY, NetworkException, 429),
        (Fault.BAD_GATEWAY, DataException, 502),
        (Fault.UNAVAILABLE, NetworkException, 503),
    ],
)
def test_a_call_fails_as_the_broker_fails_and_then_no_more(
    served: Served, fault: Fault, error: type[Exception], code: int
) -> None:
    kite = served.client()
    switch(served, fault, uses=1)
    with pytest.raises(error) as refused:
        kite.orders()
    assert getattr(refused.value, "code", None) == code
    assert isinstance(kite.orders(), list)


def test_an_order_is_taken_and_its_answer_never_comes(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.ACCEPT_THEN_TIMEOUT, uses=1)
    patience, kite.timeout = kite.timeout, 0.5
    with pytest.raises(requests.exceptions.ReadTimeout):
        kite.place_order(**order_of(served, one, tag="LOSTANSWER"))
    kite.timeout = patience
    assert [row["tag"] for row in kite.orders()].count("LOSTANSWER") == 1


def test_an_order_is_taken_and_the_connection_breaks_within_its_answer(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.LOST_ANSWER, uses=1)
    with pytest.raises((requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError, DataException)):
        kite.place_order(**order_of(served, one, tag="BROKEN"))
    assert [row["tag"] for row in kite.orders()].count("BROKEN") == 1


def test_a_far_exchange_takes_and_answers_an_order_later_and_the_admin_says_when(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.FAR, seconds=600)
    order_id = kite.place_order(**order_of(served, one, tag="FARAWAY"))
    wait(kite, order_id, "OPEN")
    data = requests.get(f"{served.root}/admin/book", timeout=30).json()["data"]
    way = next(each for each in data["calls"] if each["tag"] == "FARAWAY")

    assert (way["method"], way["order_id"]) == ("POST", order_id)
    far_ns = 0.9 * call.FAR_S * 1e9  # a timer of the event loop may be early by its step, a millisecond
    assert way["came_ns"] + far_ns <= way["taken_ns"] <= way["answered_ns"] - far_ns
    assert next(each for each in data["orders"] if each["order_id"] == order_id)["tag"] == "FARAWAY"


def test_the_admins_book_has_what_a_fault_hides_and_every_paisa(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.LATE_IN_THE_BOOK, uses=1)
    hidden = kite.place_order(**order_of(served, one, tag="HIDDEN"))
    shown = kite.place_order(
        **order_of(served, one, order_type="MARKET", price=None, market_protection=-1, tag="SHOWN")
    )
    wait(kite, shown, "COMPLETE")
    data = requests.get(f"{served.root}/admin/book", timeout=30).json()["data"]
    orders = {each["order_id"]: each for each in data["orders"]}

    assert orders[hidden]["tag"] == "HIDDEN"
    own = [each for each in data["trades"] if each["order_id"] == shown]
    assert sum(each["quantity"] * each["paise"] for each in own) == orders[shown]["filled_paise"] > 0
    assert float(orders[shown]["charges"]) > 20
    account = data["users"]["VK0001"]
    cash = sum(each["bought_paise"] - each["sold_paise"] for each in account["positions"])
    assert account["spent_paise"] == cash, "a day of options alone costs what it paid for them"


def test_an_order_that_has_arrived_is_taken_though_its_sender_does_not_wait_for_a_slow_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "SLOW_S", 1.0)
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.SLOW, uses=1)
    patience, kite.timeout = kite.timeout, 0.3
    with pytest.raises(requests.exceptions.ReadTimeout):
        kite.place_order(**order_of(served, one, tag="IMPATIENT"))
    kite.timeout = patience
    until = time.monotonic() + 10
    while "IMPATIENT" not in {row["tag"] for row in kite.orders()}:
        assert time.monotonic() < until, "the order is lost"


def test_an_order_shows_in_the_book_ninety_seconds_late(served: Served, wall: Wall) -> None:
    kite, one = served.client(), traded_option(served)
    switch(served, Fault.LATE_IN_THE_BOOK, uses=1)
    order_id = kite.place_order(**order_of(served, one))
    assert order_id not in {row["order_id"] for row in kite.orders()}
    served.do(lambda: served.world.clock.jump(90 * 1_000_000_000))
    assert order_id not in {row["order_id"] for row in kite.orders()}, "a faster market does not show it sooner"
    wall.on(90)
    assert wait(kite, order_id, "OPEN")["status"] == "OPEN"


def test_a_token_dies_and_its_sockets_with_it(served: Served) -> None:
    kite = served.client()
    with connect(url(served, kite.access_token)) as socket:
        switch(served, Fault.TOKEN_DEATH)
        with pytest.raises(ConnectionClosed):
            list(heard(socket))
    with pytest.raises(TokenException):
        kite.orders()


def test_ticks_stop_and_heartbeats_go_on_or_nothing_comes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.2)
    with connect(url(served, served.client().access_token)) as socket:
        ask(socket, "subscribe", [NIFTY])
        switch(served, Fault.HEARTBEATS_ONLY, seconds=600)
        lengths = (len(frame) for frame in heard(socket))
        assert any(a == b == 1 for a, b in pairwise(lengths)), "a second heartbeat, and no tick between"
        served.world.faults.stop()
        assert any(len(frame) > 1 for frame in heard(socket))
        switch(served, Fault.STALL, seconds=600)
        silent(socket)


def test_a_stalled_socket_tells_of_no_order_either(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    with connect(url(served, kite.access_token)) as socket:
        switch(served, Fault.STALL, seconds=600)
        silent(socket)
        wait(kite, kite.place_order(**order_of(served, one)), "OPEN")
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.5)  # several steps of the exchange
        served.world.faults.stop()
        order_id = kite.place_order(**order_of(served, one))
        rows = (json.loads(frame)["data"] for frame in heard(socket) if isinstance(frame, str))
        assert next(rows)["order_id"] == order_id


def test_a_frame_cut_in_the_middle_loses_only_what_is_cut(served: Served) -> None:
    tokens = [one.token for one in served.world.day.listing.instruments[:30]]
    with connect(url(served, served.client().access_token)) as socket:
        switch(served, Fault.MALFORMED)
        ask(socket, "subscribe", tokens)
        found = decode(next(frame for frame in heard(socket) if isinstance(frame, bytes) and len(frame) > 100))
    assert 0 < len(found.packets) < len(tokens)


def test_updates_come_twice_and_the_last_first(served: Served) -> None:
    kite, one = served.client(), traded_option(served)
    with connect(url(served, kite.access_token)) as socket:
        switch(served, Fault.UPDATES_OUT_OF_ORDER, seconds=600)
        order_id = kite.place_order(**order_of(served, one))
        rows = (json.loads(frame)["data"] for frame in heard(socket) if isinstance(frame, str))
        opened = (row for row in rows if (row.get("order_id"), row.get("status")) == (order_id, "OPEN"))
        assert [next(opened)["status"] for _ in range(2)] == ["OPEN"] * 2


def test_market_time_jumps(served: Served) -> None:
    before = served.world.clock.now_ns()
    switch(served, Fault.CLOCK_JUMP)
    assert served.world.clock.now_ns() - before >= 5 * 1_000_000_000


def test_an_unknown_fault_is_refused_with_those_there_are(served: Served) -> None:
    answer = requests.post(f"{served.root}/admin/faults/earthquake", timeout=30)
    assert (answer.status_code, "token_death" in answer.json()["message"]) == (400, True)


def test_a_seed_draws_the_same_faults_and_another_others() -> None:
    one, same, other = (list(schedule(seed, 0, 6 * HOUR, 10)) for seed in (7, 7, 8))
    assert one == same != other
    assert 30 < len(one) < 90
    assert [event.market_ns for event in one] == sorted(event.market_ns for event in one)
    assert list(schedule(7, 0, 6 * HOUR, 0)) == []


def test_a_fault_ends_by_time_or_by_use() -> None:
    faults = Faults()
    faults.start(Fault.SLOW, 0, seconds=2, uses=2)
    assert [faults.on(Fault.SLOW, 1) for _ in range(3)] == [True, True, False]
    faults.start(Fault.SLOW, 0, seconds=2)
    assert [faults.on(Fault.SLOW, at) for at in (1, 1_999_999_999, 2_000_000_000)] == [True, True, False]


def heard(socket: ClientConnection) -> Iterator[bytes | str]:
    """What comes, each within half a minute of the one before."""
    for _ in range(2000):
        yield socket.recv(timeout=30)


def silent(socket: ClientConnection) -> None:
    """Nothing comes for a second, once what was on its way is here."""
    for _ in range(100):
        try:
            socket.recv(timeout=1.0)
        except TimeoutError:
            return
    raise AssertionError("frames go on")
