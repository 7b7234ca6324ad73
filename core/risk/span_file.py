"""The exchange's SPAN file as a source of risk arrays, beside the model: the same call, the exchange's own numbers.

`storage.readers.spn` fills these records. The arrays are taken as they are: a loss of one unit long is positive, and
the two extreme scenarios hold the covered fraction already.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from core.errors import InputError
from core.risk.span import RiskArrays, Spread
from core.risk.span_legs import Leg, expiry_of, sign_of

Key = tuple[dt.date, int, int]
"""Expiry, +1 call −1 put 0 future, strike in paise (0 for a future)."""


class SpanContract(NamedTuple):
    """One contract: sixteen losses of a unit long in rupees, composite delta, the file's price in rupees."""

    losses: tuple[float, ...]
    delta: float
    price: float


class SpanIndex(msgspec.Struct, frozen=True, kw_only=True):
    """One combined commodity of the file; rupees. `spot` is its PHY price, on which options' exposure is charged."""

    spot: float
    contracts: Mapping[Key, SpanContract]
    spreads: tuple[Spread, ...] = ()
    short_minimum: float = 0.0


class SpanFile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file, for the indices that were asked for; `created` tells which of the day's six it is."""

    on: dt.date
    created: str
    indices: Mapping[str, SpanIndex]

    @property
    def estimate(self) -> bool:
        """The arrays are the exchange's."""
        return False

    def arrays(self, legs: Sequence[Leg]) -> RiskArrays:
        """Risk arrays of `legs`; InputError for a contract the file does not have."""
        found = [self._contract(leg) for leg in legs]
        names = dict.fromkeys(leg.contract.index for leg in legs)
        days = {expiry_of(leg) for leg in legs}
        return RiskArrays(
            losses=np.array([row.losses for row in found], float).reshape(len(found), 16),
            deltas=np.array([row.delta for row in found], float),
            prices=np.array([row.price for row in found], float),
            spots={name: self.indices[name].spot for name in names},
            spreads={
                name: tuple(s for s in self.indices[name].spreads if s.near in days and s.far in days) for name in names
            },
            short_minimum={name: self.indices[name].short_minimum for name in names},
        )

    def _contract(self, leg: Leg) -> SpanContract:
        key = expiry_of(leg), sign_of(leg), leg.contract.strike_paise
        index = self.indices.get(leg.contract.index)
        row = index.contracts.get(key) if index else None
        if row is None:
            raise InputError(f"the SPAN file of {self.on} ({self.created}) has no {leg.contract.symbol}")
        return row
