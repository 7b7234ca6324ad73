"""The client of the day's login: made on first use, dropped with a login that Kite calls dead."""

import time
from collections.abc import Callable

import requests
from kiteconnect import KiteConnect

from brokers.kite.bounded import within
from brokers.kite.login import remedy
from brokers.kite.outcome import careful
from core.errors import BrokerDown, NotLoggedIn, VikalpError

SECOND = 1_000_000_000
ASK_NS = 3 * SECOND  # between two questions for a token: opening its file takes a third of a second (PBKDF2)
TRY_NS = 60 * SECOND  # after which a token that Kite called dead is tried once more: it may have been a fault of Kite's


class Access:
    """Without a login that works every call is told so at once: none is sent with a token known to be dead."""

    def __init__(
        self,
        api_key: str,
        root: str,
        timeout_s: float,
        token: Callable[[], str],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._api_key, self._root, self._timeout_s, self._ask, self._clock = api_key, root, timeout_s, token, clock
        self._client: KiteConnect | None = None
        self._token = self._dead = self._why = ""
        self._ask_ns = self._try_ns = 0  # of the clock, from when on
        self.remedy = remedy(root)

    def client(self) -> KiteConnect:
        """Raises NotLoggedIn, which says what to do, and BrokerDown when the token is not there within `timeout_s`."""
        if self._client is None:
            self._token = self._token or self._new_token()
            timeout = (self._timeout_s / 2, self._timeout_s)  # to connect, to be answered
            client = KiteConnect(api_key=self._api_key, root=self._root, timeout=timeout)
            client.set_access_token(self._token)
            self._client = careful(client)
        return self._client

    def drop(self) -> None:
        """After a call nobody heard the end of: the next has a connection of its own."""
        self._client = None

    def died(self, words: str) -> NotLoggedIn:
        """Kite says in these words that the login is dead; what to raise."""
        self._client, self._dead, self._token = None, self._token, ""
        self._ask_ns, self._try_ns = 0, self._clock() + TRY_NS
        self._why = f"Kite calls the login dead ({words}): {self.remedy}"
        return NotLoggedIn(self._why)

    def _new_token(self) -> str:
        now = self._clock()
        if self._why and now < self._ask_ns:
            raise NotLoggedIn(self._why)
        self._ask_ns = now + ASK_NS
        try:
            token = within(self._timeout_s, self._ask)
        except requests.exceptions.ReadTimeout:
            raise BrokerDown(f"the stored login did not open within {self._timeout_s:g} s") from None
        except VikalpError as error:
            self._why = f"{error}" if self.remedy in f"{error}" else f"{error}; {self.remedy}"
            raise NotLoggedIn(self._why) from error
        if token == self._dead and now < self._try_ns:
            raise NotLoggedIn(self._why)
        self._why = ""
        return token
