"""What a user has and what is blocked of it: premium of purchases, margin of what is short or would be.

A resting sale counts as filled, a resting purchase does not: a second resting sale against one long is a new short, and
a hedge that has not traded protects nothing. Premium moves as it trades and is in the live balance at once, as in
Kite's basket sample; futures are marked to market. Charges and fees leave with the day, as in the contract note.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.errors import VikalpError
from core.market import brokerage
from core.records import Side
from core.risk.margin_terms import MarginTerms
from core.schemas import Kind
from exchange.accounts import User
from exchange.day import Day
from exchange.listing import Instrument
from exchange.orders.margining import Margining
from exchange.orders.order import Order, Row, Status
from exchange.orders.positions import Positions
from exchange.orders.request import Asked
from exchange.quotes import Quotes

AHEAD = frozenset({Status.RECEIVED, Status.VALIDATION_PENDING})  # not looked at yet
Held = dict[Instrument, int]


class Want(NamedTuple):
    """Units of an order that may still trade, at the price they would."""

    one: Instrument
    side: Side
    quantity: int
    paise: int


@dataclass(frozen=True, kw_only=True)
class Need:
    """Paise: what is blocked by positions and orders together."""

    span_paise: int = 0
    exposure_paise: int = 0
    premium_paise: int = 0

    @property
    def total_paise(self) -> int:
        return self.span_paise + self.exposure_paise + self.premium_paise


@dataclass
class Purse:
    """Cash at the open of the day."""

    opening_paise: int


@dataclass
class Funds:
    """Everybody's."""

    users: Iterable[User]
    positions: Positions
    margining: Margining
    day: Callable[[], Day]
    purses: dict[str, Purse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.purses = {user.user_id: Purse(user.cash_paise) for user in self.users}

    def refuse(self, order: Order, live: Iterable[Order]) -> str | None:
        """Why `order` cannot be paid for beside the orders that were there before it, in Kite's words."""
        before = [o for o in live if o is not order and (o.sequence < order.sequence or o.status not in AHEAD)]
        return self._refuse(order.user, before, want(order, self.day().quotes))

    def refuse_asked(self, user: User, asked: Asked, live: Iterable[Order]) -> str | None:
        """The same of an order not yet placed, as each slice of a large one is looked at."""
        return self._refuse(user, live, want_asked(asked, self.day().quotes))

    def need(self, user: User, wants: Sequence[Want], *, held: Held | None = None) -> Need:
        """What positions (`held`, else the user's own) and `wants` block. Raises as `Margining.terms`."""
        own = self.positions.units(user) if held is None else held
        books, bought, premium = [own], dict(own), 0
        sold = defaultdict(int, own)
        cover = {one: -units for one, units in own.items() if units < 0}  # a purchase that closes needs no premium
        for one, side, quantity, paise in wants:
            if side == "SELL":
                sold[one] -= quantity
                continue
            closing = min(quantity, cover.get(one, 0))
            cover[one] = cover.get(one, 0) - closing
            if one.kind == Kind.FUTURE:
                bought[one] = bought.get(one, 0) + quantity - closing
            else:
                premium += (quantity - closing) * paise
        books += [dict(sold)] * any(w.side == "SELL" for w in wants) + [bought] * (bought != own)
        worst = max(self.margining.terms(books), key=lambda terms: terms.blocked_paise)
        return Need(span_paise=span_of(worst), exposure_paise=exposure_of(worst), premium_paise=premium)

    def balance(self, user: User, live: Iterable[Order]) -> Row:
        """A segment of the margins call, rupees."""
        need = self.need(user, self.wants(user, live))
        premium, realised, unrealised = self._flows(user)
        premium += need.premium_paise
        opening = self.purses[user.user_id].opening_paise
        debits = need.span_paise + need.exposure_paise + premium + realised + unrealised
        return segment(
            opening_paise=opening, debits=debits, span=need.span_paise, exposure=need.exposure_paise,
            option_premium=premium, m2m_realised=realised, m2m_unrealised=unrealised,
        )  # fmt: skip

    def free_paise(self, user: User) -> int:
        """Cash that no position or order blocks yet: opening, less what the day's trades have cost."""
        return self.purses[user.user_id].opening_paise - sum(self._flows(user))

    def _refuse(self, user: User, live: Iterable[Order], asks: Want) -> str | None:
        others = self.wants(user, live)
        try:
            brokerage(self.day().date)  # a day whose charges nobody knows takes no orders
            now, then = self.need(user, others), self.need(user, [*others, asks])
        except VikalpError as why:
            return f"Margin of {asks.one.symbol} cannot be computed: {why}"
        required, available = then.total_paise - now.total_paise, self.free_paise(user) - now.total_paise
        if required <= max(available, 0):
            return None
        return (
            f"Insufficient funds. Required margin is {required / 100:.2f} but available margin is "
            f"{available / 100:.2f}."
        )

    def wants(self, user: User, live: Iterable[Order]) -> list[Want]:
        """What of the orders may still trade; after-market orders are not at the market yet."""
        quotes = self.day().quotes
        return [
            want(order, quotes)
            for order in live
            if order.user == user and not order.ended and order.status != Status.AMO_RECEIVED
        ]

    def _flows(self, user: User) -> tuple[int, int, int]:
        """Paise the day has cost so far: premium paid less received; futures' losses, of closed and of open ones.

        What an open future has gained is not there to be used.
        """
        premium = realised = unrealised = 0
        for held in self.positions.of(user):
            if held.one.kind != Kind.FUTURE:
                premium += held.bought_paise - held.sold_paise
            elif held.quantity:
                unrealised += max(0, -held.m2m_paise(self.day().quotes))
            else:
                realised -= held.m2m_paise(self.day().quotes)
        return premium, realised, unrealised


def want(order: Order, quotes: Quotes) -> Want:
    return Want(order.one, order.side, order.remaining, _price(order.one, order.side, order.price_paise, quotes))


def want_asked(asked: Asked, quotes: Quotes) -> Want:
    return Want(asked.one, asked.side, asked.quantity, _price(asked.one, asked.side, asked.price_paise, quotes))


def _price(one: Instrument, side: Side, price_paise: int, quotes: Quotes) -> int:
    """Its limit, else what it would meet, else the last."""
    best = quotes.book["ask_paise" if side == "BUY" else "bid_paise"][one.place][0]
    return price_paise or int(best) or int(quotes.last[one.place])


def span_of(terms: MarginTerms) -> int:
    return terms.span_paise + terms.buffer_paise


def exposure_of(terms: MarginTerms) -> int:
    """With its addition on the day of expiry, which Kite does not tell apart."""
    return terms.exposure_paise + terms.expiry_day_paise


def segment(*, opening_paise: int = 0, debits: int = 0, **used: int) -> Row:
    """Kite's balance of one segment from paise; what is not given is 0."""
    names = (
        "exposure", "m2m_realised", "m2m_unrealised", "option_premium", "payout", "span", "holding_sales", "turnover",
        "liquid_collateral", "stock_collateral", "delivery",
    )  # fmt: skip
    utilised: Mapping[str, float] = {name: used.get(name, 0) / 100 for name in names}
    net = (opening_paise - debits) / 100
    return {
        "enabled": True,
        "net": net,
        "available": {
            "adhoc_margin": 0, "cash": opening_paise / 100, "opening_balance": opening_paise / 100,
            "live_balance": net, "collateral": 0, "intraday_payin": 0,
        },
        "utilised": {"debits": debits / 100, **utilised},
    }  # fmt: skip
