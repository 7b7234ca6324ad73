"""What can go wrong between a broker and a desk, on purpose: switched on by a person, or drawn from the seed.

A fault is on for so many seconds of the wall, or for so many uses, whichever is over first. The schedule is a pure
function of the seed: the same seed gives the same faults at the same market times.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from exchange.refusal import bad_input

SECOND = 1_000_000_000


class Fault(StrEnum):
    TOO_MANY = "too_many"  # 429 NetworkException
    BAD_GATEWAY = "bad_gateway"  # 502, a page of HTML, as a CDN answers
    UNAVAILABLE = "unavailable"  # 503 with an envelope
    ACCEPT_THEN_TIMEOUT = "accept_then_timeout"  # an order is taken, its answer never comes
    LATE_IN_THE_BOOK = "late_in_the_book"  # an order is taken, the book shows it 90 s later
    SLOW = "slow"  # every answer takes SLOW_S longer
    DROP = "drop"  # every socket is cut
    STALL = "stall"  # sockets stay open, nothing comes
    HEARTBEATS_ONLY = "heartbeats_only"  # heartbeats go on, ticks stop
    MALFORMED = "malformed"  # frames are cut in the middle of a packet
    UPDATES_OUT_OF_ORDER = "updates_out_of_order"  # order updates come twice, the last first
    CLOCK_JUMP = "clock_jump"  # market time is JUMP_S later at once
    TOKEN_DEATH = "token_death"  # noqa: S105 every session ends
    LOST_ANSWER = "lost_answer"  # an order is taken, and the connection breaks within its answer
    FAR = "far"  # an order takes FAR_S to arrive, and its answer FAR_S to come back


AT_ONCE = frozenset({Fault.DROP, Fault.CLOCK_JUMP, Fault.TOKEN_DEATH})  # happen, and are over
SLOW_S, NEVER_S, LATE_S, JUMP_S, FAR_S = 3.0, 60.0, 90.0, 5.0, 0.02
LONGEST_S = {Fault.TOO_MANY: 5.0, Fault.SLOW: 10.0, Fault.STALL: 15.0, Fault.HEARTBEATS_ONLY: 15.0}


@dataclass
class Faults:
    """Which faults are on now. Times are the wall's, UTC ns."""

    _until: dict[Fault, int] = field(default_factory=dict)
    _uses: dict[Fault, int] = field(default_factory=dict)

    def start(self, fault: Fault, now_ns: int, *, seconds: float = 10.0, uses: int = 0) -> None:
        """On for `seconds`; with `uses` above 0 for so many uses at most."""
        if not 0 < seconds <= 86_400 or uses < 0:
            raise bad_input(f"a fault lasts more than 0 and at most 86400 seconds, was {seconds}; uses {uses}")
        self._until[fault] = now_ns + round(seconds * SECOND)
        self._uses[fault] = uses

    def stop(self, fault: Fault | None = None) -> None:
        """Off: one, or all."""
        for one in [fault] if fault else list(self._until):
            self._until.pop(one, None)
            self._uses.pop(one, None)

    def on(self, fault: Fault, now_ns: int) -> bool:
        """Whether it is on; asking counts as a use of it."""
        until = self._until.get(fault)
        if until is None:
            return False
        if now_ns >= until:
            self.stop(fault)
            return False
        uses = self._uses.get(fault, 0)
        if uses == 1:
            self.stop(fault)
        elif uses:
            self._uses[fault] = uses - 1
        return True

    def now(self, now_ns: int) -> list[str]:
        """Names of the faults that are on."""
        return sorted(str(fault) for fault, until in self._until.items() if now_ns < until)


@dataclass(frozen=True)
class Event:
    """A fault of the schedule: when on the market's clock, and for how long on the wall's."""

    market_ns: int
    fault: Fault
    seconds: float


def schedule(seed: int, open_ns: int, close_ns: int, an_hour: float) -> Iterator[Event]:
    """Faults of one session, `an_hour` of them on average, in order; none for 0."""
    drawn = random.Random(f"faults {seed} {open_ns}")
    at = float(open_ns)
    while an_hour > 0:
        at += drawn.expovariate(an_hour / 3600) * SECOND
        fault = drawn.choice(list(Fault))
        seconds = drawn.uniform(1.0, LONGEST_S.get(fault, 8.0))
        if at >= close_ns:
            return
        yield Event(int(at), fault, seconds)
