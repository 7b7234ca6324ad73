"""Entries only while the exchange's continuous session is open, at market time."""

from pydantic import BaseModel

from core.market import exchange_of
from core.market.closed import closed
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import after_market, unused


class MarketHours(BaseModel, frozen=True, extra="forbid"):
    """The session of the exchange the index is traded on; a date outside the calendar counts as closed.

    `asked` of a refusal is the reason in a word: weekend, holiday, muhurat, pre-open, closed, unknown. An after-market
    order has windows of its own, which are checked with the order's other terms (core/orders/validity.py).
    """

    @property
    def name(self) -> str:
        return "market_hours"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        why = None if after_market(intent) else closed(exchange_of(intent.index), book.now_ns)
        if why is None:
            return None
        return Refusal(limit=self.name, allowed="open", asked=why.reason, why=why.why)

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return unused(self.name, 1.0, "session")
