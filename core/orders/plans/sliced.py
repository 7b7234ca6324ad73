"""One order of any size: slices at or below the freeze quantity, and what a slice that is turned away means."""

from core.orders.plans.job import Job, Ladder
from core.orders.plans.plan import OTHER, Done, PlanBase, Say, Step, View, check_leg, live
from core.orders.plans.work import cancels, enter, filled_of, leave, series
from core.orders.slicing import OnRefused
from core.records import Order, Purpose, Side


class Sliced(PlanBase, frozen=True, kw_only=True, tag="sliced"):
    """Buy or sell `quantity` units. `limit_paise` 0 is at market, protected by a price.

    refused: a slice that is turned away ends the rest ("stop"), does not ("continue"), or has what filled traded back
    ("unwind"). rest_ns: market time after which what rests is cancelled; 0: the exchange does so at the close.
    """

    symbol: str
    side: Side
    quantity: int
    limit_paise: int = 0
    purpose: Purpose = "entry"
    refused: OnRefused = "stop"
    rest_ns: int = 0
    ladder: Ladder = Ladder()  # of the way back

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, self.quantity, self.limit_paise)

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        job = Job(
            symbol=self.symbol, side=self.side, quantity=self.quantity, purpose=self.purpose,
            reason=self.plan_id, limit_paise=self.limit_paise, refused=self.refused,
        )  # fmt: skip
        orders = series(self, view, "slice")
        if series(self, view, "back") or "unwind" in view.said:
            return self._back(view, orders)
        rested = self.rest_ns and view.now_ns - self.created_ns >= self.rest_ns
        if view.ending or rested:
            return wind_down(orders, self.quantity, view.ending or "it rested as long as it may")
        work = enter(self, view, "slice", job)
        if work.complete:
            return [Done("done", f"{self.quantity} of {self.symbol} filled")]
        if work.gave_up and self.refused == "unwind":
            text = f"a slice of {self.symbol} was turned away or cancelled: what filled of the others is traded back"
            return [Say("alarm", "unwind", text), *self._back(view, orders)]
        return wind_down(orders, self.quantity, "slices were turned away or cancelled") if work.stuck else work.steps

    def _back(self, view: View, orders: list[Order]) -> list[Step]:
        if any(live(order) for order in orders):
            return cancels(orders)
        filled = filled_of(orders)
        if not filled:
            return [Done("nothing", "nothing had filled", "refused")]
        job = Job(
            symbol=self.symbol, side=OTHER[self.side], quantity=filled, purpose="exit",
            reason="unwind", ladder=self.ladder,
        )  # fmt: skip
        work = leave(self, view, "back", job)
        if work.complete:
            return [*work.steps, Done("unwound", f"{filled} of {self.symbol} traded back", "refused")]
        failed = [Done("failed", f"{filled - work.filled} of {self.symbol} not traded back", "refused")]
        return [*work.steps, *(failed if work.stuck else [])]


def wind_down(orders: list[Order], asked: int, why: str) -> list[Step]:
    """Cancel what lives; once nothing does, the end."""
    if any(live(order) for order in orders):
        return cancels(orders)
    filled = filled_of(orders)
    if filled >= asked:
        return [Done("done", f"all {asked} units filled")]
    return [Done("partial" if filled else "nothing", f"{filled} of {asked} units: {why}", why)]
