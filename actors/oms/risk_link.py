"""The order manager's way to risk, which may be slow, away or restarting, and never holds an exit up for long.

After a call that failed risk counts as away: nothing calls it for three times as long as the failure took, so that a
risk that hangs takes at most a quarter of the order manager's time, and one that refuses at once is asked again on the
next timer. Meanwhile exits pass and entries are refused, both at once. Nothing is kept for it: what risk missed is in
the ledger, and before anything else is asked of it, it is told what the journal holds; if it counts anything else it
reads the ledger.
"""

from collections.abc import Callable
from typing import TypeVar

from actors.oms.journal import Journal
from core.errors import DeskError, VikalpError
from core.orders.positions import market_date
from core.ports import Clock, Risk
from core.records import Fill, Intent, Refusal, Verdict

AGAIN_NS = 10_000_000_000  # wall; risk may have begun anew between its yes to an order and the journal, unnoticed
PAUSE = 3  # times what the failure took; a deadline of 1 s makes it 3 s of wall time
T = TypeVar("T")


class RiskLink:
    """`agreed` while risk is known to count what the journal holds; false at first and after every failure."""

    def __init__(self, risk: Risk, journal: Journal, clock: Clock) -> None:
        self._risk, self._journal, self._clock = risk, journal, clock
        self.agreed = False
        self._away = ""  # why it could not be reached, until it answers again
        self._failed_ns = self._cost_ns = self._agreed_ns = 0  # wall

    def check(self, intent: Intent) -> Verdict:
        """Risk's answer; while it cannot be reached an exit passes and anything else is refused.

        An exit never asks whether risk is back, so that it waits for one deadline at most.
        """
        leaves = intent.purpose == "exit"
        if self._away and (leaves or self._paused()):
            return Verdict() if leaves else _refused(self._away)
        try:
            self._agree()
            answer = self._call(lambda: self._risk.check(intent))
        except VikalpError as error:
            return Verdict() if leaves else _refused(str(error))
        # The order manager has already held a true exit against its own positions, which are the ledger's.
        return Verdict() if leaves else answer

    def book(self, fill: Fill) -> None:
        """Tell risk of a trade that is in the ledger."""
        self._tell(lambda: self._risk.book(fill))

    def release(self, tag: str) -> None:
        """Tell risk that an order is over, or was never sent."""
        self._tell(lambda: self._risk.release(tag))

    def doubt(self) -> None:
        """Nobody knows what risk was told: an order manager before this one may have died between two words."""
        self.agreed = False

    def settle(self) -> None:
        """Bring risk to what the journal holds, now and then even if it seems to be there; not while it is paused."""
        if self._paused() or (self.agreed and 0 <= self._clock.wall_ns() - self._agreed_ns < AGAIN_NS):
            return
        self.agreed = False
        try:
            self._agree()
        except VikalpError:
            return  # kept in `agreed`: asked again on the next timer after the pause

    def _agree(self) -> None:
        if not self.agreed:
            today = market_date(self._clock.now_ns())  # risk counts the orders of its day; every order is for one
            mine = (order.intent for order in self._journal.live())
            live = [intent.tag for intent in mine if market_date(intent.created_ns) >= today]
            self._call(lambda: self._risk.settle(live, self._journal.counted()))
            self.agreed, self._agreed_ns = True, self._clock.wall_ns()

    def _tell(self, news: Callable[[], None]) -> None:
        if not self.agreed:
            return  # `settle` brings it, and every entry before it is checked
        try:
            self._call(news)
        except VikalpError:
            return  # `agreed` is false now

    def _call(self, ask: Callable[[], T]) -> T:
        began_ns = self._clock.wall_ns()
        try:
            answer = ask()
        except VikalpError as error:
            self.agreed = False  # it may have done it or not
            if isinstance(error, DeskError):
                self._away, self._failed_ns = str(error), self._clock.wall_ns()
                self._cost_ns = self._failed_ns - began_ns
            raise
        self._away = ""
        return answer

    def _paused(self) -> bool:
        """Whether risk is left alone; a wall clock that was set back ends the pause."""
        return bool(self._away) and 0 <= self._clock.wall_ns() - self._failed_ns < PAUSE * self._cost_ns


def _refused(why: str) -> Verdict:
    said = f"risk cannot be reached, so only exits pass: {why}"
    return Verdict(refusals=(Refusal(limit="risk", allowed="an answer", asked="none", why=said),))
