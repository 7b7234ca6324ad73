"""Each strategy's own positions and result, by contract and product, and the account's that they add up to.

A fill belongs to the book of its order's strategy and product, and to the account's net of its contract and product.
Both are folded alike, as holdings (core/orders/positions.py: average cost, money conserved to the paisa), so that of
one contract and product, at one mark, the books' quantities, cash and realised + unrealised add up to the net's.
Realised and unrealised alone need not: what one strategy holds long and another short is open in two books and closed
in the account. Nor does STT on exercise, which the broker takes of the net long alone: charges of the account are the
nets'. The broker's net beyond ours is `external`: placed by hand, and nobody's book.

The day's result is the whole result less what it was as the day began, there marked at the previous close, as
core/risk/book.py has it and as Kite's m2m is.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from core.errors import InputError
from core.market import whole_paise
from core.orders.positions import Holding, apply, market_date, moved, position, settle, signed, traded
from core.orders.positions import mark as middle
from core.records import Fill, Move, Order, Position, Product, Settled

Key = tuple[str, str, Product]  # strategy, contract, product
NetKey = tuple[str, Product]  # contract, product
K = TypeVar("K", Key, NetKey)
ACCOUNT = ""  # the strategy of a net: all of them


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's position in one contract and product, or with ACCOUNT the net of all strategies.

    `holding` is everything since the books began, `opening` as it was when the day began; of the day the units bought
    and sold and their value, Σ quantity × paise.
    """

    strategy: str
    product: Product
    holding: Holding
    opening: Holding
    day_bought: int = 0
    day_bought_paise: int = 0
    day_sold: int = 0
    day_sold_paise: int = 0

    @property
    def symbol(self) -> str:
        return self.holding.symbol

    @property
    def quantity(self) -> int:
        """Signed units held now."""
        return self.holding.quantity

    @property
    def overnight_quantity(self) -> int:
        """Signed units carried into the day; a conversion of them since then is not taken off."""
        return self.opening.quantity

    def gross_paise(self, mark_paise: int) -> int:
        """Realised + unrealised; what is open counts at its cost while no mark is known (0)."""
        return self.holding.realised_paise + self.holding.unrealised_paise(mark_paise)

    def net_paise(self, mark_paise: int) -> int:
        return self.gross_paise(mark_paise) - self.holding.charges_paise

    def day_gross_paise(self, mark_paise: int, prev_close_paise: int) -> int:
        """The day's part of it: what was carried in counts from the previous close, else (0) from its cost.

        Without a mark yet today it counts nothing.
        """
        before = self.opening.realised_paise + self.opening.unrealised_paise(prev_close_paise)
        return self.gross_paise(mark_paise or (prev_close_paise if self.opening.quantity else 0)) - before

    @property
    def day_charges_paise(self) -> int:
        return self.holding.charges_paise - self.opening.charges_paise

    def day_net_paise(self, mark_paise: int, prev_close_paise: int) -> int:
        return self.day_gross_paise(mark_paise, prev_close_paise) - self.day_charges_paise


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Every book and every net as of `day` (IST; None before the first fill)."""

    day: dt.date | None = None
    books: Mapping[Key, Book] = {}
    nets: Mapping[NetKey, Book] = {}


def recent(books: Books) -> list[Book]:
    """The books that hold something, or have changed on the day of `books`."""
    return [book for book in books.books.values() if book.quantity or book.holding is not book.opening]


class OpenBooks:
    """Which of some books hold anything. Books are replaced, never changed, so it is sought once for each."""

    def __init__(self, of: Books) -> None:
        self._of = of
        self.books = {key: book for key, book in of.books.items() if book.quantity}
        self.nets = {key: book for key, book in of.nets.items() if book.quantity}

    def now(self, books: Books) -> "OpenBooks":
        """Those of `books`: this, if it is of the same."""
        return self if self._of is books else OpenBooks(books)


def on_day(books: Books, day: dt.date) -> Books:
    """The books as `day` begins: what is held is carried in. The same books if `day` is not after theirs."""
    if books.day is not None and day <= books.day:
        return books
    return Books(
        day=day,
        books={key: _carried(book) for key, book in books.books.items()},
        nets={key: _carried(book) for key, book in books.nets.items()},
    )


def with_fill(books: Books, fill: Fill, product: Product) -> Books:
    """The books after a trade of an order in `product`; the same if the trade is in them. InputError as `apply`.

    One of an earlier day, told of late, changes what was carried in.
    """
    day = market_date(fill.at_ns)
    books = on_day(books, day)
    key, net = (fill.strategy, fill.symbol, product), (fill.symbol, product)
    book, account = _book(books.books.get(key), fill, product), _book(books.nets.get(net), fill, product, ACCOUNT)
    if fill.trade_id in account.holding.trades:
        return books
    late = day != books.day
    return msgspec.structs.replace(
        books,
        books={**books.books, key: _filled(book, fill, late=late)},
        nets={**books.nets, net: _filled(account, fill, late=late)},
    )


def with_settled(books: Books, settled: Settled) -> Books:
    """The books after a contract expired: each is paid for its own units, and flat."""
    books = on_day(books, market_date(settled.at_ns))
    late = market_date(settled.at_ns) != books.day
    return msgspec.structs.replace(
        books,
        books={key: _settled(book, settled, late=late) for key, book in books.books.items()},
        nets={key: _settled(book, settled, late=late) for key, book in books.nets.items()},
    )


def cost_of(books: Books, strategy: str, symbol: str, quantity: int, *, old: Product, new: Product) -> int:
    """What `quantity` signed units of a strategy's book have cost, paise; InputError for what it does not hold."""
    book = books.books.get((strategy, symbol, old))
    held = book.quantity if book else 0
    if book is None or old == new or quantity * held <= 0 or abs(quantity) > abs(held):
        raise InputError(f"{strategy} holds {held:+d} {symbol} {old}: {quantity:+d} of it cannot become {new}")
    left = traded(book.holding, -quantity, 0)  # for nothing: what it loses by that is what the units had cost
    return abs(book.holding.open_cost_paise - left.open_cost_paise)


