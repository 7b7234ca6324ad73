"""The kill switch: nothing new is sent, every order is cancelled, entries first, and if asked every position closed.

Pulled by a person, by a file, or by itself when ledger or broker are gone too long; whoever pulls it is told and kept,
in the ledger and beside it as a file, so that either alone holds it through a restart. Only a person releases it. Its
cancels go out in small turns within the order budget, so that whoever wants something meanwhile is answered at once.
"""

from actors.oms.broker_link import BrokerLink
from actors.oms.config import KillConfig
from actors.oms.flatten import Flattener
from actors.oms.journal import Journal
from actors.oms.plans import PlanRunner
from actors.oms.send import Sender
from actors.oms.standing import Standing, State
from core.errors import InputError, LedgerFenced, VikalpError
from core.market import exchange_of, phase
from core.matching.depth import Board
from core.orders.answer import printable
from core.ports import Clock, KillFile
from core.records import Alert, Kill, Order
from core.risk.kill_words import Said, read, written

A_TURN = 3  # cancels in one turn of the order manager: some 20 ms
AGAIN_NS = 2_000_000_000  # wall; between two cancels of an order that lives on, and between two looks for what is held
SHARE_NS = 2_000_000_000  # wall; between two looks at what other desks of the account have said
FLAT_NS = 5_000_000_000  # wall; between two times that everything is exited
SLOW = 2  # turns that cancels have used up; of one broker that is not slow a single answer may be late


