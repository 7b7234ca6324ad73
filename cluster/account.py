"""The account a desk trades with: where its broker is, its login, its socket, its orders.

The local exchange's account is nobody's and its login lies under a passphrase everybody knows, so that one code serves
both: Kite's lies under the user's own, which the desk's processes have in their environment or the keyring has.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from kiteconnect import KiteConnect

from brokers.kite.broker import KiteBroker, KiteConfig
from brokers.kite.login import KITE, Login, StoredToken, checked_root, file_of, remedy, request_token_of
from brokers.kite.outcome import careful
from brokers.kite.session import TIMEOUT_S, is_alive, open_session
from brokers.kite.socket import KiteSocket
from brokers.kite.stream import StreamConfig
from cluster.desk import Desk, is_local, market_clock
from cluster.ports import DESKS, ports
from cluster.settings import PASSPHRASE, Settings
from cluster.state import home
from core.errors import BrokerDown, ConfigError
from core.ports import Clock
from storage.secrets import Keyring, Kind, Lock, Passphrase, Secrets, kind_at

LOCAL = Passphrase("the local exchange's, no secret")
LOCAL_KEY = LOCAL_SECRET = "vikalp"  # noqa: S105 as documented


@dataclass(frozen=True)
class FromEnvironment:
    """A passphrase that the desk's processes were started with; it is in no file and no message."""

    kind: Kind = "passphrase"

    def key(self, salt: bytes, iterations: int, *, new: bool) -> bytes:
        """Raises ConfigError where the variable is missing."""
        text = os.environ.get(PASSPHRASE, "")
        if not text:
            raise ConfigError(f"{PASSPHRASE} is not in this process's environment: start the desk with vikalp up")
        return Passphrase(text).key(salt, iterations, new=new)


@dataclass(frozen=True)
class OpenPhase:
    """Whether index ticks are due, by the desk's clock."""

    clock: Clock
    phase: Callable[[int], str]

    def __call__(self) -> bool:
        return self.phase(self.clock.now_ns()) == "open"


def root_of(desk: Desk) -> str:
    """Of the broker's REST interface."""
    return own_root(desk.desk) if is_local(desk) else checked_root(desk.settings.kite.root)


def api_key_of(desk: Desk) -> str:
    return LOCAL_KEY if is_local(desk) else desk.settings.kite.api_key


def stream_root(root: str) -> str:
    """Of the broker's socket: Kite's has a host of its own, a local exchange's is on the same port."""
    parts = urlsplit(root)
    return "wss://ws.kite.trade" if root == KITE else f"ws{'s' * (parts.scheme == 'https')}://{parts.netloc}"


def own_root(desk: int) -> str:
    """Of the local exchange of desk number `desk`."""
    return f"http://127.0.0.1:{ports(desk).exchange}"


def is_own_exchange(root: str) -> bool:
    """Whether some desk of this machine has its exchange there."""
    return root in {own_root(desk) for desk in range(DESKS)}


def login_path(root: str) -> Path:
    """The file of the login at `root`; one for all desks of a machine, as Kite knows one session an app."""
    return home() / "logins" / file_of(root)


def lock_of(desk: Desk) -> Lock:
    """What opens the desk's login."""
    if is_local(desk):
        return LOCAL
    path = login_path(root_of(desk))
    return Keyring(str(path)) if kind_at(path) == "keyring" else FromEnvironment()


def store_of(desk: Desk) -> Secrets[Login]:
    path = login_path(root_of(desk))
    return Secrets(path, LOCAL, Login, iterations=1) if is_local(desk) else Secrets(path, lock_of(desk), Login)


def token_of(desk: Desk) -> StoredToken:
    """The access token of the moment, from the file: a login made while the desk runs is found."""
    # A local exchange's day is not the wall's: it says itself when its token is dead.
    now = _any_time if is_local(desk) else market_clock(desk).wall_ns
    return StoredToken(root_of(desk), api_key_of(desk), store_of(desk).load, now)


def require_login(settings: Settings) -> None:
    """Before a desk with an account starts: its login opens, is of today, and Kite takes it.

    Raises ConfigError for a passphrase nobody gave, InputError for a wrong one, BrokerDown, which says to log in.
    """
    root = checked_root(settings.kite.root)
    path = login_path(root)
    lock = Keyring(str(path)) if kind_at(path) == "keyring" else FromEnvironment()
    store = Secrets(path, lock, Login)
    StoredToken(root, settings.kite.api_key, store.load, time.time_ns)()
    login = store.load()
    if login is not None and not is_alive(login):
        raise BrokerDown(f"Kite has ended the session of {login.user_id} at {root}: {remedy(root)}")


def make_broker(desk: Desk) -> KiteBroker:
    return KiteBroker(KiteConfig(api_key=api_key_of(desk), root=root_of(desk)), token_of(desk))


def make_client(desk: Desk) -> KiteConnect:
    """For what changes nothing, logged in; each call through a Limiter. Raises as `token_of` does."""
    client = KiteConnect(api_key_of(desk), root=root_of(desk), timeout=TIMEOUT_S)
    client.set_access_token(token_of(desk)())
    return careful(client)


def make_socket(desk: Desk, phase: Callable[[int], str]) -> KiteSocket:
    config = StreamConfig(api_key=api_key_of(desk), root=stream_root(root_of(desk)))
    return KiteSocket(config, token=token_of(desk), market_open=OpenPhase(market_clock(desk), phase),
                      remedy=remedy(root_of(desk)))  # fmt: skip


def log_in_locally(root: str, now_ns: int) -> Login:
    """A session at a local exchange, whose page redirects at once. Raises BrokerDown when it does not."""
    asked = {"v": 3, "api_key": LOCAL_KEY}
    try:
        with requests.Session() as session:
            session.trust_env = False  # as brokers.kite.outcome.careful has it for this machine
            answer = session.get(f"{root}/connect/login", params=asked, allow_redirects=False, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise BrokerDown(f"the local exchange at {root} does not answer ({type(error).__name__})") from error
    query = urlsplit(answer.headers.get("location", "")).query
    app = Login(root=root, api_key=LOCAL_KEY, api_secret=LOCAL_SECRET)
    return open_session(app, request_token_of(query), now_ns)


def _any_time() -> int:
    return 0
