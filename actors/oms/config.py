"""What an order manager can be told."""

from pydantic import BaseModel, Field

from actors.oms.standing import State
from core.orders.budget import BudgetConfig
from core.orders.days import DayEndConfig
from core.risk.breaker import BreakerConfig


class KillConfig(BaseModel, frozen=True, extra="forbid"):
    """When the kill switch pulls itself; its cancels go out within the order budget."""

    ledger_gone_s: float = Field(default=30.0, gt=0, description="seconds without a ledger that pull the kill switch")
    broker_gone_s: float = Field(default=60.0, gt=0, description="seconds without a broker that pull the kill switch")
    square_off: bool = Field(default=False, description="whether a kill switch that pulls itself closes positions too")
    breach_square_off: bool = Field(
        default=True, description="whether a limit that pulls it closes positions too: nobody watches them then"
    )


class OmsConfig(BaseModel, frozen=True, extra="forbid"):
    """The order manager's settings."""

    timer_ms: int = Field(default=500, gt=0, description="milliseconds between looks at the broker's book and trades")
    state_after_start: State = Field(default="ACTIVE", description="state a clean reconcile leads to")
    exit_cross: float = Field(
        default=0.05, ge=0, lt=1, description="how far exit_all's limits reach beyond the best price; 0.05 is 5 %"
    )
    allow_ioc: bool = Field(default=False, description="whether immediate-or-cancel orders may be sent")
    lease_ms: int = Field(default=3_000, gt=0, description="milliseconds risk's word may be old when an entry is sent")
    budget: BudgetConfig = Field(default=BudgetConfig(), description="the desk's own order budget, inside the broker's")
    breaker: BreakerConfig = Field(default=BreakerConfig(), description="the circuit breaker before the broker")
    kill: KillConfig = Field(default=KillConfig(), description="the kill switch")
    day_end: DayEndConfig = Field(default=DayEndConfig(), description="when expiring contracts and MIS leave")
    indices: tuple[str, ...] = Field(default=(), description="indices whose feeds are asked for a full book at start")
