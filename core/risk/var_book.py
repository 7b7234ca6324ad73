"""A book laid out for revaluation: one row a contract, and its profit over many states of the market at once."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from core.pricing import greeks, price
from core.risk.span_legs import (
    Leg,
    Market,
    expiry_of,
    indices_of,
    netted,
    quote_of,
    refuse_expired,
    sign_of,
    underlying_of,
)

Floats = NDArray[np.float64]
_BLOCK_ROWS = 32_768  # of one call of the pricing kernel: its arguments stay in the cache


class Positions(NamedTuple):
    """Net contracts as columns; arrays are (legs,), floats in rupees. A future has kind 0 and no vol."""

    legs: tuple[Leg, ...]
    indices: tuple[str, ...]
    row: NDArray[np.int_]  # which of `indices`
    kind: Floats  # +1 call, −1 put, 0 future
    quantity: Floats  # signed units
    strike: Floats
    forward: Floats
    years: Floats
    vol: Floats
    discount: Floats

    @property
    def expiries(self) -> tuple[dt.date, ...]:
        return tuple(expiry_of(leg) for leg in self.legs)


def positions(legs: Iterable[Leg], market: Market) -> Positions:
    """The net contracts of `legs` in `market`.

    StaleDataError for one without price, vol or forward, InputError for one that has expired.
    """
    net = netted(legs)
    refuse_expired(net, market.on)
    names = indices_of(net)
    rows = []
    for leg in net:
        _, expiry = underlying_of(market, leg)
        quote = quote_of(market, leg)
        rows.append((sign_of(leg), leg.quantity, leg.contract.strike_paise / 100, *expiry, quote.vol))
    table = np.array(rows, float).reshape(len(rows), 7).T
    kind, quantity, strike, forward, years, discount, vol = table
    row = np.array([names.index(leg.contract.index) for leg in net], int)
    return Positions(tuple(net), names, row, kind, quantity, strike, forward, years, vol, discount)


def value(book: Positions) -> Floats:
    """Rupees each leg is worth at the market's forward and vol, (legs,); a future is worth 0, its profit is settled."""
    return book.quantity * _units(book, book.forward[:, None], book.vol[:, None], book.years[:, None])[:, 0]


def leg_greeks(book: Positions, discount: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """Delta, gamma, vega and theta of a unit of each leg, as `core.pricing.greeks` has them; 1, 0, 0, 0 of a future."""
    option = book.kind != 0
    found = greeks(
        np.where(option, book.kind, 1.0), book.forward, np.where(option, book.strike, 1.0), book.years,
        np.where(option, book.vol, 0.0), discount,
    )  # fmt: skip
    delta, gamma, vega, theta = (
        np.where(option, column, alone)
        for column, alone in ((found.delta, 1.0), (found.gamma, 0.0), (found.vega, 0.0), (found.theta, 0.0))
    )
    return delta, gamma, vega, theta


def pnl(
    book: Positions,
    moves: ArrayLike,
    vol_moves: ArrayLike = 0.0,
    *,
    elapsed_years: ArrayLike = 0.0,
    by_leg: bool = False,
) -> Floats:
    """Profit in rupees by full revaluation: (states,), or (legs, states) with `by_leg`.

    Args:
        book: of k indices.
        moves: log moves of the indices, (states, k); every forward of an index moves with it.
        vol_moves: what is added to the vols of an index, decimals, broadcast to (states, k); a vol stops at 0.
        elapsed_years: time that passes, 0 or more, a scalar or (legs,); an option that runs out of it is worth its
            intrinsic.
        by_leg: keep the legs apart.

    Raises InputError for moves, vol moves or times of another shape, and for a time that is none.
    """
    moved = np.asarray(moves, float)
    if moved.ndim != 2 or moved.shape[1] != len(book.indices):
        raise InputError(f"moves have shape {moved.shape}, expected (states, {len(book.indices)}) for {book.indices}")
    vols, elapsed = np.asarray(vol_moves, float), np.asarray(elapsed_years, float)
    try:
        vols = np.broadcast_to(vols, moved.shape)
    except ValueError as error:
        raise InputError(f"vol moves have shape {vols.shape}, expected {moved.shape} or one for all") from error
    if elapsed.shape not in {(), book.years.shape} or not ((elapsed >= 0) & np.isfinite(elapsed)).all():
        raise InputError(f"elapsed years are one number of 0 or more, or one a leg, were {elapsed}")
    left = np.maximum(book.years - elapsed, 0.0)[:, None]
    before = _units(book, book.forward[:, None], book.vol[:, None], book.years[:, None])
    states = len(moved)
    out = np.empty((len(book.legs), states) if by_leg else states)
    step = max(1, _BLOCK_ROWS // max(1, len(book.legs)))
    for first in range(0, states, step):
        some = slice(first, first + step)
        forward = book.forward[:, None] * np.exp(moved[some].T)[book.row]
        vol = np.maximum(book.vol[:, None] + vols[some].T[book.row], 0.0)
        gain = book.quantity[:, None] * (_units(book, forward, vol, left) - before)
        out[..., some] = gain if by_leg else gain.sum(axis=0)
    return out


def _units(book: Positions, forward: Floats, vol: Floats, left: Floats) -> Floats:
    """Rupees one unit of each leg is worth; a future its forward less today's, so that profit is the difference."""
    future = book.kind == 0
    if future.all():
        return forward - book.forward[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(book.years > 0, left[:, 0] / book.years, 0.0)
    discount = (book.discount**share)[:, None]
    worth = price(np.where(future, 1.0, book.kind)[:, None], forward, np.where(future, 1.0, book.strike)[:, None], left,
                  np.where(future[:, None], 0.0, vol), discount)  # fmt: skip
    if future.any():
        worth[future] = (forward - book.forward[:, None])[future]
    return np.asarray(worth)
