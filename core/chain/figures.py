"""The figures of every expiry from the sums of one compiled pass; `core.chain.expiry` is the same to be read."""

# ruff: noqa: PLR0917 the arrays of the kernel, one after the other

import math

import numpy as np
from numpy.typing import NDArray

from core.chain import quality as q
from core.chain import sentiment as s
from core.chain.expiry import Market
from core.chain.pcr import ratio
from core.chain.universe import Grid, Layout
from core.pricing import kernels_chain as k

Floats = NDArray[np.float64]


def sums(
    layout: Layout, market: Market, values: NDArray[np.int64], numbers: Floats, two_sided: NDArray[np.bool_],
    forwards: Floats, discounts: Floats,
) -> list[list[float]]:  # fmt: skip
    """Return the columns of `kernels_chain.figure_rows`, a list per expiry.

    values: rows of book.FIELDS; numbers: bid, ask, last, price, vol, delta and vega; both with a column per sorted
    option. forwards and discounts: an entry per expiry.
    """
    out = np.empty((forwards.size, k.COLUMNS))
    oldest_ns = market.as_of_ns - market.max_age_ns
    k.figure_rows(
        values, numbers, two_sided, layout.strikes, layout.calls, layout.puts, layout.edges, layout.starts,
        forwards, discounts, market.spot_paise, oldest_ns, out,
    )  # fmt: skip
    return out.tolist()


def figures(row: list[float], grid: Grid, *, forward: float, years: float, parity_error: float) -> dict[str, object]:
    """Return the columns of schemas.EXPIRIES that are computed from the contracts."""
    atm_iv = row[k.ATM_IV]
    move = forward * atm_iv * math.sqrt(years)
    return {
        "atm_spot_paise": _strike(grid, row[k.SPOT_AT]),
        "atm_forward_paise": _strike(grid, row[k.FORWARD_AT]),
        "atm_iv": atm_iv,
        "atm_straddle": row[k.STRADDLE],
        "expected_move": move,
        "avg_iv": row[k.AVERAGE_IV],
        "max_pain_paise": int(row[k.PAIN]),
        "pcr_volume": ratio(row[k.PUT_VOLUME], row[k.CALL_VOLUME]),
        "pcr_oi": ratio(row[k.PUT_OI], row[k.CALL_OI]),
        "pcr_premium": ratio(row[k.PUT_PREMIUM], row[k.CALL_PREMIUM]),
        "call_oi": int(row[k.CALL_OI]),
        "put_oi": int(row[k.PUT_OI]),
        "call_volume": int(row[k.CALL_VOLUME]),
        "put_volume": int(row[k.PUT_VOLUME]),
        "contracts": grid.stop - grid.start,
        "quoted": int(row[k.QUOTED]),
        "iv_count": int(row[k.PRICED]),
        **_sentiment(row, forward, move, atm_iv),
        **_quality(row, forward, parity_error),
    }


def _strike(grid: Grid, at: float) -> int:
    return int(grid.strikes_paise[int(at)]) if at >= 0 else 0


def _sentiment(row: list[float], forward: float, move: float, atm_iv: float) -> dict[str, object]:
    result = s.sentiment(
        s.pcr_part(row[k.PUT_OI], row[k.CALL_OI]),
        row[k.CHANGE] / row[k.MOVED] if row[k.MOVED] > 0 else math.nan,
        s.skew_part(row[k.REVERSAL], atm_iv),
        s.max_pain_part(row[k.PAIN] / 100, forward, move),
    )
    return {
        "sentiment": result.score,
        "sentiment_pcr": result.pcr,
        "sentiment_oi_change": result.oi_change,
        "sentiment_skew": result.skew,
        "sentiment_max_pain": result.max_pain,
    }


def _quality(row: list[float], forward: float, parity_error: float) -> dict[str, object]:
    quoted = row[k.QUOTED]
    result = q.quality(
        row[k.FRESH] / quoted if quoted else 0.0,
        row[k.TWO_SIDED],
        row[k.TIGHT],
        row[k.QUOTED_PRICED] / quoted if quoted else 0.0,
        q.forward_part(parity_error, forward),
    )
    return {
        "quality": result.score,
        "quality_fresh": result.fresh,
        "quality_two_sided": result.two_sided,
        "quality_spread": result.spread,
        "quality_iv": result.iv,
        "quality_forward": result.forward,
    }
