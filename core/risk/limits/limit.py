"""What every limit is: frozen settings with two pure functions over the risk book."""

from typing import Protocol

from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook


class Limit(Protocol):
    """One pre-trade limit. `check` is asked for entries and hedges; a true exit (core/risk/exit.py) never meets it."""

    @property
    def name(self) -> str:
        """The limit's name in refusals, settings and on the page."""

    def check(self, intent: Intent, book: RiskBook) -> Refusal | None:
        """None lets the order through; a refusal carries the two numbers and the reason in words."""

    def use(self, book: RiskBook) -> LimitUse:
        """How much of the limit is used now, for the page's bars."""


def after_market(intent: Intent) -> bool:
    """Whether the order goes to the exchange at its next open: no quote of now says what it will meet."""
    return intent.variety == "amo"


def unused(name: str, allowed: float, unit: str) -> LimitUse:
    """Of a limit on a single order, which nothing that is held uses."""
    return LimitUse(limit=name, used=0.0, allowed=allowed, unit=unit)
