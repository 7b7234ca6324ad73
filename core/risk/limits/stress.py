"""What the book would lose at worst once the order has filled: every index gaps, vols move, a day passes."""

from pydantic import BaseModel, Field

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.case import case_of
from core.rupees import rupees


class StressLoss(BaseModel, frozen=True, extra="forbid"):
    """Worst cell of spot ±10 % × vol −5, 0, +10 points × today, tomorrow (core/risk/units.py), by index and added up.

    Full revaluation, orders that are working counted where they lose. An order that lowers the figure passes.
    """

    max_loss_paise: int = Field(default=10_000_000, gt=0, description="paise lost in the worst cell after the order")

    @property
    def name(self) -> str:
        return "stress"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        case = case_of(intent, book)
        try:
            after, before = case.stress_after, case.stress_before
        except (StaleDataError, UnknownDate):
            return None  # the limit `valuation` refuses it, unless nothing can be short
        if after.loss * 100 <= self.max_loss_paise or after.loss <= before.loss:
            return None
        gap, shock, days = after.where
        where = f"{gap:+.1%} of the index, {shock * 100:+.0f} vol points, {days:g} days on"
        return Refusal(
            limit=self.name,
            allowed=rupees(self.max_loss_paise),
            asked=rupees(after.loss * 100),
            why=f"so much the book would lose at {where}; now it would lose {rupees(before.loss * 100)}",
        )

    def use(self, book: RiskBook) -> LimitUse:
        try:
            used = case_of(None, book).stress_before.loss
        except (StaleDataError, UnknownDate):
            used = 0.0
        return LimitUse(limit=self.name, used=used, allowed=self.max_loss_paise / 100, unit="rupees")
