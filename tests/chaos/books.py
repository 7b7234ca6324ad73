"""The two books that chaos compares: the ledger's, read by SQL, and the exchange's own, read through its admin.

Neither passes through the desk's code: what the order manager or the broker's adapter gets wrong cannot hide here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

LIVE = frozenset({"JOURNALLED", "UNKNOWN", "OPEN"})


@dataclass(frozen=True, kw_only=True)
class OurOrder:
    """An intent of the ledger and what became of it. Quantities are units."""

    tag: str
    state: str
    symbol: str
    side: str
    product: str
    quantity: int
    strategy: str = ""
    filled: int = 0
    average_paise: float = 0.0
    broker_id: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class OurFill:
    """A trade of the ledger; its id is the exchange's order id and trade id with a dash between."""

    trade_id: str
    tag: str
    symbol: str
    side: str
    quantity: int
    paise: int


@dataclass(frozen=True, kw_only=True)
class OurPosition:
    """A row of the ledger's positions; `open_cost_paise` is signed as it is, an empty strategy is everybody's sum."""

    symbol: str
    product: str
    quantity: int
    open_cost_paise: int
    realised_paise: int
    charges_paise: int
    strategy: str = ""

    @property
    def cash_paise(self) -> int:
        """What its trades received less what they paid."""
        return self.realised_paise - self.open_cost_paise


@dataclass(frozen=True, kw_only=True)
class TheirOrder:
    """An order of the exchange. `charges` are rupees, unrounded."""

    order_id: str
    tag: str
    status: str
    symbol: str
    side: str
    product: str
    quantity: int
    filled: int = 0
    filled_paise: int = 0  # Σ price · quantity
    charges: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class TheirTrade:
    trade_id: str
    order_id: str
    quantity: int
    paise: int

    @property
    def whole_id(self) -> str:
        return f"{self.order_id}-{self.trade_id}"


@dataclass(frozen=True, kw_only=True)
class TheirPosition:
    symbol: str
    product: str
    quantity: int
    cash_paise: int


@dataclass(frozen=True, kw_only=True)
class Ledger:
    orders: tuple[OurOrder, ...] = ()
    fills: tuple[OurFill, ...] = ()
    positions: tuple[OurPosition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """`spent_paise`: what the day's trades have taken out of the account; `posts`: requests to place, by tag."""

    orders: tuple[TheirOrder, ...] = ()
    trades: tuple[TheirTrade, ...] = ()
    positions: tuple[TheirPosition, ...] = ()
    spent_paise: int = 0
    posts: Mapping[str, int] = field(default_factory=dict)


def exchange_of(data: Mapping[str, Any]) -> Exchange:
    """What `GET /admin/book` of a local exchange says, of its one user."""
    ((_, account),) = data["users"].items()
    return Exchange(
        orders=tuple(
            TheirOrder(
                order_id=row["order_id"], tag=row["tag"] or "", status=row["status"], symbol=row["symbol"],
                side=row["side"], product=row["product"], quantity=row["quantity"], filled=row["filled"],
                filled_paise=row["filled_paise"], charges=Decimal(row["charges"]),
            )
            for row in data["orders"]
        ),
        trades=tuple(
            TheirTrade(trade_id=row["trade_id"], order_id=row["order_id"], quantity=row["quantity"], paise=row["paise"])
            for row in data["trades"]
        ),
        positions=tuple(
            TheirPosition(
                symbol=row["symbol"], product=row["product"],
                quantity=row["overnight"] + row["bought"] - row["sold"],
                cash_paise=row["sold_paise"] - row["bought_paise"],
            )
            for row in account["positions"]
        ),
        spent_paise=account["spent_paise"],
        posts=Counter(call["tag"] for call in data["calls"] if call["method"] == "POST"),
    )  # fmt: skip


def ledger_of(
    orders: Iterable[Mapping[str, Any]], fills: Iterable[Mapping[str, Any]], positions: Iterable[Mapping[str, Any]]
) -> Ledger:
    """Rows of tests.chaos.ledger's three questions."""
    return Ledger(
        orders=tuple(
            OurOrder(
                tag=row["tag"], state=row["state"], symbol=row["symbol"], side=row["side"], product=row["product"],
                quantity=row["quantity"], filled=row["filled_quantity"], average_paise=row["average_paise"],
                broker_id=row["broker_id"], strategy=row["strategy"], message=row["message"],
            )
            for row in orders
        ),
        fills=tuple(
            OurFill(
                trade_id=row["trade_id"], tag=row["tag"], symbol=row["symbol"], side=row["side"],
                quantity=row["quantity"], paise=row["price_paise"],
            )
            for row in fills
        ),
        positions=tuple(
            OurPosition(
                symbol=row["symbol"], product=row["product"], strategy=row["strategy"], quantity=row["quantity"],
                open_cost_paise=round(row["average_paise"] * row["quantity"]),
                realised_paise=row["realised_paise"], charges_paise=row["charges_paise"],
            )
            for row in positions
        ),
    )  # fmt: skip
