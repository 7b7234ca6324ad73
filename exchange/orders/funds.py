"""What a user has and what is blocked of it: premium of purchases, margin of what is short or would be.

A resting sale counts as filled, a resting purchase does not: a second resting sale against one long is a new short, and
a hedge that has not traded protects nothing. Premium moves as it trades and is in the live balance at once, as in
Kite's basket sample; futures are marked to market. Charges and fees leave with the day, as in the contract note.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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


class Case(NamedTuple):
    """Positions, and orders that may still trade."""

    held: Held
    wants: Sequence[Want]


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

    users: tuple[User, ...]
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

    def needs(self, cases: Iterable[Case]) -> list[Need]:
        """What each case blocks, all of them valued in one market. Raises as `Margining.terms`."""
        premiums, books, ends = [], list[Held](), [0]
        for held, wants in cases:
            premium, of_case = _books(held, wants)
            premiums.append(premium)
            books += of_case
            ends.append(len(books))
        terms = self.margining.terms(books)
        worst = [max(terms[i:j], key=lambda one: one.blocked_paise) for i, j in pairwise(ends)]
        return [
            Need(span_paise=span_of(one), exposure_paise=exposure_of(one), premium_paise=premium)
            for one, premium in zip(worst, premiums, strict=True)
        ]

    def need(self, user: User, wants: Sequence[Want]) -> Need:
        """What the user's positions and `wants` block."""
        return self.needs([Case(self.positions.units(user), wants)])[0]

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
            held = self.positions.units(user)
            now, then = self.needs([Case(held, others), Case(held, [*others, asks])])
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


def _books(held: Held, wants: Sequence[Want]) -> tuple[int, list[Held]]:
    """Premium that `wants` block, and what may be held: now, with all sales done, with the purchases of futures done.

    A purchase that closes what is short needs no premium: it costs no more than the margin it sets free.
    """
    sold, bought, premium = dict(held), dict(held), 0
    cover = {one: -units for one, units in held.items() if units < 0}
    for one, side, quantity, paise in wants:
        if side == "SELL":
            sold[one] = sold.get(one, 0) - quantity
            continue
        closing = min(quantity, cover.get(one, 0))
        cover[one] = cover.get(one, 0) - closing
        if one.kind == Kind.FUTURE:
            bought[one] = bought.get(one, 0) + quantity - closing
        else:
            premium += (quantity - closing) * paise
    return premium, [held, *(book for book in (sold, bought) if book != held)]


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
