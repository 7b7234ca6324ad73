"""No entry once the day has lost a sum, marked to market and net of charges."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, day_net_paise
from core.rupees import rupees


class DailyLoss(BaseModel, frozen=True, extra="forbid"):
    """Loss of the whole book on this day: realised, open positions at their marks, charges."""

    max_loss_paise: int = Field(
        default=2_500_000,
        gt=0,
        description="paise lost in a day, marked to market and net of charges, that stop entries",
    )

    @property
    def name(self) -> str:
        return "daily_loss"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:  # noqa: ARG002 - every limit is asked alike
        net = day_net_paise(book)
        if -net < self.max_loss_paise:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(self.max_loss_paise),
            asked=rupees(-net),
            why="the day's loss, marked to market and net of charges, has reached the limit; only exits pass",
        )

    def use(self, book: RiskBook) -> LimitUse:
        loss = max(0, -day_net_paise(book))
        return LimitUse(limit=self.name, used=loss / 100, allowed=self.max_loss_paise / 100, unit="rupees")
