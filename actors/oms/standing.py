"""The order manager's state: what a person wants, and what stands against it."""

from collections.abc import Callable
from typing import Literal

from actors.oms.broker_link import OutOfTime
from actors.oms.journal import Journal
from core.errors import LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.orders.answer import printable
from core.ports import Clock
from core.records import Alert

State = Literal["ACTIVE", "REDUCING", "HALTED"]
_STRICT: tuple[State, ...] = ("ACTIVE", "REDUCING", "HALTED")
LedgerTrouble = (LedgerDown, LedgerFenced)
BLIND_NS = 3_000_000_000  # wall
PROVED_NS = 1_000_000_000  # wall; a process that was stopped for longer asks before it cancels anything
UNSEEN = "the broker's book has not been compared yet, so nothing can be sent"


class Standing:
    """HALTED while `stop` says why, whatever is wanted; `fenced` is for good. Every change is an alert.

    `against` is what the ledger has against it, `locked` that nobody is logged in at the broker; until the broker's
    book has been `compared` once nothing is sent either; `killed` that the kill switch is pulled: then nothing is sent
    but what it and exit_all send. While the book cannot be read later on an order may be filled
    and nobody knows: after BLIND_NS of that entries are refused, and exits, which take risk off, pass: REDUCING. All of
    it ends by itself, once the book has been compared.

    What a person wants is kept in the ledger: after a crash the stricter of it and the settings holds. While the kill
    switch holds that is HALTED, and nothing less is taken: whoever releases it, and wherever, a person must resume.
    """

    def __init__(self, wanted: State, journal: Journal, clock: Clock) -> None:
        self.wanted, self.why = wanted, "the settings say so"
        self.against = self.locked = self.killed = ""
        self.compared = False
        self.fenced = False
        self._unkept: tuple[State, str] | None = None  # what a person said last, while it is in no ledger
        self._journal, self._clock = journal, clock
        self._halt_kept = False  # of this hold of the kill switch
        self._away, self._followed_ns = "", 0  # why the book could not be read the last time; wall, when it was
        self._lost_ns = 0  # wall, since when the ledger is away
        self._proved_ns = 0  # wall, when the ledger last said that no newer order manager has taken over

    @property
    def state(self) -> State:
        if self.stop or self.killed:
            return "HALTED"
        return "REDUCING" if self.blind and self.wanted == "ACTIVE" else self.wanted

    @property
    def stop(self) -> str:
        """Why nothing at all is sent; empty if it is."""
        if not (self.against or self.compared):
            return f"{UNSEEN}: {self.locked or self._away or 'it is being read'}"
        return self.against or self.locked

    @property
    def said_no(self) -> str:
        """Why nothing new may begin now, whatever it is; empty if it may."""
        return self.stop or self.killed

    @property
    def follows(self) -> bool:
        """Whether the journal stands beside the broker's book."""
        return self.compared and not self.against

    @property
    def blind(self) -> str:
        """Why nobody knows what an order sent now would become; empty if somebody does."""
        return f"the broker's book cannot be read: {self._away}" if self._away and not self._fresh else ""

    @property
    def _fresh(self) -> bool:
        """Whether the book was compared a moment ago; not by a clock that was set back since."""
        return self.compared and 0 <= self._clock.wall_ns() - self._followed_ns < BLIND_NS

    @property
    def ledger_gone_s(self) -> float:
        """Wall seconds since the ledger went away; 0 while it is there."""
        return (self._clock.wall_ns() - self._lost_ns) / 1e9 if self.against and not self.fenced else 0.0

    @property
    def broker_gone_s(self) -> float:
        """Wall seconds since the broker's book was last compared; 0 while it is, before the first, without a login."""
        gone = self._away and self.compared and not (self.against or self.locked)
        return (self._clock.wall_ns() - self._followed_ns) / 1e9 if gone else 0.0

    @property
    def said(self) -> str:
        """Why the state is what it is."""
        return self.stop or self.killed or (self.blind if self.wanted == "ACTIVE" else "") or self.why

    def want(self, state: State, why: str, *, keep: bool = True) -> State:
        """The state there is now; LedgerDown if less than ACTIVE is wanted and could not be kept for the next process.

        It holds all the same as long as this process lives, and is kept as soon as the ledger is back. Without `keep`
        it is of this process alone: the next one knows what was kept before.
        """
        if self.killed and state != "HALTED":
            self._alert("info", f"HALTED, not {state}: {self.killed}; release it first")
            return self.state
        self.wanted, self.why = state, (why := printable(why))
        if keep:
            self._unkept = state, why
            if not self.against:
                self.attempt(self._keep)
        self._alert("info", f"{self.state}: {self.said}")
        if keep and self._unkept and state != "ACTIVE" and not self.fenced:
            raise LedgerDown(
                f"the order manager is {self.state}, but {state} is not kept: if its process ends before the ledger is "
                f"back it is forgotten; say it again then ({self.against})"
            )
        return self.state

    def hold(self, why: str) -> None:
        """The kill switch is pulled; what was said before, and is in no ledger yet, is forgotten but for a halt."""
        if not self.killed:
            self._halt_kept = False
            if self._unkept and self._unkept[0] != "HALTED":
                self._unkept = None
        self.killed = why

    def keep_halted(self) -> None:
        """Commit HALTED while the switch holds: the next process may start after its release. Raises as the ledger."""
        if not self._halt_kept:
            kept = self._journal.kept()
            if kept is None or kept[0] != "HALTED":
                self._journal.keep("HALTED", f"`vikalp resume` trades again once it is released: {self.killed}")
            self._halt_kept = True

    def restore(self) -> None:
        """The ledger has nothing against it any more, and the broker was followed; raises as the ledger does."""
        kept = self._journal.kept()
        if self._unkept:
            self._keep()
        elif kept is not None:
            state, why = next(known for known in _STRICT if known == kept[0]), kept[1]
            if _STRICT.index(state) > _STRICT.index(self.wanted):
                self.wanted, self.why = state, why
        if self.killed:
            self.keep_halted()
        self.against, self.compared, self._followed_ns = "", True, self._clock.wall_ns()

    def check(self) -> None:
        """Raises LedgerFenced if a newer order manager has taken over: this one touches nothing any more.

        The ledger is asked, if it is there and the last time is PROVED_NS ago: who only cancels writes nothing before.
        """
        if not 0 <= self._clock.wall_ns() - self._proved_ns < PROVED_NS:
            self.prove()
        if self.fenced:
            raise LedgerFenced(self.against)

    def prove(self) -> None:
        """Ask the ledger whether this is still the one order manager; nothing while the ledger is away."""
        if not (self.fenced or self.against or self._journal.away) and self.attempt(self._journal.check_epoch):
            self._proved_ns = self._clock.wall_ns()

    def _keep(self) -> None:
        if self._unkept:
            self._journal.keep(*self._unkept)
            self._unkept = None

    def lose(self, error: VikalpError) -> None:
        """Nothing can be journalled, so nothing is sent."""
        first = not self.against or (isinstance(error, LedgerFenced) and not self.fenced)
        self.fenced = self.fenced or isinstance(error, LedgerFenced)
        if not self.fenced:
            self._journal.away = self._journal.away or str(error)  # it may be the broker's book, in the same database
        if first:
            self._lost_ns = self._clock.wall_ns()
            self.against = (
                f"a newer order manager has taken over: {error}" if self.fenced else f"the ledger is away: {error}"
            )
            self._alert("alarm", f"HALTED, {self.against}")

    def attempt(self, action: Callable[[], None], *, asks_broker: bool = False) -> bool:
        """Do what needs broker and ledger; whether it was done. Without ledger or login halt; without the broker go on.

        The broker counts as away from the first failure until an action that surely asks it has been done; both are
        said once. That a turn has no time left to ask is no failure, unless no turn has had any for BLIND_NS.
        """
        try:
            action()
        except LedgerTrouble as error:
            self.lose(error)
        except NotLoggedIn as error:
            if not self.locked:
                self._alert("alarm", f"HALTED: {error}")
            self.locked = f"{error}"
        except VikalpError as error:
            if isinstance(error, OutOfTime) and self._fresh:
                return False
            if not self._away:
                halted = "" if self.compared else "HALTED, "
                self._alert("alarm", f"{halted}the broker cannot be followed, orders stand as last known: {error}")
            self._away = f"{error}"
        else:
            if asks_broker:
                self._follows()
            return True
        return False

    def _follows(self) -> None:
        if self._away or self.locked:
            again = "somebody has logged in, and " if self.locked else ""
            self._away = self.locked = ""
            self._alert("info", f"{again}the broker can be followed again")
        self._followed_ns = self._clock.wall_ns()

    def _alert(self, severity: Literal["info", "alarm"], message: str) -> None:
        self._journal.alert(Alert(at_wall_ns=self._clock.wall_ns(), severity=severity, subject="oms", message=message))
