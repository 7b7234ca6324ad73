"""What one unit of each contract stands to lose, computed once a chain: every check only multiplies and adds.

Of each contract: profit in every cell of a grid of spot × vol × time, profit in equally likely states of a day, its
Greeks in rupees, and its SPAN array. All by full revaluation with the functions of core/risk (var_book,
exposure, span). The cache is kept per index and dropped when a newer chain of it comes; it changes no result.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import StaleDataError
from core.market import parse_symbol
from core.pricing import price
from core.risk.exposure import leg_exposures
from core.risk.margin_portfolio import MarginSheet
from core.risk.margin_terms import MarginRules
from core.risk.span import RiskArrays, SpanModel, spreads_of
from core.risk.span_legs import Leg, Market
from core.risk.values import Values, market_of
from core.risk.var_book import positions

Floats = NDArray[np.float64]
GAPS = (-0.10, -0.075, -0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.10)
"""Moves of the index: to the first market-wide breaker, 10 %, both ways."""
VOL_SHOCKS = (-0.05, 0.0, 0.10)
ELAPSED_DAYS = (0.0, 1.0)
CELLS = len(GAPS) * len(VOL_SHOCKS) * len(ELAPSED_DAYS)
STATES = 200
DAYS_A_YEAR = 252
_NORMAL = np.array([NormalDist().inv_cdf((rank + 0.5) / STATES) for rank in range(STATES)])
GREEKS = ("delta", "gamma", "vega", "theta")
_WIDTH = CELLS + STATES + len(GREEKS)
# Of each column but the Greeks: factor on the forward (of the cells), added to the vol, years that pass.
_CELL_MOVES = np.tile(np.repeat(1 + np.array(GAPS), len(VOL_SHOCKS)), len(ELAPSED_DAYS))
_SHIFTS = np.concatenate([np.tile(VOL_SHOCKS, len(GAPS) * len(ELAPSED_DAYS)), np.zeros(STATES)])
_ELAPSED = np.concatenate([np.repeat(ELAPSED_DAYS, len(GAPS) * len(VOL_SHOCKS)) / np.float64(365), np.zeros(STATES)])


class Table(NamedTuple):
    """Contracts of one index, rupees a unit long: a row each, in the order of `place`."""

    place: Mapping[str, int]
    figures: Floats  # (n, CELLS + STATES + 4)

    @property
    def cells(self) -> Floats:
        """Profit in each cell of the stress grid, (n, CELLS)."""
        return self.figures[:, :CELLS]

    @property
    def states(self) -> Floats:
        """Profit in each state of a day, (n, STATES)."""
        return self.figures[:, CELLS : CELLS + STATES]

    @property
    def greeks(self) -> Floats:
        """delta, gamma, vega, theta, (n, 4)."""
        return self.figures[:, CELLS + STATES :]


class Sheet(NamedTuple):
    """Contracts of any index, ready to be margined; `symbols` is the order of its quantities."""

    margins: MarginSheet
    symbols: Sequence[str]


class Cell(NamedTuple):
    """Where in the grid: share the index moves, decimals the vols move, days that pass."""

    gap: float
    vol_shock: float
    elapsed_days: float


def cell(place: int) -> Cell:
    """The cell of a column of `Rows.cells`."""
    time, rest = divmod(place, len(GAPS) * len(VOL_SHOCKS))
    gap, vol = divmod(rest, len(VOL_SHOCKS))
    return Cell(GAPS[gap], VOL_SHOCKS[vol], ELAPSED_DAYS[time])


class Units:
    """The figures of contracts of any index; a memory of what was computed, and nothing else.

    What it gives may have more contracts than were asked for: all that were since the chain came.
    """

    def __init__(self, rules: MarginRules | None = None) -> None:
        self._rules = rules
        self._tables: dict[str, tuple[Values, Table]] = {}
        self._spans: dict[str, tuple[Values, dict[str, _Span]]] = {}
        self._sheet: _Kept | None = None

    def table(self, values: Values, symbols: Iterable[str], on: dt.date) -> Table:
        """Of `symbols`, all of the index of `values`, at least; StaleDataError for one that cannot be valued."""
        held = self._tables.get(values.index)
        table = held[1] if held is not None and held[0] is values else Table({}, np.empty((0, _WIDTH)))
        missing = [symbol for symbol in symbols if symbol not in table.place]
        if missing:
            place = dict(table.place) | {symbol: len(table.place) + at for at, symbol in enumerate(missing)}
            table = Table(place, np.concatenate([table.figures, _rows(values, missing, on)]))
            self._tables[values.index] = (values, table)
        return table

    def sheet(self, values: Mapping[str, Values], symbols: Sequence[str], on: dt.date) -> Sheet:
        """The margin sheet of `symbols` on `on`, at least; raises as `MarginSheet`."""
        legs = [Leg(contract=parse_symbol(symbol, on), quantity=0, paid=True) for symbol in symbols]
        used = {leg.contract.index: known(values, leg.contract.index) for leg in legs}
        held, source = self._sheet, CachedArrays(self, values, on)
        if held is None or held.on != on or any(held.values.get(name) is not one for name, one in used.items()):
            made = Sheet(MarginSheet(legs, source, self._rules), symbols)
        else:
            made, used = _grown(held.sheet, legs, source, self._rules), {**held.values, **used}
        self._sheet = _Kept(on, used, made)
        return made

    def spans(self, values: Values, legs: Sequence[Leg], on: dt.date) -> "list[_Span]":
        """The SPAN arrays of `legs`, all of the index of `values`; raises as `SpanModel.arrays`."""
        held = self._spans.get(values.index)
        if held is None or held[0] is not values:
            held = self._spans[values.index] = (values, {})
        missing = [leg for leg in legs if leg.contract.symbol not in held[1]]
        if missing:
            found = _spans(values, missing, on)
            held[1].update({leg.contract.symbol: one for leg, one in zip(missing, found, strict=True)})
        return [held[1][leg.contract.symbol] for leg in legs]


class _Kept(NamedTuple):
    on: dt.date
    values: Mapping[str, Values]  # of the indices the sheet was made of
    sheet: Sheet


def _grown(sheet: Sheet, legs: Sequence[Leg], source: "CachedArrays", rules: MarginRules | None) -> Sheet:
    """`sheet` with those of `legs` that it does not have; made anew where one has an index or expiry of its own."""
    have, terms = set(sheet.symbols), {(leg.contract.index, leg.contract.expiry) for leg in sheet.margins.legs}
    more = [leg for leg in legs if leg.contract.symbol not in have]
    if not more:
        return sheet
    names = [*sheet.symbols, *(leg.contract.symbol for leg in more)]
    if all((leg.contract.index, leg.contract.expiry) in terms for leg in more):
        return Sheet(sheet.margins.extended(more, source), names)
    return Sheet(MarginSheet([*sheet.margins.legs, *more], source, rules), names)


class _Span(NamedTuple):
    losses: Floats  # (16,)
    delta: float
    price: float


class CachedArrays:
    """SPAN's arrays of any index from the latest chains: the source a `MarginSheet` asks."""

    estimate = True

    def __init__(self, units: Units, values: Mapping[str, Values], on: dt.date) -> None:
        self._units, self._values, self.on = units, values, on

    def arrays(self, legs: Sequence[Leg]) -> RiskArrays:
        """Raises as `SpanModel.arrays`; StaleDataError while an index has no chain."""
        found: dict[str, _Span] = {}
        names = dict.fromkeys(leg.contract.index for leg in legs)
        for name in names:
            own = [leg for leg in legs if leg.contract.index == name]
            spans = self._units.spans(known(self._values, name), own, self.on)
            found.update({leg.contract.symbol: one for leg, one in zip(own, spans, strict=True)})
        rows = [found[leg.contract.symbol] for leg in legs]
        market = market_of(legs, self._values, self.on)
        return RiskArrays(
            losses=np.array([row.losses for row in rows]).reshape(len(rows), -1),
            deltas=np.array([row.delta for row in rows]),
            prices=np.array([row.price for row in rows]),
            spots={name: self._values[name].level for name in names},
            spreads={name: spreads_of(market, name, legs) for name in names},
            short_minimum=dict.fromkeys(names, 0.0),
        )


