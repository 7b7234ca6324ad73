"""No entry on a price that has just jumped: it may be a mistake of somebody's, or news nobody has read yet."""

from pydantic import BaseModel, Field

from core.market import tick_paise
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive
from core.risk.limits.limit import after_market
from core.risk.marks import BASE_NS, Mark
from core.rupees import rupees


class Spike(BaseModel, frozen=True, extra="forbid"):
    """Move of a contract's mid within five seconds (`core.risk.marks.BASE_NS`); steps in that time add up."""

    max_share: float = Field(default=0.25, gt=0, description="share of the mid before the move")
    ticks: int = Field(default=40, ge=0, description="ticks; the larger of the two holds")

    @property
    def name(self) -> str:
        return "spike"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        mark = book.marks.get(intent.symbol)
        if mark is None or after_market(intent) or not _moved(mark, book.now_ns):
            return None
        jump = abs(mark.mid_paise - mark.base_paise)
        allowed = max(self.max_share * mark.base_paise, self.ticks * tick_paise(intent.index))
        if jump <= allowed:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(int(allowed)),
            asked=rupees(jump),
            why=f"{intent.symbol} went from {rupees(mark.base_paise)} to {rupees(mark.mid_paise)} in less than "
            f"{BASE_NS // 1_000_000_000} s; wait for it to settle",
        )

    def use(self, book: RiskBook) -> LimitUse:
        """The largest move of what is held."""
        marks = (book.marks[symbol] for symbol, _ in alive(book) if symbol in book.marks)
        moves = (abs(m.mid_paise / m.base_paise - 1) for m in marks if _moved(m, book.now_ns))
        return LimitUse(limit=self.name, used=max(moves, default=0.0), allowed=self.max_share, unit="of the mid")


def _moved(mark: Mark, now_ns: int) -> bool:
    """Whether the latest move of the mid began so lately that it counts."""
    return mark.base_paise > 0 and mark.mid_paise > 0 and now_ns < mark.base_ns + BASE_NS
