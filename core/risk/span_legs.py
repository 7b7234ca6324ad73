"""What a portfolio is to a margin, a VaR and a stress test: legs, and the market they are valued in.

Prices, forwards and vols are floats in rupees and decimals here: analytics. Money that leaves core/risk is in paise.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from core.errors import InputError, StaleDataError
from core.market import Contract
from core.schemas import Kind

Product = Literal["NRML", "MIS"]


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A position, or an order taken as filled: signed units of one contract, long above 0.

    MIS is margined like NRML: brokers give no intraday leverage on short options. `paid` says that the premium of a
    long has left the account already.
    """

    contract: Contract
    quantity: int
    product: Product = "NRML"
    paid: bool = False


class Expiry(NamedTuple):
    """One expiry of one index: forward in rupees, ACT/365 years left, discount factor to it."""

    forward: float
    years: float
    discount: float


class Quote(NamedTuple):
    """One contract: its price in rupees a unit and its vol (NaN for a future)."""

    price: float
    vol: float = math.nan


class Underlying(msgspec.Struct, frozen=True, kw_only=True):
    """One index: the previous day's *official* close (scan range), the level now (exposure), its expiries.

    `sigma` is the exchange's daily EWMA volatility of the day before; NaN where nobody knows it (the floor then rules).
    """

    close: float
    spot: float
    expiries: Mapping[dt.date, Expiry]
    sigma: float = math.nan


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Everything legs are valued with on the day `on`; `quotes` by Kite symbol."""

    on: dt.date
    underlyings: Mapping[str, Underlying]
    quotes: Mapping[str, Quote]


def expiry_of(leg: Leg) -> dt.date:
    """The leg's expiry; InputError for what has none (an index is not a position)."""
    if leg.contract.expiry is None:
        raise InputError(f"{leg.contract.symbol} is no option or future and cannot be a leg")
    return leg.contract.expiry


def is_option(leg: Leg) -> bool:
    return leg.contract.kind in {Kind.CALL, Kind.PUT}


def sign_of(leg: Leg) -> int:
    """+1 call, −1 put, 0 future."""
    return {Kind.CALL: 1, Kind.PUT: -1}.get(leg.contract.kind, 0)


def netted(legs: Iterable[Leg]) -> list[Leg]:
    """One leg a contract, in order of first mention; contracts that cancel out are gone.

    A long is `paid` only if everything long in it is, whatever the order; the product of the first leg stays.
    """
    quantity: dict[str, int] = {}
    paid: dict[str, bool] = {}
    first: dict[str, Leg] = {}
    for leg in legs:
        symbol = leg.contract.symbol
        first.setdefault(symbol, leg)
        quantity[symbol] = quantity.get(symbol, 0) + leg.quantity
        if leg.quantity > 0:
            paid[symbol] = paid.get(symbol, True) and leg.paid
    return [
        msgspec.structs.replace(leg, quantity=quantity[symbol], paid=paid.get(symbol, leg.paid))
        for symbol, leg in first.items()
        if quantity[symbol]
    ]


def refuse_expired(legs: Iterable[Leg], on: dt.date) -> None:
    """InputError for a leg that expired before `on`: it is settled and worth nothing more."""
    for leg in legs:
        if expiry_of(leg) < on:
            raise InputError(f"{leg.contract.symbol} expired on {expiry_of(leg)}: it has no margin or value on {on}")


def quote_of(market: Market, leg: Leg) -> Quote:
    """The leg's quote; StaleDataError without a price, or for an option without a vol."""
    quote = market.quotes.get(leg.contract.symbol)
    if quote is None or not 0 <= quote.price < math.inf:
        raise StaleDataError(f"{leg.contract.symbol} has no price yet: wait for its first quote")
    if is_option(leg) and not 0 < quote.vol < math.inf:
        raise StaleDataError(f"{leg.contract.symbol} has no implied vol now: it cannot be revalued")
    return quote


def underlying_of(market: Market, leg: Leg) -> tuple[Underlying, Expiry]:
    """Index and expiry of the leg in the market; StaleDataError for one that is not in it or not of finite numbers."""
    index = market.underlyings.get(leg.contract.index)
    expiry = index.expiries.get(expiry_of(leg)) if index else None
    if index is None or expiry is None or not _known(index, expiry):
        raise StaleDataError(
            f"{leg.contract.symbol}: no level or forward of {leg.contract.index} {leg.contract.expiry} yet, or none "
            "that is a finite number"
        )
    return index, expiry


def _known(index: Underlying, expiry: Expiry) -> bool:
    levels = (index.close, index.spot, expiry.forward, expiry.discount)
    return 0 <= expiry.years < math.inf and all(0 < level < math.inf for level in levels)


def indices_of(legs: Sequence[Leg]) -> tuple[str, ...]:
    """The indices of the legs, in order of first mention."""
    return tuple(dict.fromkeys(leg.contract.index for leg in legs))
