"""No position above a number of lots in one contract, working orders counted as if they had filled."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive, held, working
from core.risk.limits.order_size import in_lots


class PositionSize(BaseModel, frozen=True, extra="forbid"):
    """Lots held of one contract, long or short; the largest of today's contracts is its use."""

    max_lots: int = Field(default=40, gt=0, description="lots of one contract, long or short")

    @property
    def name(self) -> str:
        return "position"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        sign = 1 if intent.side == "BUY" else -1
        after = held(book, intent.symbol) + sign * (working(book, intent.symbol, intent.side) + intent.quantity)
        lots = in_lots(intent.symbol, abs(after), book.now_ns)
        if lots <= self.max_lots or abs(after) < abs(held(book, intent.symbol)):
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{self.max_lots} lots",
            asked=f"{lots:g} lots",
            why=f"with what is held and working, {intent.symbol} would stand at {lots:g} lots",
        )

    def use(self, book: RiskBook) -> LimitUse:
        lots = (in_lots(symbol, abs(holding.quantity), book.now_ns) for symbol, holding in alive(book))
        return LimitUse(limit=self.name, used=max(lots, default=0.0), allowed=self.max_lots, unit="lots")
