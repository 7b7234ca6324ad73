"""Getting flat: the intents that close a position at once, as limits that cross the book."""

from collections.abc import Iterator

import msgspec

from core.errors import InputError
from core.matching.depth import Depth
from core.orders.positions import Holding
from core.orders.tag import make_tag
from core.records import Intent, Side


def exit_intents(
    holding: Holding, depth: Depth | None, *, working: int, most: int, tick: int, cross: float, seed: str, reason: str
) -> Iterator[Intent]:
    """Exits of what `holding` has open beyond `working` units already leaving, each of at most `most` units.

    A limit reaches `cross` (a decimal, 0.05 is 5 %) beyond the best opposite price, so that it fills now but never at
    any price; where no price is known the order is MARKET and the broker protects it. `most` is the usable freeze
    quantity, a multiple of the lot as what is held is, so that every slice is; each slice's tag comes of `seed`, the
    symbol and its place. InputError if `most` allows nothing.
    """
    if most <= 0:
        raise InputError(f"{holding.symbol}: an order may have at most {most} units, so nothing can be sent")
    whole, place = whole_exit(holding, working=working, seed=seed, reason=reason), 0
    left = whole.quantity
    limit = marketable(whole.side, depth, tick=tick, cross=cross)
    while left > 0:
        quantity = min(left, most)
        yield msgspec.structs.replace(
            whole,
            tag=make_tag(f"{seed} {holding.symbol} {place}"),
            quantity=quantity,
            order_type="LIMIT" if limit else "MARKET",
            limit_paise=limit,
        )
        left, place = left - quantity, place + 1


def whole_exit(holding: Holding, *, working: int, seed: str, reason: str) -> Intent:
    """The exit of all that `holding` has open beyond `working` units, at market and in one piece."""
    return Intent(
        tag=make_tag(f"{seed} {holding.symbol} 0"),
        strategy="manual",
        index=holding.index,
        symbol=holding.symbol,
        side="SELL" if holding.quantity > 0 else "BUY",
        quantity=max(0, abs(holding.quantity) - working),
        order_type="MARKET",
        purpose="exit",
        reason=reason,
    )


def marketable(side: Side, depth: Depth | None, *, tick: int, cross: float) -> int:
    """A limit that reaches `cross` beyond the best opposite price, else the last trade, on a tick; 0 unknown."""
    if depth is None:
        return 0
    best = depth.asks if side == "BUY" else depth.bids
    price = best[0].paise if best else depth.last_paise
    if not price:
        return 0
    reach = price * (1 + cross) if side == "BUY" else price * (1 - cross)
    return max(tick, int(reach) // tick * tick)
