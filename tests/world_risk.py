"""A risk book on the small market of tests/fakes_risk.py: valued chains, fresh marks, positions at what they cost."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from actors.risk.rows import marks_of
from core.market import IST, parse_symbol, to_ns
from core.records import Fill, Intent, Side
from core.risk.book import RiskBook, at, with_fill, with_intent, with_marks, with_values
from core.risk.case import Memory
from core.risk.limits.limit import Limit
from core.risk.values import values_of
from tests.fakes_risk import DAY, LOT, chain_of, market

CALL, WING, FAR_WING, PUT = "NIFTY26JUL24400CE", "NIFTY26JUL24600CE", "NIFTY26JUL26000CE", "NIFTY26JUL24400PE"
LATER, BANK = "NIFTY26AUG24400CE", "BANKNIFTY26JUL57000CE"
SYMBOLS = (CALL, WING, FAR_WING, PUT, LATER, BANK)
NOON = to_ns(dt.datetime.combine(DAY, dt.time(12), IST))
SECOND = 1_000_000_000


def lots(number: float) -> int:
    return round(number * LOT)


def valued(*symbols: str, on: dt.date = DAY) -> RiskBook:
    """Chains of all the symbols' indices, two paise of spread, taken at noon."""
    known, book = market(*(symbols or SYMBOLS), on=on), at(RiskBook(memory=Memory()), NOON)
    for index in known.underlyings:
        chain = chain_of(known, index)
        book = with_values(with_marks(book, marks_of(chain, None)), values_of(chain))
    return book


def holding(held: Mapping[str, int], book: RiskBook | None = None, *, strategy: str = "s") -> RiskBook:
    """The book with so many lots of each symbol, + bought at the mid, − sold at it."""
    book = book or valued()
    for symbol, number in held.items():
        book = with_fill(book, trade(book, symbol, number, strategy=strategy))
    return book


def trade(book: RiskBook, symbol: str, number: int, *, strategy: str = "s", paise: int = 0) -> Fill:
    tag = f"T{len(book.holdings)}{strategy}{abs(number)}"
    side: Side = "BUY" if number > 0 else "SELL"
    return Fill(trade_id=f"{tag} {symbol}", tag=tag, strategy=strategy, index=parse_symbol(symbol).index, symbol=symbol,
                side=side, quantity=abs(lots(number)), price_paise=paise or price(book, symbol),
                at_ns=book.now_ns)  # fmt: skip


def price(book: RiskBook, symbol: str) -> int:
    """The mid on a tick."""
    return book.marks[symbol].mid_paise // 5 * 5


def order(book: RiskBook, symbol: str, number: float, /, **changes: object) -> Intent:
    """A limit order at the mid: so many lots bought, or with a minus sold."""
    made = Intent(
        tag="ORDER", strategy="s", index=parse_symbol(symbol).index, symbol=symbol,
        side="BUY" if number > 0 else "SELL", quantity=abs(lots(number)), order_type="LIMIT",
        limit_paise=price(book, symbol), created_ns=book.now_ns,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def working(book: RiskBook, symbol: str, number: int, **changes: object) -> RiskBook:
    """The book with an order let through that has not filled yet."""
    made = order(book, symbol, number, tag=f"W{len(book.placed)}")
    return with_intent(book, msgspec.structs.replace(made, **changes))


def passes(limit: Limit, intent: Intent, book: RiskBook) -> bool:
    return limit.check(intent, book) is None
