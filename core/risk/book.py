"""What the limits look at: one value that grows by folding accepted intents, fills, quotes and time.

A live risk actor and a backtest fold the same functions, in the order things became known:
`at` (time), `with_marks` (quotes), `with_intent` (an accepted order), `with_fill`, `with_end` (an order that holds
nothing any more), `with_settled` (a contract that expired). None of them changes its argument; folding a fill, an end
or a settlement twice changes nothing.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from core.market import IST, parse_symbol, to_ns
from core.orders.positions import Holding, apply, holding_of, market_date, settle
from core.records import LIVE, Fill, Intent, Order, Settled, Side


class Mark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Latest quote of a symbol as risk needs it; paise 0 is no price."""

    paise: int
    at_ns: int
    prev_close_paise: int = 0


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An order risk has let through: what of it is filled, and whether the rest may still come."""

    intent: Intent
    day: dt.date
    filled: int = 0
    ended: bool = False


class RiskBook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the limits know. `stops` counts exits with reason "stop" in a row, per strategy, of this day."""

    now_ns: int = 0
    day: dt.date | None = None
    holdings: Mapping[str, Holding] = {}
    marks: Mapping[str, Mark] = {}
    placed: Mapping[str, Placed] = {}
    stops: Mapping[str, int] = {}
    opening: Mapping[str, Holding] = {}  # the holdings as the day began


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
        placed={},  # every order is for the day
        marks=_of_day(book.marks, day),
    )


def with_marks(book: RiskBook, marks: Mapping[str, Mark]) -> RiskBook:
    """The book with newer quotes of some symbols; one without a price leaves an older price as it is."""
    priced = {name: mark for name, mark in marks.items() if mark.paise or name not in book.marks}
    return msgspec.structs.replace(book, marks={**book.marks, **_of_day(priced, book.day)})


def _of_day(marks: Mapping[str, Mark], day: dt.date | None) -> dict[str, Mark]:
    """A quote of an earlier day has no part in this day's result: it is its own previous close."""
    begin_ns = to_ns(dt.datetime.combine(day, dt.time.min, IST)) if day else 0
    return {
        name: mark if mark.at_ns >= begin_ns else msgspec.structs.replace(mark, prev_close_paise=mark.paise)
        for name, mark in marks.items()
    }


def with_intent(book: RiskBook, intent: Intent) -> RiskBook:
    """The book after an accepted order; counted until `with_end` says that nothing more of it can fill."""
    known = book.placed.get(intent.tag)
    if known is not None and (known.filled or not known.ended):
        return book  # one that ended unfilled was never sent, or it would not be asked for again
    book = at(book, intent.created_ns)
    day = market_date(intent.created_ns or book.now_ns)
    return msgspec.structs.replace(book, placed={**book.placed, intent.tag: Placed(intent=intent, day=day)})


def with_end(book: RiskBook, tag: str) -> RiskBook:
    """The order `tag` is over: what has not filled is no longer working."""
    order = book.placed.get(tag)
    if order is None or order.ended:
        return book
    return msgspec.structs.replace(book, placed={**book.placed, tag: msgspec.structs.replace(order, ended=True)})


def live_tags(book: RiskBook) -> set[str]:
    """Tags of the orders that may still fill."""
    return {tag for tag, order in book.placed.items() if not order.ended}


def agrees(book: RiskBook, live: Collection[str], trades: Collection[str]) -> bool:
    """Whether exactly the orders `live` (tags) may still fill, and all of the `trades` (ids) are counted."""
    counted = frozenset[str]().union(*(holding.trades for holding in book.holdings.values()))
    return live_tags(book) == set(live) and counted.issuperset(trades)


