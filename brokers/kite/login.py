"""A login at Kite as facts: its page, its record, how long it lasts. No network, no file, no clock (kite.md §1)."""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from core.errors import ConfigError, InputError, NotLoggedIn
from core.market import IST, from_ns, to_ns

KITE = "https://api.kite.trade"
KITE_PAGE = "https://kite.zerodha.com/connect/login"  # the client's login_url, which ignores its root
ENDS_AT = dt.time(6, 0)
CLOCKS_AGREE_NS = 3600 * 1_000_000_000
TOKEN = re.compile(r"[A-Za-z0-9]{8,128}")  # Kite's are 32 long
SUCCESS_PATH = "/success"


@dataclass(frozen=True, kw_only=True)
class Login:
    """One app at one root, and the session it has there, if any."""

    root: str
    api_key: str
    api_secret: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    user_id: str = ""
    user_name: str = ""
    login_ns: int = 0  # when, as the server's clock said; 0: not known, the token was given by hand
    expires_ns: int = 0

    def why_not(self, now_ns: int) -> str:
        """Why nobody can trade with it at `now_ns`; empty if they can, as far as this machine knows."""
        if not self.access_token:
            return f"nobody is logged in at {self.root}"
        if now_ns >= self.expires_ns:
            return f"the login of {self.user_id} at {self.root} ended at {moment(self.expires_ns)}"
        return ""


class StoredToken:
    """The access token a KiteBroker asks for, from what `load` reads each time: a login made meanwhile is found.

    Picklable if `load` and `now` are: `Secrets(path, lock, Login).load` and `time.time_ns`.
    """

    def __init__(self, root: str, api_key: str, load: Callable[[], Login | None], now: Callable[[], int]) -> None:
        self._root, self._api_key, self._load, self._now = root, api_key, load, now

    def __call__(self) -> str:
        """Raises NotLoggedIn, with what to do, when no session is stored, or that of another app, or a dead one."""
        login = self._load()
        if login is None:
            why = f"nobody is logged in at {self._root}"
        elif (login.root, login.api_key) != (self._root, self._api_key):
            why = f"the stored login is of app {login.api_key} at {login.root}, not {self._api_key} at {self._root}"
        else:
            why = login.why_not(self._now())
        if login is None or why:
            raise NotLoggedIn(f"{why}: {remedy(self._root)}")
        return login.access_token


def remedy(root: str) -> str:
    """What to do where nobody is logged in at `root`: the command that works there."""
    return f"log in (vikalp login{'' if root == KITE else f' --root {root}'})"


def checked_root(root: str) -> str:
    """`root` without a last slash. ConfigError unless it is https://host or, on this machine, http://host:port.

    A path is refused since the client drops it, plain http since the token would be in the clear.
    """
    try:
        parts = urlsplit(root)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if host and root.rstrip("/") == f"{parts.scheme}://{parts.netloc}" and not parts.username:
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        if safe and port != 0:
            return root.rstrip("/")
    raise ConfigError(f"the root of the API is https://host, or http:// to this machine, without a path; was {root!r}")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def file_of(root: str) -> str:
    """The name of the file of the login at `root`: a session of the local exchange never meets Kite's."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", urlsplit(checked_root(root)).netloc) + ".login"


def login_url(root: str, api_key: str, state: str) -> str:
    """The page where a person logs in; `state` comes back in the redirect (Kite's redirect_params)."""
    page = KITE_PAGE if root == KITE else f"{root}/connect/login"
    return f"{page}?{urlencode({'api_key': api_key, 'v': 3, 'redirect_params': urlencode({'state': state})})}"


def request_token_of(query: str) -> str:
    """The request token of a redirect's query. InputError if Kite says no, or if none is there."""
    fields = {name: values[-1] for name, values in parse_qs(query).items()}
    status, token = fields.get("status", ""), fields.get("request_token", "")
    if status != "success":
        raise InputError(f"Kite did not log anybody in: it says status {status[:40]!r}; try again: vikalp login")
    return checked_token(token)


def checked_token(text: str) -> str:
    """A token as a person pasted it, or the whole address of the page the redirect led to. Shows none in its error."""
    text = text.strip()
    if "://" in text:
        return request_token_of(urlsplit(text).query)
    if not TOKEN.fullmatch(text):
        raise InputError("that is no token: a token is 8 to 128 letters and digits; or paste the redirect's address")
    return text


def expiry_ns(login_ns: int) -> int:
    """06:00 IST after `login_ns`, UTC ns: SEBI has sessions end before each trading day (kite.md §1, §10)."""
    opened = from_ns(login_ns)
    end = dt.datetime.combine(opened.date(), ENDS_AT, IST)
    return to_ns(end if opened < end else end + dt.timedelta(days=1))


def opened_ns(login_ns: int, now_ns: int) -> int:
    """The moment to count from: the server's, unless its clock shows another hour, as a local exchange's may."""
    return login_ns if abs(login_ns - now_ns) < CLOCKS_AGREE_NS else now_ns


def moment(ns: int) -> str:
    return f"{from_ns(ns):%a %d %b %Y %H:%M} IST"
