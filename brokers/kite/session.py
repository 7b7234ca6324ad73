"""Opening, asking about and ending a session at Kite through the kiteconnect package, which makes the checksum.

An answer or an exception may hold a token (a DELETE has it in its address), so none of their words are passed on but
Kite's own refusals.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, KiteException, TokenException

from brokers.kite.login import Login, expiry_ns, opened_ns
from brokers.kite.outcome import FORBIDDEN, careful
from core.errors import BrokerDown, InputError
from core.market import IST, to_ns

T = TypeVar("T")
TIMEOUT_S = 7.0
# What the client raises on an answer that is none (kite.md §2).
UNREADABLE = (DataException, KeyError, TypeError, ValueError, OverflowError, AttributeError, UnboundLocalError)
# Below INFO urllib3 logs the address of each call, and a logout has the access token in it.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def open_session(app: Login, request_token: str, now_ns: int) -> Login:
    """The session for a request token, which counts once and for some minutes.

    Raises InputError if Kite refuses the token or the api secret, BrokerDown if it does not answer.
    """
    client = _client(app)
    try:
        data = _ask("exchange the request token", lambda: client.generate_session(request_token, app.api_secret))
    except TokenException as error:
        why = "it is used or too old, or the api secret is wrong (vikalp login logout forgets it)"
        raise InputError(f"Kite refuses the request token ({error}): {why}; try again: vikalp login") from None
    said = data.get("login_time")
    login_ns = to_ns(said.replace(tzinfo=IST)) if isinstance(said, dt.datetime) else 0
    return replace(
        app,
        access_token=_text(data, "access_token"),
        user_id=_text(data, "user_id"),
        user_name=str(data.get("user_name") or ""),
        login_ns=login_ns,
        expires_ns=expiry_ns(opened_ns(login_ns, now_ns)),
    )


def adopt(app: Login, access_token: str, now_ns: int) -> Login | None:
    """The session of an access token that a person has; None if Kite knows no such session. BrokerDown without Kite.

    When it was opened nobody says: it is taken to last until the next 06:00, the longest it can.
    """
    held = replace(app, access_token=access_token, login_ns=0, expires_ns=expiry_ns(now_ns))
    profile = _profile(held)
    if profile is None:
        return None
    return replace(held, user_id=_text(profile, "user_id"), user_name=str(profile.get("user_name") or ""))


def is_alive(login: Login) -> bool:
    """Whether Kite takes the token now. Raises BrokerDown when it does not say."""
    return _profile(login) is not None


def close_session(login: Login) -> None:
    """End it at Kite; one that is over already is no error. Raises BrokerDown if it may live on."""
    client = _client(login)
    try:
        done: object = _ask("end the session", client.invalidate_access_token)
    except TokenException:
        return
    if done is not True:
        raise BrokerDown("Kite does not say that the session has ended")


def _profile(login: Login) -> Mapping[str, Any] | None:
    client = _client(login)
    try:
        profile: object = _ask("say whose session it is", client.profile)
    except TokenException:
        return None
    if not isinstance(profile, Mapping):
        raise BrokerDown("Kite does not say whose session it is: its answer is no profile")
    return profile


def _client(login: Login) -> KiteConnect:
    client = KiteConnect(login.api_key, login.access_token or None, root=login.root, timeout=TIMEOUT_S)
    return careful(client)


def _ask(what: str, call: Callable[[], T]) -> T:
    """One call; a 403 TokenException passes, everything else that the client raises is BrokerDown."""
    try:
        return call()
    except TokenException as error:
        if error.code == FORBIDDEN:
            raise
        why = f"TokenException {error.code}: {error}"
    except UNREADABLE as error:
        why = f"its answer cannot be read ({type(error).__name__})"
    except KiteException as error:
        why = f"{type(error).__name__} {error.code}: {error}"
    except requests.RequestException as error:
        why = f"it cannot be reached ({type(error).__name__})"
    raise BrokerDown(f"Kite does not {what}: {why}")


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise BrokerDown(f"Kite's answer has no {name}; log in again: vikalp login")
    return value
