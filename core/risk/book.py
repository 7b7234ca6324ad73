"""What the limits look at: one value that grows by folding accepted intents, fills, quotes and time.

A live risk actor and a backtest fold the same functions, in the order things became known:
`at` (time), `with_marks` and `with_values` (quotes), `with_intent` (an accepted order), `with_fill`, `with_end` (an
order that holds nothing any more), `with_settled` (a contract that expired). None of them changes its argument; folding
a fill, an end or a settlement twice changes nothing. core/risk/parts.py has each strategy's part of it.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from core.market import parse_symbol, whole_paise
from core.orders.positions import Holding, apply, holding_of, market_date, moved, settle
from core.records import Fill, Intent, Move, Settled, Side
from core.risk.funds import Account
from core.risk.marks import Mark, newer, of_day
from core.risk.stops import Trade, in_a_row, of_fill, of_move, with_trade
from core.risk.values import Values


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An order risk has let through: what of it is filled, and whether the rest may still come."""

    intent: Intent
    day: dt.date
    filled: int = 0
    ended: bool = False
    at_ns: int = 0  # market time at which it was let through
    limit_paise: int = 0  # that it rests at, or may, where a modification changed it; else 0

    @property
    def price_paise(self) -> int:
        """The limit it counts at; 0 for one at market."""
        return self.limit_paise or self.intent.limit_paise

    @property
    def left(self) -> int:
        """Units that may still fill."""
        return 0 if self.ended else self.intent.quantity - self.filled


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy's own trades add up to, now and as the day began, by symbol; and those of the day."""

    holdings: Mapping[str, Holding] = {}
    opening: Mapping[str, Holding] = {}
    trades: tuple[Trade, ...] = ()


class RiskBook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the limits know. `stops` counts positions stopped in a row, per strategy, of this day.

    `highs` is the best result of the day so far in paise, 0 or more, by strategy, of the whole desk under "".
    """

    now_ns: int = 0
    day: dt.date | None = None
    holdings: Mapping[str, Holding] = {}
    marks: Mapping[str, Mark] = {}
    placed: Mapping[str, Placed] = {}
    stops: Mapping[str, int] = {}
    opening: Mapping[str, Holding] = {}  # the holdings as the day began
    parts: Mapping[str, Part] = {}  # by strategy
    values: Mapping[str, Values] = {}  # by index, of its latest chain
    highs: Mapping[str, int] = {}
    entries: frozenset[str] = frozenset()  # tags of today's hedges that were judged as entries
    account: Account = Account()
    memory: object = None  # of core.risk.case: what was computed of this book's chains; it changes no answer

    @property
    def high_paise(self) -> int:
        """The day's best result so far, of the whole book."""
        return self.highs.get("", 0)


def at(book: RiskBook, now_ns: int) -> RiskBook:
    """The book at market time `now_ns`; time never goes back. A new IST date starts a new day."""
    if now_ns <= book.now_ns:
        return book
    day = market_date(now_ns)
    if day == book.day:
        return msgspec.structs.replace(book, now_ns=now_ns)
    return msgspec.structs.replace(
        book,
        now_ns=now_ns,
        day=day,
        stops={},
        opening=dict(book.holdings),
        parts={name: Part(holdings=part.holdings, opening=part.holdings) for name, part in book.parts.items()},
        highs={},
        entries=frozenset(),
        placed=_waiting(book.placed),
        marks=of_day(book.marks, day),
    )


def _waiting(placed: Mapping[str, Placed]) -> Mapping[str, Placed]:
    """What a new day begins with: after-market orders that live. Every other order was for its day."""
    return {tag: order for tag, order in placed.items() if order.intent.variety == "amo" and not order.ended}


def with_marks(book: RiskBook, marks: Mapping[str, Mark]) -> RiskBook:
    """The book with newer quotes of some symbols; one without a price leaves an older price as it is."""
    return msgspec.structs.replace(book, marks=newer(book.marks, marks, book.day))


