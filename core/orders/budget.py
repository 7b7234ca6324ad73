"""The desk's own budget of order requests, inside what Kite allows an account: exits before hedges before entries.

Kite's limits (kite.md §3): place, modify and cancel share 10 a second; 400 placements a minute and 5,000 a day, among
which neither a cancel nor a modification is counted; 25 modifications of an order. So here a second counts every
request, a minute and a day count placements alone; what the broker refused counts too, and an after-market order does.

Pure and replayable: the same requests at the same times get the same answers, on paper as live. The limiter at Kite's
wire (brokers/kite/limiter.py) stays the last guard, and lets pass what this one does, at most 0.2 s later.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, Field, model_validator

from core.errors import InputError
from core.records import LimitUse, Purpose, Refusal

SECOND = 1_000_000_000
DAY_NS = 16 * 3600 * SECOND  # a session and the evening before it fit, two sessions do not
KITE_A_SECOND, KITE_A_MINUTE, KITE_A_DAY, KITE_MODIFICATIONS = 10, 400, 5_000, 25

Kind = Literal["exit", "hedge", "entry", "modify exit", "modify", "cancel"]
_PLACED: frozenset[Kind] = frozenset({"exit", "hedge", "entry"})
# What takes risk off may use a window to its end, what covers all but the exits' part, what opens only what is left.
_FIRST: frozenset[Kind] = frozenset({"exit", "modify exit", "cancel"})
_SECOND: frozenset[Kind] = frozenset({"hedge", "modify"})


def kind_of(action: Literal["place", "modify", "cancel"], purpose: Purpose) -> Kind:
    """What a request is to the budget: a placement by its purpose, a cancel an exit's equal, whatever it takes back."""
    if action == "cancel":
        return "cancel"
    if action == "modify":
        return "modify exit" if purpose == "exit" else "modify"
    return purpose


