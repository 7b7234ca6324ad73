"""How often in a row a strategy was stopped out today: counted by position, whatever orders it left by.

A position is stopped once, at the first unit that an exit with reason "stop" takes off, until it is flat or the
strategy enters its contract anew, by an order made after that stop. A position that is flat again with no stop among
its exits begins the row anew. So two protecting orders of one bracket, the slices of a large exit, the rest of a stop
that was sent again, and a stop whose rest another exit takes are all one stop.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from core.orders.positions import Holding, market_date, signed
from core.records import Fill, Move

if TYPE_CHECKING:
    from core.risk.book import Placed


class Trade(NamedTuple):
    """A trade of the day, in the order in which trades count: by market time, then by when their orders were made."""

    at_ns: int
    made_ns: int  # of its order; 0 if that is unknown
    trade_id: str
    symbol: str
    units: int  # + bought, − sold
    reason: str  # of an exit; empty: no exit


def of_fill(fill: Fill, order: "Placed | None") -> Trade:
    exits = order is None or order.intent.purpose == "exit"  # an order of another day: only an exit's fill has a reason
    reason = fill.reason or (order.intent.reason or "exit" if order else "")
    made_ns = order.at_ns if order else 0
    return Trade(fill.at_ns, made_ns, fill.trade_id, fill.symbol, signed(fill), reason if exits else "")


def of_move(move: Move) -> Trade:
    return Trade(move.at_ns, 0, move.id, move.symbol, move.quantity, "")


def with_trade(trades: tuple[Trade, ...], one: Trade, day: dt.date | None) -> tuple[Trade, ...]:
    """The day's trades with one more; one of another day is in what the day began with."""
    if market_date(one.at_ns) != day:
        return trades
    return (*trades, one) if not trades or trades[-1] < one else tuple(sorted((*trades, one)))


def in_a_row(opening: Mapping[str, Holding], trades: Iterable[Trade]) -> int:
    """The stops in a row at the end of a strategy's `trades` of a day, which began with `opening`."""
    row = 0
    held = {symbol: holding.quantity for symbol, holding in opening.items()}
    stopped: dict[str, int] = {}  # by symbol, since when
    for one in trades:
        held[one.symbol] = held.get(one.symbol, 0) + one.units
        if one.reason == "stop" and one.symbol not in stopped:
            row, stopped[one.symbol] = row + 1, one.at_ns
        elif not one.reason and one.made_ns > stopped.get(one.symbol, one.made_ns):
            del stopped[one.symbol]
        if not held[one.symbol] and stopped.pop(one.symbol, None) is None and one.reason:
            row = 0
    return row
