"""What a book of options would be worth elsewhere: every leg fully revalued at every cell of spot × vol × time."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from core.pricing.black76 import greeks, price

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Legs:
    """Options of a book, an entry per leg; all of one length.

    Raises ValueError for columns of different lengths.
    """

    kind: Floats  # +1 call, −1 put
    strike: Floats  # > 0, in the unit of the forward
    quantity: Floats  # units of the index, negative for short
    years: Floats  # to expiry, from now
    vol: Floats  # of today, per √year
    forward: Floats  # of the leg's expiry, today
    discount: Floats  # to the leg's expiry, today

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        lengths = {name: getattr(self, name).shape for name in self.__dataclass_fields__}
        if len(set(lengths.values())) != 1 or len(self.kind.shape) != 1:
            raise ValueError(f"the columns of a book have one length, found {lengths}")


class Cube(NamedTuple):
    """Each of shape (spots, vols, times, legs), times quantity; sum over the last axis for the book."""

    pnl: Floats  # value there less value now, in the unit of the forward
    delta: Floats  # per forward point, discounted
    gamma: Floats  # per forward point squared, discounted
    theta: Floats  # per calendar day
    vega: Floats  # per 0.01 of vol
    rho: Floats  # per 0.01 of rate

    def total(self) -> "Cube":
        """Return the book's cube, of shape (spots, vols, times)."""
        return Cube(*(leg.sum(axis=-1) for leg in self))


def scenario_grid(book: Legs, spots: ArrayLike, vols: ArrayLike, times: ArrayLike) -> Cube:
    """Return profit and loss and Greeks of every leg at every cell, by full revaluation.

    Args:
        book: the legs, as they are today.
        spots: relative moves of every forward, > −1; 0.05 is 5 % up.
        vols: absolute shifts of every vol; a vol does not fall below 0.
        times: years that have passed, ≥ 0. A leg that has expired by then is worth its intrinsic value at that
            forward, paid and not carried on; its discount moves to 1 at its own rate meanwhile.

    Sticky strike: a leg's vol depends on the shift alone. A leg outside the domain of `price` is NaN, alone.
    Raises InputError for a spot, a vol or a time that is outside the above.

    >>> one = Legs(*np.array([[1.0], [100.0], [50.0], [0.25], [0.2], [100.0], [1.0]]))
    >>> cube = scenario_grid(one, [-0.1, 0.1], [0.0], [0.0, 1.0])
    >>> cube.pnl[..., 0].round(1).tolist()
    [[[-163.8, -199.4]], [[348.3, 300.6]]]
    """
    shape = (-1, 1, 1, 1), (1, -1, 1, 1), (1, 1, -1, 1)
    moves, shifts, passed = (
        np.asarray(axis, np.float64).reshape(form) for axis, form in zip((spots, vols, times), shape, strict=True)
    )
    for name, axis, inside in (
        ("spots", moves, (moves > -1) & np.isfinite(moves)),
        ("vols", shifts, np.isfinite(shifts)),
        ("times", passed, (passed >= 0) & np.isfinite(passed)),
    ):
        if not inside.all():
            raise InputError(f"{name}: a book cannot be valued at {axis[~inside].tolist()}")
    forward = book.forward * (1.0 + moves)
    vol = np.maximum(book.vol + shifts, 0.0)
    years = np.maximum(book.years - passed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(book.years > 0, years / book.years, 0.0)
    today = np.where(book.years > 0, book.discount, 1.0)  # what has expired is paid
    discount = today**left
    cells = (book.kind, forward, book.strike, years, vol, discount)
    now = price(book.kind, book.forward, book.strike, book.years, book.vol, today)
    value = price(*cells)
    return Cube((value - now) * book.quantity, *(greek * book.quantity for greek in greeks(*cells)))
