"""One strategy's part of the risk book, and the best result of the day so far: what limits per strategy look at."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from core.market import parse_symbol
from core.orders.positions import mark
from core.risk.book import Part, RiskBook, day_net_paise
from core.risk.marks import Mark
from core.risk.sound import seen

DESK = ""  # the strategy that stands for all of them
_NONE: Mapping[str, int] = MappingProxyType({})


def own(book: RiskBook, strategy: str) -> RiskBook:
    """The book of one strategy's trades and orders alone; the whole book for DESK.

    A contract has one mark, the exit side of what the desk holds of it in all, so that the strategies' results before
    charges add up to the desk's. Quotes of what the strategy does not hold are left out.
    """
    if strategy == DESK:
        return book
    part = book.parts.get(strategy, Part())
    return msgspec.structs.replace(
        book,
        holdings=part.holdings,
        opening=part.opening,
        placed={tag: order for tag, order in book.placed.items() if order.intent.strategy == strategy},
        marks={symbol: _one_price(book, symbol) for symbol in part.holdings if symbol in book.marks},
        parts={strategy: part},
        highs={DESK: book.highs.get(strategy, 0)},
    )


def of_index(book: RiskBook, index: str) -> RiskBook:
    """The book of one index's contracts alone; the same book where there is nothing else."""
    held = {*book.holdings, *(order.intent.symbol for order in book.placed.values())}
    if all(parse_symbol(symbol).index == index for symbol in held):
        return book
    return msgspec.structs.replace(
        book,
        holdings={name: one for name, one in book.holdings.items() if parse_symbol(name).index == index},
        opening={name: one for name, one in book.opening.items() if parse_symbol(name).index == index},
        placed={tag: order for tag, order in book.placed.items() if order.intent.index == index},
    )


def _one_price(book: RiskBook, symbol: str) -> Mark:
    known, holding = book.marks[symbol], book.holdings.get(symbol)
    price = mark(known.bid_paise, known.ask_paise, known.last_paise, holding.quantity if holding else 0)
    return msgspec.structs.replace(known, bid_paise=price, ask_paise=price, last_paise=price)


def with_highs(book: RiskBook, known: Mapping[str, int] = _NONE) -> RiskBook:
    """The book with the day's best results so far, of the desk and of each strategy; of a day's start 0.

    `known` are those that an earlier process has seen, paise by strategy. Until a chain has come for all of the book
    there is no newer result than they are.
    """
    names = dict.fromkeys((DESK, *book.parts, *known))
    highs = {name: max(book.highs.get(name, 0), known.get(name, 0)) for name in names}
    if seen(book):
        highs = {name: max(high, day_net_paise(own(book, name))) for name, high in highs.items()}
    return book if highs == book.highs else msgspec.structs.replace(book, highs=highs)


def day_realised_paise(book: RiskBook) -> int:
    """What the day's trades and settlements realised, before charges; a carried position counts from its average."""
    before = sum(holding.realised_paise for holding in book.opening.values())
    return sum(holding.realised_paise for holding in book.holdings.values()) - before


def strategies(book: RiskBook) -> tuple[str, ...]:
    """Whose trades or orders are in the book, in alphabetical order."""
    return tuple(sorted({*book.parts, *(order.intent.strategy for order in book.placed.values())}))
