"""The exchange's quotes and orders as core.matching has them, which does the arithmetic."""

import numpy as np

from core.matching.depth import Depth, Level
from core.matching.queue import Queued
from core.matching.queue import arrive as arrival
from core.matching.queue import rest as resting
from core.orders.stops import passed
from core.schemas import DEPTH
from exchange.orders.order import Order
from exchange.quotes import Quotes

Fill = tuple[Order, int, int]  # order, units, paise


def depth_of(quotes: Quotes, place: int) -> Depth:
    """The published book of an instrument."""
    sides = [
        tuple(Level(p, q) for p, q in zip(prices, quantities, strict=True) if p > 0 and q > 0)
        for prices, quantities in (
            (quotes.book[f"{side}_paise"][place].tolist(), quotes.book[f"{side}_qty"][place].tolist())
            for side in ("bid", "ask")
        )
    ]
    return Depth(
        bids=sides[0], asks=sides[1], last_paise=int(quotes.last[place]), at_ns=int(quotes.at_ns[place]),
        volume=int(quotes.volume[place]),
    )  # fmt: skip


def arrive(quotes: Quotes, order: Order) -> list[Fill]:
    """What an order takes at once; what is left of it queues behind the published quantity at its price."""
    place = order.one.place
    before = depth_of(quotes, place)
    trades, left, order.ahead = arrival(before, order.side, order.remaining, order.price_paise)
    order.volume_at = before.volume  # what traded before is not its own
    if trades:
        put(quotes, place, left)
    return [(order, trade.quantity, trade.paise) for trade in trades]


def rest(quotes: Quotes, place: int, standing: list[Order]) -> list[Fill]:
    """Fills of the resting orders of one instrument since each joined the queue or was last looked at."""
    named = {str(i): order for i, order in enumerate(standing)}
    before = depth_of(quotes, place)
    done, left, moved = resting(before, [_queued(name, order) for name, order in named.items()])
    for one in moved:
        named[one.tag].ahead, named[one.tag].volume_at = one.ahead, one.volume_at
    if left != before:
        put(quotes, place, left)
    return [(named[name], trade.quantity, trade.paise) for name, trade in done]


def _queued(name: str, order: Order) -> Queued:
    return Queued(
        tag=name, side=order.side, limit_paise=order.price_paise, quantity=order.remaining, sequence=order.joined,
        ahead=order.ahead, volume_at=order.volume_at,
    )  # fmt: skip


def triggered(order: Order, last_paise: int) -> bool:
    """Whether the last price has reached the trigger of a stop order."""
    return passed(order.side, order.asked.trigger_paise, last_paise)


def put(quotes: Quotes, place: int, depth: Depth) -> None:
    """What is left of a book, until it is published anew."""
    for side, levels in (("bid", depth.bids), ("ask", depth.asks)):
        before = (quotes.book[f"{side}_{column}"][place].tolist() for column in ("paise", "orders"))
        orders = dict(zip(*before, strict=True))
        left = [(x.paise, x.quantity, orders[x.paise]) for x in levels] + [(0, 0, 0)] * (DEPTH - len(levels))
        for column, values in zip(("paise", "qty", "orders"), np.array(left, np.int64).T, strict=True):
            quotes.book[f"{side}_{column}"][place] = values
