"""No entry on a price that is old or missing."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive
from core.risk.limits.limit import after_market


class StaleQuote(BaseModel, frozen=True, extra="forbid"):
    """Age by the market's clock of the contract's latest quote, and of the latest chain of its index.

    By the time of the quotes, never of the last trade: most contracts do not trade for a minute. A quote from the
    future is no better than an old one. An after-market order is sent on no quote.
    """

    max_age_ms: int = Field(default=10_000, gt=0, description="milliseconds a quote may be old when an entry is sent")

    @property
    def name(self) -> str:
        return "stale_quote"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        if after_market(intent):
            return None
        mark, values = book.marks.get(intent.symbol), book.values.get(intent.index)
        if mark is None or not mark.known:
            return self._refuse("no quote", f"no price of {intent.symbol} has arrived")
        for what, at_ns in ((intent.symbol, mark.at_ns), (intent.index, values.as_of_ns if values else book.now_ns)):
            age_ms = (book.now_ns - at_ns) // 1_000_000
            if abs(age_ms) > self.max_age_ms:
                how = "old" if age_ms > 0 else "ahead of the market's clock"
                return self._refuse(f"{age_ms:,} ms", f"the quote of {what} is {abs(age_ms) / 1000:,.1f} s {how}")
        return None

    def _refuse(self, asked: str, why: str) -> Refusal:
        return Refusal(limit=self.name, allowed=f"{self.max_age_ms:,} ms", asked=asked, why=why)

    def use(self, book: RiskBook) -> LimitUse:
        """The oldest quote of an open position."""
        ages = ((book.now_ns - book.marks[symbol].at_ns) / 1e6 for symbol, _ in alive(book) if symbol in book.marks)
        return LimitUse(limit=self.name, used=max(ages, default=0.0), allowed=self.max_age_ms, unit="ms")
