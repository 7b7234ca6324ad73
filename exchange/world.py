"""The exchange as a whole: its clock, its day, its accounts, its limits; the server and the stream only ask it.

One process, one thread: whoever calls `step` moves the market; nothing here waits.
"""

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import UnknownDate
from core.market import INDICES, from_ns, next_session, session, to_ns
from exchange.accounts import Accounts, User
from exchange.calls import OrderCalls
from exchange.clock import VirtualClock
from exchange.day import Day
from exchange.faults import AT_ONCE, JUMP_S, Event, Fault, Faults, schedule
from exchange.limits import Limits, Rates
from exchange.listing import Instrument
from exchange.orders.engine import Engine
from exchange.orders.funds import Funds
from exchange.orders.gtt import Triggers
from exchange.orders.margining import Margining
from exchange.orders.order import Row
from exchange.orders.positions import Positions
from exchange.orders.rules import Rules
from exchange.orders.square_off import AT as SQUARE_OFF
from exchange.orders.square_off import SquareOff
from exchange.recorded_day import RecordedDay, Recording
from exchange.roll import roll
from exchange.simulated_day import SimulatedDay

Ints = NDArray[np.int64]
MOST_LOOKS = 60  # of one step at what waits for a price
DEFAULT_USER = User(user_id="VK0001", api_key="vikalp", api_secret="vikalp")  # noqa: S106 the local exchange's own, documented


@dataclass(frozen=True)
class WorldConfig:
    """What a run is made of: the same config gives the same market, second by second."""

    seed: int = 7
    date: dt.date | None = None  # None: the next session from the wall's day on
    speed: float = 1.0
    opens_wall_ns: int | None = None  # when its day opens; None: now
    one_day: bool = False  # the clock stands still from the day's close on
    indices: Sequence[str] = INDICES
    strikes_each_side: int = 20
    ticks_per_second: int = 400
    recording: Recording | None = None  # the market, one day of it, instead of the simulator's
    users: tuple[User, ...] = (DEFAULT_USER,)
    rates: Rates = field(default_factory=Rates)
    one_login: bool = True
    faults_an_hour: float = 0.0  # of the seeded schedule
    square_off: dt.time = SQUARE_OFF  # of MIS, IST; since the session ends at 15:40 an estimate (orders/square_off.py)
    ask_login: bool = False  # show a page first; else the login answers at once


