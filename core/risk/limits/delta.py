"""How much the book may earn or lose for a first per cent of its index."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.greek import check_greek, use_of_greek

_UNIT = "for a move of 1 %"


class Delta(BaseModel, frozen=True, extra="forbid"):
    """Rupees as in `core.risk.exposure.Exposure`, either sign; working orders on either side counted, indices added."""

    max_rupees: float = Field(default=200_000, gt=0, description="rupees for a move of 1 %, long or short")

    @property
    def name(self) -> str:
        return "delta"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        return check_greek(self.name, self.max_rupees, _UNIT, intent=intent, book=book)

    def use(self, book: RiskBook) -> LimitUse:
        return use_of_greek(self.name, self.max_rupees, _UNIT, book)
