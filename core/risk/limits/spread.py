"""No entry where to get out again costs too much: a wide spread, or nobody on the other side."""

from pydantic import BaseModel, Field

from core.market import tick_paise
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive
from core.risk.limits.limit import after_market
from core.risk.marks import Mark
from core.rupees import rupees


class Spread(BaseModel, frozen=True, extra="forbid"):
    """Ask less bid, no bid counting as 0; without an ask nothing can be bought back. No book: not judged."""

    max_share: float = Field(default=0.10, gt=0, description="spread as a share of the mid")
    ticks: int = Field(default=20, ge=0, description="ticks; the larger of the two holds")

    @property
    def name(self) -> str:
        return "spread"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        mark = book.marks.get(intent.symbol)
        if mark is None or after_market(intent) or not (mark.bid_paise or mark.ask_paise):
            return None
        middle = (mark.bid_paise + mark.ask_paise) / 2
        allowed = max(self.max_share * middle, self.ticks * tick_paise(intent.index))
        if not mark.ask_paise:
            return self._refuse(allowed, "no ask", f"nobody sells {intent.symbol}: its book has bids alone")
        wide = mark.ask_paise - mark.bid_paise
        if wide <= allowed:
            return None
        said = f"{rupees(mark.bid_paise)} bid, {rupees(mark.ask_paise)} asked"
        return self._refuse(allowed, rupees(wide), f"the spread of {intent.symbol} is too wide: {said}")

    def _refuse(self, allowed: float, asked: str, why: str) -> Refusal:
        return Refusal(limit=self.name, allowed=rupees(int(allowed)), asked=asked, why=why)

    def use(self, book: RiskBook) -> LimitUse:
        """The widest spread of what is held."""
        marks = (book.marks[symbol] for symbol, _ in alive(book) if symbol in book.marks)
        return LimitUse(
            limit=self.name, used=max(map(_share, marks), default=0.0), allowed=self.max_share, unit="of the mid"
        )


def _share(mark: Mark) -> float:
    if not (mark.bid_paise and mark.ask_paise):
        return 0.0
    return (mark.ask_paise - mark.bid_paise) / ((mark.ask_paise + mark.bid_paise) / 2)