def with_fill(book: RiskBook, fill: Fill) -> RiskBook:
    """The book after a trade, which is part of its own day's result; the same book if the trade is already in it."""
    book = at(book, fill.at_ns)
    before = holding_of(book.holdings, fill)
    if fill.trade_id in before.trades:
        return book
    order = book.placed.get(fill.tag)
    placed, stops = book.placed, book.stops
    if order is not None:
        filled = order.filled + fill.quantity
        # Only whole: the rest of an exit that died half filled is sold by another, and both are one stop.
        whole = order.filled < order.intent.quantity <= filled
        if order.intent.purpose == "exit" and whole and market_date(fill.at_ns) == book.day:
            row = stops.get(fill.strategy, 0) + 1 if order.intent.reason == "stop" else 0
            stops = {**stops, fill.strategy: row}
        ended = order.ended or filled >= order.intent.quantity
        placed = {**placed, fill.tag: msgspec.structs.replace(order, filled=filled, ended=ended)}
    opening = book.opening
    if market_date(fill.at_ns) != book.day:  # told of only on a later day
        opening = {**opening, fill.symbol: apply(holding_of(opening, fill), fill)}
    return msgspec.structs.replace(
        book,
        holdings={**book.holdings, fill.symbol: apply(before, fill)},
        placed=placed,
        stops=stops,
        opening=opening,
    )


def with_settled(book: RiskBook, settled: Settled) -> RiskBook:
    """The book after a contract expired; what is held of it is paid out on the day of its expiry, and only there."""
    holding = book.holdings.get(settled.symbol)
    if holding is None or holding.settled is not None:
        return book
    book = at(book, settled.at_ns)
    opening = book.opening
    if settled.symbol in opening and market_date(settled.at_ns) != book.day:  # known only on a later day
        opening = {**opening, settled.symbol: settle(opening[settled.symbol], settled)}
    return msgspec.structs.replace(
        book, holdings={**book.holdings, settled.symbol: settle(holding, settled)}, opening=opening
    )


def replay(orders: Iterable[Order], fills: Iterable[Fill], settlements: Iterable[Settled] = ()) -> RiskBook:
    """The book that a ledger's facts add up to, folded in market time: recovery after a restart."""
    orders = list(orders)
    events: list[tuple[int, int, Intent | Fill | Settled]] = [
        (order.intent.created_ns, 0, order.intent) for order in orders if order.state != "REFUSED"
    ]
    events += [(fill.at_ns, 1, fill) for fill in fills]
    events += [(settled.at_ns, 2, settled) for settled in settlements]
    book = RiskBook()
    for _, _, event in sorted(events, key=lambda row: row[:2]):
        if isinstance(event, Intent):
            book = with_intent(book, event)
        else:
            book = with_fill(book, event) if isinstance(event, Fill) else with_settled(book, event)
    for order in orders:
        if order.state not in LIVE:
            book = with_end(book, order.intent.tag)
    return book


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
        order.intent.quantity - order.filled
        for order in book.placed.values()
        if not order.ended and order.intent.symbol == symbol and order.intent.side == side
    )


def trades(book: RiskBook, strategy: str) -> int:
    """Entries of `strategy` today that filled or may still fill: a hedge or an exit is no trade of its own."""
    return sum(
        1
        for order in book.placed.values()
        if order.intent.strategy == strategy
        and order.intent.purpose == "entry"
        and order.day == book.day
        and (order.filled or not order.ended)
    )


def reduces(book: RiskBook, intent: Intent) -> bool:
    """Whether `intent` is an exit that can only bring its position nearer to flat, other working exits counted."""
    if intent.purpose != "exit" or intent.quantity <= 0:
        return False
    quantity = held(book, intent.symbol)
    towards_flat = quantity > 0 if intent.side == "SELL" else quantity < 0
    return towards_flat and intent.quantity + working(book, intent.symbol, intent.side) <= abs(quantity)


def day_charges_paise(book: RiskBook) -> int:
    """Charges of the day's executed orders."""
    before = sum(holding.charges_paise for holding in book.opening.values())
    return sum(holding.charges_paise for holding in book.holdings.values()) - before


def day_net_paise(book: RiskBook) -> int:
    """Mark-to-market result of the day net of charges.

    A position carried over from yesterday counts from its previous close (its average where none is known), and not
    at all until it is quoted today; one without any mark counts at its cost.
    """
    net = 0
    for symbol, holding in book.holdings.items():
        mark = book.marks.get(symbol)
        net += holding.realised_paise - holding.charges_paise + holding.unrealised_paise(mark.paise if mark else 0)
    for symbol, holding in book.opening.items():
        mark = book.marks.get(symbol)
        close = mark.prev_close_paise if mark else 0
        net -= holding.realised_paise - holding.charges_paise + holding.unrealised_paise(close)
    return net
