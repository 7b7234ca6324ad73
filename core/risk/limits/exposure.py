"""How much money may be at stake at once."""

from pydantic import BaseModel, Field

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, alive
from core.risk.case import Case, case_of
from core.rupees import rupees


class Exposure(BaseModel, frozen=True, extra="forbid"):
    """Premium paid for what is long and still open, and the margin that what is short blocks, working orders counted.

    The most a bought option can lose, and what the exchange thinks a sold one may lose in a day. An order that lowers
    the figure passes though it be above the limit.
    """

    max_paise: int = Field(default=10_000_000, gt=0, description="paise of premium paid and margin blocked at once")

    @property
    def name(self) -> str:
        return "exposure"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        case = case_of(intent, book)
        paid = _paid(book) + case.due_paise
        try:
            blocked, before = case.margin_after.blocked_paise, case.margin_before.blocked_paise
        except (StaleDataError, UnknownDate):
            return None  # the limit `valuation` refuses it
        after = paid + case.premium_paise + blocked
        if after <= self.max_paise or after <= paid + before:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(self.max_paise),
            asked=rupees(after),
            why=f"{rupees(paid + case.premium_paise)} of premium and {rupees(blocked)} of margin would be at stake",
        )

    def use(self, book: RiskBook) -> LimitUse:
        case: Case = case_of(None, book)
        try:
            blocked = case.margin_before.blocked_paise
        except (StaleDataError, UnknownDate):
            blocked = 0
        used = (_paid(book) + case.due_paise + blocked) / 100
        return LimitUse(limit=self.name, used=used, allowed=self.max_paise / 100, unit="rupees")


def _paid(book: RiskBook) -> int:
    return sum(holding.open_cost_paise for _, holding in alive(book) if holding.quantity > 0)
