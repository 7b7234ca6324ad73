"""What a plan wants traded of one contract on one side, and the prices it is worked at: a limit in, a ladder out."""

import msgspec

from core.errors import InputError
from core.market import tick_paise
from core.orders.plans.plan import SECOND, PlanBase, View, fresh
from core.orders.price_guard import ceil_tick, edge, floor_tick, known_band, market_limit, touch
from core.orders.slicing import OnRefused
from core.records import Order, Purpose, Side


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the touch to the edge of the band in `rungs` equal steps, one every `step_ns` of market time.

    It begins on the rung `begin`: 0 is the touch, a higher one crosses it.
    """

    rungs: int = 10
    step_ns: int = 2 * SECOND
    begin: int = 0

    def __post_init__(self) -> None:
        if self.rungs < 1 or self.step_ns < 1:
            raise InputError(f"a ladder has rungs and a time between them, was {self.rungs} every {self.step_ns} ns")
        if not 0 <= self.begin <= self.rungs:
            raise InputError(f"a ladder of {self.rungs} rungs begins on one of them, was {self.begin}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be traded. `budget`: the share by which the ladder may go beyond its first price; 0 the whole band.

    With `beyond` a ladder that has used its budget up goes on to the edge of the band.
    """

    symbol: str
    side: Side
    quantity: int
    purpose: Purpose
    reason: str
    limit_paise: int = 0  # 0: market, protected
    refused: OnRefused = "stop"
    ladder: Ladder = Ladder()
    budget: float = 0.0
    beyond: bool = False
    since_ns: int = 0  # when a ladder begins; 0: with each order
    more_tries: int = 0  # beside the policy's


def entry_limit(plan: PlanBase, view: View, job: Job) -> int:
    """The limit as asked; for 0 that of a protected market order, 0 again where no price is known.

    An exit goes by the newest quote there is, everything else by a fresh one.
    """
    if job.limit_paise:
        return job.limit_paise
    depth = view.depth.get(job.symbol) if job.purpose == "exit" else fresh(plan, view, job.symbol)
    return market_limit(job.side, depth, tick_paise(plan.index))


def rung_limit(plan: PlanBase, view: View, job: Job, rung: int, *, first: Order | None) -> int:
    """The limit on a rung: 0 the touch, `ladder.rungs` the edge; 0 where no price is known.

    The edge is that of the band, or the budget's about the limit of the `first` order if that is nearer. Without a
    quote the last trade stands in for the touch.
    """
    tick, depth, count = tick_paise(plan.index), view.depth.get(job.symbol), job.ladder.rungs
    band = known_band(depth, tick)
    start = touch(job.side, depth) or (depth.last_paise if depth is not None else 0)
    if band is None or not start:
        return market_limit(job.side, depth, tick, band)
    far = edge(job.side, band)
    reference = first.intent.limit_paise if first is not None and first.intent.order_type == "LIMIT" else start
    near = _nearer(job.side, far, _beyond(job.side, reference, job.budget, tick)) if job.budget else far
    if rung <= count or near == far or not job.beyond:
        return _between(job.side, start, near, min(rung, count) / count, tick)
    return _between(job.side, near, far, min(rung - count, count) / count, tick)


def _beyond(side: Side, paise: int, share: float, tick: int) -> int:
    return floor_tick(paise * (1 + share), tick) if side == "BUY" else ceil_tick(paise * (1 - share), tick)


def _nearer(side: Side, one: int, other: int) -> int:
    return min(one, other) if side == "BUY" else max(one, other)


def _between(side: Side, start: int, far: int, share: float, tick: int) -> int:
    """On the way from `start` to `far`, on a tick, never past `far`: what lies past it already stays at it."""
    at = start + (far - start) * share
    return _nearer(side, far, ceil_tick(at, tick) if side == "BUY" else floor_tick(at, tick))
