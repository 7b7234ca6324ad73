"""What the desk says of itself, asked about once a second in a thread of its own.

An actor that does not answer is a fact to show: its last answer stays, beside the words of the failure.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import VikalpError
from core.ports import Clock, DeskClient
from core.records import DeskStatus, Kill, LimitUse, Order, PlanStatus, Position


@dataclass(frozen=True)
class DeskView:
    """The newest answers; `unreachable` has, by question, why the last one got no answer."""

    status: DeskStatus | None = None
    orders: Sequence[Order] = ()
    positions: Sequence[Position] = ()
    limits: Sequence[LimitUse] = ()  # risk's
    budget: Sequence[LimitUse] = ()  # the order manager's
    plans: Sequence[PlanStatus] = ()
    killed: Kill | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    asked_wall_ns: int = 0  # 0 before the first round

    @property
    def uses(self) -> list[LimitUse]:
        """Of every limit, and of the order budget."""
        return [*self.limits, *self.budget]


class DeskPoll:
    """Asks every `period_s`, and at once after `nudge()`. A reader takes `.view`, which is swapped whole."""

    def __init__(self, desk: DeskClient, clock: Clock, period_s: float) -> None:
        self.view = DeskView()
        self.failure: BaseException | None = None  # a bug that ended the thread; the actor's timer raises it
        self._desk, self._clock, self._period_s = desk, clock, period_s
        self._wake, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="desk-poll", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._ended = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def once(self) -> None:
        """One round of questions."""
        view = self.view
        unreachable: dict[str, str] = {}
        questions: dict[str, Callable[[], Any]] = {
            "status": self._desk.status,
            "orders": self._desk.orders,
            "positions": self._desk.positions,
            "limits": self._desk.limits,
            "budget": self._desk.budget,
            "plans": self._desk.plans,
            "killed": self._desk.killed,
        }
        for name, ask in questions.items():
            try:
                view = replace(view, **{name: ask()})
            except (VikalpError, OSError) as error:
                unreachable[name] = str(error) or type(error).__name__
        self.view = replace(view, unreachable=unreachable, asked_wall_ns=self._clock.wall_ns())

    def _run(self) -> None:
        try:
            while not self._ended:
                self._wake.clear()
                self.once()
                self._wake.wait(self._period_s)
        except BaseException as error:
            self.failure = error
            raise
