"""A target position ("smart" order): bring what the strategy holds of a contract to so many units."""

from core.market import from_ns
from core.orders.machine import remaining
from core.orders.plans.job import Job
from core.orders.plans.plan import SECOND, Done, PlanBase, Say, Step, View, check_leg, live
from core.orders.plans.work import cancels, enter_more, lot_on, series, tried
from core.records import Order


class TargetPosition(PlanBase, frozen=True, kw_only=True, tag="target_position"):
    """Hold `target` signed units of `symbol`, counting what is held and what works, by this plan and elsewhere.

    What crosses zero is two orders, the exit first. `limit_paise` 0 is at market, protected by a price; what of it has
    not filled after `again_ns` is cancelled and sent anew at the price of then.
    """

    symbol: str
    target: int
    limit_paise: int = 0
    again_ns: int = 10 * SECOND

    def __post_init__(self) -> None:
        super().__post_init__()
        units = lot_on(self, self.symbol, from_ns(self.created_ns).date())
        check_leg(self, self.symbol, abs(self.target) or units, self.limit_paise)

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        orders = series(self, view, "move")
        held, elsewhere = view.held.get(self.symbol, 0), view.working.get(self.symbol, 0)
        own = sum(_signed(order, remaining(order)) for order in orders)
        lives = any(live(order) for order in orders)
        if view.ending:
            return cancels(orders) or [self._end(held, view.ending)]
        if held == self.target and not lives and not elsewhere:
            return [self._end(held, "")]
        gap = self.target - held - elsewhere - own
        if own * gap < 0:
            return cancels(orders)  # more is working than is wanted by now
        if tried(orders) >= self.policy.tries and not lives:
            text = f"{held:+d} of {self.symbol} are held instead of {self.target:+d}: orders were turned away"
            return [Say("alarm", "gave up", text), self._end(held, "turned away")]
        old = [order for order in orders if view.now_ns - order.intent.created_ns >= self.again_ns]
        return [*(cancels(old) if not self.limit_paise else []), *self._move(view, orders, gap)]

    def _move(self, view: View, orders: list[Order], gap: int) -> list[Step]:
        """Orders for what is missing: the exit of what is held on the other side, or the entry once there is none."""
        held, quantity = view.held.get(self.symbol, 0), abs(gap)
        leaves = held * gap < 0
        if leaves:
            against = [_signed(order, remaining(order)) for order in orders] + [view.working.get(self.symbol, 0)]
            leaving = sum(-one if held > 0 else one for one in against if one * held < 0)
            quantity = min(quantity, max(0, abs(held) - leaving))
        if not quantity:
            return []
        job = Job(
            symbol=self.symbol, side="BUY" if gap > 0 else "SELL", quantity=quantity,
            purpose="exit" if leaves else "entry", reason=self.plan_id, limit_paise=self.limit_paise,
        )  # fmt: skip
        return enter_more(self, view, "move", job)

    def _end(self, held: int, why: str) -> Done:
        if held == self.target:
            return Done("done", f"{held:+d} of {self.symbol} are held")
        return Done("partial", f"{held:+d} of {self.symbol} are held, {self.target:+d} were asked for: {why}", why)


def _signed(order: Order, units: int) -> int:
    return units if order.intent.side == "BUY" else -units
