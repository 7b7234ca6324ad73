"""Rolling positions into their next contract: purchases first, then sales, so that no short loses its hedge."""

import msgspec

from core.errors import InputError
from core.orders.plans.job import Job, Ladder
from core.orders.plans.plan import SECOND, Done, PlanBase, Say, Step, View, check_leg
from core.orders.plans.work import Worked, cancels, enter, filled_of, leave, series, working_of
from core.records import COVER


class Roll(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`quantity` signed units as they are held of `symbol`, to be held of `into` instead."""

    symbol: str
    quantity: int
    into: str


class Rollover(PlanBase, frozen=True, kw_only=True, tag="rollover"):
    """Roll `legs`, a position or a whole spread.

    First what is bought: the new hedges, and the shorts back. Then what is sold, each only up to what its own purchase
    has filled: new shorts once every new hedge is filled, old hedges once every old short is back. A new contract that
    is not filled `wait_ns` after its last order was sent is given up with an alarm: a short is then closed and not
    opened anew, a long stays where it is. What is closed goes down a ladder to the slippage `budget`, with an alarm
    beyond it.
    """

    legs: tuple[Roll, ...]
    wait_ns: int = 30 * SECOND
    budget: float = 0.1
    ladder: Ladder = Ladder()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.legs or len({leg.symbol for leg in self.legs}) != len(self.legs):
            raise InputError(f"plan {self.plan_id}: expected rolls of different contracts, one at least")
        for leg in self.legs:
            check_leg(self, leg.symbol, abs(leg.quantity))
            check_leg(self, leg.into, abs(leg.quantity))
            if leg.symbol == leg.into:
                raise InputError(f"plan {self.plan_id}: {leg.symbol} cannot be rolled into itself")

    def symbols(self) -> frozenset[str]:
        return frozenset(name for leg in self.legs for name in (leg.symbol, leg.into))

    def decide(self, view: View) -> list[Step]:
        places = range(len(self.legs))
        bought = [self._buy(view, place) for place in places]
        sold = [self._sell(view, place, bought) for place in places]
        found = [step for work in (*bought, *sold) for step in work.steps]
        if all(work.filled == abs(leg.quantity) for work, leg in zip(sold, self.legs, strict=True)):
            return [*found, Done("done", f"{len(self.legs)} positions are rolled")]
        if not all(work.complete or work.stuck for work in (*bought, *sold)):
            return found
        late = [self._report(place, bought[place], sold[place]) for place in places]
        text = f"plan {self.plan_id} is not all rolled: {'; '.join(line for line in late if line)}"
        touched = any(work.filled for work in (*bought, *sold))
        end = Done("partial" if touched else "nothing", text, view.ending or "not filled")
        return [*found, Say("alarm", "not rolled", text), end]

    def _buy(self, view: View, place: int) -> Worked:
        leg = self.legs[place]
        if leg.quantity > 0:
            return self._opened(view, f"buy {place}", leg.quantity, leg)
        return self._closed(view, f"buy {place}", -leg.quantity, leg)

    def _sell(self, view: View, place: int, bought: list[Worked]) -> Worked:
        """Up to what its purchase has filled, once the purchases that it must not overtake are filled."""
        leg = self.legs[place]
        others = [work for work, other in zip(bought, self.legs, strict=True) if other.quantity * leg.quantity < 0]
        clear = all(work.complete for work in others)
        quantity = bought[place].filled if clear else 0
        step = f"sell {place}"
        if leg.quantity > 0:
            return self._closed(view, step, quantity, leg)
        return self._opened(view, step, quantity, leg)

    def _opened(self, view: View, step: str, quantity: int, leg: Roll) -> Worked:
        """The new contract: entered within its time, else given up; cover, if the long that it stands for is held."""
        sold = filled_of(series(self, view, step.replace("buy", "sell")))
        covers = 0 < leg.quantity <= view.held.get(leg.symbol, 0) + sold
        job = Job(
            symbol=leg.into, side="BUY" if leg.quantity > 0 else "SELL", quantity=quantity,
            purpose="hedge" if covers else "entry", reason=COVER if covers else "rollover",
        )  # fmt: skip
        work, orders = enter(self, view, step, job), series(self, view, step)
        began_ns = orders[-1].intent.created_ns if orders else view.now_ns
        late = view.now_ns - began_ns >= self.wait_ns
        if work.complete or not (view.ending or late):
            return work
        return work._replace(steps=cancels(orders), gave_up=True)

    def _closed(self, view: View, step: str, quantity: int, leg: Roll) -> Worked:
        """The old contract: left for certain."""
        job = Job(
            symbol=leg.symbol, side="SELL" if leg.quantity > 0 else "BUY", quantity=quantity, purpose="exit",
            reason="rollover", ladder=self.ladder, budget=self.budget, beyond=True,
        )  # fmt: skip
        if not view.ending:
            return leave(self, view, step, job)
        orders = series(self, view, step)
        return Worked(cancels(orders), quantity, filled_of(orders), working_of(orders), gave_up=True)

    def _report(self, place: int, bought: Worked, sold: Worked) -> str:
        leg = self.legs[place]
        if sold.filled == abs(leg.quantity):
            return ""
        closed, opened = (sold, bought) if leg.quantity > 0 else (bought, sold)
        return f"of {leg.quantity:+d} {leg.symbol} closed {closed.filled}, opened {opened.filled} of {leg.into}"
