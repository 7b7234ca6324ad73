"""A bought option is paid for in full before it is sent, in cash: collateral does not pay a premium."""

from pydantic import BaseModel

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook, cash_paise
from core.risk.case import Case, case_of
from core.rupees import rupees


class Premium(BaseModel, frozen=True, extra="forbid"):
    """Demanded by the exchanges since 2025-02-01 (SEBI/HO/MRD/TPD-1/P/CIR/2024/132), by brokers before.

    Free cash is the account's cash less what margin blocks of it beyond the collateral. It has no settings.
    """

    @property
    def name(self) -> str:
        return "premium"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        if intent.side != "BUY":
            return None
        case = case_of(intent, book)
        free = _free(book, case)
        needed = case.premium_paise + case.due_paise
        if needed <= free:
            return None
        return Refusal(
            limit=self.name,
            allowed=rupees(max(0, free)),
            asked=rupees(needed),
            why="a bought option is paid in full and in cash before it is sent",
        )

    def use(self, book: RiskBook) -> LimitUse:
        case = case_of(None, book)
        free = _free(book, case)
        return LimitUse(limit=self.name, used=case.due_paise / 100, allowed=max(0, free) / 100, unit="rupees")


def _free(book: RiskBook, case: Case) -> int:
    try:
        blocked = case.margin_before.blocked_paise
    except (StaleDataError, UnknownDate):
        blocked = 0
    return cash_paise(book) - max(0, blocked - book.account.collateral_paise)