def with_values(book: RiskBook, values: Values) -> RiskBook:
    """The book with what a newer chain of one index says of it."""
    return msgspec.structs.replace(book, values={**book.values, values.index: values})


def with_intent(book: RiskBook, intent: Intent) -> RiskBook:
    """The book after an accepted order; counted until `with_end` says that nothing more of it can fill."""
    known = book.placed.get(intent.tag)
    if known is not None and (known.filled or not known.ended):
        return book  # one that ended unfilled was never sent, or it would not be asked for again
    book = at(book, intent.created_ns)
    day = market_date(intent.created_ns or book.now_ns)
    placed = Placed(intent=intent, day=day, at_ns=intent.created_ns or book.now_ns)
    return msgspec.structs.replace(book, placed={**book.placed, intent.tag: placed})


def with_end(book: RiskBook, tag: str) -> RiskBook:
    """The order `tag` is over: what has not filled is no longer working."""
    order = book.placed.get(tag)
    if order is None or order.ended:
        return book
    return msgspec.structs.replace(book, placed={**book.placed, tag: msgspec.structs.replace(order, ended=True)})


def with_limit(book: RiskBook, tag: str, limit_paise: int) -> RiskBook:
    """The order `tag` counts at another limit than it was let through at; at 0 it does at that."""
    order = book.placed.get(tag)
    if order is None or order.ended or order.limit_paise == limit_paise:
        return book
    order = msgspec.structs.replace(order, limit_paise=limit_paise)
    return msgspec.structs.replace(book, placed={**book.placed, tag: order})


def with_fill(book: RiskBook, fill: Fill) -> RiskBook:
    """The book after a trade, which is part of its own day's result; the same book if the trade is already in it."""
    book = at(book, fill.at_ns)
    before = holding_of(book.holdings, fill)
    if fill.trade_id in before.trades:
        return book
    order = book.placed.get(fill.tag)
    placed = book.placed
    if order is not None:
        filled = order.filled + fill.quantity
        ended = order.ended or filled >= order.intent.quantity
        placed = {**placed, fill.tag: msgspec.structs.replace(order, filled=filled, ended=ended)}
    desk = _traded(Part(holdings=book.holdings, opening=book.opening), fill, book.day)
    part = _traded(book.parts.get(fill.strategy, Part()), fill, book.day)
    part = msgspec.structs.replace(part, trades=with_trade(part.trades, of_fill(fill, order), book.day))
    return msgspec.structs.replace(
        book,
        holdings=desk.holdings,
        placed=placed,
        stops={**book.stops, fill.strategy: in_a_row(part.opening, part.trades)} if part.trades else book.stops,
        opening=desk.opening,
        parts={**book.parts, fill.strategy: part},
    )


def _traded(part: Part, fill: Fill, day: dt.date | None) -> Part:
    holdings = {**part.holdings, fill.symbol: apply(holding_of(part.holdings, fill), fill)}
    if market_date(fill.at_ns) == day:
        return msgspec.structs.replace(part, holdings=holdings)
    opening = {**part.opening, fill.symbol: apply(holding_of(part.opening, fill), fill)}
    return msgspec.structs.replace(part, holdings=holdings, opening=opening)  # told of only on a later day


def with_move(book: RiskBook, move: Move) -> RiskBook:
    """The book after a position was taken over from outside the desk; a conversion changes nothing that limits see."""
    if move.phase != "done" or move.kind != "adopt":
        return book
    book = at(book, move.at_ns)
    part = book.parts.get(move.strategy, Part())
    holdings = {**part.holdings, move.symbol: _moved(part.holdings, move)}
    trades = with_trade(part.trades, of_move(move), book.day) if holdings != part.holdings else part.trades
    return msgspec.structs.replace(
        book,
        holdings={**book.holdings, move.symbol: _moved(book.holdings, move)},
        parts={**book.parts, move.strategy: msgspec.structs.replace(part, holdings=holdings, trades=trades)},
    )


