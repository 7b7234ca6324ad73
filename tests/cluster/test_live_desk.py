"""A LIVE desk against a local exchange whose clock is the wall's: what an account at Kite needs, and nothing else."""

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray

from brokers.kite.login import Login
from cluster.account import log_in_locally, login_path
from cluster.attach import Desk, attach
from cluster.lifecycle import down, up
from cluster.ports import listening, ports
from cluster.settings import PASSPHRASE, load
from cluster.state import ROOT, state_path
from core.errors import BrokerDown, ConfigError
from core.market import IST
from core.records import Order
from storage.secrets import Passphrase, Secrets
from tests.cluster.conftest import free_desk, until
from tests.cluster.whole_desk import buy_one_lot, near_the_money, try_

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
WORDS = "a passphrase for tests"
PATIENCE_S = 60.0
LONGEST = dt.timedelta(minutes=15)  # that this file takes


@contextmanager
def home_of(opens: dt.datetime, closes: dt.datetime) -> Iterator[Path]:
    """Whose calendar has a session today from `opens` to `closes`, Indian time, whatever day it is."""
    now = dt.datetime.now(IST)
    with tempfile.TemporaryDirectory(prefix="vkl", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL, which never runs as root, must reach its data below
        facts = Path(folder) / "today.yaml"
        facts.write_text(
            f"source: a rehearsal\npublished: {now:%Y-%m-%d}\nsessions:\n"
            f"  - {{date: {now:%Y-%m-%d}, kind: normal, open: '{opens:%H:%M}', close: '{closes:%H:%M}'}}\n"
        )
        before = {name: os.environ.get(name) for name in ("VIKALP_HOME", PASSPHRASE)}
        os.environ |= {"VIKALP_HOME": folder, PASSPHRASE: WORDS}
        try:
            vikalp("facts", "import", str(facts))
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """With a session of today that is open now."""
    now = dt.datetime.now(IST)
    opens, closes = now - dt.timedelta(minutes=5), now + dt.timedelta(hours=2)
    first, last = now.replace(hour=0, minute=1), now.replace(hour=23, minute=58)
    opens, closes = max(opens, first), min(closes, last)
    if closes - now < LONGEST or opens >= now:
        pytest.skip(f"at {now:%H:%M} no session of today is open for the {LONGEST} this takes")
    with home_of(opens, closes) as made:
        yield made


def vikalp(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "cluster.cli.main", *words], cwd=ROOT, capture_output=True, text=True)  # noqa: PLW1510 looked at below
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def root(home: Path) -> Iterator[str]:
    port = ports(free_desk(beside=5)).exchange
    words = [sys.executable, "-m", "cluster.cli.main", "exchange", "--wall-clock", "--port", str(port)]
    with (home / "exchange.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
    try:
        until(lambda: listening(port), within_s=PATIENCE_S, what="the exchange listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def settings(root: str, **more: object) -> dict[str, object]:
    """The three settings, and what keeps the test small."""
    account = {"market.source": "kite", "kite.root": root, "kite.api_key": "vikalp", "kite.orders": True}
    return {**account, "indices": ["NIFTY"], "ray.object_store_mb": 100, "ray.cpus": 2, **more}


def test_a_desk_without_a_login_does_not_start_and_says_what_to_do(root: str) -> None:
    with pytest.raises((BrokerDown, ConfigError), match="vikalp login"):
        list(up(load(overrides=settings(root)), free_desk()))


def test_three_settings_and_a_login_make_a_desk_that_trades_and_remembers(home: Path, root: str) -> None:
    Secrets(login_path(root), Passphrase(WORDS), Login).save(log_in_locally(root, time.time_ns()))
    number, held = free_desk(), 0
    for life in (1, 2):
        list(up(load(overrides=settings(root)), number))
        try:
            desk = attach(number)
            assert desk.status().mode == "LIVE"
            until(lambda desk=desk: try_(lambda: buy_one_lot(desk)), within_s=PATIENCE_S, what="an order")
            now = sum(position.quantity for position in desk.positions())
            assert now > held, f"life {life}: the account's position is carried on"
            held = now
            assert not secrets_told(home, number)
        finally:
            ray.shutdown()
            if state_path(number).exists():
                list(down(number))


def secrets_told(home: Path, number: int) -> list[str]:
    """Files of the desk with the passphrase or the access token in them."""
    login = next(home.glob("logins/*.login"))
    token = Secrets(login, Passphrase(WORDS), Login).load()
    assert token is not None
    state = json.loads(state_path(number).read_text())
    places = [home, Path(state["temp_dir"])]
    found = []
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if WORDS.encode() in data or token.access_token.encode() in data:
            found.append(str(path))
    return found


def test_in_paper_the_same_prices_meet_the_paper_broker(root: str) -> None:
    number = free_desk()
    list(up(load(overrides=settings(root, **{"kite.orders": False})), number))
    try:
        desk: Desk = attach(number)
        assert desk.status().mode == "PAPER"
        until(lambda: try_(lambda: buy_one_lot(desk)), within_s=PATIENCE_S, what="an order")
        assert {order.broker_id[:5] for order in desk.orders() if order.broker_id} == {"PAPER"}
    finally:
        ray.shutdown()
        list(down(number))


@pytest.mark.long
def test_outside_the_session_nobody_enters(root: str) -> None:
    """The exchange goes on, the desk's calendar says that its session is over."""
    midnight = dt.datetime.now(IST).replace(hour=0, minute=0)
    with home_of(midnight + dt.timedelta(minutes=1), midnight + dt.timedelta(minutes=2)):
        Secrets(login_path(root), Passphrase(WORDS), Login).save(log_in_locally(root, time.time_ns()))
        number = free_desk()
        list(up(load(overrides=settings(root, **{"kite.orders": False})), number))
        try:
            desk: Desk = attach(number)
            contract = until(lambda: try_(lambda: near_the_money(desk)), within_s=PATIENCE_S, what="a chain")
            lot = desk.expiries("NIFTY").to_pylist()[0]["lot"]

            def judged() -> Order | None:
                """Of a desk that has just started: risk's own answer, not that it has none yet."""
                order = try_(lambda: desk.place(contract["symbol"], "BUY", lot))
                return order if order and not order.message.startswith("risk: risk cannot be reached") else None

            order = until(judged, within_s=PATIENCE_S, what="an answer of risk")
            assert order.state == "REFUSED"
            assert order.message.startswith("market_hours: NSE is closed at "), order.message
            assert "(asked closed, allowed open)" in order.message
        finally:
            ray.shutdown()
            list(down(number))
