"""The socket against a server that misbehaves in each way; loopback, real time, limits of tenths of a second."""

import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection

from brokers.kite.stream import State, Stream, StreamConfig
from core.errors import ConfigError
from core.kite import Mode, Segment, token_of
from tests.unit.kite.sockets import (
    ASKED,
    INDEX,
    OPTION,
    Got,
    Script,
    Server,
    config,
    drop,
    heartbeats,
    one_way,
    play,
    stall,
    steady,
    ticks,
    until,
)


def test_frames_are_handed_on_as_they_came_with_the_time_they_came() -> None:
    server = Server(steady)

    async def scene(_: Stream, got: Got) -> None:
        await until(lambda: len(got.frames) > 2)

    _, got = play(server, scene)

    assert got.frames[0] == (ticks(INDEX, OPTION), 42)
    assert [state for state, _ in got.states] == [State.CONNECTING, State.OPEN]
    assert parse_qs(urlsplit(server.paths[0]).query) == {"api_key": ["vikalp"], "access_token": ["good"]}
    assert urlsplit(server.paths[0]).path == "/"
    assert server.versions == ["3"]
    assert server.asked == [ASKED]


@pytest.mark.parametrize(
    ("script", "ending", "why"),
    [
        (drop, "dropped", "the connection was lost"),
        (stall, "silent", "no byte for 0.3 s"),
        (heartbeats, "no_ticks", "bytes, and no tick for 0.6 s"),
    ],
    ids=["drop", "stall", "heartbeats only"],
)
def test_whatever_ends_a_connection_the_next_one_carries_all_of_it_once(script: Script, ending: str, why: str) -> None:
    server = Server(script, steady)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("connections") == 2 and len(server.asked[1]) == 2)
        before = len(got.frames)
        await until(lambda: len(got.frames) > before + 3)

    stream, got = play(server, scene)

    assert server.asked[1] == ASKED
    assert stream.counts()[ending] == 1
    assert len(server.paths) == 2
    assert got.whys(State.WAITING)[0].startswith(why)
    assert got.whys(State.WAITING)[0].endswith("; next attempt in 0.0 s")


def test_stalls_one_after_the_other_are_each_left_as_soon_as_the_first() -> None:
    """A stall ends when it ends: with a delay that doubles the prices come back half a minute after it."""
    quick, usual = config("ws://127.0.0.1:1"), StreamConfig(api_key="k")
    scale = quick.silent_s / usual.silent_s

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("silent") == 3)

    _, got = play(Server(stall), scene, first_delay_s=0.2, most_delay_s=20.0, proven_s=usual.proven_s * scale)

    assert [why.split("; ")[1] for why in got.whys(State.WAITING)] == ["next attempt in 0.1 s"] * 3


def test_a_server_that_lets_nobody_stay_is_left_alone_for_longer_and_longer() -> None:
    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("dropped") == 3)

    _, got = play(Server(drop), scene, first_delay_s=0.2, most_delay_s=20.0)

    assert [why.split("; ")[1] for why in got.whys(State.WAITING)] == [
        f"next attempt in {delay_s} s" for delay_s in (0.1, 0.2, 0.4)
    ]


def test_a_line_on_which_our_pings_are_lost_is_left() -> None:
    """It would carry ticks, and no subscription."""

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("connections") == 2)

    stream, got = play(Server(one_way, steady), scene, ping_s=0.2, silent_s=5, no_ticks_s=5)

    assert stream.counts()["dropped"] == 1
    assert "keepalive ping timeout" in got.whys(State.WAITING)[0]


def test_a_closed_market_owes_no_ticks() -> None:
    """As long as bytes come: two limits pass without a new connection."""

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.frames) > 2 * 70)

    stream, _ = play(Server(heartbeats), scene, market_open=False)

    assert stream.counts()["connections"] == 1


def test_a_pause_of_this_process_is_not_taken_for_one_of_the_line() -> None:
    class Busy(Got):
        def on_frame(self, frame: bytes, received_ns: int) -> None:
            super().on_frame(frame, received_ns)
            until_s = time.monotonic() + (0.5 if len(self.frames) == 3 else 0)
            while time.monotonic() < until_s:
                pass

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.frames) > 20)

    stream, _ = play(Server(steady), scene, receiver=Busy())

    assert stream.counts()["connections"] == 1


