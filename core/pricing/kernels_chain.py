"""The compiled loops over the contracts of a chain: the sums and picks behind an expiry's figures.

One pass each, without an array per step: a book of six hundred contracts takes some ten microseconds. What the figures
mean stands in `core.chain` (quotes, atm, expiry, max_pain, pcr, sentiment, quality), in numpy; a test holds the two
together.
"""

# ruff: noqa: PLR0917 a kernel takes its arrays one after the other

import math

import numpy as np
from numpy.typing import NDArray

from core.pricing.chain_rules import (
    ABSENT,
    ALWAYS_TIGHT,
    NEAR_STRIKES,
    TICK,
    USELESS_SPREAD,
    WIDEST_OF_MID,
    WIDEST_OF_STRIKE,
    WING_DELTA,
)
from core.pricing.lanes import compiled_strictly

BUILT_FROM = "3166060f2845ff2d"  # digest of the files imported above, for numba's cache

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Columns of the answer of `figure_rows`. Whole numbers below 2⁵³ are exact in it.
(
    SPOT_AT, FORWARD_AT, ATM_IV, STRADDLE, AVERAGE_IV, PAIN, CALL_OI, PUT_OI, CALL_VOLUME, PUT_VOLUME, CALL_PREMIUM,
    PUT_PREMIUM, CHANGE, MOVED, REVERSAL, QUOTED, PRICED, FRESH, QUOTED_PRICED, TWO_SIDED, TIGHT,
) = range(21)  # fmt: skip
COLUMNS = 21
# Rows of the quotes that `figure_rows` takes: those of core.chain.book.FIELDS.
TIME, LAST_PAISE, VOLUME, OI, PREV_OI = 0, 1, 3, 4, 5
# Rows of the prices and results that `figure_rows` takes; LAST is NaN unless `quote_rows` believes it.
BID, ASK, LAST, PRICE, VOL, DELTA, VEGA = range(7)


@compiled_strictly
def quote_rows(quotes: Ints, tops: Ints, strikes: Floats, numbers: Floats, two_sided: Flags) -> None:
    """Bid, ask, last and the believed price of every option, rupees, as rows of `numbers`; see core.chain.quotes.

    tops: best bid and ask, paise.
    """
    for i in range(strikes.size):
        bid, ask, last = tops[0, i] / 100, tops[1, i] / 100, quotes[LAST_PAISE, i] / 100
        middle = 0.5 * (bid + ask)
        widest = min(max(ALWAYS_TIGHT, WIDEST_OF_MID * middle), max(ALWAYS_TIGHT, WIDEST_OF_STRIKE * strikes[i]))
        two_sided[i] = bid > 0.0 and ask >= bid and ask - bid <= widest
        contradicted = last < bid or 0.0 < ask < last
        traded = last if last > 0.0 and quotes[VOLUME, i] > 0 and not contradicted else math.nan
        numbers[BID, i], numbers[ASK, i], numbers[LAST, i] = bid, ask, traded
        numbers[PRICE, i] = middle if two_sided[i] else traded


@compiled_strictly
def nearest(strikes: Ints, level: float) -> int:
    """Position of the strike nearest to `level`, the lower of two equally near; −1 without a level."""
    if strikes.size == 0 or not level > 0.0 or math.isinf(level):
        return -1
    best = 0
    for i in range(1, strikes.size):
        if abs(strikes[i] - level) < abs(strikes[best] - level):
            best = i
    return best


@compiled_strictly
def positions(quotes: Ints, calls: Ints, puts: Ints, out: Floats) -> None:
    """Open interest, volume and premium by side, and the day's change of open interest where it is known."""
    for rows, oi, volume, premium, sign in (
        (calls, CALL_OI, CALL_VOLUME, CALL_PREMIUM, -1),
        (puts, PUT_OI, PUT_VOLUME, PUT_PREMIUM, 1),
    ):
        total_oi = total_volume = total_premium = change = moved = 0
        for row in rows:
            if row == ABSENT:
                continue
            total_oi += quotes[OI, row]
            total_volume += quotes[VOLUME, row]
            total_premium += quotes[VOLUME, row] * quotes[LAST_PAISE, row]
            if quotes[PREV_OI, row] >= 0:
                change += quotes[OI, row] - quotes[PREV_OI, row]
                moved += abs(quotes[OI, row] - quotes[PREV_OI, row])
        out[oi], out[volume], out[premium] = total_oi, total_volume, total_premium
        out[CHANGE] += sign * change
        out[MOVED] += moved


@compiled_strictly
def pain(quotes: Ints, strikes: Ints, calls: Ints, puts: Ints) -> float:
    """The strike with the least payout, the lowest of equals; 0 if nothing is open.

    From strike to strike the payout rises by the distance times the calls below, and falls by it times the puts above.
    """
    below = above = payout = 0
    for i in range(strikes.size):
        if puts[i] != ABSENT:
            above += quotes[OI, puts[i]]
            payout += quotes[OI, puts[i]] * (strikes[i] - strikes[0])
    if above == 0:
        open_calls = False
        for row in calls:
            open_calls = open_calls or (row != ABSENT and quotes[OI, row] != 0)
        if not open_calls:
            return 0.0
    least, best = payout, 0
    for i in range(strikes.size - 1):
        below += quotes[OI, calls[i]] if calls[i] != ABSENT else 0
        above -= quotes[OI, puts[i]] if puts[i] != ABSENT else 0
        payout += (strikes[i + 1] - strikes[i]) * (below - above)
        if payout < least:
            least, best = payout, i + 1
    return float(strikes[best])