def with_move(books: Books, move: Move) -> Books:
    """The books after a position moved; the same before it is done, and if it is in them.

    Nothing is refused here: a trade told of late may have come before it. Units and cash are conserved all the same:
    what leaves one product comes to the other for the same paise, and what is taken over from outside is paid for.
    """
    if move.phase != "done":
        return books
    books = on_day(books, market_date(move.at_ns))
    own, nets, net = dict(books.books), dict(books.nets), (move.symbol, move.product)
    if net in nets and move.id in nets[net].holding.trades:
        return books
    parts: list[tuple[Product, int]] = [(move.product, move.quantity)]
    if move.product_from:
        parts.insert(0, ("MIS" if move.product_from == "MIS" else "NRML", -move.quantity))
    for product, units in parts:
        key, of = (move.strategy, move.symbol, product), (move.symbol, product)
        own[key] = _moved(own.get(key) or _none(move, product, move.strategy), move, units)
        nets[of] = _moved(nets.get(of) or _none(move, product, ACCOUNT), move, units)
    return msgspec.structs.replace(books, books=own, nets=nets)


def books_of(
    orders: Iterable[Order], fills: Iterable[Fill], settlements: Iterable[Settled] = (), moves: Iterable[Move] = ()
) -> Books:
    """The books that a ledger's facts add up to, in market time; InputError for a fill of no order that is given."""
    products = {order.intent.tag: order.intent.product for order in orders}
    books = Books()
    events: list[tuple[int, int, Fill | Settled | Move]] = [(fill.at_ns, 0, fill) for fill in fills]
    events += [(move.at_ns, 1, move) for move in moves]
    events += [(settled.at_ns, 2, settled) for settled in settlements]
    for _, _, event in sorted(events, key=lambda row: row[:2]):
        if isinstance(event, Settled):
            books = with_settled(books, event)
        elif isinstance(event, Move):
            books = with_move(books, event)
        elif event.tag in products:
            books = with_fill(books, event, products[event.tag])
        else:
            raise InputError(f"fill {event.trade_id} is of order {event.tag}, which the ledger does not have")
    return books


