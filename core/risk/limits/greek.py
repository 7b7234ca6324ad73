"""What the limits of delta, gamma, vega and theta share; each is a file of its own."""

from core.errors import StaleDataError, UnknownDate
from core.records import Intent, LimitUse, Refusal
from core.risk.book import RiskBook
from core.risk.case import case_of
from core.risk.units import GREEKS
from core.rupees import whole_rupees


def check_greek(name: str, allowed: float, unit: str, *, intent: Intent, book: RiskBook) -> Refusal | None:
    """Refuses an order that makes the Greek `name`, in rupees, larger than `allowed` and than it is."""
    case, at = case_of(intent, book), GREEKS.index(name)
    try:
        after, before = case.greeks_after[at], case.greeks_before[at]
    except (StaleDataError, UnknownDate):
        return None  # the limit `valuation` refuses it, unless nothing can be short
    if after <= allowed or after <= before:
        return None
    return Refusal(
        limit=name,
        allowed=f"{whole_rupees(allowed)} {unit}",
        asked=f"{whole_rupees(after)} {unit}",
        why=f"with what is working, |{name}| would go from {whole_rupees(before)} to {whole_rupees(after)} {unit}",
    )


def use_of_greek(name: str, allowed: float, unit: str, book: RiskBook) -> LimitUse:
    try:
        used = case_of(None, book).greeks_before[GREEKS.index(name)]
    except (StaleDataError, UnknownDate):
        used = 0.0
    return LimitUse(limit=name, used=used, allowed=allowed, unit=f"rupees {unit}")
