"""Getting out of positions by a ladder of limits: from the touch to the edge of the band, shorts before longs."""

import msgspec

from core.errors import InputError
from core.orders.plans.job import Job, Ladder
from core.orders.plans.plan import Done, PlanBase, Step, View, check_leg
from core.orders.plans.sliced import wind_down
from core.orders.plans.work import Worked, filled_of, leave, series


class Close(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position to be closed: signed units as they are held."""

    symbol: str
    quantity: int


class SquareOff(PlanBase, frozen=True, kw_only=True, tag="square_off"):
    """Close `positions` for `reason`. What is long is sold once nothing of these is short.

    Told to end it takes back what rests and leaves what is held then as it is.
    """

    positions: tuple[Close, ...]
    reason: str = "square-off"
    ladder: Ladder = Ladder()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len({one.symbol for one in self.positions}) != len(self.positions) or not self.positions:
            raise InputError(f"plan {self.plan_id}: expected positions of different contracts, one at least")
        for one in self.positions:
            check_leg(self, one.symbol, abs(one.quantity))

    def symbols(self) -> frozenset[str]:
        return frozenset(one.symbol for one in self.positions)

    def decide(self, view: View) -> list[Step]:
        if view.ending:
            return self._ended(view)
        works = [self._work(view, one) for one in self.positions if one.quantity < 0]
        if all(work.complete for work in works):
            works += [self._work(view, one) for one in self.positions if one.quantity > 0]
        found = [step for work in works for step in work.steps]
        if any(work.stuck for work in works) and all(work.stuck or work.complete for work in works):
            return [*found, Done("failed", "not everything could be closed", self.reason)]
        if all(work.complete for work in works) and len(works) == len(self.positions):
            return [*found, Done("closed", "everything is closed", self.reason)]
        return found

    def _work(self, view: View, one: Close) -> Worked:
        job = Job(
            symbol=one.symbol, side="BUY" if one.quantity < 0 else "SELL", quantity=abs(one.quantity),
            purpose="exit", reason=self.reason, ladder=self.ladder,
        )  # fmt: skip
        return leave(self, view, _step(one), job)

    def _ended(self, view: View) -> list[Step]:
        orders = [order for one in self.positions for order in series(self, view, _step(one))]
        asked = sum(abs(one.quantity) for one in self.positions)
        if filled_of(orders) >= asked:
            return [Done("closed", "everything is closed", self.reason)]
        return wind_down(orders, asked, view.ending)


def _step(one: Close) -> str:
    return f"close {one.symbol}"