class BudgetConfig(BaseModel, frozen=True, extra="forbid"):
    """Requests in any stretch of a second, a minute and a day, and what of them others than exits may not touch.

    Half of a minute and of a day is kept for exits, so that whatever was opened in it can be closed in it; of a second
    two, so that a stop goes out at once beside a basket of entries. What hedges keep lets a plan's next hedge pass
    while other strategies enter.
    """

    requests_a_second: int = Field(
        default=5, ge=3, le=KITE_A_SECOND, description="orders, modifications and cancels in any second"
    )
    orders_a_minute: int = Field(default=50, ge=3, le=KITE_A_MINUTE, description="orders in any 60 seconds")
    orders_a_day: int = Field(default=1_000, ge=3, le=KITE_A_DAY, description="orders in any 16 hours: one session")
    exits_keep_a_second: int = Field(default=2, ge=1, description="of a second's requests, for exits and cancels alone")
    exits_keep_a_minute: int = Field(default=25, ge=1, description="of a minute's orders, for exits alone")
    exits_keep_a_day: int = Field(default=500, ge=1, description="of a day's orders, for exits alone")
    hedges_keep_a_second: int = Field(default=1, ge=0, description="of a second's requests, not for entries")
    hedges_keep_a_minute: int = Field(default=5, ge=0, description="of a minute's orders, not for entries")
    hedges_keep_a_day: int = Field(default=100, ge=0, description="of a day's orders, not for entries")
    modifications_an_order: int = Field(
        default=KITE_MODIFICATIONS, ge=0, le=KITE_MODIFICATIONS, description="of one order; after that cancel it"
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> "BudgetConfig":
        for window in windows_of(self):
            if window.exits_keep + window.hedges_keep >= window.most:
                raise ValueError(
                    f"{window.name}: exits keep {window.exits_keep} and hedges {window.hedges_keep} of {window.most}; "
                    "expected less in all, so that an entry can be sent: raise the limit or keep back less"
                )
        return self


class Window(NamedTuple):
    """At most `most` in any half-open stretch of `period_ns`; a request at t is in it until just before t + period."""

    name: str
    most: int
    period_ns: int
    exits_keep: int
    hedges_keep: int
    placed_only: bool

    def counts(self, kind: Kind) -> bool:
        return kind in _PLACED or not self.placed_only

    def allows(self, kind: Kind) -> int:
        """How many requests of all kinds there may be, this one with them."""
        if kind in _FIRST:
            return self.most
        return self.most - self.exits_keep - (0 if kind in _SECOND else self.hedges_keep)


def windows_of(config: BudgetConfig) -> tuple[Window, ...]:
    c = config
    return (
        Window("requests_a_second", c.requests_a_second, SECOND, c.exits_keep_a_second, c.hedges_keep_a_second, False),
        Window("orders_a_minute", c.orders_a_minute, 60 * SECOND, c.exits_keep_a_minute, c.hedges_keep_a_minute, True),
        Window("orders_a_day", c.orders_a_day, DAY_NS, c.exits_keep_a_day, c.hedges_keep_a_day, True),
    )


class NoRoom(Refusal, frozen=True, kw_only=True):
    """A window is full for this kind of request; from `room_ns` on there is room, if nothing else is sent."""

    room_ns: int


class Budget:
    """What was sent, and whether one more may be.

    Times are of one clock, which live is the wall's. One that goes back stands still here and goes on from there: it
    frees nothing twice, and keeps nothing longer than its window. One that jumps ahead is time that passed, as far as
    anybody can tell.
    """

    def __init__(self, config: BudgetConfig, sent: Iterable[tuple[Kind, int]] = (), *, now_ns: int = 0) -> None:
        """`sent`: kind and ns of the requests of earlier lives; one ahead of `now_ns` counts as sent now."""
        self.config = config
        self._kept: list[tuple[Window, deque[int]]] = [(window, deque()) for window in windows_of(config)]
        self._wall = self._now = now_ns
        for kind, at_ns in sorted(sent, key=lambda one: one[1]):
            self._count(_known(kind), min(at_ns, now_ns))

    def take(self, kind: Kind, at_ns: int) -> NoRoom | None:
        """None, and the request is counted; or why not, the window that has room last, and nothing is counted."""
        full = self.full(kind, at_ns)
        if full is None:
            self._count(kind, self._now)
        return full

    def full(self, kind: Kind, at_ns: int) -> NoRoom | None:
        """What `take` would say, and nothing is counted: if nothing else is sent, there is room later too."""
        now = self._advance(at_ns)
        full = [one for one in self._full(_known(kind), now) if one is not None]
        return max(full, key=lambda one: one.room_ns) if full else None

    def modification(self, done: int) -> Refusal | None:
        """Why an order that was modified `done` times may not be once more; None if it may."""
        most = self.config.modifications_an_order
        if done < most:
            return None
        why = "an order may be modified so often and no more: cancel it and place another one"
        return Refusal(limit="modifications_an_order", allowed=f"{most}", asked=f"{done + 1}", why=why)

    def uses(self, at_ns: int) -> tuple[LimitUse, ...]:
        """How full each window is, all kinds together."""
        now = self._advance(at_ns)
        return tuple(
            LimitUse(
                limit=window.name,
                used=float(_inside(window, times, now)),
                allowed=float(window.most),
                unit=window.name.replace("_", " "),
            )
            for window, times in self._kept
        )

    def _full(self, kind: Kind, now: int) -> Iterable[NoRoom | None]:
        for window, times in self._kept:
            if window.counts(kind):
                used, allowed = _inside(window, times, now), window.allows(kind)
                yield None if used < allowed else self._no(window, kind, used, times[used - allowed] - now)

    def _no(self, window: Window, kind: Kind, used: int, since_ns: int) -> NoRoom:
        wait, allowed = since_ns + window.period_ns, window.allows(kind)
        kept = f", {window.most - allowed} are kept for what goes before it" if allowed < window.most else ""
        why = f"{kind}: {used} of {window.most} are used{kept}; room again in {wait / SECOND:.1f} s"
        return NoRoom(limit=window.name, allowed=f"{allowed}", asked=f"{used + 1}", why=why, room_ns=self._wall + wait)

    def _count(self, kind: Kind, now: int) -> None:
        for window, times in self._kept:
            if window.counts(kind):
                times.append(now)

    def _advance(self, at_ns: int) -> int:
        self._now += max(0, at_ns - self._wall)
        self._wall = at_ns
        return self._now


def _inside(window: Window, times: deque[int], now: int) -> int:
    """How many are in the window that ends now; older ones are forgotten."""
    while times and times[0] + window.period_ns <= now:
        times.popleft()
    return len(times)


def _known(kind: Kind) -> Kind:
    if kind not in get_args(Kind):
        raise InputError(f"a request of the budget is one of {', '.join(get_args(Kind))}, was {kind!r}")
    return kind
