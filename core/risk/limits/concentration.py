"""Not all in one contract, once the desk is large enough for that to be a choice."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive
from core.rupees import rupees


class Concentration(BaseModel, frozen=True, extra="forbid"):
    """Share of one contract in Σ |units| × price of the book, working orders counted as if they had filled.

    Prices are mids. A book below `from_paise` is not judged: one that holds a single position is all in one contract.
    """

    max_share: float = Field(default=0.60, gt=0, le=1, description="of one contract in the book's gross premium")
    from_paise: int = Field(
        default=10_000_000, ge=0, description="paise of gross premium below which nothing is judged"
    )

    @property
    def name(self) -> str:
        return "concentration"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        before = _gross(book)
        price = intent.limit_paise or _price(book, intent.symbol)
        here = before.get(intent.symbol, 0) + intent.quantity * price
        whole = sum(before.values()) + intent.quantity * price
        if whole <= self.from_paise or here <= self.max_share * whole:
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{self.max_share:.0%} of the book",
            asked=f"{here / whole:.0%} of the book",
            why=f"{rupees(here)} of {rupees(whole)} would stand on {intent.symbol}",
        )

    def use(self, book: RiskBook) -> LimitUse:
        gross = _gross(book)
        whole = sum(gross.values())
        share = max(gross.values()) / whole if whole > self.from_paise else 0.0
        return LimitUse(limit=self.name, used=share, allowed=self.max_share, unit="of the book")


def _gross(book: RiskBook) -> dict[str, int]:
    found = {symbol: abs(holding.quantity) * _price(book, symbol) for symbol, holding in alive(book)}
    for order in book.placed.values():
        if order.left and order.intent.purpose != "exit":
            symbol, price = order.intent.symbol, order.price_paise or _price(book, order.intent.symbol)
            found[symbol] = found.get(symbol, 0) + order.left * price
    return found


def _price(book: RiskBook, symbol: str) -> int:
    mark = book.marks.get(symbol)
    return mark.mid_paise if mark else 0
