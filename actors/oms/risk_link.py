"""The order manager's way to risk, which may be slow, away or restarting, and never holds an exit up for long.

After a call that failed risk counts as away: nothing calls it for three times as long as the failure took, so that a
risk that hangs takes at most a quarter of the order manager's time, and one that refuses at once is asked again on the
next timer. Meanwhile entries are refused and exits pass, both at once: an exit is then what is one by the rule that
needs no price (core/risk/plain_exit.py). The same holds while risk's lease has run out: risk answers, and says by it
that it does not know enough. Nothing is kept for it: what risk missed is in
the ledger, and before anything else is asked of it, it is told what the journal holds; if it counts anything else it
reads the ledger.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TypeVar

from actors.oms.gate import moving
from actors.oms.journal import Journal
from core.errors import DeskError, VikalpError
from core.orders.positions import market_date
from core.ports import Clock, Risk
from core.records import Fill, Funds, Intent, LimitUse, Order, Refusal, Verdict
from core.risk.plain_exit import plain_exit
from core.risk.resting import changed_limit

AGAIN_NS = 10_000_000_000  # wall; risk may have begun anew between its yes to an order and the journal, unnoticed
PAUSE = 3  # times what the failure took; a deadline of 1 s makes it 3 s of wall time
T = TypeVar("T")


class RiskLink:
    """`agreed` while risk is known to count what the journal holds; false at first and after every failure."""

    def __init__(self, risk: Risk, journal: Journal, clock: Clock, *, lease_ms: int) -> None:
        self._risk, self._journal, self._clock, self._lease_ns = risk, journal, clock, lease_ms * 1_000_000
        self._leased_ns = 0  # wall, until when
        self.breach = ""  # the limit that was passed, and in words how: the kill switch is to be pulled
        self.agreed = False
        self._asked: dict[str, int] = {}  # by tag, the dearest limit asked for of which nobody knows whether it rests
        self._away = ""  # why it could not be reached, until it answers again
        self._failed_ns = self._cost_ns = self._agreed_ns = 0  # wall

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        """Risk's answer; while it cannot be reached or gives no lease a plain exit passes and anything else is refused.

        An exit never asks whether risk is back, so that it waits for one deadline at most.
        """
        leaves = intent.purpose == "exit"
        if self._away and (leaves or self._paused()):
            return self._plain(intent, self._away) if leaves else _refused("risk", _unreached(self._away))
        try:
            self._agree()
            answer = self._call(lambda: self._risk.check(intent, replaces))
            return answer if self._leased() else self._without_lease(intent, answer)
        except VikalpError as error:
            return self._plain(intent, f"{error}") if leaves else _refused("risk", _unreached(f"{error}"))

    def _without_lease(self, intent: Intent, answer: Verdict) -> Verdict:
        """What risk says, if it renews its word. Else an exit is one by the plain rule, and an entry none at all."""
        self.renew()
        if self._leased():
            return answer
        why = self._call(self._risk.unsound) or "it has not renewed its word"
        if intent.purpose == "exit":
            verdict = self._plain(intent, why)
        else:
            said = _refused("lease", f"risk lets nobody enter: {why}").refusals
            verdict = Verdict(refusals=(*answer.refusals, *said))
        if verdict.refusals and not answer.refusals:
            self._call(lambda: self._risk.release(intent.tag))
        return verdict

    def renew(self) -> None:
        """Ask risk for how long its word holds, and whether a limit was passed; a failure lets the lease run out."""
        if self._paused():
            return
        asked_ns = self._clock.wall_ns()
        try:
            lease_ms = self._call(self._risk.lease)
            self.breach = self._call(self._risk.breach)
        except VikalpError:
            return  # kept in `_away`, and by the lease that ends
        self._leased_ns = asked_ns + min(lease_ms * 1_000_000, self._lease_ns)

    def _leased(self) -> bool:
        """Whether risk's word still holds; a wall clock that was set back ends it."""
        return 0 < self._leased_ns - self._clock.wall_ns() <= self._lease_ns

    def _plain(self, intent: Intent, why: str) -> Verdict:
        """Without risk: an exit by the rule that needs no price."""
        if plain_exit(self._journal.held(), intent, moving(self._journal.live())):
            return Verdict()
        what = f"and {intent.side} {intent.quantity} {intent.symbol} leaves a short without its cover"
        return _refused("exit", f"risk cannot judge it ({why}), {what}: buy the short back first")

    def book(self, fill: Fill) -> None:
        """Tell risk of a trade that is in the ledger."""
        self._tell(lambda: self._risk.book(fill))

    def rests(self, order: Order) -> None:
        """Tell risk of other terms that the book shows of a live order; whatever was asked for before is answered."""
        self._asked.pop(order.intent.tag, None)
        self._tell(lambda: self._risk.rests(order.intent.tag, self._limit(order)))

    def may_rest(self, order: Order, limit_paise: int) -> None:
        """A live order was asked to rest at that limit and does not: it counts at the dearer till other terms show."""
        tag, before = order.intent.tag, self._limit(order)
        self._asked[tag] = max(limit_paise, self._asked.get(tag, 0))
        if self._limit(order) != before:
            self._tell(lambda: self._risk.rests(tag, self._limit(order)))

    def _limit(self, order: Order) -> int:
        return changed_limit(order, self._asked.get(order.intent.tag, 0))

    def release(self, tag: str) -> None:
        """Tell risk that an order is over, or was never sent."""
        self._asked.pop(tag, None)
        self._tell(lambda: self._risk.release(tag))

    def funds(self, found: Funds) -> Funds | None:
        """Tell risk what the broker says of the account; what it counts itself, None where it does not say.

        Told again, so one that is lost is no loss.
        """
        if not self.agreed:
            return None
        try:
            return self._call(lambda: self._risk.funds(found))
        except VikalpError:
            return None  # `agreed` is false now

    def limits(self) -> Sequence[LimitUse]:
        """Use of every limit; empty where risk cannot be asked."""
        if self._paused():
            return ()
        try:
            return self._call(self._risk.limits)
        except VikalpError:
            return ()  # kept in `_away`

    def doubt(self) -> None:
        """Nobody knows what risk was told: an order manager before this one may have died between two words."""
        self.agreed = False

    def settle(self) -> None:
        """Bring risk to what the journal holds, now and then even if it seems to be there; not while it is paused."""
        if self._paused() or (self.agreed and 0 <= self._clock.wall_ns() - self._agreed_ns < AGAIN_NS):
            return
        day = market_date(self._clock.now_ns()) if self.agreed else None  # what is older it was found to count before
        self.agreed = False
        try:
            self._agree(day)
        except VikalpError:
            return  # kept in `agreed`: asked again on the next timer after the pause

    def _agree(self, of: dt.date | None = None) -> None:
        """Tell risk what lives and what is counted: all of it, or where risk agreed before, that of a day."""
        if not self.agreed:
            today = market_date(self._clock.now_ns())  # risk counts the orders of its day, and what waited for it
            mine = ((order, order.intent) for order in self._journal.live())
            mine = ((order, one) for order, one in mine if market_date(one.created_ns) >= today or one.variety == "amo")
            live = {one.tag: self._limit(order) for order, one in mine}
            self._call(lambda: self._risk.settle(live, self._journal.counted(of)))
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


def _unreached(why: str) -> str:
    return f"risk cannot be reached, so only exits pass: {why}"


def _refused(limit: str, why: str) -> Verdict:
    allowed, asked = {"risk": ("an answer", "none"), "lease": ("a lease", "none")}.get(
        limit, ("a plain exit", "another")
    )
    return Verdict(refusals=(Refusal(limit=limit, allowed=allowed, asked=asked, why=why),))
