"""How the broker asks Kite: one call, one request, within the budget of calls and an end in time.

A read is asked again by whoever wants it and raises BrokerDown; a request that may change something is sent once and
comes to an Answer.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException
from pydantic import BaseModel, Field

from brokers.kite.access import Access
from brokers.kite.bounded import within
from brokers.kite.limiter import Call, Limiter
from brokers.kite.outcome import FORBIDDEN, Cause, Outcome, send
from brokers.kite.reads import read
from brokers.kite.wire import no_later
from core.errors import BrokerDown, NotLoggedIn, VikalpError
from core.orders.answer import Answer

Row = Mapping[str, Any]
T = TypeVar("T")
SECOND = 1_000_000_000
LEAST = 0.25  # of a call's time: with less of it left nothing is sent


class KiteConfig(BaseModel, frozen=True, extra="forbid"):
    api_key: str
    root: str = Field(default="https://api.kite.trade", description="Kite, or this machine's own exchange")
    timeout_s: float = Field(
        default=2.5, gt=0, description="all of a call: the token, waiting for the budget, connecting, the answer, s"
    )
    most_wait_s: float = Field(default=1.5, ge=0, description="of it, waiting for the budget of calls, s")


class Calls:
    """No call takes longer than `timeout_s`; the order manager counts on it."""

    def __init__(
        self,
        config: KiteConfig,
        token: Callable[[], str],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        limiter: Limiter | None = None,
    ) -> None:
        """`clock` times the questions for a token; without a `limiter` Kite's own limits hold."""
        self._config, self._token = config, token
        self._access = Access(config.api_key, config.root, config.timeout_s, token, clock)
        self._limiter = limiter or Limiter()
        self._last = math.inf  # of time.monotonic: the end of the last call of a turn

    def begin(self, lasts_ns: int) -> None:
        """A turn of the order manager begins: a call of it begins within `lasts_ns`, or nothing of it is sent."""
        self._last = time.monotonic() + lasts_ns / SECOND + self._config.timeout_s

    def _read(self, what: str, until: float, *of: str) -> Any:
        """What the client's call `what` gives; every failure is BrokerDown, since a read can be asked again."""
        client = self._access.client()
        try:
            return read(
                Call.OTHER, lambda: within(until - time.monotonic(), lambda: getattr(client, what)(*of)),
                self._limiter, most_wait_s=min(self._most_wait_s, until - time.monotonic()),
            )  # fmt: skip
        except VikalpError as error:
            cause = error.__cause__
            if isinstance(cause, TokenException) and cause.code == FORBIDDEN:
                raise self._access.died(f"{cause}") from error
            self._access.drop()
            raise BrokerDown(f"Kite's {what} cannot be read: {error}") from error

    def _list(self, what: str, until: float, part: str = "") -> list[Row]:
        """A list of Kite's, or its list `part`. Raises as `_read`."""
        rows = self._read(what, until)
        if part:
            rows = rows.get(part) if isinstance(rows, dict) else None
        if not isinstance(rows, list):
            raise BrokerDown(f"Kite's {what} cannot be read: they are no list, but {type(rows).__name__}")
        return rows

    def _send(self, call: Call, ask: Callable[[KiteConnect], object], *, is_exit: bool) -> Answer:
        """One request; REFUSED, and not sent, without a login, a budget or the time for an answer."""
        until = self._until()
        try:
            client = self._access.client()
        except VikalpError as error:
            return Answer(kind="REFUSED", message=f"not sent: {error}", again=not isinstance(error, NotLoggedIn))
        waited = self._wait(call, until, is_exit=is_exit)
        if waited is not None:
            return waited
        return self._learn(
            call, send(lambda: within(until - time.monotonic(), lambda: no_later(until, lambda: ask(client))))
        )

    def _wait(self, call: Call, until: float, *, is_exit: bool) -> Answer | None:
        """Until the budget grants the call; REFUSED, and not sent, if that takes too long.

        An order that nobody could wait for would be UNKNOWN for two minutes, whatever became of it.
        """
        last = until - LEAST * self._config.timeout_s
        waited = time.monotonic() + self._most_wait_s
        while time.monotonic() <= last:
            wait = self._limiter.ask(call, is_exit=is_exit) / SECOND
            if not wait:
                return None
            if time.monotonic() + wait > min(waited, last):
                why = f"not sent: Kite's limit on calls to {call} is reached; {wait:.1f} s to go"
                return Answer(kind="REFUSED", message=why, again=True)
            time.sleep(wait)
        why = f"not sent: of its {self._config.timeout_s:g} s too few are left for an answer"
        return Answer(kind="REFUSED", message=why, again=True)

    def _learn(self, call: Call, outcome: Outcome) -> Answer:
        if outcome.cause == Cause.RATE:
            self._limiter.too_many(call)
        elif outcome.cause == Cause.LOGIN:
            self._access.died(outcome.answer.message)
            return Answer(kind="REFUSED", message=f"{outcome.answer.message}: {self._access.remedy}")
        elif outcome.cause == Cause.UNSURE:
            self._access.drop()
        return outcome.answer

    def _until(self) -> float:
        return min(time.monotonic() + self._config.timeout_s, self._last)

    @property
    def _most_wait_s(self) -> float:
        return min(self._config.most_wait_s, self._config.timeout_s / 2)


def of(broker_id: str, what: str, answer: Answer) -> Answer:
    """An ACK that names another order than was asked about proves nothing."""
    if answer.kind != "ACK" or answer.broker_id == broker_id:
        return answer
    said = f"{answer.broker_id!r:.40}"
    return Answer(kind="UNKNOWN", message=f"asked to {what} {broker_id}, Kite says that it is {said}")


def understood(parse: Callable[[Row], T], rows: Sequence[Row]) -> list[T]:
    """Every row, or BrokerDown: a book without one of its orders would say that the order does not exist."""
    out: list[T] = []
    for row in rows:
        try:
            out.append(parse(row))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, VikalpError) as error:
            raise BrokerDown(f"Kite's row cannot be read ({type(error).__name__}: {error}): {row!r:.2000}") from error
    return out
