"""So many orders a second and a minute: a strategy in a loop is stopped before the broker's limits stop the desk."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook

_SPANS = (("second", 1_000_000_000), ("minute", 60_000_000_000))


class OrderRate(BaseModel, frozen=True, extra="forbid"):
    """Entries and hedges of one strategy that were let through, and their modifications, by market time.

    What was refused does not count, nor what the order budget had no room for, which risk is not asked about (but a
    hedge in name alone does that had room as a hedge and none as the entry that it is); nor does a modification from
    before risk was restarted.
    """

    max_per_second: int = Field(
        default=10, gt=0, description="orders and modifications of one strategy within a second of market time"
    )
    max_per_minute: int = Field(
        default=60, gt=0, description="orders and modifications of one strategy within a minute of market time"
    )

    @property
    def name(self) -> str:
        return "order_rate"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        for (word, span_ns), allowed in zip(_SPANS, (self.max_per_second, self.max_per_minute), strict=True):
            done = _count(book, intent.strategy, span_ns)
            if done >= allowed:
                return Refusal(
                    limit=self.name,
                    allowed=f"{allowed} orders a {word}",
                    asked=f"{done + 1} orders a {word}",
                    why=f"{intent.strategy} has sent {done} orders and modifications within a {word}",
                )
        return None

    def use(self, book: RiskBook) -> LimitUse:
        """Of the strategy that sent most within the last minute."""
        names = {order.intent.strategy for order in book.placed.values()}
        most = max((_count(book, name, _SPANS[1][1]) for name in names), default=0)
        return LimitUse(limit=self.name, used=most, allowed=self.max_per_minute, unit="orders a minute")


def _count(book: RiskBook, strategy: str, span_ns: int) -> int:
    return sum(
        1
        for order in book.placed.values()
        if order.intent.strategy == strategy
        and order.intent.purpose != "exit"
        and 0 <= book.now_ns - order.at_ns < span_ns
    )
