"""The circuit breaker before the broker: orders that fail one after the other stop new ones, for a while.

CLOSED lets everything pass. It opens after `failures` orders in a row that failed, `timeouts` in a row that nobody
answered, or a share of `error_share` of the last minute's orders (of at least `least_orders`). OPEN refuses entries
and hedges; exits pass always. After `open_ms` it is HALF_OPEN: one order is let through as a probe; an answer, be it a
refusal, closes the breaker, no answer opens it again. A fresh process begins CLOSED.

Pure: time arrives with each call, and is the market's, so that a replayed day repeats.
"""

from typing import Literal

import msgspec
from pydantic import BaseModel, Field

from core.records import Refusal

State = Literal["CLOSED", "OPEN", "HALF_OPEN"]
Outcome = Literal["ok", "refused", "timeout"]  # answered, answered with no, not answered clearly
MINUTE_NS = 60_000_000_000
MS = 1_000_000


class BreakerConfig(BaseModel, frozen=True, extra="forbid"):
    """When orders that fail stop new ones."""

    failures: int = Field(default=5, gt=0, description="orders in a row that were refused or not answered")
    timeouts: int = Field(default=3, gt=0, description="orders in a row without a clear answer")
    error_share: float = Field(default=0.2, gt=0, le=1, description="share of failed orders in the last minute")
    least_orders: int = Field(default=10, gt=0, description="orders in the last minute before the share counts")
    open_ms: int = Field(default=30_000, gt=0, description="milliseconds until one order is let through as a probe")


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """`recent` are the orders of the last minute: (ns, whether it failed), oldest first."""

    state: State = "CLOSED"
    why: str = ""
    opened_ns: int = 0
    in_a_row: int = 0
    unanswered: int = 0
    recent: tuple[tuple[int, bool], ...] = ()


def at(breaker: Breaker, now_ns: int, config: BreakerConfig) -> Breaker:
    """The breaker at `now_ns`: an open one becomes HALF_OPEN in time, also where the clock was set back."""
    age_ns = now_ns - breaker.opened_ns
    if breaker.state != "OPEN" or 0 <= age_ns < config.open_ms * MS:
        return breaker
    return msgspec.structs.replace(breaker, state="HALF_OPEN")


def gate(breaker: Breaker, purpose: str, config: BreakerConfig) -> Refusal | None:
    """None lets the order through; an exit passes whatever the state."""
    if breaker.state != "OPEN" or purpose == "exit":
        return None
    why = f"the circuit breaker is open: {breaker.why}; one order is let through {config.open_ms / 1000:g} s after that"
    return Refusal(limit="breaker", allowed="exits", asked=purpose, why=why)


def after(breaker: Breaker, outcome: Outcome, now_ns: int, config: BreakerConfig) -> Breaker:
    """The breaker after an order was sent and `outcome` was heard."""
    breaker = at(breaker, now_ns, config)
    failed = outcome != "ok"
    recent = tuple(one for one in breaker.recent if 0 <= now_ns - one[0] < MINUTE_NS)
    breaker = msgspec.structs.replace(
        breaker,
        in_a_row=breaker.in_a_row + 1 if failed else 0,
        unanswered=breaker.unanswered + 1 if outcome == "timeout" else 0,
        recent=(*recent, (now_ns, failed)),
    )
    if breaker.state == "HALF_OPEN":
        if outcome == "timeout":
            return _opened(breaker, "the probe was not answered", now_ns)
        return msgspec.structs.replace(breaker, state="CLOSED", why="", in_a_row=0, unanswered=0, recent=())
    why = _trips(breaker, config) if breaker.state == "CLOSED" else ""
    return _opened(breaker, why, now_ns) if why else breaker


def _trips(breaker: Breaker, config: BreakerConfig) -> str:
    if breaker.unanswered >= config.timeouts:
        return f"{breaker.unanswered} orders in a row were not answered"
    if breaker.in_a_row >= config.failures:
        return f"{breaker.in_a_row} orders in a row failed"
    failed, sent = sum(bad for _, bad in breaker.recent), len(breaker.recent)
    if sent >= config.least_orders and failed >= config.error_share * sent:
        return f"{failed} of {sent} orders in the last minute failed"
    return ""


def _opened(breaker: Breaker, why: str, now_ns: int) -> Breaker:
    return msgspec.structs.replace(
        breaker, state="OPEN", why=why, opened_ns=now_ns, in_a_row=0, unanswered=0, recent=()
    )