class KillSwitch:
    """`pull` and `begin` raise nothing for what ledger, broker and file do: what failed is tried again by `go_on`."""

    def __init__(
        self,
        config: KillConfig,
        journal: Journal,
        standing: Standing,
        send: Sender,
        flatten: Flattener,
        *,
        plans: PlanRunner,
        broker: BrokerLink,
        file: KillFile | None,
        clock: Clock,
        exchanges: tuple[str, ...],
    ) -> None:
        self._config, self._journal, self._standing, self._send = config, journal, standing, send
        self._flatten, self._broker, self._file, self._clock = flatten, broker, file, clock
        self._plans = plans
        self._exchanges = exchanges
        self.pulled: Kill | None = None
        self.greedy = False  # its last turn ended with no time left for anything else
        self._unkept = False  # pulled, and not in the ledger yet
        self._shared_ns = 0  # wall, of the last look at the ledger
        self._left: Kill | None = None  # a release elsewhere, after which the file here was told to hold on
        self._asked: dict[str, int] = {}  # tag → wall ns of the last cancel, latest last
        self._late = 0  # turns that cancels have used up since it was pulled
        self._flat_ns = 0  # wall, of the last time that everything was exited

    def begin(self) -> None:
        """What was pulled before this process holds; raises as the ledger."""
        kept = self._journal.kill()
        words = self._file.words() if self._file is not None else ""
        if self._unkept and self.pulled is not None:
            return  # said while the ledger was away, and stricter or newer than what it has; kept by `go_on`
        if kept is not None and kept.pulled:
            self._hold(kept)
        elif words:
            self._pull_by(read(words))

    def pull(self, why: str, who: str, *, square_off: bool) -> Kill:
        """Stop now; a second pull may add the square-off and changes nothing else. InputError without a reason."""
        if not why.strip() or not who.strip():
            raise InputError("the kill switch: expected who pulls it and why, as words; found none")
        if self.pulled is not None and (self.pulled.square_off or not square_off):
            return self.pulled
        kill = _said(why, who, at_ns=self._clock.now_ns(), pulled=True, square_off=square_off)
        self._hold(kill)
        self._unkept = True
        if self._file is not None:
            try:
                self._file.pull(written(kill.why, kill.who, square_off=kill.square_off))
            except OSError as error:
                self._say("alarm", f"the kill file cannot be written: {error}; the kill switch holds all the same")
        also = ", and every position is closed" if square_off else ""
        self._say("alarm", f"KILL SWITCH pulled by {kill.who}: {kill.why}; every order is cancelled{also}")
        return kill

    def start(self, board: Board, why: str, who: str, *, square_off: bool) -> Kill:
        """Pull it, and send the first cancels at once."""
        kill = self.pull(why, who, square_off=square_off)
        self.go_on(board)
        return kill

    def release(self, why: str, who: str) -> State:
        """A person lets go, of the whole account; InputError without a reason, LedgerDown, LedgerFenced: it stays."""
        if not why.strip() or not who.strip():
            raise InputError("to release the kill switch say who does and why")
        self._standing.check()
        if self.pulled is None:
            return self._standing.state
        said = _said(why, who, at_ns=self._clock.now_ns(), pulled=False)
        self._standing.keep_halted()  # first: whoever dies after the next line starts without a switch that holds
        self._journal.record_kill(said)
        if self._file is not None:
            try:
                self._file.remove()
            except OSError as error:
                raise InputError(
                    f"the kill file cannot be removed, so the kill switch stays pulled: {error}"
                ) from error
        return self._let_go(f"released by {said.who}: {said.why}")

    def _let_go(self, how: str) -> State:
        self.pulled, self._unkept, self._standing.killed = None, False, ""
        self._late = 0
        self._asked.clear()
        self._standing.want("HALTED", f"the kill switch was {how}")
        self._say("info", f"the kill switch is {how}; HALTED until `vikalp resume`")
        return self._standing.state

    def wants(self) -> bool:
        """Whether there is something to do before the next timer: the file has come, or cancels are left to send."""
        kill = self.pulled  # asked beside the turns, by the timer's own thread
        if kill is None:
            return bool(self._file is not None and self._file.words())
        return not self._standing.fenced and bool(self._next(kill))

    def go_on(self, board: Board) -> None:
        """A few cancels more; then, if asked, everything is exited. Also looks whether it must pull itself.

        An order manager that was replaced does nothing: the new one holds the switch, and knows which orders there are.
        """
        self._share()
        self._look()
        had_time = not self._broker.over
        if self.pulled is not None:
            self._act(board, self.pulled)
        self.greedy = self.pulled is not None and had_time and self._broker.over

    def _act(self, board: Board, kill: Kill) -> None:
        if self._unkept and (self._standing.fenced or not self._standing.against):
            # Whoever is alive may say stop: no epoch is asked for.
            self._unkept = not self._standing.attempt(lambda: self._journal.record_kill(kill))
        if not self._standing.against:
            self._standing.attempt(self._standing.keep_halted)  # also for a release elsewhere while this one is down
        if self._replaced():  # after what it writes, which may be what tells
            return
        self._plans.abandon(f"the kill switch was pulled: {kill.why}")  # again, where the ledger was away
        if self._late >= SLOW:  # no exit waits for a late answer of every order: it reckons with those that live on
            self._square_off(board, kill)
        due = self._next(kill)
        new = [order for order in due if order.intent.tag not in self._asked]
        if not self._ask(new[:A_TURN]) or len(new) > A_TURN:
            return
        self._square_off(board, kill)  # before those asked again, which may be all its time, every time
        self._ask(due[len(new) : A_TURN])

    def _ask(self, orders: list[Order]) -> bool:
        """Whether the cancel of each was asked for: without budget, connection or time it is the next turn's."""
        for order in orders:
            tag = order.intent.tag
            if self._broker.over or self._send.ask_back(order).startswith("not cancelled"):
                return False
            self._asked.pop(tag, None)
            self._asked[tag] = self._clock.wall_ns()
            self._late += self._broker.over
        return True

    def _square_off(self, board: Board, kill: Kill) -> None:
        if not kill.square_off or self._standing.stop:
            return
        held = bool(self._journal.open_books())
        due = not 0 <= self._clock.wall_ns() - self._flat_ns < FLAT_NS
        if held and due and not self._flatten.unsure and not self._broker.over and self._open():
            self._plans.take_back()  # first: one that fires beside the exit would sell the same units again
            if self._standing.stop:
                return
            self._flat_ns = self._clock.wall_ns()
            try:
                self._flatten.exit_all(board, f"kill switch: {kill.why}")
            except VikalpError as error:
                self._say("alarm", f"the kill switch could not close positions, tried again: {error}")

    def _next(self, kill: Kill) -> list[Order]:
        """Live orders to ask the cancel of now; those its own square-off has sent are left to it.

        First those never asked for, entries before exits; then whose turn is longest ago: where cancels take long,
        no two of them keep the others waiting.
        """
        now_ns = self._clock.wall_ns()
        own = f"kill switch: {kill.why}"
        live = self._journal.live()
        if self._late >= SLOW:
            live.reverse()  # the square-off asks for them too, oldest first: the two meet half-way
        due = [
            order
            for order in live
            if order.broker_id
            and not 0 <= now_ns - self._asked.get(order.intent.tag, -AGAIN_NS) < AGAIN_NS
            and order.intent.reason != own
        ]
        turns = {
            tag: number for number, tag in enumerate(tuple(self._asked))
        }  # copied at once: `wants` is beside turns
        return sorted(due, key=lambda order: (turns.get(order.intent.tag, -1), order.intent.purpose == "exit"))

    def _replaced(self) -> bool:
        """Whether a newer order manager has taken over. A ledger that is away says nothing, and holds up no cancel."""
        try:
            self._standing.check()
        except LedgerFenced:
            return True
        return False

    def _share(self) -> None:
        """Another desk of the account may have pulled it, or a person let go there: the ledger's newest row says so."""
        away = self._standing.against and not self._standing.fenced
        if self._unkept or away or 0 <= self._clock.wall_ns() - self._shared_ns < SHARE_NS:
            return
        self._shared_ns = self._clock.wall_ns()
        self._standing.attempt(self._obey)

    def _obey(self) -> None:
        kept, before = self._journal.kill(), self.pulled
        if kept is None:
            return
        if kept.pulled and (before is None or (kept.square_off and not before.square_off)):
            self._hold(kept)
            self._say("alarm", f"KILL SWITCH of this account pulled by {kept.who}: {kept.why}; it holds here too")
        elif not kept.pulled and before is not None:
            if self._file is None or not self._file.words():
                self._let_go(f"released by {kept.who} for the whole account: {kept.why}")
            elif self._left != kept:
                self._left = kept
                words = f"{kept.who} has released the kill switch of this account: {kept.why}"
                self._say("warning", f"{words}; this desk's own kill file still holds it here: vikalp release here too")

    def _pull_by(self, said: Said) -> None:
        square_off = self._config.square_off if said.square_off is None else said.square_off
        self.pull(said.why, said.who, square_off=square_off)

    def _look(self) -> None:
        """The file, and how long ledger and broker are gone while the market is open."""
        words = self._file.words() if self._file is not None else ""
        if self.pulled is not None:
            said = read(words)
            if words and said.square_off and not self.pulled.square_off:
                self._pull_by(said)
            return
        if words:
            self._pull_by(read(words))
            return
        for what, gone_s, most_s in (
            ("the ledger", self._standing.ledger_gone_s, self._config.ledger_gone_s),
            ("the broker", self._standing.broker_gone_s, self._config.broker_gone_s),
        ):
            if gone_s >= most_s and self._open():
                self.pull(f"{what} is gone for {gone_s:.0f} s", "the order manager", square_off=self._config.square_off)
                return

    def _open(self) -> bool:
        now_ns = self._clock.now_ns()
        try:
            return any(phase(exchange, now_ns) == "open" for exchange in self._exchanges)
        except VikalpError:  # a date nobody covers: nothing is traded on it
            return False

    def _hold(self, kill: Kill) -> None:
        self.pulled = kill
        self._standing.hold(f"the kill switch is pulled by {kill.who}: {kill.why}")

    def _say(self, severity: str, words: str) -> None:
        at_ns = self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="kill switch", message=words))  # type: ignore[arg-type]


def _said(why: str, who: str, *, at_ns: int, pulled: bool, square_off: bool = False) -> Kill:
    """In words that a ledger can hold: one that it cannot would be in none, ever."""
    why, who = printable(why.strip()), printable(who.strip())
    return Kill(pulled=pulled, who=who, why=why, square_off=square_off, at_ns=at_ns)


def exchanges_of(indices: tuple[str, ...]) -> tuple[str, ...]:
    """The exchanges these indices are traded on, each once."""
    return tuple(sorted({exchange_of(index) for index in indices}))
