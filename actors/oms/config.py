"""What an order manager can be told."""

from pydantic import BaseModel, Field

from actors.oms.standing import State


class OmsConfig(BaseModel, frozen=True, extra="forbid"):
    """The order manager's settings."""

    timer_ms: int = Field(default=500, gt=0, description="milliseconds between looks at the broker's book and trades")
    state_after_start: State = Field(default="ACTIVE", description="state a clean reconcile leads to")
    exit_cross: float = Field(
        default=0.05, ge=0, lt=1, description="how far exit_all's limits reach beyond the best price; 0.05 is 5 %"
    )
    indices: tuple[str, ...] = Field(default=(), description="indices whose feeds are asked for a full book at start")
