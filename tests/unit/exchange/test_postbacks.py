"""Postbacks to a real server: what Kite posts, with its checksum, in order, and at nobody else's cost."""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from core.errors import ConfigError
from exchange.limits import Rates
from exchange.server import postbacks
from exchange.server.postbacks import Postbacks
from exchange.world import DEFAULT_USER, World, WorldConfig
from tests.unit.exchange.conftest import DATE, Served, Wall
from tests.unit.exchange.shapes import differences, mock
from tests.unit.exchange.test_orders import order_of, traded_option, wait

Answer = Callable[[dict[str, Any]], int]


class Receiver:
    """Somebody's server: keeps what is posted, and answers what `answer` says, once it has decided."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.types: set[str] = set()
        self.answer: Answer = lambda _: 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                row = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.types.add(self.headers["content-type"])
                outer.got.append(row)
                self.send_response(outer.answer(row))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/postback?app=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, self.got
            time.sleep(0.01)

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.end()


@pytest.fixture
def posting(receiver: Receiver) -> Iterator[Served]:
    wall = Wall()
    config = WorldConfig(
        date=DATE, indices=("NIFTY",), rates=Rates(enforced=False),
        users=(replace(DEFAULT_USER, postback_url=receiver.url),),
    )  # fmt: skip
    world = World(config, wall=wall)
    world.step()
    wall.on(600)
    world.step()
    with Served(world) as server:
        yield server


def counts(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{served.root}/admin", timeout=30).json()["data"]["postbacks"]
    return found


def test_what_ends_an_order_is_posted_with_its_checksum(posting: Served, receiver: Receiver) -> None:
    kite, one = posting.client(), traded_option(posting)
    ask = posting.world.day.quotes.book["ask_paise"][one.place][0] / 100
    bought = kite.place_order(**order_of(posting, one, price=round(ask * 1.1, 1)))
    wait(kite, bought, "COMPLETE")
    resting = kite.place_order(**order_of(posting, one))
    wait(kite, resting, "OPEN")
    kite.cancel_order("regular", resting)
    refused = kite.place_order(**order_of(posting, one, quantity=one.lot * 28))
    wait(kite, refused, "REJECTED")
    receiver.until(lambda: len(receiver.got) >= 3)
    assert {(row["order_id"], row["status"]) for row in receiver.got if row["status"] != "UPDATE"} == {
        (bought, "COMPLETE"), (resting, "CANCELLED"), (refused, "REJECTED"),
    }  # fmt: skip
    assert receiver.types == {"application/json"}
    secret = DEFAULT_USER.api_secret
    for row in receiver.got:
        signed = hashlib.sha256(f"{row['order_id']}{row['order_timestamp']}{secret}".encode()).hexdigest()
        assert row["checksum"] == signed
    whole = next(row for row in receiver.got if row["order_id"] == bought and row["status"] == "COMPLETE")
    assert not differences(whole, mock("postback"))
    receiver.until(lambda: counts(posting)["posted"] >= len(receiver.got))  # each once its answer was read
    found = counts(posting)
    assert (found["posted"], found["failed"], found["waiting"]) == (len(receiver.got), 0, 0)


def test_a_server_that_hangs_costs_its_own_updates_alone(
    posting: Served, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postbacks, "TIMEOUT_S", 0.5)
    ended = threading.Event()
    receiver.answer = lambda _: 200 if ended.wait(30) else 500
    kite, one = posting.client(), traded_option(posting)
    first, at = kite.place_order(**order_of(posting, one, quantity=one.lot * 28)), posting.world.clock.now_ns()
    wait(kite, first, "REJECTED")
    receiver.until(lambda: len(receiver.got) == 1)
    while counts(posting)["waiting"]:  # the market goes on meanwhile
        second = kite.place_order(**order_of(posting, one, price=1.0))
        assert wait(kite, second, "REJECTED", "OPEN")
        assert posting.do(lambda: int(posting.world.day.quotes.at_ns.max())) >= at
        receiver.answer = lambda _: 200
    receiver.until(lambda: counts(posting)["waiting"] == 0)
    found = counts(posting)
    assert found["failed"] >= 1
    assert found["last_failure"] == "no answer within 0.5 s"
    ended.set()


@pytest.mark.parametrize(("status", "says"), [(500, "HTTP 500"), (302, "HTTP 302")])
def test_a_server_that_refuses_is_counted(posting: Served, receiver: Receiver, status: int, says: str) -> None:
    receiver.answer = lambda _: status
    kite = posting.client()
    wait(kite, kite.place_order(**order_of(posting, traded_option(posting), quantity=65 * 28)), "REJECTED")
    receiver.until(lambda: counts(posting)["failed"] == 1)
    assert counts(posting)["last_failure"] == says
    assert len(receiver.got) == 1, "one attempt"


def test_a_server_that_is_away_is_counted_and_its_url_not_told(posting: Served, receiver: Receiver) -> None:
    receiver.end()
    kite = posting.client()
    order_id = kite.place_order(**order_of(posting, traded_option(posting), quantity=65 * 28))
    assert wait(kite, order_id, "REJECTED")
    receiver.until(lambda: counts(posting)["failed"] == 1)
    assert counts(posting)["last_failure"] == "ConnectError"
    receiver.server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # for the fixture to end
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()


def test_updates_of_one_order_arrive_in_their_order(receiver: Receiver) -> None:
    user = replace(DEFAULT_USER, postback_url=receiver.url)

    async def post() -> dict[str, object]:
        async with Postbacks() as made:
            for n in range(20):
                for order in ("1", "2", "3"):
                    made.put(user, {"order_id": order, "status": "UPDATE", "n": n})
                    made.put(user, {"order_id": order, "status": "OPEN", "n": n})
            while made.counts()["waiting"]:  # noqa: ASYNC110 the count is what is asked for
                await asyncio.sleep(0.01)
            return made.counts()

    assert asyncio.run(post())["posted"] == 60
    for order in ("1", "2", "3"):
        assert [row["n"] for row in receiver.got if row["order_id"] == order] == list(range(20))
    assert {row["status"] for row in receiver.got} == {"UPDATE"}


def test_more_updates_than_anybody_takes_are_dropped_and_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postbacks, "MOST_WAITING", 5)
    user = replace(DEFAULT_USER, postback_url=receiver.url)

    async def post() -> dict[str, object]:
        async with Postbacks() as made:
            for n in range(8):
                made.put(user, {"order_id": str(n), "status": "COMPLETE"})
            return made.counts()

    found = asyncio.run(post())
    assert (found["waiting"], found["dropped"]) == (5, 3)


@pytest.mark.parametrize(
    "url", ["https://example.com/p", "http://localhost:5000", "http://[::1]:80/p", "http://127.0.0.9"]
)
def test_a_url_may_be_secure_or_of_this_machine(url: str) -> None:
    assert replace(DEFAULT_USER, postback_url=url).postback_url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/p", "https"), ("http://10.0.0.1/p", "https"), ("http://127.0.0.1.example.com", "https"),
        ("ftp://127.0.0.1", "is none"), ("127.0.0.1:5000", "is none"), ("http://", "is none"), ("x", "is none"),
        ("http://127.0.0.1:99999", "is none"), ("http://[::1", "is none"),
    ],
)  # fmt: skip
def test_any_other_url_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(DEFAULT_USER, postback_url=url)
