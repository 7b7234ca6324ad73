"""Runs plans: brackets, multi-leg orders, slices, ladders; each is kept in the ledger and decided anew every time.

A plan is a definition and a pure function (core/orders/plans). What has become of it is in its orders and in what it
has said; so a process that dies anywhere goes on where the ledger is. Entries wait while the order manager is not
ACTIVE; exits of a plan go out in REDUCING and HALTED too, since they protect what is held. The kill switch and exit_all
end every plan: they cancel its orders and close what it holds.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.changes import Changes
from actors.oms.follow import Follower
from actors.oms.guards import Guards
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.running import Running, decoded, kind_of
from actors.oms.send import Sender
from actors.oms.standing import Standing
from actors.oms.triggers import Triggers, check_night
from core.errors import DeskError, InputError, UnknownName, VikalpError
from core.matching.depth import Board
from core.orders.machine import refused
from core.orders.plans import (
    DONE,
    Cancel,
    CancelGtt,
    Done,
    HandOver,
    Modify,
    PlaceGtt,
    Plan,
    Say,
    Send,
    Severity,
    Step,
    View,
    exit_reason,
    steps,
    successor,
    symbols,
)
from core.orders.positions import market_date
from core.ports import Clock
from core.records import Alert, Intent, Order, PlanStatus, PlanWord

ENDING = "ending"  # the key under which somebody's wish that a plan shall end is kept


class PlanRunner:
    """Raises nothing for what ledger and broker do but in `start` and `end`: what is not done is decided again."""

    def __init__(
        self,
        journal: Journal,
        send: Sender,
        standing: Standing,
        *,
        guards: Guards,
        broker: BrokerLink,
        clock: Clock,
        most_modifications: int,
        follow: Follower,
        account: Account,
        risk: RiskLink,
    ) -> None:
        self._journal, self._send, self._standing, self._follow = journal, send, standing, follow
        self._guards, self._broker, self._clock, self._most = guards, broker, clock, most_modifications
        self._all: dict[str, Running] = {}
        self._on: dict[str, Running] = {}  # those not known to be over
        self._changes = Changes(journal, send, clock)
        self._first = ""  # id of the plan that the last turn had no time for
        self._failed: dict[str, Order] = {}  # by tag, what could not even be asked for
        self._warned: set[str] = set()
        self._triggers = Triggers(
            journal, follow, account, broker=broker, risk=risk, clock=clock, say=self._word, warn=self._warn
        )
        journal.why_left = self._why_left

    def begin(self) -> None:
        """Every plan of the session with what it has said; raises as the ledger."""
        kept: dict[str, Running] = {}
        for plan_id, body, words in self._journal.plans():
            said = {word.key: word for word in words}
            try:
                kept[plan_id] = Running(decoded(body, 0), body, said)
            except VikalpError as error:
                if DONE not in said:
                    self._warn(f"plan {plan_id} cannot be read and is not run, look after what it holds: {error}")
        self._all, self._on = kept, dict(kept)
        self._triggers.begin(kept.values())

    def start(self, body: str) -> PlanStatus:
        """Keep it and begin; the first of an id stays. InputError for what is no plan, or another one than it was."""
        plan = decoded(body, self._clock.now_ns())
        known = self._all.get(plan.plan_id)
        if known is None:
            self._standing.check()
            check_night(plan, self.running(), keeps=self._broker.keeps_triggers)
            if self._standing.stop:
                raise DeskError(f"plan {plan.plan_id} was not started: {self._standing.stop}; ask again with its id")
            if self._standing.killed:
                raise InputError(f"plan {plan.plan_id} was not started: {self._standing.killed}")
            known = self._keep(plan)
        elif decoded(body, known.plan.created_ns) != known.plan:
            raise InputError(f"plan {plan.plan_id} is another one already: give this one an id of its own")
        return known.told

    def _keep(self, plan: Plan) -> Running:
        body = msgspec.json.encode(plan).decode()
        self._journal.plan(plan.plan_id, body, plan.created_ns)
        self._all[plan.plan_id] = self._on[plan.plan_id] = one = Running(plan, body)
        self._triggers.watch(one)
        return one

    def end(self, plan_id: str, why: str) -> PlanStatus:
        """Keep the wish; the plan leaves what it has entered by its own rules."""
        running = self._all.get(plan_id)
        if running is None:
            raise UnknownName(f"no plan has the id {plan_id!r}; `vikalp plans` lists those of this session")
        if not running.over:
            self._word(running, ENDING, "info", why or "a person wants it to end")
        return running.told

    def abandon(self, why: str, only: Collection[str] | None = None) -> None:
        """Every plan is over, or those in `only` by id: somebody else cancels their orders and closes what is held."""
        if self._standing.against:
            return  # nothing can be kept, and nothing runs; asked again
        for running in self._running():
            if only is not None and running.plan.plan_id not in only:
                continue
            self._standing.attempt(lambda: self._word(running, DONE, "warning", f"failed: {why}"))  # noqa: B023 called at once
            self._triggers.hurry()

    def take_back(self) -> None:
        """What waits at the broker for plans that are over is asked back at once: somebody closes what they held."""
        if not self._standing.stop:
            self._standing.attempt(lambda: self._triggers.follow(now=True))

    def statuses(self, *, every: bool = False) -> list[PlanStatus]:
        """Those that run, or have ended on the market's day."""
        today = market_date(self._clock.now_ns())
        return [one.told for one in self._all.values() if every or not (one.ended_on and one.ended_on < today)]

    def watched(self) -> Iterable[tuple[str, str]]:
        """(index, symbol) of what running plans go by."""
        return [(one.plan.index, symbol) for one in self._running() for symbol in sorted(symbols(one.plan))]

    def running(self) -> list[Plan]:
        return [one.plan for one in self._running()]

    def every(self) -> list[Plan]:
        """Those that are over too."""
        return [one.plan for one in self._all.values()]

    def run(self, board: Board) -> None:
        """Every running plan's next steps; none while nothing may be sent, or the kill switch is pulled."""
        if self._standing.stop:
            return
        self._standing.attempt(self._triggers.follow)
        running = self._running()
        if not running or self._standing.stop or self._standing.killed:
            return
        self._changes.seen()
        for one in self._in_turn(running):
            if self._broker.over:
                self._first = one.plan.plan_id
                return
            try:
                wanted = steps(one.plan, self._view(one, self._orders(one), board))
            except VikalpError as error:
                self._warn(f"plan {one.plan.plan_id} cannot be decided: {error}")
                continue
            for step in wanted:
                if not self._broker.over:
                    self._standing.attempt(lambda: self._do(one, step))  # noqa: B023 called at once

    def _why_left(self, order: Order, paise: int) -> str:
        """Why an exit has left at that price: as its plan says, else as it was sent."""
        one = self._all.get(order.intent.plan)
        if one is None:
            return order.intent.reason
        return exit_reason(one.plan, self._view(one, self._journal.of_plan(one.plan.plan_id), None), order, paise)

    def _orders(self, one: Running) -> Mapping[str, Order]:
        """The plan's own, with those that could not even be asked for, and which of them are lost."""
        plan_id = one.plan.plan_id
        failed = {tag: order for tag, order in self._failed.items() if order.intent.plan == plan_id}
        return {tag: self._follow.told(order) for tag, order in self._journal.of_plan(plan_id).items()} | failed

    def _running(self) -> list[Running]:
        """Those that are over are left out for good: an account's life has many."""
        self._on = {plan_id: one for plan_id, one in self._on.items() if not one.over}
        return list(self._on.values())

    def _in_turn(self, running: list[Running]) -> list[Running]:
        """Beginning with the one after that which used the last turn up: none takes every turn of the others."""
        first = next((n for n, one in enumerate(running) if one.plan.plan_id == self._first), 0)
        return running[first:] + running[:first]

    def _view(self, one: Running, orders: Mapping[str, Order], board: Board | None) -> View:
        plan, depths = one.plan, {symbol: board.depth(symbol) if board else None for symbol in symbols(one.plan)}
        ending = one.words.get(ENDING)
        books = self._journal.open_books().values()
        return View(
            now_ns=self._clock.now_ns(),
            wall_ns=self._clock.wall_ns(),
            orders=orders,
            said={key: word.at_ns for key, word in one.words.items()},
            depth={symbol: depth for symbol, depth in depths.items() if depth is not None},
            changing=self._triggers.changing.union(self._changes.pending),
            held={b.symbol: b.quantity for b in books if (b.strategy, b.product) == (plan.strategy, plan.product)},
            working=self._working(plan),
            gtts=self._triggers.seen(one),
            ending=ending.message if ending else "",
            most_modifications=self._most,
        )

    def _working(self, plan: Plan) -> Mapping[str, int]:
        units = Counter[str]()
        for order in self._journal.live():
            intent = order.intent
            if (intent.strategy, intent.product) == (plan.strategy, plan.product) and intent.plan != plan.plan_id:
                left = intent.quantity - order.filled_quantity
                units[intent.symbol] += left if intent.side == "BUY" else -left
        return units

    def _do(self, one: Running, step: Step) -> None:
        match step:
            case Send(intent=intent):
                self._place(intent)
            case Modify(order=tag, terms=wanted):
                self._changes.ask(tag, wanted, one.plan.policy.retry_ns)
            case Cancel(order=tag):
                self._changes.ask(tag, None, one.plan.policy.retry_ns)
            case Say(severity=severity, key=key, message=message):
                self._word(one, key, severity, message)
            case Done(outcome=outcome, message=message, reason=reason):
                bad: Severity = "alarm" if outcome == "failed" else "info"
                why = f" ({reason})" if reason else ""
                self._word(one, DONE, bad, f"{outcome}: {message}{why}")
            case PlaceGtt():
                self._triggers.place(one, step)
            case CancelGtt(name=name, trigger_id=trigger_id):
                self._triggers.take_back(name, trigger_id)
            case HandOver(message=message):
                heir = successor(one.plan, step, self._clock.now_ns())
                if heir.plan_id not in self._all:
                    self._keep(heir)
                self._word(one, DONE, "info", f"done: {message}; plan {heir.plan_id} has it")

    def _place(self, intent: Intent) -> None:
        state = self._standing.state
        if intent.purpose != "exit" and state != "ACTIVE":
            return  # it waits; the plan's own time goes on
        if self._guards.full(intent.purpose) is not None:
            return  # no room in the order budget: decided anew, and the tag stays free
        try:
            self._send.submit(intent, "REDUCING" if intent.purpose == "exit" else state)
        except InputError as error:
            self._failed[intent.tag] = refused(intent, self._clock.now_ns(), f"{error}")
            self._warn(f"plan {intent.plan}, {intent.side} {intent.quantity} {intent.symbol}: {error}")

    def _word(self, one: Running, key: str, severity: Severity, message: str, *, told: str = "") -> None:
        if key in one.words:
            return
        plan_id = one.plan.plan_id
        word = PlanWord(plan_id=plan_id, key=key, severity=severity, message=message, at_ns=self._clock.now_ns())
        self._journal.word(word)
        one.words[key] = word
        self._alert(severity, f"plan {plan_id} ({kind_of(one.plan)}): {told or message}")

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._alert("alarm", message)

    def _alert(self, severity: Severity, message: str) -> None:
        at_ns = self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="plans", message=message))
