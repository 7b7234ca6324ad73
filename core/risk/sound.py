"""Whether risk knows enough of now to let anybody enter, and to say what the day has brought."""

from collections.abc import Mapping

import msgspec

from core.market import exchange_of, parse_symbol
from core.market.closed import closed
from core.orders.positions import Holding
from core.risk.book import RiskBook, alive


def unsound(book: RiskBook, max_age_ms: int) -> str:
    """Why the marks of what is held cannot be relied on, in words; empty if they can.

    Everything held has a price, and the chain of its index is at most `max_age_ms` of market time old: a contract that
    nobody quotes anew stands still while its chain goes on. While its market is closed no mark can be fresh, and
    nothing is asked.
    """
    for symbol, _ in alive(book):
        index = parse_symbol(symbol, book.day).index
        if closed(exchange_of(index), book.now_ns) is not None:
            continue
        mark, values = book.marks.get(symbol), book.values.get(index)
        if mark is None or not mark.known or values is None:
            return f"{symbol} is held and has no price yet"
        age_ms = (book.now_ns - values.as_of_ns) // 1_000_000
        if age_ms > max_age_ms:
            return f"{symbol} is held and the chain of {index} is {age_ms / 1000:,.1f} s old"
    return ""


def seen(book: RiskBook) -> bool:
    """Whether there was a chain for all that the day's result is of, since the process began.

    Until then some of it counts at its cost: no best result, no loss and no breach may be told of that.
    """
    held = {symbol for part in (book.holdings, book.opening) for symbol, _ in alive(_of(book, part))}
    return all(symbol in book.marks or parse_symbol(symbol, book.day).index in book.values for symbol in held)


def _of(book: RiskBook, holdings: Mapping[str, Holding]) -> RiskBook:
    return book if holdings is book.holdings else msgspec.structs.replace(book, holdings=holdings)
