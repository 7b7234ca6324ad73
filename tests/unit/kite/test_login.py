"""A login's facts: its page, what a redirect says, how long it lasts, and what a broker is told."""

import datetime as dt
import pickle
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteConnect

from brokers.kite.login import (
    KITE,
    Login,
    StoredToken,
    checked_root,
    checked_token,
    expiry_ns,
    file_of,
    login_url,
    opened_ns,
    request_token_of,
)
from core.errors import BrokerDown, ConfigError, InputError, NotLoggedIn
from core.market import IST, from_ns, to_ns

TOKEN = "sEcReTaCcEsS" + "0" * 20
HOUR = 3600 * 10**9
LOGIN = Login(
    root=KITE, api_key="k", api_secret="sEcReTaPi" * 3, access_token=TOKEN, user_id="AB1234", expires_ns=10 * HOUR
)  # fmt: skip


def at(text: str) -> int:
    return to_ns(dt.datetime.fromisoformat(text).replace(tzinfo=IST))


def test_the_page_is_the_clients_own_and_a_local_exchanges_is_its_own() -> None:
    ours, theirs = urlsplit(login_url(KITE, "k&y", "st")), urlsplit(KiteConnect("k&y").login_url())
    fields = parse_qs(ours.query)

    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert fields == {"api_key": ["k&y"], "v": ["3"], "redirect_params": ["state=st"]}
    assert login_url("http://127.0.0.1:8100", "k", "s").startswith("http://127.0.0.1:8100/connect/login?api_key=k&v=3&")


@pytest.mark.parametrize(
    ("login", "ends"),
    [
        ("2026-11-20 09:00", "2026-11-21 06:00"),
        ("2026-11-20 23:59:59", "2026-11-21 06:00"),
        ("2026-11-20 05:59:59", "2026-11-20 06:00"),
        ("2026-11-20 06:00", "2026-11-21 06:00"),
        ("2026-12-31 18:00", "2027-01-01 06:00"),
    ],
)
def test_a_session_ends_at_six_in_the_morning(login: str, ends: str) -> None:
    assert expiry_ns(at(login)) == at(ends)


@given(st.integers(at("2020-01-01"), at("2035-01-01")))
def test_it_ends_within_a_day_and_always_at_six(login_ns: int) -> None:
    ends = expiry_ns(login_ns)
    assert login_ns < ends <= login_ns + 24 * HOUR
    assert from_ns(ends).time() == dt.time(6)


def test_a_clock_of_another_day_does_not_end_a_session_that_has_just_begun() -> None:
    now = at("2026-11-21 12:00")
    assert opened_ns(now - HOUR // 2, now) == now - HOUR // 2
    assert opened_ns(at("2026-11-20 09:15"), now) == now
    assert opened_ns(0, now) == now


@pytest.mark.parametrize(
    "root",
    ["http://api.kite.trade", "https://api.kite.trade/kite", "https://a?b", "https://a#b", "https://u:p@a", "https://",
     "", "api.kite.trade", "http://127.0.0.1.evil.in", "https://a:99999", "http://127.0.0.1:0", "ftp://127.0.0.1"],
)  # fmt: skip
def test_a_root_that_would_lose_its_path_or_show_the_token_is_refused(root: str) -> None:
    with pytest.raises(ConfigError, match="root of the API"):
        checked_root(root)


@pytest.mark.parametrize("root", [KITE, "http://127.0.0.1:8100", "http://localhost:8100", "http://[::1]:8100"])
def test_kite_and_this_machine_are_roots(root: str) -> None:
    assert checked_root(root) == checked_root(root + "/") == root


def test_each_root_has_a_file_of_its_own() -> None:
    roots = (KITE, "http://127.0.0.1:8100", "http://127.0.0.1:8101", "http://[::1]:8100")
    names = [file_of(root) for root in roots]
    assert names[0] == "api.kite.trade.login"
    assert len(set(names)) == len(roots)
    assert all("/" not in name and ":" not in name for name in names)


def test_a_redirect_gives_its_token_if_kite_says_success() -> None:
    assert request_token_of("action=login&status=success&request_token=abcd1234abcd") == "abcd1234abcd"
    for query in ("", "request_token=abcd1234", "status=cancelled&request_token=abcd1234", "status=success"):
        with pytest.raises(InputError):
            request_token_of(query)


def test_a_pasted_token_is_taken_bare_or_in_its_address_and_never_shown() -> None:
    address = f"http://127.0.0.1:5000/success?status=success&request_token={TOKEN}"
    assert checked_token(f" {TOKEN}\n") == checked_token(address) == TOKEN
    for text in (f"{TOKEN} {TOKEN}", "", "short", TOKEN + "'"):
        with pytest.raises(InputError) as caught:
            checked_token(text)
        assert TOKEN not in str(caught.value)


def test_the_stored_token_is_read_each_time() -> None:
    kept: list[Login | None] = [None]
    token = StoredToken(KITE, "k", lambda: kept[0], lambda: 5 * HOUR)
    with pytest.raises(BrokerDown, match=r"nobody is logged in .*: log in \(vikalp login\)"):
        token()
    kept[0] = LOGIN
    assert token() == TOKEN


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"access_token": ""}, "nobody is logged in"),
        ({"expires_ns": 5 * HOUR}, "the login of AB1234 .* ended at Thu 01 Jan 1970 10:30 IST"),
        ({"api_key": "other"}, "of app other"),
        ({"root": "http://127.0.0.1:8100"}, "at http://127.0.0.1:8100, not k at https"),
    ],
)
def test_a_session_that_cannot_trade_says_why_and_to_log_in(change: dict[str, object], says: str) -> None:
    login = replace(LOGIN, **change)  # type: ignore[arg-type]
    with pytest.raises(BrokerDown, match=f"{says}.*log in"):
        StoredToken(KITE, "k", lambda: login, lambda: 5 * HOUR)()


def test_a_rehearsal_is_told_the_login_of_its_own_exchange() -> None:
    """Without --root it would be Kite's own page."""
    root = "http://127.0.0.1:8100"
    with pytest.raises(NotLoggedIn, match=rf"nobody is logged in at {root}: log in \(vikalp login --root {root}\)"):
        StoredToken(root, "k", lambda: None, lambda: 5 * HOUR)()


def test_a_login_ends_at_the_nanosecond() -> None:
    assert LOGIN.why_not(10 * HOUR - 1) == ""
    assert LOGIN.why_not(10 * HOUR)


def load() -> Login:
    return LOGIN


def now() -> int:
    return HOUR


def test_the_source_travels_and_shows_no_secret() -> None:
    token = pickle.loads(pickle.dumps(StoredToken(KITE, "k", load, now)))
    assert token() == TOKEN
    assert "sEcReT" not in f"{LOGIN!r} {LOGIN} {token!r}"
