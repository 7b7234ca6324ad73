"""Stop and target of what a plan holds, as an OCO of our own: ONE order rests for each unit, never two.

What rests is the stop, as a stop-limit, so that a dead desk is still protected. The target is watched; when a fresh
quote reaches it the resting order is modified into a limit there, and back into the stop when the quote turns away, or
is fresh no longer, before it has filled. A stop that was jumped is re-priced down a ladder, with an alarm a try. A
trailing stop has its mark in the resting trigger.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from core.market import from_ns, tick_paise
from core.orders.machine import terms
from core.orders.plans.exit_rules import ExitRules, Trail
from core.orders.plans.job import Job
from core.orders.plans.plan import SECOND, Cancel, Modify, PlanBase, Say, Step, View, failed, fresh, live, movable
from core.orders.plans.work import Worked, filled_of, leave, lot_of, sends, series, tried, waited, working_of
from core.orders.price_guard import ceil_tick, floor_tick, inside, known_band, touch
from core.orders.stops import passed, stop_width_paise
from core.records import Order, Side, Terms

STEP = "exit"
_UNSURE_NS = 5 * SECOND  # a person hears of a protecting order that has had no answer for so long
_BEGINS = frozenset({"begun", "jumped", "out", "leave"})  # what is said when the way out begins


@dataclass(frozen=True)
class Guard:
    """The exits of `entered` units of one contract; `side` is that of the exits."""

    plan: PlanBase
    view: View
    rules: ExitRules
    symbol: str
    side: Side
    entered: int

    @cached_property
    def orders(self) -> list[Order]:
        return series(self.plan, self.view, STEP)

    @cached_property
    def exited(self) -> int:
        return filled_of(self.orders)

    @cached_property
    def begun(self) -> bool:
        """Whether the way out was said to have begun."""
        return not _BEGINS.isdisjoint(self.view.said)

    def begins(self, steps: Iterable[Step]) -> list[Step]:
        """What is to be said when the way out begins with `steps`, or by what fills: for good."""
        said = [step for step in steps if isinstance(step, Say) and step.key in _BEGINS]
        moved = any(order.filled_quantity or terms(order).order_type == "LIMIT" for order in self.orders)
        if not moved or said or self.begun:
            return list(said)
        return [Say("info", "begun", f"{self.symbol}: the way out has begun, nothing more is entered")]

    def work(self) -> Worked:
        """What to do for the exits: all units are covered by one order each, or on their way out."""
        now = Worked([], self.entered, self.exited, working_of(self.orders))
        why = self._why_out()
        if why or self.view.ending or "out" in self.view.said:
            return self._out(why)
        if self._jumped():
            text = f"{self.symbol}: the stop was triggered, the market is beyond its limit"
            now.steps.append(Say("warning", "jumped", text))
        for order in self.orders:
            if movable(self.plan, self.view, order):
                now.steps.extend(self._kept(order))
            elif order.state == "UNKNOWN" and self.view.now_ns - order.updated_ns >= _UNSURE_NS:
                text = f"{order.intent.quantity} of {self.symbol}: nobody knows whether their stop stands"
                now.steps.append(Say("alarm", f"unsure {order.intent.tag}", text))
        return now._replace(steps=now.steps + self._cover())

    def _out(self, why: str) -> Worked:
        """Everything leaves, down the ladder; it began when it was said."""
        reason = self.view.ending if self.view.ending and "out" not in self.view.said and not why else "stop"
        since_ns = min(self.view.said.get(key, self.view.now_ns) for key in ("out", "leave"))
        job = Job(
            symbol=self.symbol, side=self.side, quantity=self.entered, purpose="exit", reason=reason,
            ladder=self.rules.ladder, since_ns=since_ns, more_tries=self.plan.policy.tries,
        )  # fmt: skip
        work = leave(self.plan, self.view, STEP, self._whole_lots(job))
        if reason != "stop":
            return work._replace(steps=[Say("info", "leave", f"{self.symbol} is left: {reason}"), *work.steps])
        said = [Say("alarm", "out", f"{self.symbol} is left at the market: {why or 'its stop was jumped'}")]
        found: list[Step] = []
        for step in work.steps:
            if isinstance(step, Modify) and movable(self.plan, self.view, self.view.orders[step.order]):
                text = f"{self.symbol}: what its stop has left is re-priced to {step.terms.limit_paise / 100:.2f}"
                found.append(Say("alarm", f"try {step.order} {step.terms.limit_paise}", text))
            found.append(step)
        return work._replace(steps=[*said, *found], asked=self.entered)

    def _whole_lots(self, job: Job) -> Job:
        return msgspec.structs.replace(job, quantity=job.quantity - self.odd)

    def _why_out(self) -> str:
        """Why what is held must leave at the market; empty while it need not."""
        jumped_ns = self.view.said.get("jumped")
        if jumped_ns is not None and self._jumped() and self.view.now_ns - jumped_ns >= self.rules.jumped_ns:
            return "its stop was jumped and did not fill"
        resting = [terms(order) for order in self.orders if live(order)]
        ended = self.view.ending or "leave" in self.view.said
        if not ended and any(at.order_type == "LIMIT" and at.limit_paise != self.rules.target_paise for at in resting):
            return "it was on its way out"
        covered = all(at.order_type == "SL" for at in resting) and not self._uncovered
        quoted = self._touch and not self._better(self.stop, self._touch)  # the last trade may be an old one
        if not covered and self._through(self.stop) and not quoted:
            return "the market is through its stop, which was not resting"
        if tried(self.orders) >= self.plan.policy.tries:
            return "its stop was turned away again and again"
        return ""

    # where the market is

    @cached_property
    def _sign(self) -> int:
        return 1 if self.side == "SELL" else -1

    @cached_property
    def _tick(self) -> int:
        return tick_paise(self.plan.index)

    @cached_property
    def _last(self) -> int:
        depth = self.view.depth.get(self.symbol)
        return depth.last_paise if depth is not None else 0

    @cached_property
    def _touch(self) -> int:
        """What an exit would trade at by a fresh quote; 0 where there is none."""
        return touch(self.side, fresh(self.plan, self.view, self.symbol))

    def _better(self, one: int, other: int) -> bool:
        """Whether price `one` is better for us than `other`, or as good."""
        return (one - other) * self._sign >= 0

    def _through(self, stop: int) -> bool:
        """Whether the last trade has come to a stop: the broker would refuse one there."""
        return passed(self.side, stop, self._last)

    def _jumped(self) -> bool:
        """Whether a stop was triggered and stands with the market beyond its limit."""
        for order in self.orders:
            at = terms(order)
            if not live(order) or at.order_type != "SL":
                continue
            triggered = order.filled_quantity or (self._last and self._better(at.trigger_paise, self._last))
            if triggered and not (self._touch and self._better(self._touch, at.limit_paise)):
                return True
        return False

    # what rests

    @cached_property
    def stop(self) -> int:
        """The best stop there ever was: what was asked for, what any order's trigger came to, what a target proves."""
        seen = [self.rules.stop_paise]
        for order in self.orders:
            seen += [price for price in (order.intent.trigger_paise, order.resting_trigger_paise) if price]
        trail = self.rules.trail
        if trail is None:
            return seen[0]
        if any(terms(order).limit_paise == self.rules.target_paise for order in self.orders):
            seen.append(self._behind(self.rules.target_paise, trail))
        return self._best(seen)

    def _best(self, prices: Iterable[int]) -> int:
        return max(prices) if self.side == "SELL" else min(prices)

    def _behind(self, paise: int, trail: Trail) -> int:
        return self._outwards(paise, trail.distance_paise or paise * trail.distance_share)

    def _outwards(self, paise: int, distance: float) -> int:
        """The tick at least `distance` beyond a price, where an exit is worse for us."""
        if self.side == "SELL":
            return floor_tick(paise - distance, self._tick)
        return ceil_tick(paise + distance, self._tick)

    def _stop_terms(self, trigger: int, *, clip: bool) -> Terms:
        """The stop as it rests, its limit no farther from the trigger than the exchange takes it.

        After a refusal an estimate of the exchange's band holds it in. Raises UnknownDate as core.orders.stops.
        """
        limit = self._outwards(trigger, trigger * self.rules.reach)
        width = stop_width_paise(self.plan.index, trigger, from_ns(self.view.now_ns).date())
        if width is not None and abs(trigger - limit) > width:
            limit = self._outwards(trigger, width // self._tick * self._tick)
        if clip:
            limit = inside(limit, known_band(self.view.depth.get(self.symbol), self._tick))
        return Terms(order_type="SL", limit_paise=limit, trigger_paise=self._best((trigger, limit)))

    @cached_property
    def _clipped(self) -> bool:
        """Whether a stop as it was asked for has been turned away."""
        return any(failed(order) for order in self.orders)

    def _kept(self, order: Order) -> list[Step]:
        """The order of some units as it should rest now."""
        at, tag = terms(order), order.intent.tag
        spare = self.view.most_modifications - self.plan.policy.reserve - order.modifications
        if at.order_type == "LIMIT":
            if not self._turned():
                return []
            back = self._stop_terms(self.stop, clip=self._clipped)
            return [Cancel(tag) if order.modifications >= self.view.most_modifications else Modify(tag, back)]
        target = self.rules.target_paise
        if target and self._touch and self._better(self._touch, target) and spare >= 2:  # there and back
            begun = Say("info", "begun", f"{self.symbol} is at its target {target / 100:.2f}")
            return [begun, Modify(tag, Terms(order_type="LIMIT", limit_paise=target))]
        return self._trailed(order, at, spare)

    def _turned(self) -> bool:
        """Whether what had reached the target left it again, or nobody knows."""
        target = self.rules.target_paise
        line = target - self.rules.turn * (target - self.stop)
        return not self._touch or (self._touch - line) * self._sign <= 0

    def _trailed(self, order: Order, at: Terms, spare: int) -> list[Step]:
        trail = self.rules.trail
        if trail is None or not self._touch:
            return []
        wanted = self._behind(self._touch, trail)
        if (wanted - at.trigger_paise) * self._sign < trail.ticks * self._tick or self._through(wanted):
            return []
        if spare >= 1:
            return [Modify(order.intent.tag, self._stop_terms(wanted, clip=self._clipped))]
        if trail.renew:
            return [Cancel(order.intent.tag)]
        text = f"{self.symbol}: its stop trails no more, the changes of its order are used up"
        return [Say("warning", f"spent {order.intent.tag}", text)]

    @cached_property
    def _left(self) -> int:
        """Units entered that no order covers; below 0 where less is entered than orders may take off."""
        return self.entered - self.exited - working_of(self.orders)

    @cached_property
    def odd(self) -> int:
        """Of these what is no whole lot, and so cannot be sent."""
        return max(0, self._left) % lot_of(self.plan, self.view, self.symbol)

    @cached_property
    def _uncovered(self) -> int:
        return max(0, self._left) - self.odd

    def _cover(self) -> list[Step]:
        if not self._uncovered or not waited(self.plan, self.view, self.orders):
            return []
        job = Job(symbol=self.symbol, side=self.side, quantity=self._uncovered, purpose="exit", reason="stop")
        found = sends(self.plan, self.view, STEP, job, self._stop_terms(self._start(), clip=self._clipped))
        if self.orders and failed(self.orders[-1]):
            text = f"{self._uncovered} of {self.symbol} have no stop: {self.orders[-1].message or 'it was turned away'}"
            found.insert(0, Say("alarm", f"bare {self.orders[-1].intent.tag}", text))
        return found

    def _start(self) -> int:
        """Where a new stop rests: a trailing one begins behind the price."""
        trail = self.rules.trail
        if trail is None or not self._touch:
            return self.stop
        wanted = self._best((self.stop, self._behind(self._touch, trail)))
        return self.stop if self._through(wanted) else wanted

    def reason(self, order: Order, paise: float) -> str:
        """What an exit that filled at `paise` was: "target" at it or better, else "stop" or what ended the plan.

        What rests is no proof: the broker's book may show the target later than its trade. No stop fills so well.
        """
        at, target = terms(order), self.rules.target_paise
        on_its_way = at.order_type == "LIMIT" and at.limit_paise != target
        if target and not on_its_way and (paise - target) * self._sign >= 0:
            return "target"
        ended = at.order_type == "LIMIT" and "out" not in self.view.said
        return (ended and self.view.ending) or "stop"
