"""No new risk on top of a book whose risk nobody can tell."""

from pydantic import BaseModel

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.case import case_of
from core.risk.limits.limit import unused


class Valuation(BaseModel, frozen=True, extra="forbid"):
    """Refuses while something held, working or asked for has no price, vol or forward, if anything would be short.

    A book of longs alone can lose what it cost and no more, which `exposure` and `premium` count without a model.
    """

    @property
    def name(self) -> str:
        return "valuation"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        case = case_of(intent, book)
        if not case.shorts or not case.value_error:
            return None
        return Refusal(limit=self.name, allowed="a book that can be valued", asked="none", why=case.value_error)

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, 1.0, "book")
