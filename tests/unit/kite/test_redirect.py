"""The one address a browser comes back to."""

import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from brokers.kite.redirect import ALIEN, ARRIVED, Redirect
from core.errors import BrokerDown, ConfigError, InputError
from tests.unit.storage.conftest import free_port

TOKEN = "abcd1234" * 4


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def redirect(port: int) -> Iterator[Redirect]:
    with Redirect(port, "ours") as found:
        yield found


def come(port: int, path: str = "/success", **fields: str) -> requests.Response:
    sent = {"status": "success", "request_token": TOKEN, "state": "ours"} | fields
    return requests.get(f"http://127.0.0.1:{port}{path}?{urlencode(sent)}", timeout=5)


def test_the_token_of_the_redirect_is_taken_and_the_page_shows_nothing_of_it(redirect: Redirect, port: int) -> None:
    answer = come(port)

    assert redirect.wait(5) == TOKEN
    assert (answer.status_code, ARRIVED in answer.text, TOKEN in answer.text) == (200, True, False)
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_is_not_ours_is_answered_and_waited_past(redirect: Redirect, port: int) -> None:
    """Any page in the browser can call this address: only the state that the login page was given counts."""
    for path in ("/favicon.ico", "/", "//[", "/success/"):
        assert come(port, path).status_code == 404
    for state in ("theirs", "", "our", "oursé"):
        answer = come(port, state=state, request_token="f" * 32)
        assert (answer.status_code, ALIEN in answer.text) == (400, True)
    assert requests.post(f"http://127.0.0.1:{port}/success", timeout=5).status_code == 501
    with pytest.raises(BrokerDown, match=r"nobody logged in within 0\.01 s.*--token"):
        redirect.wait(0.01)
    come(port)
    assert redirect.wait(5) == TOKEN


def test_the_first_answer_counts(redirect: Redirect, port: int) -> None:
    come(port)
    assert come(port, request_token="2" * 32).status_code == 410
    assert redirect.wait(5) == TOKEN


def test_a_login_that_kite_refused_is_said(redirect: Redirect, port: int) -> None:
    come(port, status="cancelled", request_token="")
    with pytest.raises(InputError, match="says status 'cancelled'"):
        redirect.wait(5)


def test_a_connection_that_says_nothing_holds_nobody_up(redirect: Redirect, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        come(port)
        assert redirect.wait(5) == TOKEN


def test_a_browser_that_hangs_up_has_brought_its_answer(redirect: Redirect, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        raw.sendall(f"GET /success?status=success&state=ours&request_token={TOKEN} HTTP/1.0\r\n\r\n".encode())
        assert redirect.wait(5) == TOKEN


def test_a_port_in_use_is_an_error_that_says_so(port: int) -> None:
    with (
        Redirect(port, "a"),
        pytest.raises(ConfigError, match=f"port {port} .* used by another program.*--token"),
        Redirect(port, "b"),
    ):
        pass


def test_afterwards_nobody_listens_and_it_listens_on_loopback_alone(port: int) -> None:
    with Redirect(port, "a") as redirect:
        assert redirect._server.server_address == ("127.0.0.1", port)
    with pytest.raises(requests.ConnectionError):
        come(port)
    with Redirect(port, "b"):
        pass


def test_nothing_is_logged(
    redirect: Redirect, port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "urllib3")  # the client of this test
    come(port)
    redirect.wait(5)
    said = capfd.readouterr()
    assert TOKEN not in caplog.text + said.out + said.err
