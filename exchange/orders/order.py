"""An order as Kite shows it: its row, its history, its life (kite.md §5.5, §5.6)."""

import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from core.market import from_ns
from core.records import Side
from exchange.accounts import User
from exchange.listing import Instrument
from exchange.orders.request import Asked


class Status(StrEnum):
    RECEIVED = "PUT ORDER REQ RECEIVED"
    VALIDATION_PENDING = "VALIDATION PENDING"
    AMO_RECEIVED = "AMO REQ RECEIVED"
    OPEN_PENDING = "OPEN PENDING"
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    MODIFY_VALIDATION_PENDING = "MODIFY VALIDATION PENDING"
    MODIFY_PENDING = "MODIFY PENDING"
    MODIFIED = "MODIFIED"
    CANCEL_PENDING = "CANCEL PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


STOPS = frozenset({"SL", "SL-M"})
ENDED = frozenset({Status.COMPLETE, Status.CANCELLED, Status.REJECTED})
Row = dict[str, object]


class Iceberg(NamedTuple):
    """Which leg of how many; units of a whole leg and of all of them."""

    leg: int
    legs: int
    size: int
    total: int

    @property
    def left(self) -> int:
        """Units of the legs after this one."""
        return max(0, self.total - self.leg * self.size)

    @property
    def quantity(self) -> int:
        """Units of this leg: the last may be smaller."""
        return min(self.size, self.total - (self.leg - 1) * self.size)


@dataclass(kw_only=True, eq=False)
class Order:
    """What was asked for, as it now stands, and what has become of it; prices in paise, times UTC ns of the market."""

    order_id: str
    user: User
    asked: Asked
    placed_ns: int
    sequence: int
    parent_id: str | None = None
    tags: list[str] = field(default_factory=list)
    forced: bool = False  # by the broker's own square-off, which no rule refuses
    iceberg: Iceberg | None = None
    status: Status = Status.RECEIVED
    message: str | None = None
    message_raw: str | None = None
    exchange_id: str | None = None
    exchange_ns: int = 0
    updated_ns: int = 0
    filled: int = 0
    filled_paise: int = 0  # Σ price·quantity of the fills
    modifications: int = 0
    working: bool = False  # stands in the exchange's book, whatever the status says of a change under way
    triggered: bool = False
    ahead: int = 0  # units published at its price before it, which trade first
    joined: int = 0  # its time priority: another one with each change that loses its place
    volume_at: int = 0  # what had traded in its instrument when it was last looked at
    visible_ns: int = 0  # of the wall; a fault: the book does not show it before
    plan: deque[tuple[int, str]] = field(default_factory=deque)  # (when, next step)
    change: Row = field(default_factory=dict)  # what a modification under way asks for
    history: list[Row] = field(default_factory=list)

    @property
    def one(self) -> Instrument:
        return self.asked.one

    @property
    def side(self) -> Side:
        return self.asked.side

    @property
    def product(self) -> str:
        return self.asked.product

    @property
    def quantity(self) -> int:
        """Units, of this leg alone where it is an iceberg's."""
        return self.asked.quantity

    @property
    def price_paise(self) -> int:
        return self.asked.price_paise

    @property
    def tag(self) -> str | None:
        return self.asked.tag

    def revise(self, **changes: Any) -> None:
        """Ask for something else from now on; names of Asked. What becomes a stop waits, whatever it was before."""
        before, self.asked = self.asked, replace(self.asked, **changes)
        if self.asked.order_type in STOPS and before.order_type not in STOPS:
            self.triggered = False

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def waits(self) -> bool:
        """A stop order before its trigger."""
        return self.asked.order_type in STOPS and not self.triggered

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def average_paise(self) -> float:
        return self.filled_paise / self.filled if self.filled else 0.0

    def set(self, status: Status, now_ns: int, *, message: str | None = None, raw: str | None = None) -> None:
        """A new status, and a row of the history."""
        self.status, self.updated_ns = status, now_ns
        if message is not None:
            self.message, self.message_raw = message, raw or message
        self.history.append(self.row())

    def row(self) -> Row:
        cancelled, asked = self.remaining if self.status == Status.CANCELLED else 0, self.asked
        return {
            "account_id": self.user.user_id,
            "placed_by": self.user.user_id,
            "order_id": self.order_id,
            "exchange_order_id": self.exchange_id,
            "parent_order_id": self.parent_id,
            "status": str(self.status),
            "status_message": self.message,
            "status_message_raw": self.message_raw,
            "order_timestamp": stamp(self.placed_ns),
            "exchange_update_timestamp": stamp(self.updated_ns) if self.exchange_id else None,
            "exchange_timestamp": stamp(self.exchange_ns) if self.exchange_id else None,
            "variety": asked.variety,
            "modified": self.modifications > 0,
            "exchange": self.one.exchange,
            "tradingsymbol": self.one.symbol,
            "instrument_token": self.one.token,
            "order_type": asked.order_type,
            "transaction_type": self.side,
            "validity": asked.validity,
            **({"validity_ttl": asked.ttl_minutes} if asked.validity == "TTL" else {}),
            "product": self.product,
            "quantity": self.quantity,
            "disclosed_quantity": asked.disclosed,
            "price": self.price_paise / 100,
            "trigger_price": asked.trigger_paise / 100,
            "average_price": round(self.average_paise / 100, 4),
            "filled_quantity": self.filled,
            "pending_quantity": 0 if self.ended else self.remaining,
            "cancelled_quantity": cancelled,
            "market_protection": asked.protection,
            "meta": self._meta(),
            "tag": self.tag,
            **({"tags": [self.tag, *self.tags]} if self.tag else {"tags": self.tags} if self.tags else {}),
            "guid": f"{self.user.user_id}x{self.sequence}",
        }

    def _meta(self) -> Row:
        if self.iceberg is None:
            return {}
        ice = self.iceberg
        return {
            "iceberg": {
                "leg": ice.leg, "legs": ice.legs, "leg_quantity": ice.size, "total_quantity": ice.total,
                "remaining_quantity": ice.left,
            }
        }  # fmt: skip

    def postback(self, *, update: bool) -> Row:
        """What the socket and the postback URL are told; `update`: a partial fill, which the book calls OPEN."""
        row = {name: value for name, value in self.row().items() if name not in {"modified", "tags", "account_id"}}
        signed = f"{self.order_id}{row['order_timestamp']}{self.user.api_secret}"
        return row | {
            "status": "UPDATE" if update else str(self.status),
            "user_id": self.user.user_id,
            "app_id": 1,
            "unfilled_quantity": self.remaining if not self.ended else 0,
            "checksum": hashlib.sha256(signed.encode()).hexdigest(),
        }


@dataclass(frozen=True, kw_only=True)
class Trade:
    """One fill."""

    trade_id: str
    order: Order
    quantity: int
    paise: int
    at_ns: int

    def row(self) -> Row:
        one, order = self.order.one, self.order
        return {
            "trade_id": self.trade_id,
            "order_id": order.order_id,
            "exchange": one.exchange,
            "tradingsymbol": one.symbol,
            "instrument_token": one.token,
            "product": order.product,
            "average_price": self.paise / 100,
            "quantity": self.quantity,
            "exchange_order_id": order.exchange_id,
            "transaction_type": order.side,
            "fill_timestamp": stamp(self.at_ns),
            "order_timestamp": from_ns(order.placed_ns).strftime("%H:%M:%S"),
            "exchange_timestamp": stamp(self.at_ns),
        }


def stamp(ns: int) -> str:
    """Kite's wire time: IST, naive, whole seconds."""
    return from_ns(ns).strftime("%Y-%m-%d %H:%M:%S")
