"""What the order manager and risk agree on: which orders may still fill, at what limit each counts, what has traded.

One that was modified counts at the limit that rests now, and at the dearer while that is not known.
"""

from collections.abc import Collection, Mapping

from core.orders.machine import terms
from core.records import Order
from core.risk.book import RiskBook, with_limit


def changed_limit(order: Order, asked_paise: int = 0) -> int:
    """The limit at which `order` counts where that is not its intent's; else 0.

    `asked_paise` is one that was asked for and may come to rest: of the two the dearer counts, as a purchase needs more
    premium by it and an entry is more of the book.
    """
    rests = max(terms(order).limit_paise, asked_paise)
    return 0 if not has_limit(order) or rests == order.intent.limit_paise else rests


def has_limit(order: Order) -> bool:
    """Whether the price of `order` is in any of risk's limits; that of a sale that leaves is not."""
    return order.intent.purpose != "exit" or order.intent.side != "SELL"


def live_limits(book: RiskBook) -> dict[str, int]:
    """Of the orders that may still fill, by tag the limit at which each counts where that is not its intent's."""
    return {tag: order.limit_paise for tag, order in book.placed.items() if not order.ended}


def agrees(book: RiskBook, live: Mapping[str, int], trades: Collection[str]) -> bool:
    """Whether exactly the orders `live` may still fill, each at its limit, and all `trades` (ids) are counted."""
    counted = frozenset[str]().union(*(holding.trades for holding in book.holdings.values()))
    return live_limits(book) == live and counted.issuperset(trades)


def dearer(book: RiskBook, live: Mapping[str, int]) -> RiskBook:
    """The book with each of the orders `live` at its limit, where that is dearer than the one it counts at."""
    for tag, limit_paise in live.items():
        order = book.placed.get(tag)
        if order is not None and (limit_paise or order.intent.limit_paise) > order.price_paise:
            book = with_limit(book, tag, limit_paise)
    return book