@compiled_strictly
def wing(numbers: Floats, rows: Ints, scale: float) -> float:
    """Vol at WING_DELTA, linear in delta·scale between its neighbours; NaN if the rows do not reach to both sides."""
    low, high, low_vol, high_vol = -math.inf, math.inf, math.nan, math.nan
    for row in rows:
        if row == ABSENT:
            continue
        delta, vol = numbers[DELTA, row] * scale, numbers[VOL, row]
        if not (math.isfinite(delta) and math.isfinite(vol)):
            continue
        if low <= delta <= WING_DELTA:
            low, low_vol = delta, vol
        elif WING_DELTA < delta < high:
            high, high_vol = delta, vol
    if low == WING_DELTA:
        return low_vol
    return low_vol + (high_vol - low_vol) / (high - low) * (WING_DELTA - low)


@compiled_strictly
def pair(numbers: Floats, call: int, put: int, out: Floats) -> None:
    """Straddle, and the mean vol of what of the two has one."""
    out[STRADDLE] = numbers[PRICE, call] + numbers[PRICE, put] if min(call, put) > ABSENT else math.nan
    total, count = 0.0, 0
    for row in (call, put):
        if row != ABSENT and math.isfinite(numbers[VOL, row]):
            total += numbers[VOL, row]
            count += 1
    out[ATM_IV] = total / count if count else math.nan


@compiled_strictly
def counts(quotes: Ints, numbers: Floats, start: int, stop: int, oldest_ns: int, out: Floats) -> None:
    """Counts over all contracts of the expiry, and their vega-weighted mean vol."""
    weight = weighed = 0.0
    for row in range(start, stop):
        priced = math.isfinite(numbers[VOL, row])
        if priced:
            out[PRICED] += 1
            if math.isfinite(numbers[VEGA, row]):
                weight += numbers[VEGA, row]
                weighed += numbers[VEGA, row] * numbers[VOL, row]
        if numbers[BID, row] > 0.0 or numbers[ASK, row] > 0.0 or numbers[LAST, row] > 0.0:
            out[QUOTED] += 1
            out[QUOTED_PRICED] += priced
            out[FRESH] += quotes[TIME, row] >= oldest_ns
    out[AVERAGE_IV] = weighed / weight if weight > 0.0 else math.nan


@compiled_strictly
def near_money(numbers: Floats, two_sided: Flags, calls: Ints, puts: Ints, centre: int, out: Floats) -> None:
    """Shares of two-sided quotes and of tightness over the strikes round `centre`; over all of them without one."""
    first = max(0, min(centre - NEAR_STRIKES // 2, calls.size - NEAR_STRIKES))
    last = min(first + NEAR_STRIKES, calls.size)
    if centre < 0:
        first, last = 0, calls.size
    count, sided, tight = 0, 0, 0.0
    for rows in (calls[first:last], puts[first:last]):
        for row in rows:
            if row == ABSENT:
                continue
            count += 1
            if two_sided[row]:
                bid, ask = numbers[BID, row], numbers[ASK, row]
                sided += 1
                wide = max(ask - bid - TICK, 0.0) / max(USELESS_SPREAD * 0.5 * (ask + bid), TICK)
                tight += min(max(1.0 - wide, 0.0), 1.0)
    out[TWO_SIDED] = sided / count if count else 0.0
    out[TIGHT] = tight / count if count else 0.0


@compiled_strictly
def figure_rows(
    quotes: Ints, numbers: Floats, two_sided: Flags, strikes: Ints, calls: Ints, puts: Ints, edges: Ints,
    starts: Ints, forwards: Floats, discounts: Floats, spot_paise: int, oldest_ns: int, out: Floats,
) -> None:  # fmt: skip
    """A row of `out` per expiry, in COLUMNS.

    quotes and numbers have a column per sorted option. strikes (paise), calls and puts (columns, or ABSENT) are of all
    expiries one after the other: of expiry g from edges[g] to edges[g + 1], its options from starts[g] to
    starts[g + 1]. forwards and discounts have an entry per expiry.
    """
    for g in range(edges.size - 1):
        part = slice(edges[g], edges[g + 1])
        listed, call, put, row = strikes[part], calls[part], puts[part], out[g]
        row[:] = 0.0
        spot_at, forward_at = nearest(listed, float(spot_paise)), nearest(listed, forwards[g] * 100.0)
        row[SPOT_AT], row[FORWARD_AT] = spot_at, forward_at
        row[ATM_IV] = row[STRADDLE] = math.nan
        if forward_at >= 0:
            pair(numbers, call[forward_at], put[forward_at], row)
        positions(quotes, call, put, row)
        row[PAIN] = pain(quotes, listed, call, put)
        counts(quotes, numbers, starts[g], starts[g + 1], oldest_ns, row)
        near_money(numbers, two_sided, call, put, forward_at if forward_at >= 0 else spot_at, row)
        from_strike, to_strike = 0, 0
        for i in range(listed.size):
            from_strike += listed[i] / 100.0 < forwards[g]
            to_strike += listed[i] / 100.0 <= forwards[g]
        upper = wing(numbers, call[from_strike:], 1.0 / discounts[g])
        row[REVERSAL] = upper - wing(numbers, put[:to_strike], -1.0 / discounts[g])


def warm() -> None:
    """Call each kernel once, with an expiry that has no contract."""
    nothing, edges = np.empty(0, np.int64), np.zeros(2, np.int64)
    quotes, numbers, flags = np.empty((6, 0), np.int64), np.empty((7, 0)), np.empty(0, np.bool_)
    quote_rows(quotes, np.empty((2, 0), np.int64), np.empty(0), numbers, flags)
    figure_rows(
        quotes, numbers, flags, nothing, nothing, nothing, edges, edges,
        np.ones(1), np.ones(1), 0, 0, np.empty((1, COLUMNS)),
    )  # fmt: skip
