"""What was asked of a broker and what became of it: intents, orders, fills, settlements, positions."""

from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]
OrderType = Literal["LIMIT", "MARKET", "SL"]  # SL is stop-limit; index options know no stop-market
Validity = Literal["DAY", "IOC"]
Variety = Literal["regular", "amo"]  # amo: after-market, sent to the exchange at its open
Purpose = Literal["entry", "hedge", "exit"]
Product = Literal["NRML", "MIS"]
OrderState = Literal[
    "JOURNALLED",  # committed to the ledger, not yet answered by the broker
    "UNKNOWN",  # sent, no clear answer: looked up by tag, never re-sent
    "OPEN",  # the broker holds it; filled_quantity may be above 0
    "COMPLETE",
    "CANCELLED",  # filled_quantity may be above 0
    "REJECTED",  # the broker or the exchange said no
    "REFUSED",  # risk said no: never journalled as sent, never sent
]
LIVE: frozenset[str] = frozenset({"JOURNALLED", "UNKNOWN", "OPEN"})
COVER = "cover"  # the reason of a purchase of a plan that sells only behind what it has bought: a hedge unmeasured


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy or a person wants done."""

    tag: str
    strategy: str  # "manual" for a person
    index: str
    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    limit_paise: int = 0  # 0 for MARKET
    trigger_paise: int = 0  # of an SL order: the last price at which it becomes a limit order; else 0
    product: Product = "NRML"
    validity: Validity = "DAY"
    variety: Variety = "regular"
    purpose: Purpose = "entry"
    reason: str = ""
    plan: str = ""  # id of the plan that it is a step of (core/orders/plans); empty for an order of its own
    created_ns: int = 0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order a modification may change; its quantity never is."""

    order_type: OrderType
    limit_paise: int = 0
    trigger_paise: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An intent and what has become of it."""

    intent: Intent
    state: OrderState
    broker_id: str = ""
    filled_quantity: int = 0
    average_paise: float = 0.0
    message: str = ""  # the refusal or rejection in words
    updated_ns: int = 0
    resting_type: OrderType | Literal[""] = ""  # empty: as the intent says; else a modification changed it
    resting_limit_paise: int = 0
    resting_trigger_paise: int = 0
    modifications: int = 0  # asked for, whatever became of them: a broker allows so many an order
    lost: bool = False  # live, but do not wait for it: an end of it may never be known; said anew, not in the ledger


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an order, in the order it was learned."""

    tag: str
    state: OrderState
    at_ns: int
    filled_quantity: int = 0
    message: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    trade_id: str
    tag: str
    strategy: str
    index: str
    symbol: str
    side: Side
    quantity: int
    price_paise: int
    at_ns: int
    reason: str = ""  # why an exit left: "stop", "target" …; a plan's exit may leave for another than it was sent for


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract was worth when it expired: one fact a contract and session, by which whoever holds it is paid."""

    symbol: str
    index: str
    close_paise: int  # the index's settlement price
    value_paise: int  # intrinsic value of a unit of the contract at it
    source: str  # of the settlement price: published close, mean of 15:00-15:30, auction print
    at_ns: int  # the contract's last trade

    @property
    def id(self) -> str:
        """Its place among the trade ids of a holding; no trade's id has a space."""
        return f"SETTLED {self.symbol}"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A position that moved without a trade of the desk's: converted into the other product, or taken over.

    A conversion is asked for first, and done or refused later: two facts of one id. `value_paise` is what the units had
    cost, Σ units × paise, known once it is done. `beyond_from` and `beyond_to` are the signed units by which the broker
    held more than the desk when it was asked for, of either product: by them it is told later whether it was done.
    """

    move_id: str  # at most 20 of [A-Z0-9]
    kind: Literal["convert", "adopt"]
    phase: Literal["asked", "done", "refused"]
    strategy: str
    symbol: str
    index: str
    quantity: int  # signed units, as they are held
    product_from: str  # empty: from outside the desk
    product: Product  # that they are in afterwards
    who: str
    at_ns: int
    value_paise: int = 0
    beyond_from: int = 0
    beyond_to: int = 0
    message: str = ""

    @property
    def id(self) -> str:
        """Its place among the trade ids of a holding; no trade's id has a space."""
        return f"MOVED {self.move_id}"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Open and closed positions of one strategy in one symbol and product, in this session."""

    symbol: str
    index: str
    quantity: int  # signed: + long, − short
    average_paise: float  # of the open quantity; 0 when flat
    last_paise: int  # latest mark: bid of a long, ask of a short, mid when flat, else last; 0 unknown
    realised_paise: int
    unrealised_paise: int
    charges_paise: int
    strategy: str = ""  # "manual" for a person; empty for the account's sum
    product: Product = "NRML"

    @property
    def gross_paise(self) -> int:
        return self.realised_paise + self.unrealised_paise

    @property
    def net_paise(self) -> int:
        return self.gross_paise - self.charges_paise


class PlanWord(msgspec.Struct, frozen=True, kw_only=True):
    """Something a plan has said, once a key: "done" is its end, "ending" that somebody wants it to end."""

    plan_id: str
    key: str
    severity: Literal["info", "warning", "alarm"]
    message: str
    at_ns: int


class PlanStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A plan for people: `body` is its definition as JSON (core/orders/plans), `words` what it has said so far."""

    plan_id: str
    kind: str
    strategy: str
    index: str
    running: bool
    body: str
    words: tuple[PlanWord, ...] = ()
    created_ns: int = 0
