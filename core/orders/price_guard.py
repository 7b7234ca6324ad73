"""Which price an order may carry: on a tick, inside the exchange's band, and never "any price".

A MARKET intent never leaves as one: it becomes a limit a stated share beyond the best opposite price, as Kite's own
market protection does (core/matching/match.py), so that what is sent is known before it is sent.
"""

import msgspec

from core.matching.depth import Depth
from core.matching.match import protected_limit
from core.records import Side

# NSE's limit price protection as of 2022, stated for the last price; nobody confirms it for today (kite.md §10).
BAND_SHARE, BAND_LEAST_PAISE = 0.4, 20_00


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Lowest and highest price the exchange takes, whole ticks; an estimate where its own figures are not known."""

    low_paise: int
    high_paise: int
    estimate: bool = False


def band_about(last_paise: int, tick: int) -> Band | None:
    """The band about a last price: ±40 % of it or ±₹20, the wider one, never below a tick; None where nothing traded.

    An estimate: the exchange computes its own for each contract and day (exchange.md), which wins where it is known.
    """
    if last_paise <= 0:
        return None
    width, tick = max(round(BAND_SHARE * last_paise), BAND_LEAST_PAISE), max(tick, 1)
    low = max(tick, -(-(last_paise - width) // tick) * tick)
    return Band(low_paise=low, high_paise=(last_paise + width) // tick * tick, estimate=True)


def known_band(depth: Depth | None, tick: int, band: Band | None = None) -> Band | None:
    """The exchange's band if it is known, else the estimate about the last price; None where neither is."""
    return band or (band_about(depth.last_paise, tick) if depth is not None else None)


def floor_tick(paise: float, tick: int) -> int:
    """The tick at or below a price; never below one tick."""
    return max(tick, int(paise // tick) * tick)


def ceil_tick(paise: float, tick: int) -> int:
    """The tick at or above a price; never below one tick."""
    return max(tick, int(-(-paise // tick)) * tick)


def inside(paise: int, band: Band | None) -> int:
    """The price nearest to `paise` inside the band."""
    return paise if band is None else min(max(paise, band.low_paise), band.high_paise)


def touch(side: Side, depth: Depth | None) -> int:
    """What an order of `side` would trade at now: the best opposite price; 0 where there is none."""
    if depth is None:
        return 0
    best = depth.asks if side == "BUY" else depth.bids
    return best[0].paise if best else 0


def edge(side: Side, band: Band) -> int:
    """The worst price an order of `side` may pay inside the band."""
    return band.high_paise if side == "BUY" else band.low_paise


def worse(side: Side, one_paise: int, other_paise: int) -> int:
    """Of two limits the one that trades sooner: the higher to buy, the lower to sell."""
    return max(one_paise, other_paise) if side == "BUY" else min(one_paise, other_paise)


def market_limit(side: Side, depth: Depth | None, tick: int, band: Band | None = None) -> int:
    """The limit a MARKET order becomes: Kite's protection beyond the best opposite price, else beyond the last trade.

    Whole ticks, inside the band; 0 where no price is known.
    """
    reference = touch(side, depth) or (depth.last_paise if depth is not None else 0)
    if reference <= 0:
        return 0
    return inside(protected_limit(side, reference, tick), known_band(depth, tick, band))
