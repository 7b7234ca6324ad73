"""Who may log in, and which tokens live: request token → access token, dead at 06:00 IST or by logout (kite.md §1)."""

import datetime as dt
import hashlib
import hmac
import ipaddress
import random
import string
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.errors import ConfigError
from core.market import IST, from_ns, to_ns
from exchange.refusal import KiteError, bad_input

REQUEST_TOKEN_S = 300  # Kite's lives "a few minutes"
DIES_AT = dt.time(6, 0)
ALPHABET = string.ascii_letters + string.digits
EXCHANGES = ["NSE", "NFO", "BSE", "BFO"]
PRODUCTS = ["CNC", "NRML", "MIS"]
ORDER_TYPES = ["MARKET", "LIMIT", "SL", "SL-M"]


@dataclass(frozen=True)
class User:
    """One account and the app that may use it; ConfigError for a `postback_url` that is none."""

    user_id: str
    api_key: str
    api_secret: str
    name: str = "Vikalp Trader"
    email: str = "trader@example.invalid"
    redirect_url: str = "http://127.0.0.1:5000/success"
    postback_url: str = ""
    cash_paise: int = 10_00_000_00

    def __post_init__(self) -> None:
        if self.postback_url:
            check_postback(self.postback_url)


@dataclass
class Session:
    """A login that lives until `dies_ns`."""

    user: User
    access_token: str
    public_token: str
    login_ns: int
    dies_ns: int


@dataclass
class Accounts:
    """All users of one exchange; `one_login`: a second login ends the first (kite.md §1: unverified, a setting)."""

    users: tuple[User, ...]
    seed: int
    one_login: bool = True
    _requests: dict[str, tuple[User, int]] = field(default_factory=dict)
    _sessions: dict[str, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(f"tokens {self.seed}")

    def by_key(self, api_key: str) -> User:
        for user in self.users:
            if hmac.compare_digest(user.api_key.encode(), api_key.encode()):
                return user
        raise bad_input("Invalid `api_key`.")

    def request_token(self, api_key: str, wall_ns: int) -> str:
        """A one-time token for the redirect after the login page. It dies by the wall's clock: people are no faster."""
        token, user = self._word(32), self.by_key(api_key)
        self._requests = {old: one for old, one in self._requests.items() if wall_ns < one[1]}
        self._requests[token] = (user, wall_ns + REQUEST_TOKEN_S * 1_000_000_000)
        return token

    def exchange_token(self, api_key: str, request_token: str, checksum: str, now_ns: int, *, wall_ns: int) -> Session:
        """The session for a request token, once; 403 TokenException for a token or a checksum that is wrong."""
        user, dies = self._requests.pop(request_token, (None, 0))
        if user is None or user.api_key != api_key or wall_ns >= dies:
            raise KiteError(403, "TokenException", "Token is invalid or has expired.")
        wanted = hashlib.sha256((api_key + request_token + user.api_secret).encode()).hexdigest()
        if not hmac.compare_digest(wanted.encode(), checksum.encode()):
            raise KiteError(403, "TokenException", "Invalid `checksum`.")
        return self.open(user, now_ns)

    def open(self, user: User, now_ns: int) -> Session:
        """A new session, which ends the one before it where a user has one alone."""
        if self.one_login:
            self._sessions = {key: one for key, one in self._sessions.items() if one.user != user}
        session = Session(user, self._word(32), self._word(32), now_ns, next_death_ns(now_ns))
        self._sessions[session.access_token] = session
        return session

    def lives(self, session: Session, now_ns: int) -> bool:
        """Whether a session still holds: not logged out of, not killed, not past 06:00."""
        return self._sessions.get(session.access_token) is session and now_ns < session.dies_ns

    def authorised(self, api_key: str, access_token: str, now_ns: int) -> Session:
        """The living session of the pair; 403 TokenException, Kite's sign of a dead token, otherwise."""
        session = self._sessions.get(access_token)
        if session is None or session.user.api_key != api_key or now_ns >= session.dies_ns:
            raise KiteError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        return session

    def logout(self, access_token: str) -> None:
        self._sessions.pop(access_token, None)

    def kill_all(self) -> int:
        """Token death, as a fault; how many sessions ended."""
        many = len(self._sessions)
        self._sessions.clear()
        return many

    def _word(self, length: int) -> str:
        return "".join(self._random.choice(ALPHABET) for _ in range(length))


def check_postback(url: str) -> None:
    """Raises ConfigError for anything but https, or http on this machine: an update tells what an account does."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as why:
        raise ConfigError(f"the postback URL {url!r} is none: {why}") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ConfigError(f"the postback URL {url!r} is none; one looks like http://127.0.0.1:5000/postback")
    if parts.scheme == "http" and not _loopback(host):
        raise ConfigError(f"the postback URL {url!r} leaves this machine in the clear: give it with https")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def next_death_ns(now_ns: int) -> int:
    """06:00 IST after `now_ns`: the day's tokens end there, a regulatory rule (kite.md §1)."""
    now = from_ns(now_ns)
    at = dt.datetime.combine(now.date(), DIES_AT, IST)
    return to_ns(at if now < at else at + dt.timedelta(days=1))
