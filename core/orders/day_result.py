"""What a day brought, by strategy and for the account, from the ledger's facts and two prices a contract.

Everything is of one day (IST): what was carried in counts from the previous close (core/orders/books.py). A *trade* is
a round trip of one book, from flat to flat or through it, that was closed on the day; it has won or lost net of its
charges, the whole charges of a fill that turns it being the closed one's. Drawdown is the largest fall of the day's
net result below its highest point, from 0 on: at the points that were measured, all contracts at their marks of one
moment (snapshots, every quarter of an hour, unless something open had no mark), and at the end. A fall and recovery
between two of them is not seen; a trade is no point, since other contracts' last trades here may be hours old then, and
would make falls that never were. Nor is a moment that does not know the previous close of something carried in: what
earlier days brought would be a rise or a fall of this one.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import msgspec

from core.orders.books import ACCOUNT, Book, Books, Key, on_day, with_fill, with_move, with_settled
from core.orders.positions import market_date
from core.records import Fill, Move, Order, Settled

DAYS_A_YEAR = 252  # sessions
LEAST_DAYS = 20  # of history, below which a Sharpe ratio says nothing
Point = tuple[int, int]  # market ns, the day's net result in paise


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """Paise of one day. `trades` are round trips closed, `winners` and `losers` of them net of charges.

    `no_close`: contracts carried in whose previous close is not known; they count from their cost, so gross and net
    are an estimate, with what earlier days brought. The drawdown is None where nothing was measured.
    """

    realised_paise: int = 0
    unrealised_paise: int = 0
    charges_paise: int = 0
    fills: int = 0
    trades: int = 0
    winners: int = 0
    losers: int = 0
    max_drawdown_paise: int | None = 0
    no_close: tuple[str, ...] = ()

    @property
    def gross_paise(self) -> int:
        return self.realised_paise + self.unrealised_paise

    @property
    def net_paise(self) -> int:
        return self.gross_paise - self.charges_paise


def day_results(
    orders: Iterable[Order],
    fills: Iterable[Fill],
    settlements: Iterable[Settled] = (),
    *,
    moves: Iterable[Move] = (),
    on: dt.date,
    marks: Mapping[str, int],
    closes: Mapping[str, int],
    points: Mapping[str, Sequence[Point]] | None = None,
) -> dict[str, DayResult]:
    """By strategy, ACCOUNT the account's; `fills` and `settlements` up to the end of `on`, later ones are left out.

    `marks` and `closes`: the last and the previous day's closing price by contract, paise, as far as known; `points`
    measured results of the day by strategy. A fill of no order that is given is left out: the reconciliation tells it.
    """
    products = {order.intent.tag: order.intent.product for order in orders}
    events: list[tuple[int, int, Fill | Settled | Move]] = [(one.at_ns, 0, one) for one in fills if one.tag in products]
    events += [(one.at_ns, 1, one) for one in moves]
    events += [(one.at_ns, 2, one) for one in settlements]
    day = _Day(on, closes)
    for at_ns, _, event in sorted(events, key=lambda row: row[:2]):
        if market_date(at_ns) > on:
            break
        if isinstance(event, Fill):
            day.step(with_fill(day.books, event, products[event.tag]), event.symbol, event.price_paise, at_ns)
        elif isinstance(event, Move):
            day.books = with_move(day.books, event)  # no trade, and nothing is won or lost by it
        else:
            day.step(with_settled(day.books, event), event.symbol, event.value_paise, at_ns)
    return day.end(marks, points or {})


def from_cost(book: Book, closes: Mapping[str, int]) -> bool:
    """Whether the day's result of a book counts from its cost: it was carried in, and no previous close is known."""
    return bool(book.overnight_quantity) and not closes.get(book.symbol)


def max_drawdown_paise(curve: Iterable[int]) -> int:
    """The largest fall below the highest point so far, which begins at 0; 0 if it never fell."""
    peak = worst = 0
    for value in curve:
        peak = max(peak, value)
        worst = max(worst, peak - value)
    return worst


