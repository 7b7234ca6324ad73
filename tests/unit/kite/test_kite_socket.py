"""The socket in its own thread, against the local exchange in this process, and what waits in it."""

import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite import socket as kite_socket
from brokers.kite.socket import KiteSocket
from brokers.kite.stream import State, StreamConfig
from brokers.kite.subscriptions import MOST_TOKENS
from brokers.kite.waiting import Waiting
from core.errors import BrokerDown, InputError
from core.kite import Mode, decode
from core.ports import Arrived
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.server.hub import Socket
from tests.unit.exchange.conftest import Served, served

__all__ = ["served"]
NIFTY, DEADLINE_S = 256265, 25.0
WANTED = {NIFTY: Mode.FULL}
ASKED = [{"a": "subscribe", "v": [NIFTY]}, {"a": "mode", "v": ["full", [NIFTY]]}]
TOO_MANY = dict.fromkeys(range(MOST_TOKENS + 1), Mode.FULL)
REFUSED = "the access token was refused; log in (vikalp login)"
NOBODY = "nobody is logged in: log in (vikalp login)"


def always() -> bool:
    return True


class Store:
    """Where the tokens of logins are kept: what is there, how often it was asked for, and whether it answers."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.asked, self.answers = list(tokens), 0, threading.Event()
        self.answers.set()

    def __call__(self) -> str:
        self.asked += 1
        self.answers.wait(DEADLINE_S)
        if not self.tokens:
            raise BrokerDown(NOBODY)
        return self.tokens[-1]


class Got:
    """Everything taken from a socket so far."""

    def __init__(self, socket: KiteSocket) -> None:
        self.socket = socket
        self.frames: list[bytes] = []
        self.states: list[tuple[str, str]] = []

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, (self.states[-5:], self.socket.counts())
            arrived = self.socket.take()
            self.frames += [frame for frame, _ in arrived.frames]
            self.states += arrived.states
            threading.Event().wait(0.01)

    def tokens(self, since: int = 0) -> set[int]:
        return {token for frame in self.frames[since:] for token in decode(frame).packets.token.tolist()}

    def until_ticks(self) -> None:
        since = len(self.frames)
        self.until(lambda: NIFTY in self.tokens(since))

    def words(self) -> list[str]:
        return [state for state, _ in self.states]


def config(root: str) -> StreamConfig:
    """Limits of a second: the exchange's index ticks come every tenth."""
    return StreamConfig(
        api_key="vikalp", root=root.replace("http", "ws"), silent_s=1, no_ticks_s=1, first_delay_s=0.1, most_delay_s=0.2
    )


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kite socket"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kite_socket, "ASK_S", 0.05)


@pytest.fixture
def store(served: Served) -> Store:
    return Store(served.client().access_token)


@pytest.fixture
def got(served: Served, store: Store) -> Iterator[Got]:
    socket = KiteSocket(config(served.root), token=store, market_open=always)
    yield Got(socket)
    socket.close()
    served.world.faults.stop()
    assert threads() == []


def switch(served: Served, fault: Fault) -> None:
    assert requests.post(f"{served.root}/admin/faults/{fault}", data={"seconds": 600}, timeout=30).status_code == 200


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Socket, Any]]:
    """Each message the exchange hears, and on which of its sockets."""
    heard, hear = [], Socket.hear

    def noted(socket: Socket, text: str) -> str | None:
        heard.append((socket, json.loads(text)))
        return hear(socket, text)

    monkeypatch.setattr(Socket, "hear", noted)
    return heard


def test_it_is_a_description_until_it_is_opened_and_one_line_then() -> None:
    socket = pickle.loads(pickle.dumps(KiteSocket(config("http://127.0.0.1:1"), token=str, market_open=always)))
    assert socket.take() == Arrived()
    assert socket.counts() == {}
    socket.open()
    socket.open()
    assert len(threads()) == 1
    assert pickle.loads(pickle.dumps(socket)).counts() == {}
    socket.close()
    assert threads() == []


