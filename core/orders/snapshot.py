"""How a desk stands at one moment: positions, open orders, the day's result and what risk says. Taken by the clock.

A snapshot is for people and for measuring between fills (core/orders/day_result.py); nothing recovers from it, the
journal does that.
"""

from collections.abc import Iterable, Mapping

import msgspec

from core.orders.books import ACCOUNT, Books, by_strategy, recent
from core.records import LIVE, LimitUse, Order, Product

EVERY_NS = 15 * 60 * 1_000_000_000  # of the market's clock, at whole multiples of it


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's position, marked; `mark_paise` 0 is unknown, then what is open counts at its cost.

    `carried` is signed units that came into the day, which counts them from `prev_close_paise`; 0 unknown. Snapshots of
    before these two were kept have neither.
    """

    strategy: str
    symbol: str
    product: Product
    quantity: int
    average_paise: float
    mark_paise: int
    realised_paise: int
    unrealised_paise: int
    charges_paise: int
    carried: int = 0
    prev_close_paise: int = 0


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """The day's result of a strategy, or of the account: `strategy` is empty."""

    strategy: str
    gross_paise: int
    charges_paise: int

    @property
    def net_paise(self) -> int:
        return self.gross_paise - self.charges_paise


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is the order manager's and `why` it is so; `limits` are empty where risk could not be asked."""

    at_ns: int  # market
    state: str
    why: str = ""
    killed: bool = False
    positions: tuple[Held, ...] = ()
    orders: tuple[Order, ...] = ()
    results: tuple[Earned, ...] = ()
    limits: tuple[LimitUse, ...] = ()

    def net_paise(self, strategy: str = ACCOUNT) -> int:
        """The day's net result of a strategy, or of the account; 0 of one that is not in it."""
        return next((one.net_paise for one in self.results if one.strategy == strategy), 0)


def due(last_ns: int, now_ns: int) -> bool:
    """Whether a multiple of EVERY_NS lies after `last_ns` (0: none was taken) and not after `now_ns`."""
    return now_ns // EVERY_NS > last_ns // EVERY_NS


def snapshot(
    at_ns: int,
    books: Books,
    orders: Iterable[Order],
    *,
    marks: Mapping[str, int],
    closes: Mapping[str, int],
    state: str,
    why: str = "",
    killed: bool = False,
    limits: Iterable[LimitUse] = (),
) -> Snapshot:
    """The desk at `at_ns`: `orders` may be all of them; `marks` and previous `closes` by contract, paise, if known."""
    held = [
        Held(
            strategy=book.strategy, symbol=book.symbol, product=book.product, quantity=book.quantity,
            average_paise=book.holding.average_paise, mark_paise=marks.get(book.symbol, 0),
            realised_paise=book.holding.realised_paise,
            unrealised_paise=book.holding.unrealised_paise(marks.get(book.symbol, 0)),
            charges_paise=book.holding.charges_paise,
            carried=book.overnight_quantity, prev_close_paise=closes.get(book.symbol, 0),
        )
        for book in sorted(recent(books), key=lambda one: (one.strategy, one.symbol, one.product))
    ]  # fmt: skip
    results = sorted(by_strategy(books, marks, closes).items())
    return Snapshot(
        at_ns=at_ns, state=state, why=why, killed=killed, positions=tuple(held),
        orders=tuple(order for order in orders if order.state in LIVE),
        results=tuple(Earned(strategy=name, gross_paise=g, charges_paise=c) for name, (g, c) in results),
        limits=tuple(limits),
    )  # fmt: skip


def points(snapshots: Iterable[Snapshot]) -> dict[str, list[tuple[int, int]]]:
    """(market ns, net paise) of each strategy, oldest first, as `day_results` takes them.

    One with something open without a mark, or carried in without a previous close, has not been measured: its point
    would be a fall to cost that never was, or one of days before.
    """
    out: dict[str, list[tuple[int, int]]] = {}
    for one in sorted(snapshots, key=lambda one: one.at_ns):
        unknown = {
            held.strategy
            for held in one.positions
            if (held.quantity and not held.mark_paise) or (held.carried and not held.prev_close_paise)
        }
        for result in one.results:
            if result.strategy in unknown or (result.strategy == ACCOUNT and unknown):
                continue
            out.setdefault(result.strategy, []).append((one.at_ns, result.net_paise))
    return out


def prices(snapshots: Iterable[Snapshot]) -> dict[str, tuple[int, int, int, int]]:
    """By contract of a day's snapshots no quote, the last one's mark and the last known previous close; 0 unknown."""
    marks: dict[str, int] = {}
    closes: dict[str, int] = {}
    for one in sorted(snapshots, key=lambda one: one.at_ns):
        marks = {held.symbol: held.mark_paise for held in one.positions}
        closes |= {held.symbol: held.prev_close_paise for held in one.positions if held.prev_close_paise}
    return {symbol: (0, 0, marks.get(symbol, 0), closes.get(symbol, 0)) for symbol in marks | closes}
