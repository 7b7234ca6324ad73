"""How much of a book stands on one index, one expiry, one side of the strikes."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from core.errors import InputError
from core.risk.exposure import leg_exposures
from core.risk.span_legs import expiry_of
from core.risk.var_book import Positions, value

Measure = Literal["notional", "premium", "vega", "gamma"]


class Concentration(NamedTuple):
    """Shares of a gross measure, each mapping's adding up to 1; empty where the measure is 0 throughout.

    `hhi` is the Herfindahl–Hirschman index of the shares: 1 is all in one, 1/n evenly over n.
    """

    shares: Mapping[Hashable, float]
    largest: Hashable | None
    largest_share: float
    hhi: float


class Concentrations(NamedTuple):
    measure: Measure
    by_index: Concentration
    by_expiry: Concentration  # keys are (index, expiry)
    by_side: Concentration  # keys such as "call above": a call struck above its forward; "future"
    by_leg: Concentration  # keys are symbols


def concentrations(book: Positions, measure: Measure = "notional") -> Concentrations:
    """Shares by gross |quantity·forward| (notional), |value|, |vega| or |gamma|: offsetting legs do not cancel.

    InputError for a leg whose measure is no number: nothing can be said of the shares of the others.
    """
    match measure:
        case "notional":
            weights = np.abs(book.quantity) * book.forward
        case "premium":
            weights = np.abs(value(book))
        case "vega" | "gamma":
            weights = np.abs(leg_exposures(book)[:, 2 if measure == "vega" else 1])
    if not np.isfinite(weights).all():
        worst = book.legs[int(np.argmin(np.isfinite(weights)))]
        raise InputError(f"the {measure} of {worst.contract.symbol} is no number: it cannot be revalued")
    names = [leg.contract.index for leg in book.legs]
    return Concentrations(
        measure,
        _shares(names, weights.tolist()),
        _shares([(leg.contract.index, expiry_of(leg)) for leg in book.legs], weights.tolist()),
        _shares(_sides(book), weights.tolist()),
        _shares([leg.contract.symbol for leg in book.legs], weights.tolist()),
    )


def _sides(book: Positions) -> list[str]:
    words = {1.0: "call", -1.0: "put"}
    return [
        "future" if kind == 0 else f"{words[kind]} {'above' if strike >= forward else 'below'}"
        for kind, strike, forward in zip(book.kind.tolist(), book.strike.tolist(), book.forward.tolist(), strict=True)
    ]


def _shares(keys: Sequence[Hashable], weights: Sequence[float]) -> Concentration:
    sums: dict[Hashable, float] = {}
    for key, weight in zip(keys, weights, strict=True):
        sums[key] = sums.get(key, 0.0) + weight
    whole = sum(sums.values())
    if not whole > 0:
        return Concentration({}, None, 0.0, 0.0)
    shares = {key: weight / whole for key, weight in sorted(sums.items(), key=lambda row: -row[1])}
    largest = next(iter(shares))
    return Concentration(shares, largest, shares[largest], sum(share * share for share in shares.values()))
