"""What a book stands to gain or lose for one unit of each risk, in rupees."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.risk.var_book import Positions, leg_greeks

Floats = NDArray[np.float64]


class Exposure(NamedTuple):
    """Rupees. A move of x % earns about `delta`·x + `gamma`·x²/2."""

    delta: float  # for +1 % of the forward
    gamma: float  # what +1 % adds to delta
    vega: float  # for +1 vol point (0.01)
    theta: float  # for one calendar day


class Exposures(NamedTuple):
    """Of the whole book, of each index, and of each expiry of each index; indices add up as if they moved together."""

    total: Exposure
    by_index: Mapping[str, Exposure]
    by_expiry: Mapping[tuple[str, dt.date], Exposure]


def leg_exposures(book: Positions) -> Floats:
    """Rupees of each leg: (legs, 4) in the order of `Exposure`. delta = q·Δ·F/100, gamma = q·Γ·F²/10⁴."""
    delta, gamma, vega, theta = leg_greeks(book, book.discount)
    columns = (delta * book.forward / 100, gamma * book.forward**2 / 10_000, vega, theta)
    return np.asarray(book.quantity[:, None] * np.stack(columns, axis=1))


def exposures(book: Positions) -> Exposures:
    """Rupee Greeks of `book`, added up by index and by expiry."""
    rows = leg_exposures(book)
    names = [leg.contract.index for leg in book.legs]
    keys = list(zip(names, book.expiries, strict=True))
    return Exposures(
        total=_sum(rows, np.ones(len(rows), bool)),
        by_index={name: _sum(rows, np.array([one == name for one in names])) for name in book.indices},
        by_expiry={key: _sum(rows, np.array([one == key for one in keys])) for key in dict.fromkeys(keys)},
    )


class FutureEquivalent(NamedTuple):
    """Rupees of one index: Σ of quantity × undiscounted delta × forward, longs and shorts apart."""

    long: float
    short: float

    @property
    def net(self) -> float:
        return self.long - self.short


def future_equivalents(book: Positions) -> Mapping[str, FutureEquivalent]:
    """What the exchange's position limits count: options by delta as futures, by index.

    Limits of a client in index options: net ₹1,500 crore and ₹10,000 crore on each side at the end of the day, net
    ₹5,000 crore within it (SEBI 2025-05-29; NSE/SURV/69971 from 2025-10-01).
    """
    delta, *_ = leg_greeks(book, 1.0)
    rupees = book.quantity * delta * book.forward
    return {
        name: FutureEquivalent(
            float(np.maximum(rupees[book.row == i], 0.0).sum()), float(np.maximum(-rupees[book.row == i], 0.0).sum())
        )
        for i, name in enumerate(book.indices)
    }


def _sum(rows: Floats, chosen: NDArray[np.bool_]) -> Exposure:
    return Exposure(*(float(x) for x in rows[chosen].sum(axis=0)))