class World:
    """Opens at the open of its day and goes on from there; past the close quotes stand still until the next session."""

    def __init__(self, config: WorldConfig, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.config, self.wall = config, wall
        self.day = self._first_day()
        self.clock = VirtualClock(
            self.day.begins_ns if config.opens_wall_ns is None else self.day.open_ns, config.speed, wall,
            from_wall_ns=config.opens_wall_ns, end_ns=self.day.close_ns if config.one_day else None,
        )  # fmt: skip
        self._looked_ns = self.day.begins_ns
        self._look_ns: int | None = None  # of the look under way
        self.accounts = Accounts(config.users, config.seed, config.one_login)
        self.limits = {user.user_id: Limits(config.rates) for user in config.users}
        self.positions = Positions()
        self.news: deque[tuple[User, Row]] = deque()  # order updates the stream has not told yet
        self.faults, self._planned = Faults(), deque(self._schedule())
        self.calls = OrderCalls()
        self.cut_all = False  # a fault: whoever has sockets cuts them and says so by setting it back
        margining = Margining(lambda: self.day, self.now_ns)
        self.funds = Funds(config.users, self.positions, margining, lambda: self.day)
        self.engine = Engine(
            day=lambda: self.day, now=self.now_ns, wall=wall, rules=Rules(self.funds, config.square_off),
            book=self.positions.book, tell=lambda user, row: self.news.append((user, row)),
        )  # fmt: skip
        self.triggers = Triggers(lambda: self.day, self.now_ns, self.engine)
        self._square_off = SquareOff(config.users, self.positions, self.engine, config.square_off)

    def _first_day(self) -> Day:
        c = self.config
        if c.recording is not None:
            return RecordedDay(c.recording)
        date = c.date or first_session(from_ns(self.wall()).date())
        return SimulatedDay(
            date, seed=c.seed, indices=c.indices, strikes_each_side=c.strikes_each_side,
            ticks_per_second=c.ticks_per_second,
        )  # fmt: skip

    def now_ns(self) -> int:
        """Market time, UTC ns; within a step that of its look."""
        return self.clock.now_ns() if self._look_ns is None else self._look_ns

    def step(self) -> Ints:
        """Bring everything to now; the places whose quotes changed, by the market or by an order."""
        now = self.clock.now_ns()
        if now >= self.day.close_ns and (date := _session_at(now)) is not None and date > self.day.date:
            self._next_day(date)
        while self._planned and self._planned[0].market_ns <= now:
            event = self._planned.popleft()
            self.fault(event.fault, seconds=event.seconds)
        changed = [self._look(at_ns) for at_ns in self._looks(now)]
        self._looked_ns, self._look_ns = now, None
        touched = np.array(sorted(self.engine.drain()), np.int64)
        return np.union1d(np.concatenate(changed), touched)

    def _looks(self, now: int) -> list[int]:
        """When to look: now, and on the way to it, lest a price be missed that somebody waits for."""
        way, many = now - self._looked_ns, 1
        if self.triggers.waiting() or any(self.engine.live(user) for user in self.config.users):
            many = min(max(1, -(-way // self.day.look_ns)), MOST_LOOKS)
        return [now - way * later // many for later in range(many - 1, -1, -1)]

    def _look(self, at_ns: int) -> Ints:
        self._look_ns = at_ns
        changed = self.day.step(at_ns)
        self.triggers.fire(changed.tolist())
        self._square_off.step(self.day, at_ns)
        self.engine.advance(changed.tolist())
        return changed

    def _next_day(self, date: dt.date) -> None:
        """Close the day and open that of `date`; a market that has no other day stands still."""
        old = self.day
        old.step(old.close_ns)  # what is carried is carried at the close, however late this comes
        self.engine.end_day(old.close_ns)
        new = old.following(date, self._held())
        if new is None:
            return
        self.day, self._looked_ns = new, new.open_ns
        roll(old, new, positions=self.positions, funds=self.funds, engine=self.engine)
        self.engine.new_day()
        self._planned = deque(self._schedule())
        for limits in self.limits.values():
            limits.new_day()

    def _held(self) -> set[Instrument]:
        """What somebody holds, or has orders or triggers in: it stays listed."""
        out = set(self.triggers.waiting())
        for user in self.config.users:
            out |= set(self.positions.units(user)) | {order.one for order in self.engine.live(user)}
        return out

    def fault(self, fault: Fault, *, seconds: float = 10.0, uses: int = 0) -> None:
        """Switch a fault on, or let it happen."""
        self.faults.start(fault, self.wall(), seconds=seconds, uses=uses)
        if fault in AT_ONCE:
            self.faults.stop(fault)
        if fault == Fault.CLOCK_JUMP:
            self.clock.jump(round(JUMP_S * 1e9))
        elif fault == Fault.TOKEN_DEATH:
            self.accounts.kill_all()
        self.cut_all |= fault in {Fault.DROP, Fault.TOKEN_DEATH}

    def _schedule(self) -> Iterable[Event]:
        return schedule(self.config.seed, self.day.open_ns, self.day.close_ns, self.config.faults_an_hour)


def first_session(date: dt.date) -> dt.date:
    """`date` if NSE trades on it, else the next day it does."""
    return date if session("NSE", date) is not None else next_session("NSE", date)


def _session_at(now_ns: int) -> dt.date | None:
    """The day whose session has begun, where it has one."""
    date = from_ns(now_ns).date()
    try:
        hours = session("NSE", date)
    except UnknownDate:  # past the calendar: the market stands still for good
        return None
    return date if hours is not None and now_ns >= to_ns(hours.open) else None
