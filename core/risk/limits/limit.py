"""What every limit is: frozen settings with two pure functions over the risk book."""

from typing import Protocol

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook


class Limit(Protocol):
    """One pre-trade limit. `check` is asked for entries and hedges; an exit that reduces a position never meets it."""

    @property
    def name(self) -> str:
        """The limit's name in refusals, settings and on the page."""

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        """None lets the order through; a refusal carries the two numbers and the reason in words."""

    def use(self, book: RiskBook) -> LimitUse:
        """How much of the limit is used now, for the page's bars."""
