"""How a position is left: stop, target, trail, and the ladder for what none of them fills."""

import msgspec

from core.errors import InputError
from core.market import from_ns, parse_symbol, tick_paise, usable_freeze
from core.orders.plans.job import Ladder
from core.orders.plans.plan import SECOND, PlanBase
from core.records import Side


class Trail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stop follows the price at a distance, in paise or as a share of it, and only in favour.

    It moves by `ticks` at least, to save modifications. When those are used up it stays where it is, unless `renew`:
    then the order is cancelled and another one takes its place, and for that moment nothing rests.
    """

    distance_paise: int = 0
    distance_share: float = 0.0
    ticks: int = 4
    renew: bool = False

    def __post_init__(self) -> None:
        if (self.distance_paise > 0) == (self.distance_share > 0) or self.ticks < 1 or self.distance_share >= 1:
            raise InputError("a trail has a distance in paise or as a share below 1, one of them, and 1 tick or more")


class ExitRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a position is left. `target_paise` 0 is no target.

    reach: share by which the stop's limit lies beyond its trigger. turn: share of the way from target to stop at which
    a quote that had reached the target counts as turned away. jumped_ns: market time that a triggered stop may stand
    unfilled with the market beyond its limit. overnight: while the session is closed a trigger of two legs waits at the
    broker (GTT) for what is held, and the stop is sent again in the morning.
    """

    stop_paise: int
    target_paise: int = 0
    reach: float = 0.05
    turn: float = 0.25
    jumped_ns: int = 3 * SECOND
    trail: Trail | None = None
    ladder: Ladder = Ladder()
    overnight: bool = False

    def check(self, plan: PlanBase, side: Side) -> None:
        """InputError unless the prices are ticks, and the target of an exit on `side` is better than its stop."""
        tick, sign = tick_paise(plan.index), 1 if side == "SELL" else -1
        if self.stop_paise <= 0 or self.stop_paise % tick or self.target_paise % tick or self.target_paise < 0:
            raise InputError(f"plan {plan.plan_id}: stop and target are above 0 and on a tick of {tick} paise")
        if self.target_paise and (self.target_paise - self.stop_paise) * sign <= 0:
            raise InputError(f"plan {plan.plan_id}: the target lies on the stop's side of the price")
        if not (0 <= self.reach < 1 and 0 < self.turn <= 1):
            raise InputError(f"plan {plan.plan_id}: expected 0 ≤ reach < 1 and 0 < turn ≤ 1")

    def check_night(self, plan: PlanBase, symbol: str, quantity: int) -> None:
        """InputError for what no trigger of two legs at the broker can be; raises as core.market."""
        if plan.product != "NRML" or not self.target_paise or self.trail is not None:
            raise InputError(
                f"plan {plan.plan_id}: a two-leg trigger is NRML, has a stop and a target, and does not trail"
            )
        day = from_ns(plan.created_ns).date()
        expiry = parse_symbol(symbol, day).expiry
        assert expiry is not None, "an option has an expiry"
        most = usable_freeze(plan.index, expiry, day)
        if abs(quantity) > most:
            raise InputError(
                f"plan {plan.plan_id}: one order of a trigger has at most {most} units; make several plans"
            )
