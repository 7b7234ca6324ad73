"""The client of the day's login, and calls that end: on a clock and with tokens of the test's own."""

import threading

import pytest
import requests

from brokers.kite.access import ASK_NS, TRY_NS, Access
from brokers.kite.bounded import within
from core.errors import BrokerDown, InputError, NotLoggedIn

ROOT = "http://127.0.0.1:9"  # nothing is asked of it


class Logins:
    """A clock and the tokens there are; `given` is what the file has now, an exception if it has none."""

    def __init__(self) -> None:
        self.now = self.asked = 0
        self.given: str | Exception = "one"
        self.access = Access("key", ROOT, 2.0, self.token, lambda: self.now)

    def token(self) -> str:
        self.asked += 1
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def used(self) -> str:
        """The token calls go out with; empty if none may."""
        try:
            return str(self.access.client().access_token)
        except NotLoggedIn:
            return ""


def test_a_token_is_asked_for_once_and_its_connection_kept() -> None:
    logins = Logins()
    first = logins.access.client()
    assert (logins.access.client() is first, logins.asked, first.timeout) == (True, 1, (1.0, 2.0))
    logins.access.drop()
    assert (logins.access.client() is first, logins.used(), logins.asked) == (False, "one", 1)


def test_no_call_is_made_twice_by_its_connection_and_none_takes_the_environments_proxy() -> None:
    session = Logins().access.client().reqsession
    assert {adapter.max_retries.total for adapter in session.adapters.values()} == {0}
    assert (session.max_redirects, session.trust_env) == (0, False)
    assert Access("key", "https://api.kite.trade", 2.0, lambda: "one").client().reqsession.trust_env


def test_without_a_login_it_says_so_at_once_and_asks_again_every_few_seconds() -> None:
    logins = Logins()
    logins.given = BrokerDown("nobody is logged in")
    for _ in range(9):
        with pytest.raises(
            NotLoggedIn, match=r"nobody is logged in; log in \(vikalp login --root http://127\.0\.0\.1:9\)"
        ):
            logins.access.client()
        logins.now += ASK_NS // 4
    assert logins.asked == 3
    logins.given = "one"
    logins.now += ASK_NS
    assert logins.used() == "one"


def test_a_file_that_does_not_open_is_no_login_either() -> None:
    logins = Logins()
    logins.given = InputError("the passphrase is wrong")
    with pytest.raises(NotLoggedIn, match=r"the passphrase is wrong; log in"):
        logins.access.client()


def test_a_token_that_takes_longer_than_a_call_may_is_not_waited_for() -> None:
    released = threading.Event()

    def slow() -> str:
        released.wait(30)
        return "late"

    access = Access("key", ROOT, 0.05, slow)
    with pytest.raises(BrokerDown, match=r"the stored login did not open within 0\.05 s"):
        access.client()
    released.set()
    access = Access("key", ROOT, 30.0, slow)
    assert access.client().access_token == "late"


def test_a_dead_token_is_not_used_again_and_another_one_at_once() -> None:
    logins = Logins()
    logins.access.client()
    said = f"Kite calls the login dead (Incorrect): log in (vikalp login --root {ROOT})"
    assert said in f"{logins.access.died('Incorrect')}"
    assert (logins.used(), logins.used(), logins.asked) == ("", "", 2)
    logins.given = "two"
    assert logins.used() == ""
    logins.now += ASK_NS
    assert logins.used() == "two"


def test_a_token_that_was_called_dead_by_a_fault_of_kites_is_tried_once_a_minute() -> None:
    logins = Logins()
    logins.access.client()
    logins.access.died("Incorrect")
    used = []
    for _ in range(TRY_NS // ASK_NS + 1):
        used.append(logins.used())
        logins.now += ASK_NS
    assert (used[-1], set(used[:-1])) == ("one", {""})
    logins.access.died("Incorrect")
    assert logins.used() == ""


def test_a_call_gives_or_raises_what_it_gives_or_raises() -> None:
    assert within(30.0, lambda: 7) == 7
    with pytest.raises(InputError, match="so"):
        within(30.0, lambda: (_ for _ in ()).throw(InputError("so")))


def test_a_call_that_takes_too_long_is_not_waited_for() -> None:
    ended, released = threading.Event(), threading.Event()

    def slow() -> None:
        released.wait(30)
        ended.set()

    with pytest.raises(requests.exceptions.ReadTimeout, match=r"no whole answer within 0\.0 s"):
        within(0.02, slow)
    assert not ended.is_set()
    released.set()
    assert ended.wait(30), "it goes on, and nobody hears of it"


def test_a_call_without_any_time_is_not_made() -> None:
    asked: list[int] = []
    for seconds in (0.0, -0.2):
        with pytest.raises(requests.exceptions.ReadTimeout, match="not asked"):
            within(seconds, lambda: asked.append(1))
    assert asked == []
