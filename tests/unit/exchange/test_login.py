"""`vikalp login` against the local exchange, browser included: what a person types, sees, and what is kept."""

import json
import logging
import os
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from typer.testing import CliRunner

from brokers.kite.access import ASK_NS
from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.login import KITE, Login, StoredToken, login_url
from brokers.kite.session import adopt, close_session, is_alive, open_session
from cluster.account import login_path
from cluster.cli.main import app
from core.errors import BrokerDown, InputError, NotLoggedIn
from core.orders.tag import make_tag
from core.records import Intent
from exchange.accounts import User
from exchange.faults import Fault
from exchange.limits import Rates
from exchange.world import World, WorldConfig
from storage.secrets import Passphrase, Secrets
from tests.unit.exchange.conftest import DATE, Served
from tests.unit.storage.conftest import free_port

WORDS, SECRET = "correct horse", "the-api-secret"
FIRST = f"{WORDS}\n{WORDS}\nvikalp\n{SECRET}\n"  # passphrase twice, api key, api secret
NOW = 1_795_000_000_000_000_000


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(port: int) -> Iterator[Served]:
    user = User("VK0001", "vikalp", SECRET, redirect_url=f"http://127.0.0.1:{port}/success")
    with Served(World(WorldConfig(date=DATE, indices=("NIFTY",), users=(user,), rates=Rates(enforced=False)))) as made:
        yield made


