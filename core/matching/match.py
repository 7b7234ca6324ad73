"""Price–time matching of our orders against a published book.

An arriving order takes the levels it reaches, best first, at their prices. A resting one fills at its own limit when
the other side of the book comes to it, best limit first, then first come. What one order takes the next does not
find again until the book is published anew.
"""

from collections.abc import Sequence

import msgspec

from core.matching.depth import Depth, Level
from core.records import Side

# Kite's automatic market protection for options, in per cent of the last price (kite.trade support, 2026-07-14).
_PROTECTION = ((1_000, 5), (10_000, 3), (50_000, 2))
_PROTECTION_ABOVE = 1


class Trade(msgspec.Struct, frozen=True):
    paise: int
    quantity: int


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours in the book; `sequence` is its time priority, lower came first."""

    tag: str
    side: Side
    limit_paise: int
    quantity: int
    sequence: int


def take(depth: Depth, side: Side, quantity: int, limit_paise: int) -> tuple[tuple[Trade, ...], Depth]:
    """Trades of an arriving order of `quantity` units at `limit_paise` or better, and the book it leaves."""
    levels = depth.asks if side == "BUY" else depth.bids
    trades, rest = [], []
    for level in levels:
        got = min(quantity, level.quantity) if _reaches(side, limit_paise, level.paise) else 0
        if got:
            trades.append(Trade(level.paise, got))
            quantity -= got
        if level.quantity > got:
            rest.append(Level(level.paise, level.quantity - got))
    return tuple(trades), _left(depth, side, rest)


def cross(depth: Depth, resting: Sequence[Resting]) -> tuple[tuple[tuple[str, Trade], ...], Depth]:
    """(tag, trade) for every resting order the book has come to, at the order's own limit, and the book left."""
    done = []
    for order in sorted(resting, key=_priority):
        taken, depth = take(depth, order.side, order.quantity, order.limit_paise)
        quantity = sum(trade.quantity for trade in taken)
        if quantity:
            done.append((order.tag, Trade(order.limit_paise, quantity)))
    return tuple(done), depth


def protected_limit(side: Side, last_paise: int, tick: int) -> int:
    """The LIMIT a MARKET order becomes: the last price plus or minus Kite's band, rounded to a tick inside it.

    Never below one tick: an option worth 0.05 can be sold at 0.05.
    """
    per_cent = next((band for below, band in _PROTECTION if last_paise < below), _PROTECTION_ABOVE)
    if side == "BUY":
        return max(tick, last_paise * (100 + per_cent) // (100 * tick) * tick)
    return max(tick, -(-last_paise * (100 - per_cent) // (100 * tick)) * tick)


def _reaches(side: Side, limit_paise: int, price_paise: int) -> bool:
    return price_paise <= limit_paise if side == "BUY" else price_paise >= limit_paise


def _priority(order: Resting) -> tuple[str, int, int]:
    """Best limit first, then first come; the two sides do not compete for the same levels."""
    better = -order.limit_paise if order.side == "BUY" else order.limit_paise
    return order.side, better, order.sequence


def _left(depth: Depth, side: Side, rest: list[Level]) -> Depth:
    if side == "BUY":
        return msgspec.structs.replace(depth, asks=tuple(rest))
    return msgspec.structs.replace(depth, bids=tuple(rest))
