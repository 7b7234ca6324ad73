"""The socket, as the unmodified KiteTicker and as a bare client see it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from core.kite import decode
from tests.unit.exchange.conftest import Served

ROOT = Path(__file__).parents[3]
NIFTY = 256265


def url(served: Served, access_token: str) -> str:
    return f"{served.root.replace('http', 'ws')}/?api_key=vikalp&access_token={access_token}"


def ask(socket: ClientConnection, action: str, value: object) -> None:
    socket.send(json.dumps({"a": action, "v": value}))


def test_kites_own_ticker_gets_ticks_in_the_mode_it_asked_for(served: Served) -> None:
    option = next(one for one in served.world.day.listing.instruments if one.type == "CE")
    kite = served.client()
    words = [
        served.root.replace("http", "ws"),
        "vikalp",
        kite.access_token,
        "full",
        "60",
        str(NIFTY),
        str(option.token),
    ]
    command = [sys.executable, "-m", "tests.unit.exchange.ticker", *words]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
    heard = [json.loads(line) for line in said.splitlines()]
    assert {kind for kind, _ in heard} == {"ticks"}
    ticks: list[dict[str, Any]] = [tick for _, many in heard for tick in many]
    assert {tick["instrument_token"] for tick in ticks} == {NIFTY, option.token}
    quote = kite.quote([f"NFO:{option.symbol}"])[f"NFO:{option.symbol}"]
    last = [tick for tick in ticks if tick["instrument_token"] == option.token][-1]
    assert last["mode"] == "full"
    assert last["depth"]["buy"][0].keys() == quote["depth"]["buy"][0].keys()
    assert abs(last["last_price"] / quote["last_price"] - 1) < 0.2


def test_a_subscription_is_answered_at_once_and_a_mode_changes_the_packets_length(served: Served) -> None:
    token = next(one.token for one in served.world.day.listing.instruments if one.type == "PE")
    with connect(url(served, served.client().access_token)) as socket:
        ask(socket, "subscribe", [token])
        assert _length(socket, token) == 44
        for mode, length in (("ltp", 8), ("full", 184)):
            ask(socket, "mode", [mode, [token]])
            assert _length(socket, token, length) == length
        ask(socket, "unsubscribe", [token])
        assert _heartbeat(socket)


def test_a_dead_token_is_refused_in_the_handshake(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(url(served, "nonsense")):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("end", ["logout", "second login"])
def test_a_session_that_ends_takes_its_sockets_along(served: Served, end: str) -> None:
    kite = served.client()
    with connect(url(served, kite.access_token)) as socket:
        assert next(_frames(socket))
        kite.invalidate_access_token() if end == "logout" else served.client()
        with pytest.raises(ConnectionClosed):
            all(_frames(socket))


def test_tokens_past_the_limit_are_told_and_the_link_stays(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    config = served.world.config
    monkeypatch.setattr(served.world, "config", replace(config, rates=replace(config.rates, enforced=True)))
    with connect(url(served, served.client().access_token)) as socket:
        ask(socket, "subscribe", list(range(3001)))
        assert "Max permitted is 3000; 1 were left out" in json.loads(_text(socket))["data"]
        socket.send("no json")
        assert json.loads(_text(socket))["type"] == "error"
        ask(socket, "unsubscribe", list(range(3001)))
        ask(socket, "subscribe", [NIFTY])
        assert _length(socket, NIFTY) == 28


def _frames(socket: ClientConnection) -> Any:
    for _ in range(200):
        yield socket.recv(timeout=30)


def _text(socket: ClientConnection) -> str:
    return next(frame for frame in _frames(socket) if isinstance(frame, str))


def _heartbeat(socket: ClientConnection) -> bool:
    return any(frame == b"\x00" for frame in _frames(socket))


def _length(socket: ClientConnection, token: int, until: int | None = None) -> int:
    """Length of the next packet of `token`; with `until`, of the next that has it."""
    for frame in _frames(socket):
        if isinstance(frame, bytes) and len(frame) > 1:
            packets = decode(frame).packets
            lengths = packets.length[packets.token == token].tolist()
            if lengths and until in {None, lengths[0]}:
                return int(lengths[0])
    raise AssertionError("no packet of it")