def net(books: Books) -> dict[NetKey, Book]:
    """The account by contract and product, as its fills were: average cost as the broker sees it."""
    return dict(books.nets)


def external(books: Books, broker: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Signed units the broker holds beyond the nets, where there are any: placed by hand, or of an earlier book."""
    ours: dict[tuple[str, str], int] = {key: book.quantity for key, book in books.nets.items()}
    more = {key: broker.get(key, 0) - ours.get(key, 0) for key in broker.keys() | ours.keys()}
    return {key: units for key, units in sorted(more.items()) if units}


def by_strategy(books: Books, marks: Mapping[str, int], closes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """(gross, charges) of the day in paise of each strategy, ACCOUNT the nets'; marks and previous closes by contract.

    One contract has one mark (`exit_mark` of the net), so that the strategies' gross results add up to the account's;
    without a previous close what was carried in counts from each book's own cost, and they need not.
    """
    out: dict[str, tuple[int, int]] = {ACCOUNT: (0, 0)}
    for book in (*books.books.values(), *books.nets.values()):
        gross, charges = out.get(book.strategy, (0, 0))
        gross += book.day_gross_paise(marks.get(book.symbol, 0), closes.get(book.symbol, 0))
        out[book.strategy] = (gross, charges + book.day_charges_paise)
    return out


def exit_mark(quantity: int, bid_paise: int, ask_paise: int, last_paise: int) -> int:
    """What a unit would bring now: the bid of a long, the ask of a short; flat, or without that side, `positions.mark`.

    0 unknown.
    """
    side = bid_paise if quantity > 0 else ask_paise if quantity < 0 else 0
    return side or middle(bid_paise, ask_paise, last_paise)


def charges_beyond_net(books: Books) -> int:
    """Paise by which the books' charges exceed the account's: STT on exercise of what was long in one book, short in
    another; 0 without such a settlement.
    """
    ours = sum((book.holding.charges_rupees for book in books.books.values()), Decimal(0))
    return whole_paise(ours - sum((book.holding.charges_rupees for book in books.nets.values()), Decimal(0)))


def _book(book: Book | None, fill: Fill, product: Product, strategy: str | None = None) -> Book:
    if book is not None:
        return book
    empty = Holding(symbol=fill.symbol, index=fill.index)
    return Book(strategy=fill.strategy if strategy is None else strategy, product=product, holding=empty, opening=empty)


def _filled(book: Book, fill: Fill, *, late: bool) -> Book:
    after = msgspec.structs.replace(book, holding=apply(book.holding, fill))
    value = fill.quantity * fill.price_paise
    if late:
        return msgspec.structs.replace(after, opening=apply(book.opening, fill))
    if signed(fill) > 0:
        return msgspec.structs.replace(
            after, day_bought=book.day_bought + fill.quantity, day_bought_paise=book.day_bought_paise + value
        )
    return msgspec.structs.replace(
        after, day_sold=book.day_sold + fill.quantity, day_sold_paise=book.day_sold_paise + value
    )


def _settled(book: Book, settled: Settled, *, late: bool) -> Book:
    if book.symbol != settled.symbol or book.holding.settled is not None:
        return book
    opening = settle(book.opening, settled) if late else book.opening
    return msgspec.structs.replace(book, holding=settle(book.holding, settled), opening=opening)


def _carried(book: Book) -> Book:
    return Book(strategy=book.strategy, product=book.product, holding=book.holding, opening=book.holding)


def _moved(book: Book, move: Move, units: int) -> Book:
    return msgspec.structs.replace(book, holding=moved(book.holding, move.id, units, move.value_paise))


def _none(move: Move, product: Product, strategy: str) -> Book:
    empty = Holding(symbol=move.symbol, index=move.index)
    return Book(strategy=strategy, product=product, holding=empty, opening=empty)


def position_of(book: Book, mark_paise: int) -> Position:
    """A book as the record that the page and the ledger keep, marked at `mark_paise`."""
    whole = position(book.holding, mark_paise)
    return msgspec.structs.replace(whole, strategy=book.strategy, product=book.product)
