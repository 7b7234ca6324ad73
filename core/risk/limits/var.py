"""What a bad day may cost once the order has filled: value at risk of one day at 99 %."""

from pydantic import BaseModel, Field

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.case import case_of
from core.rupees import rupees


class ValueAtRisk(BaseModel, frozen=True, extra="forbid"):
    """An estimate: 200 equally likely normal days of each index, as wide as its vol at the money, fully revalued.

    Vols stay as they are, and indices do not offset each other: their figures add up (core/risk/case.py).
    """

    max_loss_paise: int = Field(default=10_000_000, gt=0, description="paise a day's loss exceeds one day in a hundred")

    @property
    def name(self) -> str:
        return "var"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        case = case_of(intent, book)
        try:
            after, before = case.var_after, case.var_before
        except (StaleDataError, UnknownDate):
            return None  # the limit `valuation` refuses it, unless nothing can be short
        if after * 100 <= self.max_loss_paise or after <= before:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(self.max_loss_paise),
            asked=rupees(after * 100),
            why=f"one day in a hundred would cost more than that; now it is {rupees(before * 100)}",
        )

    def use(self, book: RiskBook) -> LimitUse:
        try:
            used = case_of(None, book).var_before
        except (StaleDataError, UnknownDate):
            used = 0.0
        return LimitUse(limit=self.name, used=used, allowed=self.max_loss_paise / 100, unit="rupees")
