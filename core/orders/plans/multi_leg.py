"""Several legs as one plan: hedges are bought first, shorts follow up to what is hedged, and what fails is undone."""

from collections.abc import Iterator

import msgspec

from core.errors import InputError
from core.market import from_ns, parse_symbol
from core.orders.plans.job import Job, Ladder
from core.orders.plans.plan import SECOND, Done, PlanBase, Say, Step, View, check_leg, live
from core.orders.plans.work import Worked, cancels, enter, filled_of, leave, series
from core.records import COVER, Order


class Leg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit_paise` 0 is at market, protected by a price."""

    symbol: str
    quantity: int
    limit_paise: int = 0


class Short(Leg, frozen=True, kw_only=True):
    """A leg that is sold; `hedge` is the place of the leg that covers it, unit for unit."""

    hedge: int


class MultiLeg(PlanBase, frozen=True, kw_only=True, tag="multi_leg"):
    """Buy `hedges`, then sell `shorts`: each only up to what is filled of its hedge, so that none is ever naked.

    Shorts begin when every hedge is filled, with `part` as soon as part of theirs is. Unless the hedges are filled
    `hedge_ns` after the plan was made, and all of it `naked_ns` after its first fill, and when a leg is turned away,
    the plan is undone: what rests is cancelled, shorts are bought back, then hedges sold, each down a ladder to a
    slippage budget, and with an alarm beyond it, to the edge of the band.
    """

    hedges: tuple[Leg, ...]
    shorts: tuple[Short, ...]
    part: bool = False
    hedge_ns: int = 20 * SECOND
    naked_ns: int = 30 * SECOND
    budget: float = 0.1
    ladder: Ladder = Ladder()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hedges or not self.shorts:
            raise InputError(f"plan {self.plan_id}: expected hedges and shorts; for one side alone use a basket")
        for leg in (*self.hedges, *self.shorts):
            check_leg(self, leg.symbol, leg.quantity, leg.limit_paise)
        for place, short in enumerate(self.shorts):
            if not 0 <= short.hedge < len(self.hedges):
                raise InputError(f"plan {self.plan_id}: short {place} names hedge {short.hedge}, which is none")
            hedge = self.hedges[short.hedge]
            day = from_ns(self.created_ns).date()
            if parse_symbol(hedge.symbol, day).kind != parse_symbol(short.symbol, day).kind:
                raise InputError(f"plan {self.plan_id}: {hedge.symbol} does not cover {short.symbol}")
        for place, hedge in enumerate(self.hedges):
            covered = self._covered(place)
            if covered > hedge.quantity:
                raise InputError(f"plan {self.plan_id}: {hedge.quantity} of {hedge.symbol} are to cover {covered}")

    def symbols(self) -> frozenset[str]:
        return frozenset(leg.symbol for leg in (*self.hedges, *self.shorts))

    def decide(self, view: View) -> list[Step]:
        if "unwind" in view.said or any(series(self, view, step) for step in self._backs()):
            return self._unwind(view)
        hedges = [self._hedge(view, place) for place in range(len(self.hedges))]
        shorts = list(self._shorts(view, hedges))
        entries = self._entries(view)
        if all(work.complete for work in (*hedges, *shorts)) and sum(work.asked for work in shorts) == self._sold:
            return [Done("done", f"{len(hedges)} hedges and {len(shorts)} shorts are filled")]
        why = view.ending or self._failure(view, hedges, shorts, entries)
        if why:
            return [Say("alarm", "unwind", f"plan {self.plan_id} is undone: {why}"), *self._unwind(view)]
        found = [step for work in (*hedges, *shorts) for step in work.steps]
        if any(order.filled_quantity for order in entries):
            found.insert(0, Say("info", "legged", f"plan {self.plan_id}: part of its legs is filled"))
        return found

    @property
    def _sold(self) -> int:
        return sum(short.quantity for short in self.shorts)

    def _covered(self, place: int) -> int:
        """Units of shorts that the hedge in this place stands for."""
        return sum(short.quantity for short in self.shorts if short.hedge == place)

    def _hedge(self, view: View, place: int) -> Worked:
        leg = self.hedges[place]
        covers = self._covered(place) == leg.quantity  # of more the rest would be an entry, so all of it is measured
        job = Job(
            symbol=leg.symbol, side="BUY", quantity=leg.quantity, purpose="hedge",
            reason=COVER if covers else self.plan_id, limit_paise=leg.limit_paise,
        )  # fmt: skip
        return enter(self, view, f"hedge {place}", job)

    def _shorts(self, view: View, hedges: list[Worked]) -> Iterator[Worked]:
        """Each short up to what is left of its hedge after the shorts before it."""
        hedged = self.part or all(work.complete for work in hedges)
        left = [work.filled if hedged else 0 for work in hedges]
        for place, short in enumerate(self.shorts):
            allowed = min(short.quantity, max(0, left[short.hedge]))
            left[short.hedge] -= short.quantity
            job = Job(
                symbol=short.symbol, side="SELL", quantity=allowed, purpose="entry",
                reason=self.plan_id, limit_paise=short.limit_paise,
            )  # fmt: skip
            yield enter(self, view, f"short {place}", job)

    def _entries(self, view: View) -> list[Order]:
        steps = [f"hedge {place}" for place in range(len(self.hedges))]
        steps += [f"short {place}" for place in range(len(self.shorts))]
        return [order for step in steps for order in series(self, view, step)]

    def _failure(self, view: View, hedges: list[Worked], shorts: list[Worked], entries: list[Order]) -> str:
        """Why the plan cannot go on; empty while it can."""
        for work, leg in zip((*hedges, *shorts), (*self.hedges, *self.shorts), strict=True):
            if work.gave_up:
                return f"{leg.symbol} was turned away or cancelled"
        if not all(work.complete for work in hedges) and view.now_ns - self.created_ns >= self.hedge_ns:
            return "its hedges did not fill in time"
        first = [order.updated_ns for order in entries if order.filled_quantity]
        if first and view.now_ns - min(view.said.get("legged", view.now_ns), *first) >= self.naked_ns:
            return "its legs did not fill in time of each other"
        return ""

    # the way back

    def _backs(self) -> list[str]:
        shorts = [f"back short {place}" for place in range(len(self.shorts))]
        return shorts + [f"back hedge {place}" for place in range(len(self.hedges))]

    def _unwind(self, view: View) -> list[Step]:
        entries = self._entries(view)
        if any(live(order) for order in entries):
            return cancels(entries)
        shorts = [
            self._back(view, f"short {place}", short.symbol, filled_of(series(self, view, f"short {place}")))
            for place, short in enumerate(self.shorts)
        ]
        works = [*shorts, *self._back_hedges(view, shorts)]
        found = [step for work in works for step in work.steps]
        if all(work.complete for work in works) and not self._short(shorts):
            filled = filled_of(entries)
            return [
                *found,
                Done(
                    "unwound" if filled else "nothing",
                    f"{filled} units were filled and are undone",
                    view.ending or "failed",
                ),
            ]
        if any(work.stuck for work in works) and all(work.stuck or work.complete for work in works):
            return [*found, Done("failed", "not all of it could be undone", view.ending or "failed")]
        return found

    @staticmethod
    def _short(shorts: list[Worked]) -> bool:
        return any(not work.complete for work in shorts)

    def _back_hedges(self, view: View, shorts: list[Worked]) -> Iterator[Worked]:
        """A hedge is sold once none of its shorts is open."""
        for place, hedge in enumerate(self.hedges):
            own = [work for work, short in zip(shorts, self.shorts, strict=True) if short.hedge == place]
            if not self._short(own):
                yield self._back(view, f"hedge {place}", hedge.symbol, filled_of(series(self, view, f"hedge {place}")))

    def _back(self, view: View, step: str, symbol: str, quantity: int) -> Worked:
        job = Job(
            symbol=symbol, side="BUY" if step.startswith("short") else "SELL", quantity=quantity, purpose="exit",
            reason="unwind", ladder=self.ladder, budget=self.budget, beyond=True,
        )  # fmt: skip
        return leave(self, view, f"back {step}", job)
