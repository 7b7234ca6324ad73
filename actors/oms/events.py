"""The risk events of the order manager: how grave each kind is, and what it does about it."""

from collections.abc import Mapping
from typing import Literal

from core.records import RiskEvent

EventKind = Literal["breaker", "difference", "late fill", "refusal", "settlement"]
Severity = Literal["info", "warning", "alarm"]
_WEIGHED: Mapping[EventKind, tuple[Severity, str]] = {
    "breaker": ("warning", "while it is OPEN only exits are sent"),
    "difference": ("alarm", "told; what is held is left as it is"),
    "late fill": ("warning", "its trades are counted"),
    "refusal": ("info", "the order was not sent"),
    "settlement": ("info", "the position is closed at that price"),
}


def risk_event(
    kind: EventKind, subject: str, message: str, at_ns: int, *, severity: Severity | None = None
) -> RiskEvent:
    """`severity` where it is not that of its kind."""
    usual, action = _WEIGHED[kind]
    return RiskEvent(
        at_ns=at_ns, kind=kind, subject=subject, message=message, severity=severity or usual, triggered_by="oms",
        action_taken=action,
    )  # fmt: skip
