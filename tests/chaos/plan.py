"""What a run of chaos is made of: how many kills, who dies how often, what fails between. All draws are the seed's."""

import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

MUCH = 10**12  # paise or rupees
RISK = {
    "risk.limits.trades_per_day.max_trades": 100_000,
    "risk.limits.daily_loss.max_loss_paise": MUCH,
    "risk.limits.drawdown.max_paise": MUCH,
    "risk.limits.profit_lock.arm_paise": MUCH,
    "risk.limits.consecutive_stops.max_stops": 100_000,
    "risk.limits.exposure.max_paise": MUCH,
    "risk.limits.concentration.max_share": 1.0,
    "risk.limits.market_share.free_lots": 100,
    "risk.limits.delta.max_rupees": MUCH,
    "risk.limits.gamma.max_rupees": MUCH,
    "risk.limits.vega.max_rupees": MUCH,
    "risk.limits.theta.max_rupees": MUCH,
    "risk.limits.stress.max_loss_paise": MUCH,
    "risk.limits.var.max_loss_paise": MUCH,
    "risk.funds.cash_paise": 10_00_000_00,  # as the exchange's account has
}
ORDERS: Mapping[str, object] = {
    "oms.allow_ioc": True,
    "oms.budget.requests_a_second": 8,
    "oms.budget.orders_a_minute": 200,
    "oms.budget.orders_a_day": 4_500,
    "oms.breaker.open_ms": 3_000,  # faults come faster here than anywhere else
}
# How often a kind of process is killed beside the others, where it is up.
VICTIMS: Mapping[str, float] = {
    "oms": 8, "postgres": 3, "risk": 3, "link": 2, "feed": 1, "shard": 1, "recorder": 2, "gateway": 2, "supervisor": 2,
}  # fmt: skip
AT_ONCE = (1, 1, 2, 2, 2, 3, 3, 4)  # victims of one round
AIMED = 0.9  # of the rounds; the others fall when they fall


@dataclass(frozen=True)
class FaultPlan:
    """A fault of the exchange: how often beside the others, for how many seconds at least and at most, for how many
    uses, and which one comes with it.
    """

    name: str
    weight: float
    shortest_s: float
    longest_s: float
    uses: int = 0
    also: str = ""


FAULTS = (
    FaultPlan("drop", 2, 1, 1),
    FaultPlan("stall", 1, 3, 8),
    FaultPlan("heartbeats_only", 1, 3, 8),
    FaultPlan("malformed", 2, 1, 3),
    FaultPlan("bad_gateway", 2, 20, 20, uses=2),
    FaultPlan("unavailable", 2, 20, 20, uses=2),
    FaultPlan("too_many", 1, 20, 20, uses=1),
    FaultPlan("lost_answer", 4, 20, 20, uses=1),
    FaultPlan("accept_then_timeout", 2, 20, 20, uses=1),
    FaultPlan("slow", 1, 1, 3),
    FaultPlan("late_in_the_book", 1, 20, 20, uses=1),
    FaultPlan("late_in_the_book", 2, 20, 20, uses=1, also="lost_answer"),  # nobody knows whether there is an order
    FaultPlan("updates_out_of_order", 2, 2, 6),
    FaultPlan("token_death", 1, 1, 1),
)


@dataclass(frozen=True, kw_only=True)
class ChaosConfig:
    """One run."""

    kills: int = 1000
    seed: int = 7
    indices: tuple[str, ...] = ("NIFTY", "SENSEX")
    traders: int = 3
    pause_s: tuple[float, float] = (0.3, 1.4)  # of a trader between two steps
    late_s: tuple[float, float] = (0.0, 0.04)  # of a kill after the intent that it is aimed at was in the ledger
    fault_gap_s: tuple[float, float] = (5.0, 12.0)  # between two faults
    kill_switch_gap_s: tuple[float, float] = (90.0, 240.0)  # between two pulls of it by a person
    faults: tuple[FaultPlan, ...] = FAULTS
    least_orders_a_kill: float = 0.5
    least_share: float = 0.4  # of kills between journal and acknowledgement, near a send
    settle_s: float = 400.0  # for every order to end: the broker's book may hide one for 120 s
    victims: Mapping[str, float] = field(default_factory=lambda: VICTIMS)

    @property
    def least_orders(self) -> int:
        return math.ceil(self.least_orders_a_kill * self.kills)

    def settings(self) -> dict[str, Any]:
        """Of the desk. What would only keep the traders from trading is raised; what keeps orders safe is as it is."""
        desk = {
            "indices": list(self.indices),
            "market.seed": self.seed,
            "market.strikes": 8,
            "market.ticks_per_second": 150,
            "ray.object_store_mb": 100,
            "ray.cpus": 2,
            "supervision.starts_per_minute": 1000,  # a thousand kills are no crash in a loop
        }
        return desk | RISK | ORDERS


def rng_of(seed: int, who: str) -> random.Random:
    """A generator of its own for each part, so that one's draws do not move another's."""
    return random.Random(f"chaos {seed} {who}")


def draw(rng: random.Random, ready: Collection[str], weights: Mapping[str, float]) -> list[str]:
    """The victims of one round among those that are up: without repetition, each by the weight of its kind."""
    score = {one: rng.random() ** (1 / weights[one.partition(".")[0]]) for one in sorted(ready)}
    return sorted(score, key=lambda one: -score[one])[: rng.choice(AT_ONCE)]
