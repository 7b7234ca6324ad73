"""Every figure of one expiry, to be read: one function each, gathered into a row of schemas.EXPIRIES.

The desk runs the same as one compiled pass (core.chain.figures); a test holds the two together.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.chain import quality as q
from core.chain import sentiment as s
from core.chain.atm import nearest
from core.chain.book import FIELDS
from core.chain.max_pain import max_pain
from core.chain.pcr import ratio
from core.pricing.chain_rules import ABSENT, NEAR_STRIKES

OI, PREV_OI, VOLUME, LAST = (FIELDS[name] for name in ("oi", "prev_oi", "volume", "last_paise"))

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Market:
    """What all expiries of a chain share."""

    index: str
    as_of_ns: int
    sequence: int
    max_age_ns: int
    spot_paise: int  # 0 unknown
    spot_prev_close_paise: int  # 0 unknown
    vix: float  # NaN unknown


@dataclass(frozen=True)
class Expiry:
    """The contracts of one expiry; `calls` and `puts` are their positions by strike, ABSENT where not listed."""

    strikes_paise: Ints
    calls: Ints
    puts: Ints
    values: Ints  # a row per book.FIELDS
    bid: Floats
    ask: Floats
    last: Floats  # as quotes.traded
    two_sided: NDArray[np.bool_]
    price: Floats
    vol: Floats
    delta: Floats
    vega: Floats
    years: float
    discount: float
    forward: float
    parity_error: float

    def at(self, column: Floats, rows: Ints) -> Floats:
        """Return `column` at `rows`, NaN where ABSENT."""
        return np.where(rows == ABSENT, np.nan, column[rows])

    @cached_property
    def call_values(self) -> Ints:
        """The book's values of the calls by strike, 0 where not listed."""
        return np.where(self.calls == ABSENT, 0, self.values[:, self.calls])

    @cached_property
    def put_values(self) -> Ints:
        """The book's values of the puts by strike, 0 where not listed."""
        return np.where(self.puts == ABSENT, 0, self.values[:, self.puts])


def figures(expiry: Expiry, market: Market) -> dict[str, object]:
    """Return the columns of schemas.EXPIRIES that are computed from the contracts."""
    level = expiry.forward * 100
    spot_at = nearest(expiry.strikes_paise, market.spot_paise)
    forward_at = nearest(expiry.strikes_paise, level)
    atm_iv = _mean_of_pair(expiry, expiry.vol, forward_at)
    move = expiry.forward * atm_iv * math.sqrt(expiry.years)
    pain = max_pain(expiry.strikes_paise, expiry.call_values[OI], expiry.put_values[OI])
    quoted = (expiry.bid > 0) | (expiry.ask > 0) | (expiry.last > 0)
    return {
        "atm_spot_paise": int(expiry.strikes_paise[spot_at]) if spot_at >= 0 else 0,
        "atm_forward_paise": int(expiry.strikes_paise[forward_at]) if forward_at >= 0 else 0,
        "atm_iv": atm_iv,
        "atm_straddle": _straddle(expiry, forward_at),
        "expected_move": move,
        "avg_iv": average_vol(expiry.vol, expiry.vega),
        "max_pain_paise": pain,
        **_activity(expiry),
        "contracts": expiry.price.size,
        "quoted": int(quoted.sum()),
        "iv_count": int(np.isfinite(expiry.vol).sum()),
        **_sentiment(expiry, pain / 100, move, atm_iv),
        **_quality(expiry, market, quoted, forward_at if forward_at >= 0 else spot_at),
    }


def average_vol(vol: Floats, vega: Floats) -> float:
    """Return Σ vega·vol / Σ vega over the contracts that have a vol; NaN if none has."""
    known = np.isfinite(vol) & np.isfinite(vega)
    weight = float(vega[known].sum())
    return float((vega[known] * vol[known]).sum()) / weight if weight > 0 else math.nan


