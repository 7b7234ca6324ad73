"""How much value a calendar day may take from the book, or bring it."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.greek import check_greek, use_of_greek

_UNIT = "a day"


class Theta(BaseModel, frozen=True, extra="forbid"):
    """Rupees as in `core.risk.exposure.Exposure`, either sign; working orders on either side counted, indices added."""

    max_rupees: float = Field(default=50_000, gt=0, description="rupees a day, long or short")

    @property
    def name(self) -> str:
        return "theta"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        return check_greek(self.name, self.max_rupees, _UNIT, intent=intent, book=book)

    def use(self, book: RiskBook) -> LimitUse:
        return use_of_greek(self.name, self.max_rupees, _UNIT, book)