def _moved(holdings: Mapping[str, Holding], move: Move) -> Holding:
    before = holdings.get(move.symbol) or Holding(symbol=move.symbol, index=move.index)
    return moved(before, move.id, move.quantity, move.value_paise)


def with_settled(book: RiskBook, settled: Settled) -> RiskBook:
    """The book after a contract expired; what is held of it is paid out on the day of its expiry, and only there."""
    holding = book.holdings.get(settled.symbol)
    if holding is None or holding.settled is not None:
        return book
    book = at(book, settled.at_ns)
    desk = _ended(Part(holdings=book.holdings, opening=book.opening), settled, book.day)
    parts = {name: _ended(part, settled, book.day) for name, part in book.parts.items()}
    return msgspec.structs.replace(book, holdings=desk.holdings, opening=desk.opening, parts=parts)


def _ended(part: Part, settled: Settled, day: dt.date | None) -> Part:
    if settled.symbol not in part.holdings:
        return part
    holdings = {**part.holdings, settled.symbol: settle(part.holdings[settled.symbol], settled)}
    if settled.symbol not in part.opening or market_date(settled.at_ns) == day:
        return msgspec.structs.replace(part, holdings=holdings)
    opening = {**part.opening, settled.symbol: settle(part.opening[settled.symbol], settled)}
    return msgspec.structs.replace(part, holdings=holdings, opening=opening)  # known only on a later day


def held(book: RiskBook, symbol: str) -> int:
    """Signed units held of `symbol`."""
    holding = book.holdings.get(symbol)
    return holding.quantity if holding else 0


def alive(book: RiskBook) -> Iterator[tuple[str, Holding]]:
    """What is held of contracts that have not expired before the book's day, by symbol."""
    for symbol, holding in book.holdings.items():
        expiry = parse_symbol(symbol).expiry if holding.quantity else None
        if expiry is not None and (book.day is None or expiry >= book.day):
            yield symbol, holding


def working(book: RiskBook, symbol: str, side: Side) -> int:
    """Units of accepted orders of `symbol` on `side` that may still fill."""
    return sum(
        order.left for order in book.placed.values() if order.intent.symbol == symbol and order.intent.side == side
    )


def trades(book: RiskBook, strategy: str) -> int:
    """Entries of `strategy` today that filled or may still fill: a hedge or an exit is no trade of its own."""
    return sum(
        1
        for tag, order in book.placed.items()
        if order.intent.strategy == strategy
        and (order.intent.purpose == "entry" or tag in book.entries)
        and order.day == book.day
        and (order.filled or not order.ended)
    )


def _charges(holding: Holding) -> int:
    return _whole(holding.charges_rupees)


@lru_cache(maxsize=4096)
def _whole(rupees: Decimal) -> int:
    """Asked of every holding with every order, and the same until it trades again."""
    return whole_paise(rupees)


def cash_paise(book: RiskBook) -> int:
    """The account's cash now by its own trades: what it began with, what they paid and brought in, charges."""
    traded = sum(holding.cash_paise - _charges(holding) for holding in book.holdings.values())
    return book.account.cash_paise + traded


def day_charges_paise(book: RiskBook) -> int:
    """Charges of the day's executed orders."""
    before = sum(_charges(holding) for holding in book.opening.values())
    return sum(_charges(holding) for holding in book.holdings.values()) - before


def day_net_paise(book: RiskBook) -> int:
    """Result of the day net of charges, marked at the exit side: a long at the bid, a short at the ask.

    A position carried over from yesterday counts from its previous close (its average where none is known), and not
    at all until it is quoted today; one without any mark counts at its cost.
    """
    net = 0
    for symbol, holding in book.holdings.items():
        mark = book.marks.get(symbol)
        net += (
            holding.realised_paise
            - _charges(holding)
            + holding.unrealised_paise(mark.exit_paise(holding.quantity) if mark else 0)
        )
    for symbol, holding in book.opening.items():
        mark = book.marks.get(symbol)
        close = mark.prev_close_paise if mark else 0
        net -= holding.realised_paise - _charges(holding) + holding.unrealised_paise(close)
    return net
