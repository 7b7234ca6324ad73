"""Entries only while the exchange's continuous session is open, at market time."""

from pydantic import BaseModel

from core.errors import UnknownDate
from core.market import exchange_of, from_ns, phase
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook


class MarketHours(BaseModel, frozen=True, extra="forbid"):
    """The session of the exchange the index is traded on; a date outside the calendar counts as closed."""

    @property
    def name(self) -> str:
        return "market_hours"

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        exchange = exchange_of(intent.index)
        try:
            now = phase(exchange, book.now_ns)
        except UnknownDate as error:
            now = f"unknown ({error})"
        if now == "open":
            return None
        return Refusal(
            limit=self.name,
            allowed="open",
            asked=now,
            why=f"at {from_ns(book.now_ns):%Y-%m-%d %H:%M:%S} IST {exchange} is {now}",
        )

    def use(self, book: RiskBook) -> LimitUse:  # noqa: ARG002 - every limit is asked alike
        return LimitUse(limit=self.name, used=0.0, allowed=1.0, unit="session")
