"""One order spread out: TWAP over a window of market time, and an iceberg that shows a part at a time."""

from typing import Literal

from core.errors import InputError
from core.market import exchange_of, from_ns, session, to_ns
from core.orders.plans.job import Job
from core.orders.plans.plan import Done, PlanBase, Step, View, check_leg, live
from core.orders.plans.sliced import wind_down
from core.orders.plans.work import cancels, enter, enter_more, filled_of, lot_of, series, tried, working_of
from core.orders.slicing import spread
from core.records import Order, Purpose, Side


class Twap(PlanBase, frozen=True, kw_only=True, tag="twap"):
    """`quantity` units in `slices` parts of whole lots, at as many equal steps of market time from `start_ns` on.

    What of a slice has not filled when the next is due is cancelled. catch_up: the next slice takes it along, and what
    was not sent while the desk was away; else it is left out and reported. It ends at `end_ns`, and with the session.
    """

    symbol: str
    side: Side
    quantity: int
    start_ns: int
    end_ns: int
    slices: int
    catch_up: bool = True
    limit_paise: int = 0
    purpose: Purpose = "entry"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, self.quantity, self.limit_paise)
        if self.slices < 1 or self.end_ns - self.start_ns < self.slices:
            raise InputError(
                f"plan {self.plan_id}: expected 1 slice or more in a window of time that ends after it begins"
            )

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        parts = spread(self.quantity, self.slices, lot_of(self, view, self.symbol))
        by_slice = [series(self, view, f"slice {place}") for place in range(len(parts))]
        orders = [order for one in by_slice for order in one]
        if filled_of(orders) >= self.quantity:
            return [Done("done", f"all {self.quantity} units filled")]
        if view.ending or view.now_ns >= self._end_ns(view):
            return wind_down(orders, self.quantity, view.ending or "its window of time is over")
        due = (view.now_ns - self.start_ns) * len(parts) // (self.end_ns - self.start_ns)
        if due < 0:
            return []
        due = min(due, len(parts) - 1)
        before = [order for one in by_slice[:due] for order in one]
        return [*cancels(before), *self._send(view, due, parts, before)]

    def _send(self, view: View, due: int, parts: tuple[int, ...], before: list[Order]) -> list[Step]:
        quantity = parts[due]
        if self.catch_up:
            quantity = sum(parts[: due + 1]) - filled_of(before) - working_of(before)
        job = Job(
            symbol=self.symbol, side=self.side, quantity=quantity, purpose=self.purpose,
            reason=self.plan_id, limit_paise=self.limit_paise,
        )  # fmt: skip
        return enter(self, view, f"slice {due}", job).steps if quantity > 0 else []

    def _end_ns(self, view: View) -> int:
        """The window's end, or the close of the session it began in, whichever comes first."""
        hours = session(exchange_of(self.index), from_ns(self.start_ns).date())
        return min(self.end_ns, to_ns(hours.close)) if hours else view.now_ns


class Iceberg(PlanBase, frozen=True, kw_only=True, tag="iceberg"):
    """`quantity` units at `limit_paise`, of which `visible` at most rest: the next part follows when the last is done.

    refused: a part that is turned away or cancelled ends the rest ("stop"), or is tried again ("continue").
    """

    symbol: str
    side: Side
    quantity: int
    visible: int
    limit_paise: int
    refused: Literal["stop", "continue"] = "stop"
    purpose: Purpose = "entry"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leg(self, self.symbol, self.quantity, self.limit_paise)
        if not 0 < self.visible <= self.quantity or self.limit_paise <= 0:
            raise InputError(f"plan {self.plan_id}: an iceberg shows a part of its quantity, at a limit")

    def symbols(self) -> frozenset[str]:
        return frozenset({self.symbol})

    def decide(self, view: View) -> list[Step]:
        orders = series(self, view, "part")
        filled = filled_of(orders)
        if filled >= self.quantity:
            return [Done("done", f"all {self.quantity} units filled")]
        short = bool(orders) and not live(orders[-1]) and orders[-1].filled_quantity < orders[-1].intent.quantity
        most = 1 if self.refused == "stop" else self.policy.tries
        if view.ending or (short and most == 1) or tried(orders) >= most:
            return wind_down(orders, self.quantity, view.ending or "a part was turned away or cancelled")
        if any(live(order) for order in orders):
            return []
        job = Job(
            symbol=self.symbol, side=self.side, quantity=min(self.visible, self.quantity - filled),
            purpose=self.purpose, reason=self.plan_id, limit_paise=self.limit_paise,
        )  # fmt: skip
        return enter_more(self, view, "part", job)
