"""What one order call to Kite came to: the only place that reads kiteconnect's exceptions and those of requests.

A call may have been carried out unless Kite says that it was not: it has no idempotency key, and a timeout, a 5xx or an
answer nobody can read have all been seen with the order in the book. So the list of what is REFUSED is short and
closed, and everything else is UNKNOWN, to be looked up by its tag and never sent again blindly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException, KiteException, TokenException
from urllib3.exceptions import MaxRetryError, NewConnectionError

from brokers.kite.login import is_loopback
from brokers.kite.wire import TooMany, Wire
from core.errors import ConfigError
from core.orders.answer import Answer

MOST_WORDS = 500  # of an answer that is a whole page
BAD_REQUEST, FORBIDDEN, TOO_MANY = 400, 403, 429
OFTEN = "modifications exceeded"  # of one order, told with a 429 (kite.md §2): no reason to let the others cool down
PASSING = "being processed"  # an order on its way to the exchange can be changed a moment later


class Cause(StrEnum):
    """Why, as far as the desk acts on it."""

    ACCEPTED = "accepted"
    INVALID = "Kite refused the order"
    LOGIN = "the access token is dead: halt entries and log in"
    RATE = "too many requests: let this kind of call cool down"
    NOT_SENT = "no connection was made, so nothing was sent"
    UNSURE = "may have been carried out"


@dataclass(frozen=True, slots=True)
class Outcome:
    answer: Answer
    cause: Cause


def careful(client: KiteConnect) -> KiteConnect:
    """The same client, which now follows no redirect: one call is one request, or `send` could not tell what was sent.

    And it reads an answer whole, or not at all (brokers.kite.wire). No password of ~/.netrc takes the place of the
    token, and on the way to this machine's own exchange no proxy is used: a token would leave the machine in clear.

    ConfigError for a client that retries, that does not check certificates, or that logs the access token (debug).
    """
    if any(adapter.max_retries.total for adapter in client.reqsession.adapters.values()):
        raise ConfigError("a client that retries may place an order twice: leave max_retries out of its pool")
    if client.disable_ssl or client.debug:
        raise ConfigError("a client for orders has neither disable_ssl nor debug, which logs the access token")
    client.reqsession.max_redirects = 0
    client.reqsession.auth = _as_it_is
    client.reqsession.trust_env = not is_loopback(urlsplit(client.root).hostname or "")
    for scheme in ("https://", "http://"):
        client.reqsession.mount(scheme, Wire())
    return client


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The headers are kiteconnect's: a session without an `auth` of its own would look into ~/.netrc."""
    return request


def send(call: Callable[[], object]) -> Outcome:
    """Make one order call, which gives an order id, once; never raises for what the wire or the client does.

    `call` is of a `careful` client without retries: `lambda: client.place_order(...)`.
    """
    try:
        order_id = call()
    except Exception as error:
        return judge(error)
    if isinstance(order_id, str) and order_id:
        return Outcome(Answer(kind="ACK", broker_id=order_id), Cause.ACCEPTED)
    return _unsure(f"Kite accepted, and gave {order_id!r} for an order id")


def judge(error: Exception) -> Outcome:
    """REFUSED if the exception proves that nothing was done, else UNKNOWN.

    Proofs are: a 400 of type InputException or GeneralException (which is what the client makes of MarginException and
    its like), a 403 TokenException, a 429 in Kite's envelope, and a connection that was never made. A 429 of any other
    body, which may be of something on the way to Kite, proves nothing, and asks for a pause all the same.
    """
    if isinstance(error, KiteException):
        if error.code == TOO_MANY:
            return _refused(str(error), Cause.INVALID if OFTEN in str(error).lower() else Cause.RATE)
        if type(error) is TokenException and error.code == FORBIDDEN:
            return _refused(str(error), Cause.LOGIN)
        if type(error) in {InputException, GeneralException} and error.code == BAD_REQUEST:
            return _refused(str(error), Cause.INVALID)
        return _unsure(f"{type(error).__name__} {error.code}: {error}")
    if _never_connected(error):
        return _refused(f"Kite cannot be reached: {type(error).__name__}: {error}", Cause.NOT_SENT)
    return _unsure(f"{type(error).__name__}: {error}", Cause.RATE if isinstance(error, TooMany) else Cause.UNSURE)


def _never_connected(error: Exception) -> bool:
    """Without retries and redirects, a connection that failed to open is the first and only one."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    inner = error.args[0] if type(error) is requests.exceptions.ConnectionError and error.args else None
    return isinstance(inner, MaxRetryError) and isinstance(inner.reason, NewConnectionError)


def _refused(words: str, cause: Cause) -> Outcome:
    again = cause in {Cause.RATE, Cause.NOT_SENT} or PASSING in words
    return Outcome(Answer(kind="REFUSED", message=words[:MOST_WORDS], again=again), cause)


def _unsure(words: str, cause: Cause = Cause.UNSURE) -> Outcome:
    return Outcome(Answer(kind="UNKNOWN", message=words[:MOST_WORDS]), cause)
