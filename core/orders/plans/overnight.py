"""The overnight form of a bracket's exit: a trigger of two legs that waits at the broker (GTT).

The exchange forgets orders at the close; a broker keeps triggers for a year. Triggered is not filled: the order it
sends is a limit like any other. Nothing rests at the exchange meanwhile, so by day a Protect plan does better; never
run both for the same units: with `exit.overnight` the two take turns, each handing over to the next.
"""

from core.market import exchange_of, phase, tick_paise
from core.orders.plans.exit_rules import ExitRules
from core.orders.plans.plan import (
    CancelGtt,
    Done,
    Gtt,
    GttLeg,
    HandOver,
    PlaceGtt,
    PlanBase,
    Say,
    Step,
    View,
    check_leg,
    step_tag,
)
from core.orders.price_guard import ceil_tick, floor_tick
from core.records import Side


class Overnight(PlanBase, frozen=True, kw_only=True, tag="overnight"):
    """Stop and target of `quantity` signed units that the strategy holds, as a two-leg trigger; NRML alone.

    Of `exit` stop, target and reach count. Where less is held by now the trigger is replaced by one of what is left.
    With `exit.overnight` it waits while the session is closed alone: when it opens the trigger is taken back, and once
    it is gone a protect plan has the rest.
    """

    symbol: str
    quantity: int
    exit: ExitRules

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, abs(self.quantity))
        self.exit.check(self, self._side)
        self.exit.check_night(self, self.symbol, self.quantity)

    @property
    def _side(self) -> Side:
        return "SELL" if self.quantity > 0 else "BUY"

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        known = self._known(view)
        last = known[-1] if known else None
        held = view.held.get(self.symbol, 0) * (1 if self.quantity > 0 else -1)
        units = min(abs(self.quantity), max(0, held))
        by_day = self.exit.overnight and phase(exchange_of(self.index), view.now_ns) == "open"
        if last is None or last.status in {"gone", "refused"}:
            return self._handed_over(units) if by_day and units and not view.ending else self._none(view, known, units)
        if last.status == "triggered":
            return self._fired(last, view)
        if last.status == "active" and (view.ending or by_day or units < last.quantity):
            return [CancelGtt(last.name, last.trigger_id)]
        return []

    def _handed_over(self, units: int) -> list[Step]:
        signed = units if self.quantity > 0 else -units
        words = f"the session is open: the desk's own stop has {units} of {self.symbol}"
        return [HandOver("day", signed, words)]

    def _known(self, view: View) -> list[Gtt]:
        found: list[Gtt] = []
        while (one := view.gtts.get(step_tag(self, f"gtt {len(found)}"))) is not None:
            found.append(one)
        return found

    def _none(self, view: View, known: list[Gtt], units: int) -> list[Step]:
        """No trigger waits: the end, or another one."""
        if view.ending:
            return [Done("done", f"no trigger of {self.symbol} waits any more", view.ending)]
        if not units:
            return [Done("closed", f"nothing of {self.symbol} is held any more", "not held")]
        said: list[Step] = []
        if known and known[-1].status == "gone":
            said.append(
                Say("warning", f"gone {known[-1].name}", f"the trigger of {self.symbol} is gone: another is placed")
            )
        refusals = [one for one in known if one.status == "refused"]
        if refusals:
            text = f"a trigger of {units} {self.symbol} was refused: nothing protects them at the broker"
            said.append(Say("alarm", f"refused {refusals[-1].name}", text))
            told_ns = view.said.get(f"refused {refusals[-1].name}", view.now_ns)
            if len(refusals) >= self.policy.tries:
                return [*said, Done("failed", text, "refused")]
            if known[-1].status == "refused" and view.now_ns - told_ns < self.policy.retry_ns << len(refusals):
                return said
        return [*said, *self._place(view, len(known), units)]

    def _place(self, view: View, number: int, units: int) -> list[Step]:
        depth = view.depth.get(self.symbol)
        last = depth.last_paise if depth is not None else 0
        if not last:
            return [Say("warning", "no price", f"{self.symbol}: waiting for a last price to place its trigger by")]
        low, high = self._legs()
        if not low.trigger_paise < last < high.trigger_paise:
            text = f"{self.symbol} is at {last / 100:.2f}, not between its triggers: close it, or give it others"
            return [Say("alarm", "outside", text), Done("failed", text, "outside")]
        name = step_tag(self, f"gtt {number}")
        legs = (low, high)
        return [PlaceGtt(name=name, symbol=self.symbol, side=self._side, quantity=units, last_paise=last, legs=legs)]

    def _legs(self) -> tuple[GttLeg, GttLeg]:
        """Lower trigger first: the stop of a long, the target of a short."""
        tick, rules = tick_paise(self.index), self.exit
        target = GttLeg(trigger_paise=rules.target_paise, limit_paise=rules.target_paise)
        if self.quantity > 0:
            limit = floor_tick(rules.stop_paise * (1 - rules.reach), tick)
            return GttLeg(trigger_paise=rules.stop_paise, limit_paise=limit), target
        limit = ceil_tick(rules.stop_paise * (1 + rules.reach), tick)
        return target, GttLeg(trigger_paise=rules.stop_paise, limit_paise=limit)

    def _fired(self, gtt: Gtt, view: View) -> list[Step]:
        """Its order was sent: the end is that order's."""
        reason = "stop" if (gtt.fired == 0) == (self.quantity > 0) else "target"
        if not gtt.ended and not gtt.order_failed:
            waited = view.now_ns - view.said.get("fired", view.now_ns) >= self.exit.jumped_ns
            late = Say("alarm", "not filled", f"the {reason} order of {self.symbol} was sent and has not filled")
            return [Say("warning", "fired", f"{self.symbol}: the {reason} order was sent"), *([late] if waited else [])]
        left = gtt.quantity - gtt.filled_quantity
        if not left:
            return [Done("closed", f"{gtt.quantity} of {self.symbol} were left", reason)]
        text = f"{left} of {self.symbol} did not leave by the {reason} order of their trigger: close them by hand"
        return [Say("alarm", "left over", text), Done("failed", text, reason)]
