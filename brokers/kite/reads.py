"""A question to Kite that changes nothing, so that it may be asked again: within the budget, and judged in one way."""

import time
from collections.abc import Callable
from typing import TypeVar

from brokers.kite.limiter import Call, Limiter
from brokers.kite.outcome import Cause, judge
from core.errors import BrokerDown, InputError

T = TypeVar("T")
SECOND = 1_000_000_000
MOST_WAIT_S = 60.0  # a cool-down after a 429 takes 11


def read(
    call: Call,
    ask: Callable[[], T],
    limiter: Limiter,
    *,
    most_wait_s: float = MOST_WAIT_S,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `ask` gives, once the limiter grants it; after a 429 again, when that kind of call has cooled down.

    Raises InputError, in Kite's words, if it refuses the question itself (a 400), and BrokerDown for everything else
    there is no answer to: a dead login, an outage, an answer that cannot be read, a wait beyond `most_wait_s`.
    """
    until = clock() + round(most_wait_s * SECOND)
    while True:
        wait = limiter.ask(call)
        if wait:
            if clock() + wait > until:
                raise BrokerDown(f"not asked: Kite's limit on calls to {call} is reached; {wait / SECOND:.1f} s to go")
            sleep(wait / SECOND)
            continue
        try:
            return ask()
        except Exception as error:
            outcome, cause = judge(error), error
        if outcome.cause == Cause.RATE:
            limiter.too_many(call)
        elif outcome.cause == Cause.INVALID:
            raise InputError(f"Kite refuses: {outcome.answer.message}") from cause
        else:
            raise BrokerDown(f"Kite does not say: {outcome.answer.message}") from cause
