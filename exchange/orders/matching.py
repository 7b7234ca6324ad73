"""The exchange's side of matching: published book, queue, triggers (core.matching does the arithmetic).

An arriving order takes the levels it reaches. What rests joins the queue behind what is published at its price: it
trades once so much has traded there or past it, or when the other side of the book comes to it. What our orders take is
gone from the book until the market publishes that instrument anew.
"""

import numpy as np

from core.matching.depth import Depth, Level
from core.matching.match import Resting, cross, take
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
    return Depth(bids=sides[0], asks=sides[1], last_paise=int(quotes.last[place]), at_ns=int(quotes.at_ns[place]))


def arrive(quotes: Quotes, order: Order) -> list[Fill]:
    """What an order takes at once; what is left of it queues behind the published quantity at its price."""
    place = order.one.place
    trades, left = take(depth_of(quotes, place), order.side, order.remaining, order.price_paise)
    if trades:
        put(quotes, place, left)
    order.volume_at = int(quotes.volume[place])  # what traded before is not its own
    own_side = left.bids if order.side == "BUY" else left.asks
    order.ahead = sum(level.quantity for level in own_side if level.paise == order.price_paise)
    return [(order, trade.quantity, trade.paise) for trade in trades]


def rest(quotes: Quotes, place: int, standing: list[Order]) -> list[Fill]:
    """Fills of the resting orders of one instrument since each joined the queue or was last looked at.

    What traded did so at the last price: at an order's limit or past it. The best limit trades first, at that limit.
    """
    last, volume, fills = int(quotes.last[place]), int(quotes.volume[place]), []
    taken = 0
    for order in sorted(standing, key=lambda order: (-_gain(order, last), order.joined)):
        traded, order.volume_at = max(0, volume - order.volume_at - taken), volume
        if last > 0 and _gain(order, last) >= 0:
            past = min(order.ahead, traded)
            order.ahead -= past
            units = min(order.remaining, traded - past)
            taken += units  # what is ahead of the first is ahead of the others too, and passes once
            if units:
                fills.append((order, units, order.price_paise))
    met = {str(i): order for i, order in enumerate(standing)}
    done = {id(order): units for order, units, _ in fills}
    resting = [
        Resting(tag=name, side=order.side, limit_paise=order.price_paise, sequence=order.joined,
                quantity=order.remaining - done.get(id(order), 0))
        for name, order in met.items()
        if order.remaining > done.get(id(order), 0)
    ]  # fmt: skip
    crossed, depth = cross(depth_of(quotes, place), resting)
    if crossed:
        put(quotes, place, depth)
    return fills + [(met[name], trade.quantity, trade.paise) for name, trade in crossed]


def _gain(order: Order, last_paise: int) -> int:
    """Paise by which an order's limit is better than the last price for who takes it."""
    return order.price_paise - last_paise if order.side == "BUY" else last_paise - order.price_paise


def triggered(order: Order, last_paise: int) -> bool:
    """Whether the last price has reached the trigger of a stop order."""
    trigger = order.asked.trigger_paise
    if last_paise <= 0:
        return False
    return last_paise >= trigger if order.side == "BUY" else last_paise <= trigger


def put(quotes: Quotes, place: int, depth: Depth) -> None:
    """What is left of a book, until it is published anew."""
    for side, levels in (("bid", depth.bids), ("ask", depth.asks)):
        before = (quotes.book[f"{side}_{column}"][place].tolist() for column in ("paise", "orders"))
        orders = dict(zip(*before, strict=True))
        left = [(x.paise, x.quantity, orders[x.paise]) for x in levels] + [(0, 0, 0)] * (DEPTH - len(levels))
        for column, values in zip(("paise", "qty", "orders"), np.array(left, np.int64).T, strict=True):
            quotes.book[f"{side}_{column}"][place] = values
