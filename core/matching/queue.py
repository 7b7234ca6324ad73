"""An order's time at the exchange, as the local exchange, the paper broker and their tests share it.

What arrives takes the published levels it reaches (core.matching.match). What rests joins the queue behind what is
published at its price: it trades once so much has traded there or past it, or when the other side of the book comes to
it. What our orders take is gone from the book until the market publishes that contract anew.
"""

from collections.abc import Sequence

import msgspec

from core.matching.depth import Depth
from core.matching.match import Resting, Trade, cross, take
from core.records import Side


class Queued(Resting, frozen=True, kw_only=True):
    """A resting order with its place in the queue."""

    ahead: int = 0  # units published at its price when it came, which trade first
    volume_at: int = 0  # what had traded of its contract when it was last looked at


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far an order of the paper broker's has come, beside what the order itself says; it outlives the process."""

    arrives_ns: int = 0  # market time at which it meets a book: its acceptance, and the latency or the night after it
    arrived: bool = False
    triggered: bool = False  # of a stop
    joined: int = 0  # its time priority; 0 before it first stood in the queue


ARRIVED = Place(arrived=True)  # of an order of which nothing else is known


def arrive(depth: Depth, side: Side, quantity: int, limit_paise: int) -> tuple[tuple[Trade, ...], Depth, int]:
    """Trades of an arriving order, the book it leaves, and what stands before its rest in the queue, units."""
    trades, left = take(depth, side, quantity, limit_paise)
    return trades, left, behind(left, side, limit_paise)


def behind(depth: Depth, side: Side, limit_paise: int) -> int:
    """Units published at a price of an order's own side, which trade before it."""
    own = depth.bids if side == "BUY" else depth.asks
    return sum(level.quantity for level in own if level.paise == limit_paise)


def rest(depth: Depth, standing: Sequence[Queued]) -> tuple[tuple[tuple[str, Trade], ...], Depth, tuple[Queued, ...]]:
    """(tag, trade) of the resting orders of one contract since they were last looked at, the book left, their places.

    What traded did so at the last price: at an order's limit or past it. The best limit trades first, at that limit.
    """
    done, moved, taken = [], list[Queued](), 0
    for order in sorted(standing, key=lambda order: (-_gain(order, depth.last_paise), order.sequence)):
        traded, ahead, units = max(0, depth.volume - order.volume_at - taken), order.ahead, 0
        if depth.last_paise > 0 and _gain(order, depth.last_paise) >= 0:
            past = min(ahead, traded)
            ahead, units = ahead - past, min(order.quantity, traded - past)
            taken += units  # what is ahead of the first is ahead of the others too, and passes once
        if units:
            done.append((order.tag, Trade(order.limit_paise, units)))
        moved.append(
            msgspec.structs.replace(order, quantity=order.quantity - units, ahead=ahead, volume_at=depth.volume)
        )
    crossed, left = cross(depth, [order for order in moved if order.quantity])
    return (*done, *crossed), left, tuple(moved)


def _gain(order: Resting, last_paise: int) -> int:
    """Paise by which an order's limit is better than the last price for who takes it."""
    return order.limit_paise - last_paise if order.side == "BUY" else last_paise - order.limit_paise
