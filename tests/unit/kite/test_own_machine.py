"""Calls to this machine's own exchange, with a proxy and a password for it in the environment."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from kiteconnect import KiteConnect
from requests.adapters import HTTPAdapter

from brokers.kite import session
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.instruments import download
from brokers.kite.limiter import Limiter
from brokers.kite.login import KITE, Login
from brokers.kite.outcome import careful
from cluster.account import log_in_locally
from core.market import IST, to_ns
from tests.unit.exchange.conftest import DATE, Served, served

__all__ = ["served"]
NOW = to_ns(dt.datetime.combine(DATE, dt.time(12), IST))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What a proxy of the environment is asked for."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_error(502)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        yield asked
        server.shutdown()


CALLS: dict[str, Callable[[Login], object]] = {
    "is alive": session.is_alive,
    "adopt": lambda login: session.adopt(login, login.access_token, NOW),
    "logout": session.close_session,
    "dump": lambda login: download(_client(login), Limiter(), ("NFO",)),
    "history": lambda login: _client(login).historical_data(
        256265, "2026-11-19 09:15:00", "2026-11-19 10:00:00", "minute"
    ),
    "orders": lambda login: KiteBroker(
        KiteConfig(api_key=login.api_key, root=login.root, timeout_s=30.0), lambda: login.access_token
    ).book(),
}  # fmt: skip


def _client(login: Login) -> KiteConnect:
    return careful(KiteConnect(login.api_key, login.access_token, root=login.root, timeout=30.0))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_of_the_environment_stands_between_the_desk_and_its_own_exchange(
    served: Served, seen: list[str], call: Callable[[Login], object]
) -> None:
    login = log_in_locally(served.root, NOW)
    got = call(login)
    assert seen == []
    assert got is not False
    assert login.access_token


def test_kite_itself_is_reached_as_the_environment_says() -> None:
    assert careful(KiteConnect("key", root=KITE)).reqsession.trust_env
    assert not careful(KiteConnect("key", root="http://localhost:8100")).reqsession.trust_env


def test_a_password_of_netrc_never_takes_the_place_of_the_access_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sent: list[requests.PreparedRequest] = []

    class Keeping(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
            sent.append(request)
            raise requests.ConnectionError("nothing leaves")

    client = careful(KiteConnect("key", "token", root=KITE))
    client.reqsession.mount("https://", Keeping())
    with pytest.raises(requests.ConnectionError):
        client.orders()
    assert [one.headers["Authorization"] for one in sent] == ["token key:token"]
