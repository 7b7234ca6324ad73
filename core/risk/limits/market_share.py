"""No order that would be too much of its contract's market: it could not be left again at the price it shows."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive, held, working
from core.risk.limits.order_size import in_lots


class MarketShare(BaseModel, frozen=True, extra="forbid"):
    """Order against the contract's volume of the day, position after it against the open interest; 0 is unknown."""

    max_of_volume: float = Field(default=0.10, gt=0, description="of one order in the contract's volume of the day")
    max_of_oi: float = Field(default=0.05, gt=0, description="of the position after it in the open interest")
    free_lots: int = Field(default=5, ge=0, description="lots of a contract that are no market's worth; never refused")

    @property
    def name(self) -> str:
        return "market_share"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        mark = book.marks.get(intent.symbol)
        sign = 1 if intent.side == "BUY" else -1
        after = held(book, intent.symbol) + sign * (working(book, intent.symbol, intent.side) + intent.quantity)
        most = max(abs(after), intent.quantity)
        if mark is None or in_lots(intent.symbol, most, book.now_ns) <= self.free_lots:
            return None
        for what, units, market, allowed in (
            ("volume", intent.quantity, mark.volume, self.max_of_volume),
            ("open interest", abs(after), mark.oi, self.max_of_oi),
        ):
            if market and units > allowed * market:
                return Refusal(
                    limit=self.name,
                    allowed=f"{allowed:.1%} of {what}",
                    asked=f"{units / market:.1%} of {what}",
                    why=f"{units:,} units of {intent.symbol} against {market:,} of {what}",
                )
        return None

    def use(self, book: RiskBook) -> LimitUse:
        """The largest share of an open interest that is held."""
        rows = ((abs(holding.quantity), book.marks.get(symbol)) for symbol, holding in alive(book))
        shares = (units / mark.oi for units, mark in rows if mark is not None and mark.oi)
        return LimitUse(limit=self.name, used=max(shares, default=0.0), allowed=self.max_of_oi, unit="of open interest")
