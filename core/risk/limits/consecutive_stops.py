"""A strategy that was stopped out twice in a row is wrong about the day: no more entries."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook


class ConsecutiveStops(BaseModel, frozen=True, extra="forbid"):
    """Positions stopped in a row, per strategy and day (core/risk/stops.py); one that left otherwise starts anew."""

    max_stops: int = Field(default=2, gt=0, description="positions stopped in a row that halt a strategy for the day")

    @property
    def name(self) -> str:
        return "consecutive_stops"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        stops = book.stops.get(intent.strategy, 0)
        if stops < self.max_stops:
            return None
        return Refusal(
            limit=self.name,
            allowed=f"{self.max_stops} stops in a row",
            asked=f"{stops} stops in a row",
            why=f"{intent.strategy} is halted for the day after {stops} stops in a row",
        )

    def use(self, book: RiskBook) -> LimitUse:
        return LimitUse(
            limit=self.name, used=max(book.stops.values(), default=0), allowed=self.max_stops, unit="stops in a row"
        )