def known(values: Mapping[str, Values], index: str) -> Values:
    """What the latest chain of `index` says; StaleDataError before the first."""
    found = values.get(index)
    if found is None:
        raise StaleDataError(f"no chain of {index} has arrived yet: its contracts cannot be valued")
    return found


def _market(values: Values, symbols: Iterable[str], on: dt.date) -> tuple[list[Leg], Market]:
    legs = [Leg(contract=parse_symbol(symbol, on), quantity=1) for symbol in symbols]
    return legs, market_of(legs, {values.index: values}, on)


def _rows(values: Values, symbols: Iterable[str], on: dt.date) -> Floats:
    """(n, _WIDTH): the profits of `stress_table` and of `var_book.pnl` in one call of the pricing kernel."""
    book = positions(*_market(values, symbols, on))
    near = min((day for day in values.atm if values.atm[day] > 0), default=None)
    sigma = values.atm[near] if near is not None else float(book.vol.min())
    moves = np.concatenate([_CELL_MOVES, np.exp(_NORMAL * sigma / math.sqrt(DAYS_A_YEAR))])
    kind, strike, forward, years, vol, discount = (
        column[:, None] for column in (book.kind, book.strike, book.forward, book.years, book.vol, book.discount)
    )
    left = np.maximum(years - _ELAPSED, 0.0)
    share = np.divide(left, years, out=np.zeros_like(left), where=years > 0)
    then = price(kind, forward * moves, strike, left, np.maximum(vol + _SHIFTS, 0.0), discount**share)
    return np.concatenate([then - price(kind, forward, strike, years, vol, discount), leg_exposures(book)], axis=1)


def _spans(values: Values, legs: Sequence[Leg], on: dt.date) -> list[_Span]:
    model = SpanModel(market=market_of(legs, {values.index: values}, on), carry=values.carry)
    arrays, deltas = model.arrays(legs), model.deltas(legs)
    return [
        _Span(losses, float(delta), float(price))
        for losses, delta, price in zip(arrays.losses, deltas, arrays.prices, strict=True)
    ]
