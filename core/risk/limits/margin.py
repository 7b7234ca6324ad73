"""The account must be able to carry the position: cash and collateral against margin and premium."""

from pydantic import BaseModel, Field

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, cash_paise
from core.risk.case import case_of
from core.rupees import rupees


class Margin(BaseModel, frozen=True, extra="forbid"):
    """What all that is held, working and asked for needs, by this desk's own estimate (core/risk/margin_portfolio.py).

    Funds are the settings' cash and what trades have paid or brought in since, and collateral; or, where the broker has
    told what is free, no more than that. The premium of what is sold counts as cash and is blocked again by SPAN.
    """

    max_share: float = Field(default=1.0, gt=0, le=1, description="of the funds that margin and premium may take")

    @property
    def name(self) -> str:
        return "margin"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        case = case_of(intent, book)
        try:
            after, before = case.margin_after.blocked_paise, case.margin_before.blocked_paise
        except (StaleDataError, UnknownDate):
            return None  # the limit `valuation` refuses it
        more = after + case.premium_paise - before
        needed, allowed = after + case.premium_paise + case.due_paise, self._allowed(book)
        if more <= 0:
            return None
        if needed > allowed:
            premium = rupees(case.premium_paise + case.due_paise)
            why = f"the account would need {rupees(after)} of margin, an estimate, and {premium} of premium"
            return self._refuse(allowed, needed, why)
        broker = book.account.broker
        if broker is not None and more > broker.available_paise:
            said = "the broker says that less is free, with what an order that this one replaces takes, than it needs"
            return self._refuse(broker.available_paise, more, said)
        return None

    def _allowed(self, book: RiskBook) -> int:
        return max(0, round(self.max_share * (cash_paise(book) + book.account.collateral_paise)))

    def _refuse(self, allowed: int, asked: int, why: str) -> Refusal:
        return Refusal(limit=self.name, allowed=rupees(allowed), asked=rupees(asked), why=why)

    def use(self, book: RiskBook) -> LimitUse:
        case = case_of(None, book)
        try:
            used = case.margin_before.blocked_paise + case.due_paise
        except (StaleDataError, UnknownDate):
            used = case.due_paise
        return LimitUse(limit=self.name, used=used / 100, allowed=self._allowed(book) / 100, unit="rupees")
