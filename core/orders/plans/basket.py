"""Several independent legs at once: all of them, or a report of those that did not go."""

import msgspec

from core.errors import InputError
from core.orders.plans.job import Job
from core.orders.plans.plan import Done, PlanBase, Say, Step, View, check_leg
from core.orders.plans.work import Worked, cancels, enter, series
from core.records import Purpose, Side


class BasketLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit_paise` 0 is at market, protected by a price."""

    symbol: str
    side: Side
    quantity: int
    limit_paise: int = 0
    purpose: Purpose = "entry"


class Basket(PlanBase, frozen=True, kw_only=True, tag="basket"):
    """Send every leg, exits before hedges before entries; none waits for another. What fails is reported, not undone.

    Legs that must not stand alone are a MultiLeg. `rest_ns` of market time after which what rests is cancelled; 0: the
    exchange does so at the close.
    """

    legs: tuple[BasketLeg, ...]
    rest_ns: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.legs:
            raise InputError(f"plan {self.plan_id}: expected one leg or more")
        for leg in self.legs:
            check_leg(self, leg.symbol, leg.quantity, leg.limit_paise)

    def symbols(self) -> frozenset[str]:
        return frozenset(leg.symbol for leg in self.legs)

    def decide(self, view: View) -> list[Step]:
        rested = bool(self.rest_ns) and view.now_ns - self.created_ns >= self.rest_ns
        over = view.ending or (rested and "it rested as long as it may") or ""
        order = sorted(range(len(self.legs)), key=lambda place: _FIRST[self.legs[place].purpose])
        works = {place: self._work(view, place, over=bool(over)) for place in order}
        found = [step for work in works.values() for step in work.steps]
        if not all(work.complete or work.stuck for work in works.values()):
            return found
        short = [place for place in range(len(self.legs)) if not works[place].complete]
        if not short:
            return [*found, Done("done", f"all {len(self.legs)} legs are filled")]
        text = "; ".join(_report(self.legs[place], works[place]) for place in short)
        filled = any(work.filled for work in works.values())
        said = Say("warning", "report", f"{len(short)} of {len(self.legs)} legs: {text}")
        return [*found, said, Done("partial" if filled else "nothing", text, over or "not all legs went")]

    def _work(self, view: View, place: int, *, over: bool) -> Worked:
        leg, step = self.legs[place], f"leg {place}"
        job = Job(
            symbol=leg.symbol, side=leg.side, quantity=leg.quantity, purpose=leg.purpose,
            reason=self.plan_id, limit_paise=leg.limit_paise, refused="continue",
        )  # fmt: skip
        work = enter(self, view, step, job)
        return work._replace(steps=cancels(series(self, view, step)), gave_up=True) if over else work


_FIRST: dict[Purpose, int] = {"exit": 0, "hedge": 1, "entry": 2}


def _report(leg: BasketLeg, work: Worked) -> str:
    return f"{leg.side} {leg.quantity} {leg.symbol} filled {work.filled}"
