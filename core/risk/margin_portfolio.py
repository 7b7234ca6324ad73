"""The margin of a portfolio from risk arrays, whether this desk computed them or the exchange published them.

Per index: SPAN = max(0, max(worst scenario + calendar charge, short-option minimum) − net option value). Legs of one
index offset each other in every scenario; indices do not. On its expiry day (from 2025-02-01) an expiring leg has no
calendar benefit: the legs that expire are margined apart from the rest. To SPAN come the exposure margin on futures and
short options, its expiry-day addition, the broker's buffer, and the premium of longs not paid for yet.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from core.errors import StaleDataError
from core.market.margins import (
    DEEP_OTM_BEYOND,
    DEEP_OTM_EXPOSURE,
    LONG_DATED_EXPOSURE,
    is_long_dated,
    margin_rates,
)
from core.risk.margin_terms import MarginRules, MarginTerms, PortfolioMargin
from core.risk.span import ArraySource, spread_charge
from core.risk.span_legs import Leg, expiry_of, is_option, netted, refuse_expired, sign_of

Floats = NDArray[np.float64]


def portfolio_margin(legs: Iterable[Leg], source: ArraySource, *, rules: MarginRules | None = None) -> PortfolioMargin:
    """Margin of `legs` held together on `source.on`.

    Raises StaleDataError for a leg the source cannot value, InputError for one that has expired, UnknownDate where a
    table does not reach.
    """
    net = netted(legs)
    return MarginSheet(net, source, rules).margin([leg.quantity for leg in net])


class MarginSheet:
    """Contracts with their arrays, valued once, to be margined in many quantities (the path of a basket)."""

    def __init__(self, legs: Sequence[Leg], source: ArraySource, rules: MarginRules | None = None) -> None:
        self._legs, self._rules, self._on, self._estimate = legs, rules or MarginRules(), source.on, source.estimate
        self._rates = margin_rates(source.on)
        refuse_expired(legs, source.on)
        self._arrays = source.arrays(legs)
        known = np.isfinite(self._arrays.losses).all(axis=1) & np.isfinite(self._arrays.prices)
        if not known.all():
            symbol = legs[int(np.argmin(known))].contract.symbol
            raise StaleDataError(f"{symbol} has a risk array with a value that is no number: it cannot be margined")
        rows = range(len(legs))
        self._option = np.array([is_option(leg) for leg in legs], bool)
        self._expiring = np.array([expiry_of(leg) == source.on for leg in legs], bool)
        self._unpaid = np.array([not leg.paid for leg in legs], bool)
        self._members = {
            name: np.array([i for i in rows if legs[i].contract.index == name]) for name in self._arrays.spots
        }
        self._exposure = np.array(
            [self._exposure_rate(leg, price) for leg, price in zip(legs, self._arrays.prices, strict=True)]
        )

    @property
    def legs(self) -> Sequence[Leg]:
        return self._legs

    def margin(self, quantities: Sequence[int], *, bought: Sequence[int] | None = None) -> PortfolioMargin:
        """Of signed units of each contract, in the order of the legs.

        `bought` are the units whose premium is still to be paid; without it, the longs not marked as paid.
        """
        q = np.asarray(quantities, float)
        due = self._due(q, bought)
        by_index = self._by_index(q, due)
        total = _sum(by_index)
        return PortfolioMargin(terms=total, by_index=by_index, alone_paise=self._alone(q, due), estimate=self._estimate)

    def terms(self, quantities: Sequence[int]) -> MarginTerms:
        """The terms of `margin` alone: what each leg would need by itself is most of the work."""
        q = np.asarray(quantities, float)
        return _sum(self._by_index(q, self._due(q, None)))

    def extended(self, legs: Sequence[Leg], source: ArraySource) -> "MarginSheet":
        """This sheet with more contracts, `legs`, of indices and expiries that it has already; raises as itself."""
        more = MarginSheet(legs, source, self._rules)
        mine, theirs = self._arrays, more._arrays
        arrays = mine._replace(
            losses=np.concatenate([mine.losses, theirs.losses]),
            deltas=np.concatenate([mine.deltas, theirs.deltas]),
            prices=np.concatenate([mine.prices, theirs.prices]),
        )
        rows = {name: places + len(self._legs) for name, places in more._members.items()}
        joined: dict[str, object] = {
            name: np.concatenate([getattr(self, name), getattr(more, name)])
            for name in ("_option", "_expiring", "_unpaid", "_exposure")
        }
        members = {name: np.concatenate([places, rows.get(name, places[:0])]) for name, places in self._members.items()}
        out = copy(self)
        vars(out).update(joined, _legs=[*self._legs, *legs], _arrays=arrays, _members=members)
        return out

    def _due(self, q: Floats, bought: Sequence[int] | None) -> Floats:
        due = np.where(self._unpaid, np.maximum(q, 0.0), 0.0) if bought is None else np.asarray(bought, float)
        return np.asarray(np.where(self._option, due, 0.0) * self._arrays.prices)

    def _by_index(self, q: Floats, due: Floats) -> dict[str, MarginTerms]:
        return {name: self._index(name, rows, q[rows], due[rows]) for name, rows in self._members.items()}

    def _index(self, name: str, rows: NDArray[np.int_], q: Floats, due: Floats) -> MarginTerms:
        spot = self._arrays.spots[name]
        option, expiring = self._option[rows], self._expiring[rows]
        apart = expiring.any() and not expiring.all() and not self._rates.expiring_leg_spreads
        groups = (expiring, ~expiring) if apart else (np.ones(len(rows), bool),)
        scan = calendar = nov = span = 0.0
        for group in groups:
            s, c, n, m = self._span(name, rows[group], q[group])
            scan, calendar, nov, span = scan + s, calendar + c, nov + n, span + m
        short = np.where(option, np.maximum(-q, 0.0), 0.0)
        exposure = float(np.where(option, short, np.abs(q)) @ self._exposure[rows])
        expiry_day = self._rates.expiry_short * spot * float(short[expiring].sum())
        return MarginTerms(
            scan_paise=_paise(scan), calendar_paise=_paise(calendar), nov_paise=_paise(nov), span_paise=_paise(span),
            exposure_paise=_paise(exposure), expiry_day_paise=_paise(expiry_day),
            buffer_paise=_paise(self._rules.buffer * span), premium_paise=_paise(float(due.sum())),
        )  # fmt: skip

    def _span(self, name: str, rows: NDArray[np.int_], q: Floats) -> tuple[float, float, float, float]:
        arrays = self._arrays
        scan = max(0.0, float((q @ arrays.losses[rows]).max()))
        calendar = 0.0
        if arrays.spreads.get(name):
            deltas: dict[dt.date, float] = {}
            for row, delta in zip(rows, q * arrays.deltas[rows], strict=True):
                day = expiry_of(self._legs[row])
                deltas[day] = deltas.get(day, 0.0) + float(delta)
            calendar = spread_charge(deltas, arrays.spreads[name])
        option = self._option[rows]
        nov = float((q * arrays.prices[rows])[option].sum())
        minimum = arrays.short_minimum.get(name, 0.0) * float(np.maximum(-q, 0.0)[option].sum())
        return scan, calendar, nov, max(0.0, max(scan + calendar, minimum) - nov)

    def _alone(self, q: Floats, due: Floats) -> int:
        arrays, option = self._arrays, self._option
        scan = np.maximum((q[:, None] * arrays.losses).max(axis=1, initial=0.0), 0.0)
        short = np.where(option, np.maximum(-q, 0.0), 0.0)
        names = [leg.contract.index for leg in self._legs]
        minimum = np.array([arrays.short_minimum.get(name, 0.0) for name in names]) * short
        span = np.maximum(np.maximum(scan, minimum) - np.where(option, q * arrays.prices, 0.0), 0.0)
        exposure = np.where(option, short, np.abs(q)) * self._exposure
        spot = np.array([arrays.spots[name] for name in names])
        expiry_day = np.where(self._expiring, short * spot * self._rates.expiry_short, 0.0)
        parts = (span, self._rules.buffer * span, exposure, expiry_day, due)
        return sum(_paise(rupees) for part in parts for rupees in part)

    def _exposure_rate(self, leg: Leg, price: float) -> float:
        """Rupees a unit: of the index level for an option, of its own price for a future."""
        if not is_option(leg):
            return self._rates.exposure * price
        spot = self._arrays.spots[leg.contract.index]
        out = sign_of(leg) * (leg.contract.strike_paise / 100 - spot)
        rates = [self._rates.exposure]
        if self._rules.deep_otm_exposure and out > DEEP_OTM_BEYOND * spot:
            rates.append(DEEP_OTM_EXPOSURE)
        if self._rules.long_dated_exposure and is_long_dated(self._on, expiry_of(leg)):
            rates.append(LONG_DATED_EXPOSURE)
        return max(rates) * spot


def _sum(by_index: Mapping[str, MarginTerms]) -> MarginTerms:
    total = MarginTerms()
    for terms in by_index.values():
        total += terms
    return total


def _paise(rupees: float) -> int:
    return round(float(rupees) * 100)
