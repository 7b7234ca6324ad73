"""SPAN's risk arrays, computed: what one long unit of each contract loses in the sixteen scenarios.

Conventions of NSE Clearing's own files (format 4.00): a loss is positive, for one unit *long*; the two extreme moves
hold the covered 35 % already; options are Black–Scholes on the spot at r = 7 %, one day ahead, under the file's vol; a
long option never loses more than its price. `carry="forward"` shifts the desk's own forward instead, for a market
without a spot. Sources: NSE Clearing, "NSCCL SPAN" and "SPAN risk parameters" pages, copy of 2024-07; the files of
2026-05-29 and 2026-06-25 as published figures describe them (docs/risk.md).
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import StaleDataError
from core.market.margins import (
    COMPOSITE_WEIGHTS,
    SCENARIOS,
    is_long_dated,
    margin_rates,
    price_scan,
    vol_scan,
)
from core.pricing import greeks, price
from core.risk.span_legs import Leg, Market, expiry_of, is_option, quote_of, sign_of, underlying_of

Floats = NDArray[np.float64]
Carry = Literal["spot", "forward"]
Vols = Literal["market", "ewma"]
SPAN_RATE = 0.07  # intrRate of the .spn files
LOOK_AHEAD_YEARS = 1 / 365  # lookAheadYears of the .spn files
_MOVES, _VOLS, _SHARES = np.array(SCENARIOS).T
_POINTS, _WEIGHTS = np.array(COMPOSITE_WEIGHTS).T
_LEAST = 1e-6  # of the underlying: where an extreme move would go through zero


class Spread(NamedTuple):
    """A calendar spread in the order of priority: `charge` is rupees a matched unit of delta."""

    near: dt.date
    far: dt.date
    charge: float


class RiskArrays(NamedTuple):
    """Of some legs in one market, whoever computed them.

    `losses` is (legs, 16) rupees a unit long, loss positive; `prices` rupees a unit; `deltas` the composite delta of a
    unit long, NaN where no index has two expiries and nobody asks for it; `spots`, `spreads` and `short_minimum`
    (rupees a short unit) by index.
    """

    losses: Floats
    deltas: Floats
    prices: Floats
    spots: Mapping[str, float]
    spreads: Mapping[str, tuple[Spread, ...]]
    short_minimum: Mapping[str, float]


class ArraySource(Protocol):
    """Where risk arrays come from: a model of the market, or the exchange's file."""

    @property
    def on(self) -> dt.date: ...

    @property
    def estimate(self) -> bool:
        """Whether the arrays are computed here and not published by the exchange."""
        ...

    def arrays(self, legs: Sequence[Leg]) -> RiskArrays: ...


class SpanModel(msgspec.Struct, frozen=True, kw_only=True):
    """The source that revalues; an estimate. `rate` and `look_ahead_years` are used with `carry="spot"` alone.

    `vols="ewma"` values every option at the index's published σ·√365 instead of its own vol: the choice under which the
    published margins of 2026-05-29 come out; it needs `Underlying.sigma`.
    """

    market: Market
    carry: Carry = "spot"
    vols: Vols = "market"
    rate: float = SPAN_RATE
    look_ahead_years: float = LOOK_AHEAD_YEARS

    @property
    def on(self) -> dt.date:
        return self.market.on

    @property
    def estimate(self) -> bool:
        return True

    def arrays(self, legs: Sequence[Leg]) -> RiskArrays:
        """Risk arrays of `legs`; StaleDataError for one without price, vol or forward, UnknownDate like the tables."""
        rows = _rows(self, legs)
        spots = {leg.contract.index: row.spot for leg, row in zip(legs, rows, strict=True)}
        table = np.array(rows, float).reshape(len(rows), len(_Row._fields))
        return RiskArrays(
            losses=_losses(self, table),
            deltas=_deltas(self, table) if _spreads_matter(legs) else np.full(len(rows), math.nan),
            prices=table[:, 8].copy(),
            spots=spots,
            spreads={name: spreads_of(self.market, name, legs) for name in spots},
            short_minimum=dict.fromkeys(spots, 0.0),  # somTiers of NSE's index files
        )

    def deltas(self, legs: Sequence[Leg]) -> Floats:
        """Composite delta of a unit of each leg, (legs,); raises as `arrays`."""
        rows = _rows(self, legs)
        return _deltas(self, np.array(rows, float).reshape(len(rows), len(_Row._fields)))


class _Row(NamedTuple):
    kind: int
    level: float  # spot or forward, what is moved
    strike: float
    years: float
    vol: float
    rate: float  # continuously compounded, from which forward and discount follow
    psr: float
    vsr: float
    price: float
    spot: float


