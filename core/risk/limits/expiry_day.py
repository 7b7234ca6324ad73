"""What is left of some limits for an index on the day one of its expiries ends."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, Field

from core.records import Intent, Refusal
from core.risk.book import RiskBook
from core.risk.limits.limit import Limit

TIGHTER: Mapping[str, str] = {
    "position": "max_lots", "exposure": "max_paise", "stress": "max_loss_paise", "delta": "max_rupees",
    "gamma": "max_rupees",
}  # fmt: skip
"""The limits it is about, each with the setting that is multiplied."""


class ExpiryDay(BaseModel, frozen=True, extra="forbid"):
    """Held against the index's own part of the book, beside the limits of every day.

    A half: gamma at the money goes as 1/√T, so with the last day of four sessions left half of the lots have the gamma
    that all had as the week began; what is short has the exchange's additional margin on that day besides.
    """

    share: float = Field(default=0.5, gt=0, le=1, description="of position, exposure, stress, delta, gamma; 1: all")

    def of(self, limit: Limit) -> Limit | None:
        """`limit` as it is on that day; None for one that stays as it is."""
        setting = TIGHTER.get(limit.name)
        if setting is None or self.share == 1 or not isinstance(limit, BaseModel):
            return None
        allowed: Any = getattr(limit, setting)
        less = allowed * self.share
        tighter: Any = limit.model_copy(update={setting: max(1, int(less)) if isinstance(allowed, int) else less})
        return tighter  # type: ignore[no-any-return]

    def refusal(self, limit: Limit, intent: Intent, part: RiskBook) -> Refusal | None:
        """What `limit` says to the order on that day; `part` is the index's part of the book."""
        tighter = self.of(limit)
        found = tighter.check(intent, part) if tighter is not None else None
        if found is None:
            return None
        why = f"{intent.index} has an expiry today, when {self.share:.0%} is allowed: {found.why}"
        return msgspec.structs.replace(found, why=why)


def expires_today(book: RiskBook, index: str) -> bool:
    """Whether the latest chain of `index` has contracts whose last day is the book's; without one nobody enters."""
    values = book.values.get(index)
    return values is not None and book.day in values.expiries
