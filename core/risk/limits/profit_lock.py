"""A good day stays one: once it has earned a sum, a part of its best result is not risked again."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, day_net_paise
from core.rupees import rupees


class ProfitLock(BaseModel, frozen=True, extra="forbid"):
    """Armed for the day when its result first reaches `arm_paise`; entries stop when it is at `keep` of the best."""

    arm_paise: int = Field(default=2_500_000, gt=0, description="paise earned in a day that arm the lock")
    keep: float = Field(default=0.5, gt=0, lt=1, description="share of the day's best result at which entries stop")

    @property
    def name(self) -> str:
        return "profit_lock"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:  # noqa: ARG002 - every limit is asked alike
        net = day_net_paise(book)
        if book.high_paise < self.arm_paise or net > self.keep * book.high_paise:
            return None
        return Refusal(
            limit=self.name,
            allowed=f"above {rupees(self.keep * book.high_paise)}",
            asked=rupees(net),
            why=f"the day had earned {rupees(book.high_paise)}; what is left of it is kept, only exits pass",
        )

    def use(self, book: RiskBook) -> LimitUse:
        """What of the part that may be given back has been given back."""
        given = max(0, book.high_paise - day_net_paise(book)) if book.high_paise >= self.arm_paise else 0
        allowed = (1 - self.keep) * max(book.high_paise, self.arm_paise)
        return LimitUse(limit=self.name, used=given / 100, allowed=allowed / 100, unit="rupees")
