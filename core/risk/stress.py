"""What a book earns in moves nobody gives a probability: gaps, vol shocks, the jump of an expiry day's auction.

Since 2026-08-03 an index stands still from 15:15 while its options trade, and then jumps to the closing auction's
value, on which expiring options settle. Seen: NIFTY +0.82 % and +0.62 % on 3 and 4 August 2026, SENSEX −0.05 % on the
3rd (index bars of those days); the other sign and the 2 % of `AUCTION_JUMPS` are assumptions.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.market import SettlementMethod, settlement
from core.risk.var_book import Positions, pnl

Floats = NDArray[np.float64]
GAPS = (-0.20, -0.15, -0.10, -0.075, -0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.10, 0.15, 0.20)
"""10, 15 and 20 % are the market-wide breakers of NSE and BSE."""
VOL_SHOCKS = (-0.05, 0.0, 0.05, 0.10, 0.20)
AUCTION_JUMPS = (-0.02, -0.0082, -0.0062, 0.0, 0.0062, 0.0082, 0.02)


class StressTable(NamedTuple):
    """Rupees: `profits[i, j]` at gap i and vol shock j; `worst` is its smallest and where."""

    gaps: tuple[float, ...]
    vol_shocks: tuple[float, ...]
    profits: Floats

    @property
    def worst(self) -> tuple[float, float, float]:
        """Gap, vol shock, profit."""
        i, j = np.unravel_index(int(np.argmin(self.profits)), self.profits.shape)
        return self.gaps[i], self.vol_shocks[j], float(self.profits[i, j])


def stress_table(
    book: Positions,
    *,
    gaps: Sequence[float] = GAPS,
    vol_shocks: Sequence[float] = VOL_SHOCKS,
    elapsed_days: float = 0.0,
) -> StressTable:
    """Profit if every index gaps by the same share and every vol moves by the same amount; full revaluation.

    InputError for a gap of −100 % or more, a shock that is no number, or no cell at all.
    """
    shocks = np.asarray(vol_shocks, float)
    if not shocks.size or not np.isfinite(shocks).all():
        raise InputError(f"vol shocks are one or more finite numbers, were {shocks.tolist()}")
    moves = np.repeat(_log_moves(book, gaps), shocks.size, axis=0)
    profits = pnl(book, moves, np.tile(shocks, len(gaps))[:, None], elapsed_years=elapsed_days / 365)
    return StressTable(tuple(gaps), tuple(vol_shocks), profits.reshape(len(gaps), len(vol_shocks)))


def auction_jump(book: Positions, on: dt.date, *, jumps: Sequence[float] = AUCTION_JUMPS) -> StressTable:
    """Profit from now, in the last minutes of `on`, to the auction's value: legs of `on` settle there, others move.

    The jump is from the forward the legs are priced at. Vols of the other legs stay. InputError for a day without a
    closing auction, that is before 2026-08-03.
    """
    for name in book.indices:
        if settlement(name, on).method is not SettlementMethod.AUCTION:
            raise InputError(f"{name} has no closing auction on {on}, and so no jump to one")
    ends = np.array([day == on for day in book.expiries], bool)
    profits = pnl(book, _log_moves(book, jumps), elapsed_years=np.where(ends, book.years, 0.0))
    return StressTable(tuple(jumps), (0.0,), profits[:, None])


def _log_moves(book: Positions, gaps: Sequence[float] | Floats) -> Floats:
    shares = np.asarray(gaps, float)
    if not shares.size or not np.isfinite(shares).all():
        raise InputError(f"gaps are one or more finite numbers, were {shares.tolist()}")
    if not (shares > -1).all():
        raise InputError(f"an index cannot gap by {shares.min():.0%}")
    return np.repeat(np.log1p(shares)[:, None], len(book.indices), axis=1)