def sharpe(daily_net_paise: Sequence[int]) -> float | None:
    """Mean over sample deviation of the daily results, × √252; None below LEAST_DAYS days or where all are alike.

    Sharpe, *The Sharpe Ratio*, 1994, with results in money and no rate taken off: a desk on margin has no one capital.
    """
    if len(daily_net_paise) < LEAST_DAYS:
        return None
    spread = stdev(daily_net_paise)
    return fmean(daily_net_paise) / spread * math.sqrt(DAYS_A_YEAR) if spread else None


@dataclass
class _Tally:
    """Of one strategy while the day is folded."""

    fills: int = 0
    trades: int = 0
    winners: int = 0
    losers: int = 0


class _Day:
    """The fold: books, what each was worth at the last price, and where each open round trip began."""

    def __init__(self, on: dt.date, closes: Mapping[str, int]) -> None:
        self._on, self._closes = on, closes
        self.books = Books()
        self._prices: dict[str, int] = {}  # of the day
        self._began: dict[Key, int] = {}  # realised − charges of a book as its round trip began
        self._tallies: dict[str, _Tally] = defaultdict(_Tally)

    def step(self, after: Books, symbol: str, paise: int, at_ns: int) -> None:
        before, self.books = self.books, after
        if after is before:
            return  # a trade told twice
        today = market_date(at_ns) == self._on
        if today:
            self._prices[symbol] = paise
        for key, book in after.books.items():
            old = before.books.get(key)
            if key[1] == symbol and (old is None or book.holding is not old.holding):
                self._trip(key, old.quantity if old else 0, book, today=today)

    def _trip(self, key: Key, held: int, book: Book, *, today: bool) -> None:
        tally = self._tallies[key[0]]
        tally.fills += today and book.holding.settled is None
        now = book.holding.realised_paise - book.holding.charges_paise
        if held and held * book.quantity <= 0:
            brought = now - self._began.get(key, 0)
            tally.trades += today
            tally.winners += today and brought > 0
            tally.losers += today and brought < 0
            self._began[key] = now
        elif not held and key not in self._began:
            self._began[key] = 0

    def _of(self, strategy: str) -> list[Book]:
        of = self.books.nets if strategy == ACCOUNT else self.books.books
        return [book for book in of.values() if book.strategy == strategy]

    def end(self, marks: Mapping[str, int], points: Mapping[str, Sequence[Point]]) -> dict[str, DayResult]:
        self.books = on_day(self.books, self._on)
        last = {**self._prices, **{symbol: paise for symbol, paise in marks.items() if paise}}
        names = {ACCOUNT, *(key[0] for key in self.books.books)}
        found = {name: self._result(name, last, points.get(name, ())) for name in sorted(names)}
        strategies = [result for name, result in found.items() if name != ACCOUNT]
        summed = {
            name: sum(getattr(one, name) for one in strategies) for name in ("fills", "trades", "winners", "losers")
        }
        return {**found, ACCOUNT: msgspec.structs.replace(found[ACCOUNT], **summed)}

    def _result(self, name: str, marks: Mapping[str, int], points: Sequence[Point]) -> DayResult:
        books, tally = self._of(name), self._tallies[name]
        gross = sum(b.day_gross_paise(marks.get(b.symbol, 0), self._closes.get(b.symbol, 0)) for b in books)
        realised = sum(book.holding.realised_paise - book.opening.realised_paise for book in books)
        charges = sum(book.day_charges_paise for book in books)
        no_close = sorted({book.symbol for book in books if from_cost(book, self._closes)})
        curve = [value for _, value in sorted(points)] + ([] if no_close else [gross - charges])
        return DayResult(
            realised_paise=realised, unrealised_paise=gross - realised, charges_paise=charges, fills=tally.fills,
            trades=tally.trades, winners=tally.winners, losers=tally.losers,
            max_drawdown_paise=max_drawdown_paise(curve) if curve else None, no_close=tuple(no_close),
        )  # fmt: skip