@pytest.fixture(autouse=True)
def home(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("a browser was opened"))
    yield tmp_path
    server.world.faults.stop()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person whose browser follows the login page to where it leads; the addresses it was given."""
    opened: list[str] = []

    def visit(url: str) -> bool:
        opened.append(url)
        threading.Thread(target=requests.get, args=(url,), kwargs={"timeout": 10}, daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    return opened


def vikalp(server: Served, port: int, *words: str, types: str = "") -> tuple[int, str, str]:
    ready = ["login", "--timeout", "10", "--root", server.root, "--port", str(port), *words]
    result = CliRunner().invoke(app, ready, input=types)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def kept(server: Served) -> Login:
    found = Secrets(login_path(server.root), Passphrase(WORDS), Login).load()
    assert found is not None
    return found


def request_token(server: Served) -> str:
    page = requests.get(login_url(server.root, "vikalp", "s"), allow_redirects=False, timeout=5)
    return parse_qs(urlsplit(page.headers["location"]).query)["request_token"][0]


def session(server: Served) -> Login:
    fresh = Login(root=server.root, api_key="vikalp", api_secret=SECRET)
    return open_session(fresh, request_token(server), time.time_ns())


def test_a_day_of_logging_in_asking_and_logging_out(server: Served, port: int, browser: list[str]) -> None:
    code, out, err = vikalp(server, port, types=FIRST)
    assert (code, "VK0001 (Vikalp Trader)" in out, "06:00 IST" in out) == (0, True, True), err
    assert browser[0].startswith(f"{server.root}/connect/login?api_key=vikalp&v=3&redirect_params=state")
    first = kept(server)

    assert vikalp(server, port, types=f"{WORDS}\n")[0] == 0, "the second day asks for the passphrase alone"
    second = kept(server)
    assert second.access_token != first.access_token
    assert (second.api_secret, second.user_id) == (SECRET, "VK0001")
    assert not is_alive(first)

    code, out, _ = vikalp(server, port, "status", "--json", types=f"{WORDS}\n")
    said = json.loads(out)
    assert (code, said["valid"], said["user_id"]) == (0, True, "VK0001")
    assert said["expires"].endswith("T06:00:00+05:30")
    assert said["login"].startswith("2026-11-20T09:1")

    code, _, err = vikalp(server, port, "logout", types=f"{WORDS}\n")
    assert (code, "logged out" in err, login_path(server.root).exists()) == (0, True, False)
    assert not is_alive(second)
    assert vikalp(server, port, "status")[0] == 1
    assert vikalp(server, port, "logout")[0] == 0


def test_no_secret_is_shown_logged_put_in_the_environment_or_written_in_clear(
    server: Served, port: int, browser: list[str], home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code, out, err = vikalp(server, port, types=FIRST)
    token = kept(server).access_token
    said = [out, err, *vikalp(server, port, "status", types=f"{WORDS}\n")[1:]]
    said += vikalp(server, port, "status", "--json", types=f"{WORDS}\n")[1:]
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    said += vikalp(server, port, "logout", types=f"{WORDS}\n")[1:]

    assert code == 0
    shown = "".join([*said, *browser, *os.environ.values(), *(r.getMessage() for r in caplog.records)])
    for secret in (token, SECRET, WORDS):
        assert secret not in shown
        assert secret.encode() not in written
    assert written


def test_without_a_browser_the_address_is_printed(server: Served, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.cli.login.say", _follow)
    code, out, err = vikalp(server, port, "--no-browser", types=FIRST)
    assert (code, "VK0001" in out) == (0, True), err


def _follow(text: str) -> None:
    if "connect/login" in text:
        url = text.rsplit(maxsplit=1)[-1]
        threading.Thread(target=requests.get, args=(url,), kwargs={"timeout": 10}, daemon=True).start()


@pytest.mark.parametrize("form", ["access", "request", "address"])
def test_a_token_by_hand(server: Served, port: int, form: str) -> None:
    token = session(server).access_token if form == "access" else request_token(server)
    pasted = f"http://127.0.0.1:5000/success?status=success&request_token={token}" if form == "address" else token
    types = f"{WORDS}\n{WORDS}\nvikalp\n{pasted}\n" + ("" if form == "access" else f"{SECRET}\n")
    code, out, err = vikalp(server, port, "--token", types=types)

    assert (code, "VK0001 (Vikalp Trader)" in out, token in out + err) == (0, True, False), err
    assert is_alive(kept(server))
    assert kept(server).api_secret == ("" if form == "access" else SECRET)


def test_a_wrong_passphrase_stops_before_the_browser_opens(server: Served, port: int) -> None:
    Secrets(login_path(server.root), Passphrase(WORDS), Login).save(session(server))
    for words in ((), ("status",), ("logout",), ("--token",)):
        code, _, err = vikalp(server, port, *words, types="wrong horse\n")
        assert (code, "wrong passphrase" in err, "remove the file" in err) == (2, True, True)
    assert is_alive(kept(server))


def test_a_wrong_secret_is_said_and_nothing_is_kept(server: Served, port: int, browser: list[str]) -> None:
    code, _, err = vikalp(server, port, types=f"{WORDS}\n{WORDS}\nvikalp\nwrong\n")
    assert (code, "Invalid `checksum`" in err, "the api secret is wrong" in err) == (2, True, True)
    assert not login_path(server.root).exists()


def test_a_request_token_counts_once(server: Served) -> None:
    token, fresh = request_token(server), Login(root=server.root, api_key="vikalp", api_secret=SECRET)
    open_session(fresh, token, NOW)
    with pytest.raises(InputError, match="used or too old"):
        open_session(fresh, token, NOW)


def test_a_session_that_kite_ended_is_seen(server: Served, port: int) -> None:
    Secrets(login_path(server.root), Passphrase(WORDS), Login).save(session(server))
    server.world.accounts.kill_all()
    code, out, _ = vikalp(server, port, "status", types=f"{WORDS}\n")
    assert (code, "Kite has ended the session of VK0001" in out) == (1, True)
    assert adopt(kept(server), kept(server).access_token, NOW) is None
    assert vikalp(server, port, "logout", types=f"{WORDS}\n")[0] == 0


@pytest.mark.parametrize("fault", ["bad_gateway", "unavailable", "too_many"])
def test_kite_that_does_not_answer_ends_and_forgets_nothing(server: Served, port: int, fault: str) -> None:
    opened = session(server)
    Secrets(login_path(server.root), Passphrase(WORDS), Login).save(opened)
    server.world.faults.start(Fault(fault), server.world.wall(), seconds=60)
    code, out, _ = vikalp(server, port, "status", types=f"{WORDS}\n")
    assert (code, "is not known" in out) == (1, True)
    server.world.faults.stop()
    assert is_alive(opened)


def test_a_logout_that_kite_did_not_hear_keeps_the_file(server: Served, port: int) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    opened = Login(root=away, api_key="vikalp", access_token="t" * 32, user_id="VK0001", expires_ns=2**62)
    Secrets(login_path(away), Passphrase(WORDS), Login).save(opened)
    result = CliRunner().invoke(app, ["login", "logout", "--root", away], input=f"{WORDS}\n")
    assert (result.exit_code, "the session lives on" in result.stderr) == (1, True)
    assert login_path(away).exists()
    for call in (lambda: close_session(opened), lambda: is_alive(opened)):
        with pytest.raises(BrokerDown, match="cannot be reached") as caught:
            call()
        assert "t" * 32 not in f"{caught.value} {caught.value.__context__}"


def test_a_port_in_use_is_said_and_no_browser_opens(server: Served) -> None:
    taken = urlsplit(server.root).port or 0
    code, _, err = vikalp(server, taken, types=FIRST)
    assert (code, f"port {taken}" in err, "used by another program" in err) == (2, True, True)


def test_nobody_logging_in_is_an_error_in_time(server: Served, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: True)
    code, _, err = vikalp(server, port, "--timeout", "0.1", types=FIRST)
    assert (code, "nobody logged in within" in err) == (1, True)


def test_a_root_in_the_clear_is_refused_before_anything_is_asked() -> None:
    result = CliRunner().invoke(app, ["login", "--root", "http://api.kite.trade"])
    assert (result.exit_code, "https://host" in result.stderr) == (2, True)


def test_the_broker_trades_on_what_login_has_kept_and_finds_the_next_login(server: Served) -> None:
    store = Secrets(login_path(server.root), Passphrase(WORDS), Login)
    now, asks = [time.time_ns()], []

    def token() -> str:
        asks.append(now[0])
        return StoredToken(server.root, "vikalp", store.load, lambda: now[0])()

    broker = KiteBroker(KiteConfig(api_key="vikalp", root=server.root), token, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(NotLoggedIn, match=r"nobody is logged in .*: log in"):
            broker.book()
    assert len(asks) == 1, "a token is asked for every few seconds only"
    store.save(session(server))
    now[0] += ASK_NS
    assert list(broker.book()) == []
    server.world.accounts.kill_all()
    with pytest.raises(NotLoggedIn, match=r"Incorrect.*log in"):
        broker.book()
    store.save(session(server))
    assert list(broker.book()) == []
    now[0] += 24 * 3600 * 10**9
    server.world.accounts.kill_all()
    with pytest.raises(NotLoggedIn, match="Incorrect"):
        broker.book()
    with pytest.raises(NotLoggedIn, match=r"ended at .* 06:00 IST: log in"):
        broker.book()


def test_root_and_key_come_from_the_settings(
    server: Served, port: int, browser: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIKALP_KITE__ROOT", server.root)
    monkeypatch.setenv("VIKALP_KITE__API_KEY", "vikalp")
    types = f"{WORDS}\n{WORDS}\n{SECRET}\n"
    result = CliRunner().invoke(app, ["login", "--port", str(port), "--timeout", "10"], input=types)
    assert (result.exit_code, "VK0001" in result.stdout) == (0, True), result.stderr
    assert kept(server).root == server.root


def test_an_order_without_a_login_is_refused_with_nothing_sent(server: Served) -> None:
    store = Secrets(login_path(server.root), Passphrase(WORDS), Login)
    token, later = StoredToken(server.root, "vikalp", store.load, time.time_ns), [0]
    broker = KiteBroker(KiteConfig(api_key="vikalp", root=server.root), token, clock=lambda: later[0])
    before = len(server.world.engine.orders)
    intent = Intent(
        tag=make_tag("no login"), strategy="manual", index="NIFTY", symbol="NIFTY26NOV25000CE", side="BUY",
        quantity=75, order_type="LIMIT", limit_paise=100,
    )  # fmt: skip
    for answer in (broker.place(intent), broker.cancel("1")):
        assert (answer.kind, "log in" in answer.message) == ("REFUSED", True)
    store.path.parent.mkdir(exist_ok=True)
    store.path.write_text("{")
    later[0] += ASK_NS
    assert "damaged" in broker.place(intent).message
    assert len(server.world.engine.orders) == before


def test_kites_login_and_a_local_exchanges_are_kept_apart(server: Served) -> None:
    assert login_path(KITE) != login_path(server.root)