def test_what_was_closed_can_be_opened_again(got: Got) -> None:
    got.socket.subscribe(WANTED)
    for _ in range(2):
        got.socket.open()
        got.until_ticks()
        got.socket.close()
        got.socket.close()


def test_ticks_of_all_that_is_wanted_come_whenever_it_was_said(served: Served, got: Got) -> None:
    option = next(one.token for one in served.world.day.listing.instruments if one.type == "CE")
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until_ticks()
    assert got.words() == [State.CONNECTING, State.OPEN]
    got.socket.subscribe(WANTED | {option: Mode.FULL})
    got.until(lambda: option in got.tokens())
    counts = got.socket.counts()
    assert (counts["connections"], counts["dropped_frames"]) == (1, 0)
    assert counts["frames"] >= len(got.frames)


def test_too_much_for_one_socket_is_refused_to_whoever_asks_and_what_was_carried_goes_on(got: Got) -> None:
    got.socket.subscribe(WANTED)
    with pytest.raises(InputError, match="3000"):
        got.socket.subscribe(TOO_MANY)
    got.socket.open()
    got.until_ticks()
    with pytest.raises(InputError, match="3000"):
        got.socket.subscribe(TOO_MANY)
    got.until_ticks()


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.STALL, Fault.HEARTBEATS_ONLY])
def test_after_a_loss_all_of_it_is_asked_for_once_again_and_ticks_come(
    served: Served, got: Got, asked: list[tuple[Socket, Any]], fault: Fault
) -> None:
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until_ticks()
    switch(served, fault)
    got.until(lambda: got.socket.counts()["connections"] > 1)
    served.world.faults.stop()
    got.until_ticks()

    each = [[said for at, said in asked if at is socket] for socket in dict.fromkeys(socket for socket, _ in asked)]
    assert len(each) == got.socket.counts()["connections"]
    assert each == [ASKED] * len(each)
    assert got.words().count(State.WAITING) == len(each) - 1
    assert got.words()[-1] == State.OPEN


def test_a_dead_token_is_told_and_the_next_login_is_found(
    served: Served, store: Store, got: Got, asked: list[tuple[Socket, Any]]
) -> None:
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until_ticks()
    switch(served, Fault.TOKEN_DEATH)
    got.until(lambda: State.LOGIN_NEEDED in got.words())
    questions = store.asked
    got.until(lambda: store.asked > questions + 3)
    assert got.states[-1] == (State.LOGIN_NEEDED, REFUSED), "said once; and the refused one is not tried again"
    assert got.socket.counts()["forbidden"] == 1

    store.tokens.clear()
    got.until(lambda: got.states[-1] == (State.LOGIN_NEEDED, NOBODY))
    store.tokens.append(served.client().access_token)
    got.until_ticks()

    assert got.words()[-2:] == [State.CONNECTING, State.OPEN]
    assert [said for _, said in asked] == ASKED * 2


def test_a_login_that_is_there_when_the_old_one_dies_is_taken_without_a_word(
    served: Served, store: Store, got: Got
) -> None:
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until_ticks()
    store.answers.clear()
    store.tokens.append(served.client().access_token)  # a second login ends the first at once
    store.answers.set()
    got.until(lambda: got.socket.counts()["connections"] == 2)
    got.until_ticks()
    assert State.LOGIN_NEEDED not in got.words()