def _rows(model: SpanModel, legs: Sequence[Leg]) -> list[_Row]:
    market, rows = model.market, []
    ranges: dict[tuple[str, bool], float] = {}
    for leg in legs:
        contract = leg.contract
        index, expiry = underlying_of(market, leg)
        quote = quote_of(market, leg)
        vol = quote.vol if model.vols == "market" else index.sigma * math.sqrt(365)
        if is_option(leg) and not vol > 0:
            raise StaleDataError(
                f"no published volatility of {contract.index} is known: its margins need vols='market'"
            )
        key = contract.index, is_option(leg) and is_long_dated(market.on, expiry_of(leg))
        if key not in ranges:
            ranges[key] = price_scan(key[0], market.on, close=index.close, sigma=index.sigma, long_dated=key[1])
        if model.carry == "spot":
            level, rate = index.spot, model.rate
        else:
            level, rate = expiry.forward, (-math.log(expiry.discount) / expiry.years if expiry.years > 0 else 0.0)
        rows.append(
            _Row(sign_of(leg), level, contract.strike_paise / 100, expiry.years, vol, rate, ranges[key],
                 vol_scan(market.on, sigma=index.sigma), quote.price, index.spot)
        )  # fmt: skip
    return rows


def _columns(table: Floats) -> tuple[Floats, ...]:
    """The fields of `_Row`, each (rows, 1)."""
    return tuple(table[:, i, None] for i in range(table.shape[1]))


def _losses(model: SpanModel, table: Floats) -> Floats:
    losses = _future_losses(model, table)
    chosen = table[:, 0] != 0
    if not chosen.any():
        return losses
    kind, level, strike, years, vol, rate, psr, vsr, premium, _ = _columns(table[chosen])
    ahead = model.look_ahead_years if model.carry == "spot" else 0.0
    left = np.maximum(years - ahead, 0.0)
    moved = np.concatenate([level, np.maximum(level + psr * _MOVES, _LEAST * level)], axis=1)
    time = np.concatenate([years, np.broadcast_to(left, (len(left), len(_MOVES)))], axis=1)
    vols = np.concatenate([vol, np.maximum(vol + vsr * _VOLS, 0.0)], axis=1)
    growth = np.exp(rate * time)
    forward = moved * growth if model.carry == "spot" else moved
    values = price(kind, forward, strike, time, vols, 1 / growth)
    losses[chosen] = np.minimum(_SHARES * (values[:, :1] - values[:, 1:]), premium)
    return losses


def _future_losses(model: SpanModel, table: Floats) -> Floats:
    """The index's move, carried to the future's expiry, and the day's carry that a long loses."""
    _, _, _, years, _, rate, psr, _, price_now, _ = table.T
    if model.carry == "forward":
        return -np.outer(psr, _MOVES * _SHARES)
    left = np.maximum(years - model.look_ahead_years, 0.0)
    drop = price_now * -np.expm1(rate * (left - years))
    return np.asarray(_SHARES * (drop[:, None] - np.outer(psr * np.exp(rate * left), _MOVES)))


def _deltas(model: SpanModel, table: Floats) -> Floats:
    deltas = np.ones(len(table))
    chosen = table[:, 0] != 0
    if chosen.any():
        kind, level, strike, years, vol, rate, psr, *_ = _columns(table[chosen])
        left = np.maximum(years - (model.look_ahead_years if model.carry == "spot" else 0.0), 0.0)
        moved = np.maximum(level + psr * _POINTS, _LEAST * level)
        forward = moved * np.exp(rate * left) if model.carry == "spot" else moved
        deltas[chosen] = greeks(kind, forward, strike, left, vol, 1.0).delta @ _WEIGHTS
    return deltas


def _spreads_matter(legs: Sequence[Leg]) -> bool:
    """Whether an index has two expiries: without, deltas change nothing and cost a kernel call."""
    return len({(leg.contract.index, leg.contract.expiry) for leg in legs}) > len({leg.contract.index for leg in legs})


def spreads_of(market: Market, index: str, legs: Sequence[Leg]) -> tuple[Spread, ...]:
    """The calendar spreads of the legs' expiries of `index`, the nearest pair first; none of a single expiry."""
    expiries = market.underlyings[index].expiries
    days = sorted({expiry_of(leg) for leg in legs if leg.contract.index == index})
    if len(days) < 2:
        return ()
    rate = margin_rates(market.on).calendar
    return tuple(
        Spread(near, far, rate * expiries[far].forward) for i, near in enumerate(days) for far in days[i + 1 :]
    )


def spread_charge(deltas: Mapping[dt.date, float], spreads: Sequence[Spread]) -> float:
    """Rupees for the deltas of opposite sign in two expiries, each unit matched once, in the order of `spreads`.

    >>> near, far = dt.date(2026, 6, 30), dt.date(2026, 7, 28)
    >>> spread_charge({near: 65.0, far: -40.0}, [Spread(near, far, 420.0)])
    16800.0
    """
    left = dict(deltas)
    charge = 0.0
    for near, far, each in spreads:
        a, b = left.get(near, 0.0), left.get(far, 0.0)
        if a * b >= 0:
            continue
        matched = min(abs(a), abs(b))
        charge += matched * each
        left[near] = a - math.copysign(matched, a)
        left[far] = b - math.copysign(matched, b)
    return charge
