"""No entry once the day has given back too much of its best."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, day_net_paise
from core.rupees import rupees


class Drawdown(BaseModel, frozen=True, extra="forbid"):
    """From the best result of the day so far, 0 at its start, to the result now; marked at the exit side, net."""

    max_paise: int = Field(default=3_000_000, gt=0, description="paise below the day's best result that stop entries")

    @property
    def name(self) -> str:
        return "drawdown"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:  # noqa: ARG002 - every limit is asked alike
        down = book.high_paise - day_net_paise(book)
        if down < self.max_paise:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(self.max_paise),
            asked=rupees(down),
            why=f"the day's best result was {rupees(book.high_paise)}; only exits pass",
        )

    def use(self, book: RiskBook) -> LimitUse:
        down = max(0, book.high_paise - day_net_paise(book))
        return LimitUse(limit=self.name, used=down / 100, allowed=self.max_paise / 100, unit="rupees")
