"""What the order manager does by itself: recovery, the timer's look at the broker, and the one that news asks for.

What a broker's socket says of an order is a nudge and no fact: nothing of it is replayed after a drop, and news come
twice, late and out of order. So the book is read, at most once in LOOK_NS: an account's calls have a budget.
"""

from collections.abc import Callable, Sequence

import pyarrow as pa

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.duties import Duties
from actors.oms.flatten import Flattener
from actors.oms.follow import Follower
from actors.oms.guards import Guards
from actors.oms.journal import Journal
from actors.oms.killing import KillSwitch
from actors.oms.plans import PlanRunner
from actors.oms.risk_link import RiskLink
from actors.oms.settle import Settler
from actors.oms.standing import Standing
from actors.oms.symbols import Symbols
from core.errors import LedgerDown
from core.matching.depth import Board
from core.ports import Bus, Clock
from core.schemas import NO_TICKS, check

STEP_S = 0.1  # between two looks at the kill file
LOOK_NS = 250_000_000  # wall; between the end of one look at the broker's book and the next


class Rounds:
    """Nothing here raises for what ledger, broker or risk do, but `open` for the ledger."""

    def __init__(
        self,
        journal: Journal,
        follow: Follower,
        flatten: Flattener,
        settler: Settler,
        account: Account,
        *,
        killing: KillSwitch,
        plans: PlanRunner,
        duties: Duties,
        standing: Standing,
        broker: BrokerLink,
        risk: RiskLink,
        guards: Guards,
        symbols: Symbols,
        board: Board,
        bus: Bus,
        clock: Clock,
        indices: Sequence[str],
        timer_ms: int,
        pause: Callable[[float], None],
    ) -> None:
        self._journal, self._follow, self._flatten, self._settler = journal, follow, flatten, settler
        self._account, self._killing, self._plans, self._duties = account, killing, plans, duties
        self._standing, self._risk, self._symbols, self._board = standing, risk, symbols, board
        self._bus, self._clock, self._indices, self._broker = bus, clock, indices, broker
        self._guards, self._timer_ns, self._pause = guards, timer_ms * 1_000_000, pause
        self._opened = False
        self._early, self._timed_ns = False, 0  # the timer was woken for the kill switch; wall, of its last whole look
        self._nudged = self._whole = False  # news have come since the last look; of a new connection
        self._looked_ns = self._heeded_ns = 0  # wall: the last look, and the last that news asked for

    def open(self) -> None:
        """Recover; raises as the ledger does, to be tried again. What the broker is not there for the timer does."""
        self._read()
        recovered = self._standing.attempt(self._compare_first, asks_broker=True)
        self._standing.check()
        if self._journal.away:
            raise LedgerDown(self._journal.away)
        self._opened = True
        if not recovered:
            self.refresh(self._indices)  # what is held has marks all the same

    def timer(self) -> None:
        """Tell risk what it missed, follow the broker; without the ledger, see whether it is back.

        Woken early it does what the kill switch wants done, and no more. Where its cancels take so long that nothing
        else is done in a turn, all else comes first in the next: the book says which of them are over.
        """
        if not self._opened:
            return
        early, self._early = self._early, False
        if self._killing.greedy:
            self._all_else()
            self._killing.go_on(self._board)
            return
        self._killing.go_on(self._board)  # one that was replaced too: its file may say stop
        if not (self._killing.greedy or (early and 0 <= self._clock.wall_ns() - self._timed_ns < self._timer_ns)):
            self._all_else()

    def _all_else(self) -> None:
        if self._standing.fenced:
            return
        self._timed_ns = self._clock.wall_ns()
        self._standing.prove()  # an idle one that was replaced writes nothing, and would not know
        if self._standing.fenced:
            return
        if self._standing.follows:
            self._risk.renew()
            self._risk.settle()
        if self._standing.against or self._journal.away:
            self._standing.attempt(self._recover, asks_broker=True)
        elif not self._standing.compared:
            self._standing.attempt(self._compare_first, asks_broker=True)
        elif self._past(self._heeded_ns):
            self._look(whole=True)
        self._flatten.go_on(self._board)
        self._plans.run(self._board)
        if self._standing.follows and not self._journal.away:
            self._standing.attempt(lambda: self._duties.go_on(self._board))
        self._symbols.again()

    def wait(self, longest_s: float) -> None:
        """Between two timers, in steps, until the kill switch wants something done."""
        end_ns = self._clock.wall_ns() + int(longest_s * 1e9)
        while (left_s := (end_ns - self._clock.wall_ns()) / 1e9) > 0:
            self._pause(min(left_s, STEP_S))
            if self._opened and self._killing.wants():
                self._early = True
                return

    def tick(self, ticks: pa.RecordBatch) -> None:
        """Show the broker the market, if it matches itself; then the look that news have asked for."""
        if self._standing.follows:
            self._standing.attempt(lambda: self._follow.match(ticks))
        self.catch_up()
        if self._opened:
            if self._standing.follows and not self._journal.away:
                self._standing.attempt(lambda: self._duties.catch_up(self._board))
            self._plans.run(self._board)

    def hear(self, news: pa.RecordBatch) -> None:
        """Look at once, or as soon as the last look is LOOK_NS old; SchemaError for what is no ORDER_NEWS."""
        ids = check("order_news", news).column("order_id")
        self._nudged |= news.num_rows > 0
        if "" in ids.to_pylist():
            self._whole = True
            self._broker.hope()  # who has opened a socket answers calls too
        self.catch_up()

    def catch_up(self) -> None:
        """The look that news have asked for, if it is time."""
        follows = self._opened and self._standing.follows and not self._journal.away
        if self._nudged and follows and self._past(self._looked_ns):
            self._look(whole=False)
            self._heeded_ns = self._looked_ns

    def refresh(self, indices: Sequence[str]) -> None:
        """Ask feeds for their whole book and their bars."""
        for index in indices:
            self._bus.publish("refresh", NO_TICKS, index=index)

    def _past(self, looked_ns: int) -> bool:
        """Whether that look is LOOK_NS ago; a wall clock that was set back holds nothing up."""
        return not 0 <= self._clock.wall_ns() - looked_ns < LOOK_NS

    def _look(self, *, whole: bool) -> None:
        whole |= self._whole
        self._nudged = self._whole = False  # a look that fails is the timer's to try again
        self._standing.attempt(lambda: self._compare(whole=whole), asks_broker=True)
        self._looked_ns = self._clock.wall_ns()

    def _compare(self, *, whole: bool) -> None:
        self._follow.reconcile(whole=whole)
        self.refresh(self._settler.settle(self._board))  # after the broker's last trades
        if whole:
            self._account.compare()

    def _recover(self) -> None:
        self._read()
        self._compare_first()

    def _read(self) -> None:
        self._follow.believe()
        self._guards.restore(self._journal.orders.values())
        self._plans.begin()
        self._killing.begin()
        self._symbols.begin()

    def _compare_first(self) -> None:
        """Nothing is sent before this was done."""
        self._follow.recover()
        self._standing.restore()
        self._journal.say()
        self._looked_ns = self._clock.wall_ns()
        self.refresh(self._indices)
