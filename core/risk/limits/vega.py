"""How much the book may earn or lose for a point of implied vol."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.greek import check_greek, use_of_greek

_UNIT = "for a vol point"


class Vega(BaseModel, frozen=True, extra="forbid"):
    """Rupees as in `core.risk.exposure.Exposure`, either sign; working orders on either side counted, indices added."""

    max_rupees: float = Field(default=50_000, gt=0, description="rupees for a vol point, long or short")

    @property
    def name(self) -> str:
        return "vega"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        return check_greek(self.name, self.max_rupees, _UNIT, intent=intent, book=book)

    def use(self, book: RiskBook) -> LimitUse:
        return use_of_greek(self.name, self.max_rupees, _UNIT, book)
