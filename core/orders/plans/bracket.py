"""A bracket: an entry, and stop and target for whatever of it has filled; the same exits for what is held already.

With `exit.overnight` what is held when the session has closed is handed over to a trigger at the broker (overnight.py).
"""

from core.market import exchange_of, from_ns, parse_symbol, phase
from core.orders.plans.exit_rules import ExitRules
from core.orders.plans.guard import STEP, Guard
from core.orders.plans.job import Job
from core.orders.plans.plan import OTHER, Done, HandOver, PlanBase, Say, Step, View, check_leg, live
from core.orders.plans.work import Worked, cancels, enter, filled_of, series, working_of
from core.records import Order, Purpose, Side


class Bracket(PlanBase, frozen=True, kw_only=True, tag="bracket"):
    """Enter on `side`, `limit_paise` 0 at market with protection by price; leave by `exit`.

    Each part of the entry that fills gets a protecting order of its own. The entry's rest is cancelled when the way out
    begins, when the plan is ended, or after `rest_ns` of market time (0: the exchange does so at the close).
    """

    symbol: str
    side: Side
    quantity: int
    exit: ExitRules
    limit_paise: int = 0
    rest_ns: int = 0
    purpose: Purpose = "entry"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, self.quantity, self.limit_paise)
        self.exit.check(self, OTHER[self.side])
        if self.exit.overnight:
            self.exit.check_night(self, self.symbol, self.quantity)

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        entries = series(self, view, "entry")
        guard = self._guard(view)
        exits = guard.work()
        begins = guard.begins(exits.steps)
        rested = bool(self.rest_ns) and view.now_ns - self.created_ns >= self.rest_ns
        over = bool(begins) or guard.begun or bool(view.ending) or rested
        entering = self._entering(view, entries, over=over)
        found = [*exits.steps, *begins, *entering.steps]
        if any(live(order) for order in (*entries, *guard.orders)) or not (entering.complete or entering.gave_up):
            return found
        end = self._end(view, guard, exits)
        return [*found, *(end or night(guard, 1 if self.side == "BUY" else -1))]

    def exit_reason(self, view: View, order: Order, paise: float) -> str:
        """Why an exit of this plan left at `paise`: "stop", "target" or what ended the plan."""
        return self._guard(view).reason(order, paise)

    def _guard(self, view: View) -> Guard:
        entered = filled_of(series(self, view, "entry"))
        return Guard(self, view, self.exit, self.symbol, OTHER[self.side], entered)

    def _entering(self, view: View, entries: list[Order], *, over: bool) -> Worked:
        if over:
            return Worked(cancels(entries), self.quantity, filled_of(entries), working_of(entries), gave_up=True)
        job = Job(
            symbol=self.symbol, side=self.side, quantity=self.quantity, purpose=self.purpose,
            reason=self.plan_id, limit_paise=self.limit_paise,
        )  # fmt: skip
        return enter(self, view, "entry", job)

    def _end(self, view: View, guard: Guard, exits: Worked) -> list[Step]:
        """Nothing lives and nothing more is entered: flat, never entered, or stuck."""
        left = guard.entered - guard.exited
        if not guard.entered:
            return [Done("nothing", f"nothing of {self.symbol} was entered", view.ending or "not entered")]
        if not left:
            return [Done("closed", f"{guard.exited} of {self.symbol} were left", _reason(guard))]
        if exits.gave_up or guard.odd:
            text = f"{left} of {self.symbol} are held and no order covers them"
            return [Say("alarm", "left over", text), Done("failed", text, "left over")]
        return []


class Protect(PlanBase, frozen=True, kw_only=True, tag="protect"):
    """Stop, trailing stop and target of `quantity` signed units that the strategy holds already.

    Where the strategy holds less than that by now, what rests is cut down to it.
    """

    symbol: str
    quantity: int
    exit: ExitRules

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, abs(self.quantity))
        self.exit.check(self, self._side)
        if self.exit.overnight:
            self.exit.check_night(self, self.symbol, self.quantity)

    @property
    def _side(self) -> Side:
        return "SELL" if self.quantity > 0 else "BUY"

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        guard = self._guard(view)
        if working_of(guard.orders) > guard.entered - guard.exited:  # some was closed elsewhere
            return cancels(guard.orders)
        work = guard.work()
        if any(live(order) for order in guard.orders):
            return work.steps
        if not guard.entered:
            return [Done("nothing", f"nothing of {self.symbol} is held", "not held")]
        if guard.exited >= guard.entered:
            return [Done("closed", f"{guard.exited} of {self.symbol} were left", _reason(guard))]
        if work.gave_up or guard.odd == guard.entered - guard.exited:
            text = f"{guard.entered - guard.exited} of {self.symbol} are held and no order covers them"
            return [*work.steps, Say("alarm", "left over", text), Done("failed", text, "left over")]
        return [*work.steps, *night(guard, 1 if self.quantity > 0 else -1)]

    def exit_reason(self, view: View, order: Order, paise: float) -> str:
        """As Bracket's."""
        return self._guard(view).reason(order, paise)

    def _guard(self, view: View) -> Guard:
        exited = filled_of(series(self, view, STEP))
        held = view.held.get(self.symbol, 0) * (1 if self.quantity > 0 else -1)
        return Guard(self, view, self.exit, self.symbol, self._side, min(abs(self.quantity), exited + max(0, held)))


def night(guard: Guard, sign: int) -> list[Step]:
    """What hands the rest over to the night; nothing lives. Nothing by day, on the way out, or of what has expired."""
    plan, view = guard.plan, guard.view
    left = guard.entered - guard.exited - guard.odd
    if not guard.rules.overnight or left <= 0 or guard.begun or view.ending:
        return []
    today = from_ns(view.now_ns).date()
    expiry = parse_symbol(guard.symbol, from_ns(plan.created_ns).date()).expiry
    if phase(exchange_of(plan.index), view.now_ns) != "closed" or expiry is None or expiry <= today:
        return []
    words = f"{left} of {guard.symbol} wait at the broker over night, with a trigger"
    return [HandOver("night", sign * left, words)]


def _reason(guard: Guard) -> str:
    """Why the exits left, in one word: a stop among them is what counts."""
    reasons = {guard.reason(order, order.average_paise) for order in guard.orders if order.filled_quantity}
    return "stop" if "stop" in reasons else min(reasons)