def test_a_refused_token_ends_the_attempts_until_somebody_logs_in() -> None:
    server = Server(steady, refuse=("good",))

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: got.states[-1][0] is State.LOGIN_NEEDED)
        attempts = len(server.paths)
        for _ in range(200):  # turns of the loop, in which another attempt would begin
            await asyncio.sleep(0.001)
        assert len(server.paths) == attempts == 1
        stream.login("better")
        await until(lambda: bool(got.frames))

    stream, got = play(server, scene)

    assert stream.counts()["forbidden"] == 1
    assert got.whys(State.LOGIN_NEEDED) == ["there is no valid access token; run: vikalp login"]
    assert server.asked == [ASKED]


def test_a_token_that_dies_with_its_connection_is_asked_for_again() -> None:
    server = Server(drop, steady)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: bool(got.frames))
        server.refuse = ("good",)
        await until(lambda: got.states[-1][0] is State.LOGIN_NEEDED)

    play(server, scene)


def test_any_other_answer_to_the_handshake_is_tried_again() -> None:
    server = Server(steady, refuse=("good",), status=503)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(server.paths) > 2)
        server.refuse = ()
        await until(lambda: bool(got.frames))

    stream, got = play(server, scene)

    assert stream.counts()["unreachable"] >= 3
    assert "HTTP 503" in got.whys(State.WAITING)[0]


def test_nobody_listening_is_tried_again() -> None:
    server = Server(steady)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.whys(State.WAITING)) > 2)

    stream, got = play(server, scene, root="ws://127.0.0.1:1")

    assert stream.counts() == {"unreachable": len(got.whys(State.WAITING))}
    assert not server.paths


def test_a_proxy_of_a_kind_that_is_not_supported_is_said_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.whys(State.WAITING)) > 1)

    _, got = play(Server(steady), scene, root="wss://kite.invalid")

    assert "SOCKS" in got.whys(State.WAITING)[0]


def test_texts_are_handed_on_and_malformed_ones_counted() -> None:
    sent = [
        '{"type": "order", "data": {"order_id": "1"}}',
        '{"type": "error", "data": "Too many"}',
        '{"type":"message"}',
    ]
    bad = ["", "{", "[1]", '"order"', "null", '{"data": 1}', "9" * 5000, "[" * 100_000]

    async def script(connection: ServerConnection) -> None:
        for text in (*bad, *sent):
            await connection.send(text)
        await steady(connection)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.texts) == len(sent) and bool(got.frames))

    stream, got = play(Server(script), scene)

    assert got.texts == [("order", {"order_id": "1"}), ("error", "Too many"), ("message", None)]
    assert {name: stream.counts()[name] for name in ("connections", "texts", "bad_texts")} == {
        "connections": 1,
        "texts": len(sent),
        "bad_texts": len(bad),
    }


def test_malformed_frames_are_handed_on_and_are_no_ticks() -> None:
    bad = [b"", b"\0\1", b"\xff" * 7, b"\0\1\0\xb8" + b"x" * 20, b"\0\1\0\5" + INDEX.to_bytes(4, "big") + b"."]

    async def script(connection: ServerConnection) -> None:
        while True:
            for frame in bad:
                await connection.send(frame)
            await asyncio.sleep(0.02)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("no_ticks") == 1)

    _, got = play(Server(script), scene)

    assert [frame for frame, _ in got.frames[: len(bad)]] == bad


def test_a_text_that_is_no_text_costs_the_connection_and_nothing_else() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(b"\xff\xfe", text=True)
        await connection.wait_closed()

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: bool(got.frames))

    stream, _ = play(Server(script, steady), scene)

    assert stream.counts()["dropped"] == 1


def test_what_is_wanted_can_change_while_it_is_open() -> None:
    server = Server(steady)
    other = token_of(39805, Segment.NFO)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: server.asked == [ASKED])
        stream.subscribe({INDEX: Mode.FULL, other: Mode.QUOTE})
        await until(lambda: len(server.asked[0]) == 5)

    play(server, scene)

    assert server.asked[0][2:] == [
        {"a": "unsubscribe", "v": [OPTION]},
        {"a": "subscribe", "v": [other]},
        {"a": "mode", "v": ["quote", [other]]},
    ]


def test_a_fault_of_the_receiver_ends_the_stream_with_it() -> None:
    class Broken(Got):
        def on_frame(self, frame: bytes, received_ns: int) -> None:
            raise ZeroDivisionError

    async def scene(stream: Stream, got: Got) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        play(Server(steady), scene, receiver=Broken())


def test_an_empty_token_is_no_login() -> None:
    with pytest.raises(ConfigError):
        Stream(config("ws://127.0.0.1:1"), Got(), market_open=lambda: True).login("")
