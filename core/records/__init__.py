"""Facts and commands: what was asked, what was answered, what happened. Never changed once made.

Prices and money are integer paise, quantities are units (not lots) and positive with a side beside them,
times are UTC nanoseconds of the market's clock unless the name says wall. `tag` is the order's one identity from
intent to fill: at most 20 characters of [A-Z0-9], made before anything is sent.
"""

from core.records.audit import AuditLine, LedgerEvent, Who
from core.records.desk import ActorStatus, Alert, Chain, DeskStatus, FeedProgress, Health, Sender, Session, Stamp
from core.records.orders import (
    COVER,
    LIVE,
    Fill,
    Intent,
    Move,
    Order,
    OrderEvent,
    OrderState,
    OrderType,
    PlanStatus,
    PlanWord,
    Position,
    Product,
    Purpose,
    Settled,
    Side,
    Terms,
    Validity,
    Variety,
)
from core.records.risk import Funds, Kill, LimitUse, Margin, Refusal, RiskDay, RiskEvent, Verdict

__all__ = [
    "COVER",
    "LIVE",
    "ActorStatus",
    "Alert",
    "AuditLine",
    "Chain",
    "DeskStatus",
    "FeedProgress",
    "Fill",
    "Funds",
    "Health",
    "Intent",
    "Kill",
    "LedgerEvent",
    "LimitUse",
    "Margin",
    "Move",
    "Order",
    "OrderEvent",
    "OrderState",
    "OrderType",
    "PlanStatus",
    "PlanWord",
    "Position",
    "Product",
    "Purpose",
    "Refusal",
    "RiskDay",
    "RiskEvent",
    "Sender",
    "Session",
    "Settled",
    "Side",
    "Stamp",
    "Terms",
    "Validity",
    "Variety",
    "Verdict",
    "Who",
]
