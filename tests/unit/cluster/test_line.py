"""A line between two processes, without actors: who may speak, what is heard of a refusal, and of an end."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import ray

import cluster.line
from cluster.line import GONE, VANISHED_S, Address, Line, Switchboard
from core.errors import DeskError, InputError

pytestmark = pytest.mark.timeout(30)


def take(messages: Any) -> Any:
    if messages == "refuse":
        raise InputError("expected something else")
    if messages == "bug":
        raise RuntimeError("a bug")
    if messages == "slow":
        threading.Event().wait(2.0)
    return messages


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switchboard]:
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    yield Switchboard(take)


def test_what_is_asked_is_answered_however_large(board: Switchboard) -> None:
    line = Line(board.address)
    for messages in ("a", b"x" * 5_000_000, ("b", 1)):
        assert line.ask(messages) == messages


def test_a_refusal_is_heard_in_words_and_the_line_goes_on(board: Switchboard) -> None:
    line = Line(board.address)
    with pytest.raises(DeskError, match="InputError: expected something else"):
        line.ask("refuse")
    assert line.ask("a") == "a"


def test_a_bug_ends_this_line_and_no_other(board: Switchboard) -> None:
    line, other = Line(board.address), Line(board.address)
    with pytest.raises(GONE):
        line.ask("bug")
    assert line.over
    assert other.ask("a") == "a"
    assert not other.over


def test_after_the_handshake_a_line_waits_as_long_as_an_answer_or_a_message_takes(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.line, "HELLO_S", 1)
    line = Line(board.address)
    assert line.ask("slow") == "slow"  # two seconds
    assert line.ask("a") == "a"
    assert line.ask("slow") == "slow"
    assert not line.over


def test_a_machine_that_vanishes_is_noticed(board: Switchboard) -> None:
    line = Line(board.address)
    with socket.socket(fileno=os.dup(line._connection.fileno())) as end:
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == VANISHED_S * 1000
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_answer_that_does_not_come_in_time_is_an_error_and_the_line_is_over(board: Switchboard) -> None:
    line = Line(board.address)
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        line.ask("slow", 0.05)
    with pytest.raises(GONE):
        line.ask("a")


def test_without_the_key_nothing_is_heard_and_who_says_nothing_holds_up_nobody(board: Switchboard) -> None:
    host, port, _ = board.address
    with socket.create_connection((host, port)):  # says nothing
        with pytest.raises(GONE):
            Line(Address(host, port, os.urandom(32)))
        assert Line(board.address).ask("a") == "a"


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\5hello"])
def test_another_program_at_that_port_is_nobody_and_holds_up_nobody_for_long(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    monkeypatch.setattr(cluster.line, "HELLO_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            connection.sendall(says)
            kept.append(connection)

        kept: list[socket.socket] = []
        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(GONE):
            Line(board.address._replace(port=other.getsockname()[1]))


def test_where_nobody_listens_the_caller_hears_at_once(board: Switchboard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(GONE):
        Line(board.address._replace(port=port))
