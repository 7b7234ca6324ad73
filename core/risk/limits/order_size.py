"""No single order above a number of lots: the guard against a slipped digit."""

from pydantic import BaseModel, Field

from core.market import lot, parse_symbol
from core.orders.positions import market_date
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook


class OrderSize(BaseModel, frozen=True, extra="forbid"):
    """Lots in one order; the largest order still working is its use."""

    max_lots: int = Field(default=20, gt=0, description="lots in one order")

    @property
    def name(self) -> str:
        return "order_size"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        lots = in_lots(intent.symbol, intent.quantity, book.now_ns)
        if 0 < lots <= self.max_lots and lots.is_integer():
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{self.max_lots} lots",
            asked=f"{lots:g} lots",
            why=f"one order of {intent.symbol} may have whole lots, at most {self.max_lots}",
        )

    def use(self, book: RiskBook) -> LimitUse:
        sizes = (
            in_lots(order.intent.symbol, order.intent.quantity, book.now_ns)
            for order in book.placed.values()
            if not order.ended and order.intent.purpose != "exit"
        )
        return LimitUse(limit=self.name, used=max(sizes, default=0.0), allowed=self.max_lots, unit="lots")


def in_lots(symbol: str, quantity: int, now_ns: int) -> float:
    """`quantity` units of `symbol` in lots of its expiry on the book's day; UnknownName, UnknownDate as core.market."""
    on = market_date(now_ns)
    contract = parse_symbol(symbol, on)
    if contract.expiry is None:
        return float(quantity)
    return quantity / lot(contract.index, contract.expiry, on)
