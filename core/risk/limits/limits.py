"""The desk's limits as one block of settings, and the list they make."""

from pydantic import BaseModel, Field

from core.risk.limits.consecutive_stops import ConsecutiveStops
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.limit import Limit
from core.risk.limits.market_hours import MarketHours
from core.risk.limits.order_size import OrderSize
from core.risk.limits.position import PositionSize
from core.risk.limits.stale_quote import StaleQuote
from core.risk.limits.trades_per_day import TradesPerDay


class LimitsConfig(BaseModel, frozen=True, extra="forbid"):
    """Every pre-trade limit of the desk."""

    order_size: OrderSize = Field(default=OrderSize(), description="lots in one order")
    position: PositionSize = Field(default=PositionSize(), description="lots of one contract")
    daily_loss: DailyLoss = Field(default=DailyLoss(), description="loss of the day that stops entries")
    trades_per_day: TradesPerDay = Field(default=TradesPerDay(), description="entries a day and strategy")
    consecutive_stops: ConsecutiveStops = Field(default=ConsecutiveStops(), description="stops in a row that halt")
    market_hours: MarketHours = Field(default=MarketHours(), description="entries only in the session")
    stale_quote: StaleQuote = Field(default=StaleQuote(), description="age of the price an entry is sent on")

    def all(self) -> tuple[Limit, ...]:
        """In the order refusals are listed."""
        return (
            self.market_hours,
            self.stale_quote,
            self.order_size,
            self.position,
            self.trades_per_day,
            self.consecutive_stops,
            self.daily_loss,
        )