def test_a_refusal_that_was_about_something_else_is_over_by_itself(
    served: Served, store: Store, got: Got, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One socket too many is a 403 as well."""
    monkeypatch.setattr(kite_socket, "AGAIN_S", 0.1)
    room = served.world.config
    monkeypatch.setattr(served.world, "config", replace(room, rates=Rates(enforced=True, sockets=0)))
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until(lambda: got.socket.counts().get("forbidden", 0) > 3)
    assert got.words().count(State.LOGIN_NEEDED) == 1
    monkeypatch.setattr(served.world, "config", room)
    got.until_ticks()
    assert len(store.tokens) == 1


def test_it_waits_for_the_first_login(served: Served, store: Store, got: Got) -> None:
    token = store.tokens.pop()
    got.socket.subscribe(WANTED)
    got.socket.open()
    got.until(lambda: store.asked > 3)
    assert got.states == [(State.LOGIN_NEEDED, NOBODY)]
    assert got.socket.counts() == {"dropped_frames": 0}
    store.tokens.append(token)
    got.until_ticks()


def test_whoever_is_slow_to_name_the_token_holds_nothing_up(store: Store, got: Got) -> None:
    store.answers.clear()
    got.socket.open()
    got.until(lambda: store.asked == 1)
    got.socket.close()
    assert threads() == []
    store.answers.set()


@pytest.mark.parametrize("where", ["token", "market_open"])
def test_a_bug_in_its_thread_is_raised_where_it_is_looked_at(served: Served, store: Store, where: str) -> None:
    def bug() -> Any:
        raise ZeroDivisionError

    socket = KiteSocket(config(served.root), **({"token": store, "market_open": always} | {where: bug}))
    socket.subscribe(WANTED)
    socket.open()
    with pytest.raises(RuntimeError, match="thread has ended") as ended:
        Got(socket).until(lambda: False)
    cause = ended.value.__cause__
    assert isinstance(cause, BaseExceptionGroup)
    assert cause.subgroup(ZeroDivisionError) is not None
    with pytest.raises(RuntimeError, match="thread has ended"):
        socket.take()
    socket.subscribe({})
    socket.close()


def test_waiting_ends_with_what_comes_and_goes_on_until_all_of_it_is_taken() -> None:
    waiting = Waiting()
    waiting.wait(0.0)
    came = threading.Event()

    def wait() -> None:
        waiting.wait(60.0)
        came.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not came.wait(0.05)
    waiting.on_frame(b"x", 1)
    assert came.wait(10.0)
    waiting.on_state(State.OPEN, "second")
    waiting.on_frame(b"y", 2)
    assert [frame for frame, _ in waiting.take().frames] == [b"x"]
    waiting.wait(60.0)  # the second state and its frame are still here
    assert [frame for frame, _ in waiting.take().frames] == [b"y"]
    assert not waiting._arrived.is_set()


EVENTS = st.lists(st.one_of(st.integers(1, 9), st.sampled_from(("state", "text", "take"))), max_size=60)


@given(EVENTS, st.integers(1, 30))
def test_what_waits_is_given_once_in_order_and_only_the_oldest_frames_go(events: list[int | str], most: int) -> None:
    waiting, came, given, room = Waiting(most), [], [], []
    for number, event in enumerate([*events, *["take"] * 70]):
        if isinstance(event, int):
            waiting.on_frame(b"x" * event, number)
            came.append(("frame", number, event))
        elif event == "state":
            waiting.on_state(State.OPEN, str(number))
            came.append(("state", number, 0))
        elif event == "text":
            waiting.on_text("order", None, number)
            room.append(number)
        else:
            arrived = waiting.take()
            assert sum(len(frame) for frame, _ in arrived.frames) <= most
            given += [("state", int(why), 0) for _, why in arrived.states]
            given += [("frame", number, len(frame)) for frame, number in arrived.frames]
            assert [number for _, _, number in arrived.texts] == room
            room.clear()

    assert len(came) - len(given) == waiting.dropped_frames
    lost = [one for one in came if one not in given]
    assert {kind for kind, _, _ in lost} <= {"frame"}
    assert given == [one for one in came if one in given]


def test_above_the_limit_the_newest_frames_stay() -> None:
    waiting = Waiting(10)
    waiting.on_state(State.OPEN, "")
    for number in range(5):
        waiting.on_frame(b"four", number)
    waiting.on_state(State.WAITING, "late")
    first, second = waiting.take(), waiting.take()
    assert (first.states, first.frames) == ([(State.OPEN, "")], [(b"four", 3), (b"four", 4)])
    assert (second.states, second.frames) == ([(State.WAITING, "late")], [])
    assert waiting.dropped_frames == 3
