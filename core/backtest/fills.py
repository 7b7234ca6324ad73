"""At what price an order fills in a bar: slippage against us, rounded against us to the tick."""

from typing import Literal

from core.records import Side

Rounding = Literal["up", "down"]


def slipped(open_paise: int, side: Side, slippage_pct: float, tick_paise: int) -> int:
    """The bar's open made worse by `slippage_pct` per cent; a buy is rounded up to the tick, a sale down.

    >>> slipped(34735, "BUY", 0.5, 5), slipped(34735, "SELL", 0.5, 5)
    (34910, 34560)
    """
    basis = round(slippage_pct * 10_000)  # millionths: integers, so that a price on a tick stays on it
    if side == "BUY":
        return -(-open_paise * (1_000_000 + basis) // (1_000_000 * tick_paise)) * tick_paise
    return max(open_paise * (1_000_000 - basis) // (1_000_000 * tick_paise) * tick_paise, tick_paise)
