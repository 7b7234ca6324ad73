"""An order and the book it meets, valued before and after: worst stress loss, VaR, Greeks, margin.

What is working counts at its worst. In a stress cell and in a state of the VaR a working order is filled if that loses,
else not; for a Greek each side of it is looked at; for the margin working sales are filled and working purchases are
not, though their premium is needed. Indices do not offset each other: of each the worst is taken, and they add up.
"""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import StaleDataError, UnknownDate
from core.market import parse_symbol
from core.orders.positions import market_date
from core.records import Intent
from core.risk.book import RiskBook, alive
from core.risk.margin_terms import MarginRules, MarginTerms
from core.risk.units import CELLS, GREEKS, Cell, Sheet, Table, Units, cell, known
from core.risk.var import tail

Floats = NDArray[np.float64]
VAR_CONFIDENCE = 0.99


class Stress(NamedTuple):
    """Rupees of loss, 0 or more, and where in the grid of the index that loses most."""

    loss: float
    where: Cell


class Case:
    """`before` is the book as it is, `after` the book once `intent` has filled; None asks of the book alone.

    Each figure is computed when it is first asked for. All raise StaleDataError while something that is held, working
    or asked for cannot be valued, UnknownDate where a table does not reach.
    """

    def __init__(self, intent: Intent | None, book: RiskBook, units: Units) -> None:
        self._intent, self._book, self._units = intent, book, units
        self._on: dt.date = market_date(book.now_ns)
        self._held = {symbol: holding.quantity for symbol, holding in alive(book)}
        orders = [order for order in book.placed.values() if order.left]
        self._working = [(order.intent.symbol, _signed(order.intent, order.left)) for order in orders]
        self._due_paise = sum(_premium_paise(order.intent, order.left, order.price_paise, book) for order in orders)

    @property
    def shorts(self) -> bool:
        """Whether anything could be short once the order and all that is working have filled."""
        return any(units < 0 for units in self._after_sales(self._order).values())

    @cached_property
    def value_error(self) -> str:
        """Why the book cannot be valued; empty if it can."""
        try:
            _ = self.stress_after, self.margin_after
        except (StaleDataError, UnknownDate) as error:
            return str(error)
        return ""

    @cached_property
    def stress_before(self) -> Stress:
        return self._stress({})

    @cached_property
    def stress_after(self) -> Stress:
        return self._stress(self._order)

    @cached_property
    def var_before(self) -> float:
        return self._var({})

    @cached_property
    def var_after(self) -> float:
        """Rupees that a day's loss does not exceed with 99 %, an estimate of one normal factor an index."""
        return self._var(self._order)

    @cached_property
    def greeks_before(self) -> tuple[float, ...]:
        return self._greeks({})

    @cached_property
    def greeks_after(self) -> tuple[float, ...]:
        """Largest |delta|, |gamma|, |vega|, |theta| in the rupees of `core.risk.exposure.Exposure`."""
        return self._greeks(self._order)

    @cached_property
    def margin_before(self) -> MarginTerms:
        return self._margin({})

    @cached_property
    def margin_after(self) -> MarginTerms:
        return self._margin(self._order)

    @property
    def premium_paise(self) -> int:
        """Premium of the order itself if it buys, at its limit, else at the price it would meet."""
        one = self._intent
        return _premium_paise(one, one.quantity, one.limit_paise, self._book) if one else 0

    @property
    def due_paise(self) -> int:
        """Premium that working purchases may still need."""
        return self._due_paise

    @cached_property
    def _order(self) -> dict[str, int]:
        return {self._intent.symbol: _signed(self._intent, self._intent.quantity)} if self._intent else {}

    def _after_sales(self, order: Mapping[str, int]) -> dict[str, int]:
        left = dict(self._held)
        for symbol, units in (*((s, u) for s, u in self._working if u < 0), *order.items()):
            left[symbol] = left.get(symbol, 0) + units
        return left

    def _symbols(self) -> dict[str, list[str]]:
        """By index, whatever is held, working or asked for."""
        found: dict[str, list[str]] = {}
        for symbol in dict.fromkeys((*self._held, *(symbol for symbol, _ in self._working), *self._order)):
            found.setdefault(parse_symbol(symbol, self._on).index, []).append(symbol)
        return found

    @cached_property
    def _tables(self) -> "list[_Index]":
        return [self._of_index(index, symbols) for index, symbols in self._symbols().items()]

    def _of_index(self, index: str, symbols: list[str]) -> "_Index":
        table = self._units.table(known(self._book.values, index), symbols, self._on)
        base, order = np.zeros(len(table.place)), np.zeros(len(table.place))
        for symbol in symbols:
            base[table.place[symbol]] = self._held.get(symbol, 0)
        for symbol, units in self._order.items():
            if symbol in table.place:
                order[table.place[symbol]] = units
        work = [(table.place[s], float(u)) for s, u in self._working if s in table.place]
        rows, units_each = (np.array([each[i] for each in work]) for i in range(2))
        return _Index(table, base, order, rows.astype(int), units_each.reshape(-1, 1))

    def prime(self, index: str) -> None:
        """Compute the figures of `index` and keep them; what cannot be valued is left for who asks."""
        symbols = self._symbols().get(index, [])
        if not symbols:
            return
        with suppress(StaleDataError, UnknownDate):
            self._units.table(self._book.values[index], symbols, self._on)
        with suppress(StaleDataError, UnknownDate):
            _ = self._sheet

    def _stress(self, order: Mapping[str, int]) -> Stress:
        loss, worst, where = 0.0, 0.0, cell(CELLS // 2)
        for index in self._tables:
            profits = index.profits(index.table.cells, with_order=bool(order))
            place = int(np.argmin(profits))
            lost = max(0.0, -float(profits[place]))
            loss += lost
            if lost > worst:
                worst, where = lost, cell(place)
        return Stress(loss, where)

    def _var(self, order: Mapping[str, int]) -> float:
        profits = (index.profits(index.table.states, with_order=bool(order)) for index in self._tables)
        return sum(max(0.0, tail(states, VAR_CONFIDENCE)[0]) for states in profits)

    def _greeks(self, order: Mapping[str, int]) -> tuple[float, ...]:
        low = high = np.zeros(len(GREEKS))
        for index in self._tables:
            greeks = index.table.greeks
            net = (index.base + index.order if order else index.base) @ greeks
            work = index.units * greeks[index.rows]
            low, high = low + net + np.minimum(work, 0.0).sum(axis=0), high + net + np.maximum(work, 0.0).sum(axis=0)
        return tuple(float(one) for one in np.maximum(np.abs(low), np.abs(high)))

    @cached_property
    def _sheet(self) -> Sheet:
        symbols = [symbol for names in self._symbols().values() for symbol in names]
        return self._units.sheet(self._book.values, symbols, self._on)

    def _margin(self, order: Mapping[str, int]) -> MarginTerms:
        left = self._after_sales(order)
        if not any(units < 0 for units in left.values()):
            return MarginTerms()  # a long option never loses more than the premium that is paid
        sheet = self._sheet
        return sheet.margins.terms([left.get(symbol, 0) for symbol in sheet.symbols])


class _Index(NamedTuple):
    """One index: figures of its contracts, and what is held and asked for of each; what is working is row and units."""

    table: Table
    base: Floats
    order: Floats
    rows: NDArray[np.int_]
    units: Floats  # (working, 1), signed

    def profits(self, figures: Floats, *, with_order: bool) -> Floats:
        """Of each column of `figures`, working orders at their worst."""
        quantity = self.base + self.order if with_order else self.base
        profits = quantity @ figures
        if len(self.rows):
            profits += np.minimum(self.units * figures[self.rows], 0.0).sum(axis=0)
        return np.asarray(profits)


def case_of(intent: Intent | None, book: RiskBook) -> Case:
    """The case of `intent` in `book`, with the figures that the book's own memory has."""
    memory = book.memory if isinstance(book.memory, Memory) else Memory()
    return memory.case(intent, book)


class Memory:
    """Figures of contracts by chain, and the last cases: what makes a check quick and changes no answer."""

    def __init__(self, rules: MarginRules | None = None) -> None:
        self.units = Units(rules)
        self._cases: list[tuple[Intent | None, RiskBook, Case]] = []

    def case(self, intent: Intent | None, book: RiskBook) -> Case:
        for asked, of, made in self._cases:
            if asked is intent and of is book:
                return made
        made = Case(intent, book, self.units)
        self._cases = [(intent, book, made), *self._cases[:3]]
        return made


def _signed(intent: Intent, units: int) -> int:
    return units if intent.side == "BUY" else -units


def _premium_paise(intent: Intent, units: int, limit_paise: int, book: RiskBook) -> int:
    if intent.side != "BUY":
        return 0
    mark = book.marks.get(intent.symbol)
    return units * (limit_paise or (mark.exit_paise(-1) if mark else 0))


def prime(book: RiskBook, index: str) -> None:
    """Value what is held and working of `index` by its latest chain now, so that no order waits for it."""
    if isinstance(book.memory, Memory) and index in book.values:
        Case(None, book, book.memory.units).prime(index)
