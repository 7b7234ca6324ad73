"""The same order twice within moments is one order sent twice by mistake: a double click, a strategy in a loop."""

from pydantic import BaseModel, Field

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import unused
from core.rupees import rupees


class Duplicate(BaseModel, frozen=True, extra="forbid"):
    """Same strategy, contract, side, quantity and price under another tag, the first still alive or filled.

    Steps of one plan, slices of a large order say, are no duplicates of each other.
    """

    window_ms: int = Field(default=2_000, ge=0, description="ms of market time in which an equal order is a duplicate")

    @property
    def name(self) -> str:
        return "duplicate"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        for order in book.placed.values():
            age_ns = book.now_ns - order.at_ns
            alike = _terms(order.intent) == _terms(intent) and order.intent.tag != intent.tag
            of_plan = bool(intent.plan) and order.intent.plan == intent.plan
            if alike and not of_plan and 0 <= age_ns < self.window_ms * 1_000_000 and (order.filled or order.left):
                return Refusal(
                    limit=self.name,
                    allowed=f"once in {self.window_ms:,} ms",
                    asked=f"again after {age_ns // 1_000_000:,} ms",
                    why=f"{intent.side} {intent.quantity} {intent.symbol} at {rupees(intent.limit_paise)} was sent as "
                    f"{order.intent.tag}",
                )
        return None

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, self.window_ms, "ms")


def _terms(intent: Intent) -> tuple[object, ...]:
    return (intent.strategy, intent.symbol, intent.side, intent.quantity, intent.order_type, intent.limit_paise)