def _pair(expiry: Expiry, column: Floats, strike_at: int) -> Floats:
    if strike_at < 0:
        return np.full(2, np.nan)
    return expiry.at(column, np.array([expiry.calls[strike_at], expiry.puts[strike_at]]))


def _mean_of_pair(expiry: Expiry, column: Floats, strike_at: int) -> float:
    pair = _pair(expiry, column, strike_at)
    known = pair[np.isfinite(pair)]
    return float(known.mean()) if known.size else math.nan


def _straddle(expiry: Expiry, strike_at: int) -> float:
    return float(_pair(expiry, expiry.price, strike_at).sum())


def _activity(expiry: Expiry) -> dict[str, object]:
    calls, puts = expiry.call_values, expiry.put_values
    call_oi, put_oi = int(calls[OI].sum()), int(puts[OI].sum())
    call_volume, put_volume = int(calls[VOLUME].sum()), int(puts[VOLUME].sum())
    call_premium, put_premium = (int((side[VOLUME] * side[LAST]).sum()) for side in (calls, puts))
    return {
        "pcr_volume": ratio(put_volume, call_volume),
        "pcr_oi": ratio(put_oi, call_oi),
        "pcr_premium": ratio(put_premium, call_premium),
        "call_oi": call_oi,
        "put_oi": put_oi,
        "call_volume": call_volume,
        "put_volume": put_volume,
    }


def _oi_change(side: Ints) -> Ints:
    """Change since the previous close of the contracts of which the previous open interest is known."""
    return np.where(side[PREV_OI] >= 0, side[OI] - side[PREV_OI], 0)


def _sentiment(expiry: Expiry, pain: float, move: float, atm_iv: float) -> dict[str, object]:
    strikes = expiry.strikes_paise / 100
    undiscounted = expiry.delta / expiry.discount
    calls = np.where(strikes >= expiry.forward, expiry.calls, ABSENT)
    puts = np.where(strikes <= expiry.forward, expiry.puts, ABSENT)
    reversal = s.risk_reversal(
        expiry.at(undiscounted, calls),
        expiry.at(expiry.vol, calls),
        expiry.at(undiscounted, puts),
        expiry.at(expiry.vol, puts),
    )
    result = s.sentiment(
        s.pcr_part(float(expiry.put_values[OI].sum()), float(expiry.call_values[OI].sum())),
        s.oi_change_part(_oi_change(expiry.put_values), _oi_change(expiry.call_values)),
        s.skew_part(reversal, atm_iv),
        s.max_pain_part(pain, expiry.forward, move),
    )
    return {
        "sentiment": result.score,
        "sentiment_pcr": result.pcr,
        "sentiment_oi_change": result.oi_change,
        "sentiment_skew": result.skew,
        "sentiment_max_pain": result.max_pain,
    }


def _quality(expiry: Expiry, market: Market, quoted: NDArray[np.bool_], centre: int) -> dict[str, object]:
    first = max(0, min(centre - NEAR_STRIKES // 2, expiry.strikes_paise.size - NEAR_STRIKES))
    window = slice(first, first + NEAR_STRIKES) if centre >= 0 else slice(None)
    near = np.concatenate([expiry.calls[window], expiry.puts[window]])
    near = near[near != ABSENT]
    age = market.as_of_ns - expiry.values[FIELDS["exchange_ns"]]
    result = q.quality(
        q.share(age[quoted] <= market.max_age_ns),
        q.share(expiry.two_sided[near]),
        q.spread_part(expiry.bid[near], expiry.ask[near], expiry.two_sided[near]),
        q.share(np.isfinite(expiry.vol[quoted])),
        q.forward_part(expiry.parity_error, expiry.forward),
    )
    return {
        "quality": result.score,
        "quality_fresh": result.fresh,
        "quality_two_sided": result.two_sided,
        "quality_spread": result.spread,
        "quality_iv": result.iv,
        "quality_forward": result.forward,
    }
