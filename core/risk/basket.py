"""A basket of orders on top of a book: its margin leg by leg, at the end, and when a leg of it is gone."""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from core.errors import InputError
from core.risk.margin_portfolio import MarginSheet, portfolio_margin
from core.risk.margin_terms import MarginRules, PortfolioMargin
from core.risk.span import ArraySource
from core.risk.span_legs import Leg, expiry_of, netted


class BasketMargin(msgspec.Struct, frozen=True, kw_only=True):
    """Margins of the whole book: `before` any order, after each in order, and the two figures a broker quotes.

    `initial` is the most the account must have on the way, `final` what stays at the end.
    """

    before: PortfolioMargin
    steps: tuple[PortfolioMargin, ...]

    @property
    def final(self) -> PortfolioMargin:
        return self.steps[-1]

    @property
    def initial(self) -> PortfolioMargin:
        return max(self.steps, key=lambda step: step.total_paise)

    @property
    def estimate(self) -> bool:
        return self.final.estimate


def basket_margin(
    orders: Sequence[Leg], source: ArraySource, *, held: Iterable[Leg] = (), rules: MarginRules | None = None
) -> BasketMargin:
    """The path of the margin as `orders` fill one after the other on top of `held`.

    Held longs count as paid for. A leg that is bought counts its premium from its own step on; what a sale brings in is
    not credited, as the exchange pays it the next day. InputError for an empty basket; else raises like
    `portfolio_margin`.
    """
    if not orders:
        raise InputError("a basket needs at least one order")
    book = [msgspec.structs.replace(leg, paid=True) for leg in held]
    everything = [*book, *orders]
    contracts = {leg.contract.symbol: msgspec.structs.replace(leg, paid=True) for leg in everything}
    sheet = MarginSheet(list(contracts.values()), source, rules)
    quantity = dict.fromkeys(contracts, 0)
    for leg in book:
        quantity[leg.contract.symbol] += leg.quantity
    before = sheet.margin(list(quantity.values()))
    steps, bought = [], dict.fromkeys(contracts, 0)
    for order in orders:
        quantity[order.contract.symbol] += order.quantity
        if not order.paid:
            bought[order.contract.symbol] += max(0, order.quantity)
        steps.append(sheet.margin(list(quantity.values()), bought=list(bought.values())))
    return BasketMargin(before=before, steps=tuple(steps))


class Remainder(msgspec.Struct, frozen=True, kw_only=True):
    """The margin before and after some legs go; `more_paise` is what the account must find."""

    now: PortfolioMargin
    then: PortfolioMargin

    @property
    def more_paise(self) -> int:
        return max(0, self.then.terms.blocked_paise - self.now.terms.blocked_paise)


def without(legs: Sequence[Leg], symbol: str, source: ArraySource, *, rules: MarginRules | None = None) -> Remainder:
    """What remains to be margined when the position in `symbol`, say the wing, is closed; InputError if none."""
    net = netted(legs)
    left = [leg for leg in net if leg.contract.symbol != symbol]
    if len(left) == len(net):
        raise InputError(f"no position in {symbol} to close")
    return _remainder(net, left, source, rules)


def after_expiry(legs: Sequence[Leg], source: ArraySource, *, rules: MarginRules | None = None) -> Remainder:
    """What remains, in the same market, when the nearest expiry of each index is gone: the wing may end first."""
    net = netted(legs)
    first: dict[str, dt.date] = {}
    for leg in sorted(net, key=expiry_of):
        first.setdefault(leg.contract.index, expiry_of(leg))
    left = [leg for leg in net if expiry_of(leg) != first[leg.contract.index]]
    return _remainder(net, left, source, rules)


def _remainder(legs: Sequence[Leg], left: Sequence[Leg], source: ArraySource, rules: MarginRules | None) -> Remainder:
    return Remainder(now=portfolio_margin(legs, source, rules=rules), then=portfolio_margin(left, source, rules=rules))
