"""The desk's limits as one block of settings, and the list they make."""

from typing import Any

from pydantic import BaseModel, Field, model_validator

from core.risk.limits.concentration import Concentration
from core.risk.limits.consecutive_stops import ConsecutiveStops
from core.risk.limits.contract import KnownContract
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.delta import Delta
from core.risk.limits.drawdown import Drawdown
from core.risk.limits.duplicate import Duplicate
from core.risk.limits.expiry_day import ExpiryDay
from core.risk.limits.exposure import Exposure
from core.risk.limits.gamma import Gamma
from core.risk.limits.limit import Limit
from core.risk.limits.margin import Margin
from core.risk.limits.market_hours import MarketHours
from core.risk.limits.market_share import MarketShare
from core.risk.limits.order_rate import OrderRate
from core.risk.limits.order_size import OrderSize
from core.risk.limits.position import PositionSize
from core.risk.limits.premium import Premium
from core.risk.limits.price_band import PriceBand
from core.risk.limits.price_distance import PriceDistance
from core.risk.limits.profit_lock import ProfitLock
from core.risk.limits.spike import Spike
from core.risk.limits.spread import Spread
from core.risk.limits.stale_quote import StaleQuote
from core.risk.limits.stress import StressLoss
from core.risk.limits.theta import Theta
from core.risk.limits.trades_per_day import TradesPerDay
from core.risk.limits.valuation import Valuation
from core.risk.limits.var import ValueAtRisk
from core.risk.limits.vega import Vega

# Held against an order alone: nothing that is held uses them up, so none of them can be passed.
OF_ORDERS = frozenset({"market_hours", "contract", "price_band", "price_distance", "duplicate", "valuation"})

# Of these nobody enters any more once all is used; of any other all may be, and more than all is too much.
REACHED = frozenset({"consecutive_stops", "daily_loss", "drawdown", "profit_lock"})


class LimitBlocks(BaseModel, frozen=True, extra="forbid"):
    """Every limit, in the order of the layers, which is the order refusals are listed in."""

    market_hours: MarketHours = Field(default=MarketHours(), description="entries only in the session")
    contract: KnownContract = Field(default=KnownContract(), description="entries only in listed contracts")

    price_band: PriceBand = Field(default=PriceBand(), description="the exchange's price band, an estimate of it")
    price_distance: PriceDistance = Field(
        default=PriceDistance(), description="distance of a limit from the last price"
    )
    stale_quote: StaleQuote = Field(default=StaleQuote(), description="age of the price an entry is sent on")
    spike: Spike = Field(default=Spike(), description="a jump of the mid within five seconds")
    spread: Spread = Field(default=Spread(), description="ask less bid")

    order_size: OrderSize = Field(default=OrderSize(), description="lots in one order")
    position: PositionSize = Field(default=PositionSize(), description="lots of one contract")
    exposure: Exposure = Field(default=Exposure(), description="premium paid and margin blocked at once")
    concentration: Concentration = Field(default=Concentration(), description="share of one contract in the book")
    market_share: MarketShare = Field(default=MarketShare(), description="share of a contract's volume and interest")
    trades_per_day: TradesPerDay = Field(default=TradesPerDay(), description="entries a day and strategy")
    order_rate: OrderRate = Field(default=OrderRate(), description="orders a second and a minute")
    duplicate: Duplicate = Field(default=Duplicate(), description="the same order twice within moments")

    margin: Margin = Field(default=Margin(), description="funds against margin and premium")
    premium: Premium = Field(default=Premium(), description="a bought option is paid in cash; it has no settings")

    consecutive_stops: ConsecutiveStops = Field(default=ConsecutiveStops(), description="stops in a row that halt")
    daily_loss: DailyLoss = Field(default=DailyLoss(), description="loss of the day that stops entries")
    drawdown: Drawdown = Field(default=Drawdown(), description="fall from the day's best result that stops entries")
    profit_lock: ProfitLock = Field(default=ProfitLock(), description="part of a good day that is not risked again")
    valuation: Valuation = Field(default=Valuation(), description="no entry with shorts nobody can value; no settings")
    delta: Delta = Field(default=Delta(), description="rupees for the first per cent of a move")
    gamma: Gamma = Field(default=Gamma(), description="what a per cent adds to delta")
    vega: Vega = Field(default=Vega(), description="rupees for a point of vol")
    theta: Theta = Field(default=Theta(), description="rupees a day")
    stress: StressLoss = Field(default=StressLoss(), description="worst cell of spot × vol × time after the order")
    var: ValueAtRisk = Field(default=ValueAtRisk(), description="loss of one day in a hundred")

    def all(self) -> tuple[Limit, ...]:
        """In the order refusals are listed."""
        return tuple(getattr(self, name) for name in LimitBlocks.model_fields)

    def portfolio(self) -> tuple[Limit, ...]:
        """Those that a strategy's own book is held to as well as the desk's."""
        return (self.daily_loss, self.drawdown, self.profit_lock, self.delta, self.gamma, self.vega, self.theta,
                self.stress, self.var)  # fmt: skip


class LimitsConfig(LimitBlocks, frozen=True, extra="forbid"):
    """Every limit of the desk, what is left of some on expiry day, and what is different for some strategies."""

    expiry_day: ExpiryDay = Field(default=ExpiryDay(), description="for an index that has an expiry today")
    strategies: dict[str, dict[str, dict[str, Any]]] = Field(
        default={}, description="by strategy, limit and setting: what replaces the desk's for that strategy"
    )

    @model_validator(mode="after")
    def _overrides_are_limits(self) -> "LimitsConfig":
        for name in self.strategies:
            self.of(name)
        return self

    def of(self, strategy: str) -> LimitBlocks:
        """The limits of one strategy: the desk's, with its own settings where it has any. ValidationError."""
        own = self.strategies.get(strategy)
        if not own:
            return self
        desk = self.model_dump(exclude={"strategies", "expiry_day"})
        return LimitBlocks.model_validate(desk | {name: desk.get(name, {}) | block for name, block in own.items()})
