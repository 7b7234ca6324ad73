"""A socket's side of the exchange, frame by frame, without a server."""

import datetime as dt
import gc
import json
import random

import numpy as np
import pytest

from core.kite import decode
from exchange.accounts import User
from exchange.limits import Rates
from exchange.server.hub import HEARTBEAT, UNWANTED, Hub, Socket
from exchange.simulated_day import SimulatedDay
from exchange.world import DEFAULT_USER, World, WorldConfig

NOTHING = np.empty(0, np.int64)
FRIDAY = dt.date(2026, 11, 20)


@pytest.fixture(scope="module")
def world() -> World:
    made = World(WorldConfig(date=FRIDAY, indices=("NIFTY",)))
    made.step()
    return made


def logged_in(world: World, user: User = DEFAULT_USER) -> Socket:
    return Socket(world.accounts.open(user, world.clock.now_ns()), world.day.listing, Rates())


def say(socket: Socket, action: object, value: object) -> str | None:
    return socket.hear(json.dumps({"a": action, "v": value}))


def test_a_subscription_taken_back_before_the_next_frame_sends_nothing(world: World) -> None:
    socket, hub = logged_in(world), Hub()
    hub.sockets.append(socket)
    tokens = [one.token for one in world.day.listing.instruments[:20]]
    say(socket, "subscribe", tokens)
    say(socket, "unsubscribe", tokens[1:])
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 10.0)
    frame = socket.queue.get_nowait()
    assert isinstance(frame, bytes)
    assert decode(frame).packets.token.tolist() == tokens[:1]
    say(socket, "subscribe", tokens)
    say(socket, "unsubscribe", tokens)
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 20.0)
    assert socket.queue.get_nowait() == HEARTBEAT


def test_what_is_asked_for_while_there_are_heartbeats_alone_comes_afterwards(world: World) -> None:
    socket, hub = logged_in(world), Hub()
    hub.sockets.append(socket)
    tokens = [one.token for one in world.day.listing.instruments[:20]]
    say(socket, "subscribe", tokens)
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 10.0, ticks=False)
    assert socket.queue.get_nowait() == HEARTBEAT
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 10.1)
    frame = socket.queue.get_nowait()
    assert isinstance(frame, bytes)
    assert sorted(decode(frame).packets.token.tolist()) == sorted(tokens)


def test_packets_are_counted_where_they_are_queued_and_heartbeats_and_what_found_no_room_are_none(world: World) -> None:
    quick, slow, hub = logged_in(world), logged_in(world), Hub()
    hub.sockets += [quick, slow]
    for socket in hub.sockets:
        say(socket, "subscribe", [one.token for one in world.day.listing.instruments[:20]])
    while not slow.queue.full():
        slow.put("words")
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 10.0)
    hub.publish(world.day.listing, world.day.quotes, NOTHING, 20.0)

    frame = quick.queue.get_nowait()
    assert isinstance(frame, bytes)
    assert (quick.packets, slow.packets, hub.packets) == (len(decode(frame).packets), 0, 20)
    assert quick.queue.get_nowait() == HEARTBEAT
    assert hub.sockets == [quick], "who does not take what it is sent is let go"


def test_a_new_day_sends_what_it_lists_and_nothing_at_the_places_of_the_old(world: World) -> None:
    socket = logged_in(world)
    say(socket, "subscribe", [one.token for one in world.day.listing.instruments])
    smaller = SimulatedDay(FRIDAY, seed=7, indices=("NIFTY",), strikes_each_side=2)
    socket.relist(smaller.listing)
    due = socket.due(NOTHING)
    assert 0 < due.size <= len(smaller.listing)
    assert due.max() < len(smaller.listing)
    assert (socket.mode[due] != UNWANTED).all()


@pytest.mark.parametrize(
    "text",
    [
        "", "no json", "[" * 100_000, '{"a":' * 20_000, "null", "[]", "7", '"a"', "{}", '{"a":"subscribe"}',
        '{"a":"subscribe","v":null}', '{"a":"subscribe","v":["1"]}', '{"a":"subscribe","v":[true]}',
        '{"a":["subscribe"],"v":[1]}', '{"a":{"b":1},"v":[1]}', '{"a":null,"v":[1]}', '{"a":"mode","v":["deep",[1]]}',
        '{"a":"mode","v":[["full"],[1]]}', '{"a":"mode","v":["full"]}', '{"a":"mode","v":["full",1]}',
        '{"a":"mode","v":"full"}', '{"a":"subscribe","v":' + "9" * 5000 + "}", '{"a":"x","v":[1]}',
    ],
)  # fmt: skip
def test_a_message_without_sense_is_told_and_changes_nothing(world: World, text: str) -> None:
    socket = logged_in(world)
    gc.disable()  # what other tests left behind cannot be finalised at the bottom of a recursion that is too deep
    try:
        wrong = socket.hear(text)
    finally:
        gc.enable()
    assert wrong is not None
    assert wrong.startswith("invalid message")
    assert socket.wanted == {}


def test_no_text_ends_a_socket(world: World) -> None:
    drawn, socket = random.Random(7), logged_in(world)
    whole = json.dumps({"a": "mode", "v": ["full", [256265, 1, 2**70, -1]]})
    values = [None, True, 1.5, "x", [], {}, [[]], -1, 2**70, {"a": 1}, ["full", [1]], 256265]
    for _ in range(2000):
        text = list(whole)
        for _ in range(drawn.randrange(1, 6)):
            text[drawn.randrange(len(text))] = chr(drawn.randrange(1, 256))
        said = [socket.hear("".join(text)), say(socket, drawn.choice(values), drawn.choice(values))]
        said.append(say(socket, drawn.choice(["subscribe", "unsubscribe", "mode"]), drawn.choice(values)))
        assert all(one is None or isinstance(one, str) for one in said)


def test_without_limits_a_socket_takes_any_number_of_tokens(world: World) -> None:
    for enforced, most in ((True, 3000), (False, 3001)):
        session = world.accounts.open(DEFAULT_USER, world.clock.now_ns())
        socket = Socket(session, world.day.listing, Rates(enforced=enforced))
        assert (say(socket, "subscribe", list(range(3001))) is None) == (not enforced)
        assert len(socket.wanted) == most
