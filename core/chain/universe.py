"""The contracts a book knows, and everything about them that does not change from tick to tick."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import SchemaError
from core.pricing.chain_rules import ABSENT
from core.schemas import Kind

Ints = NDArray[np.int64]
VIX = "INDIA VIX"


class Contract(NamedTuple):
    """One row of the contract columns of schemas.TICKS."""

    symbol: str
    kind: int
    expiry_days: int  # since 1970-01-01; ABSENT for an index
    strike_paise: int


class Grid(NamedTuple):
    """One expiry: its slice of the sorted options, and its strikes with the rows of call and put, ABSENT where none."""

    expiry_days: int
    start: int
    stop: int
    future: int  # row of the book
    strikes_paise: Ints
    strikes: NDArray[np.float64]  # rupees
    calls: Ints  # rows of the sorted options
    puts: Ints


class Layout(NamedTuple):
    """All grids one after the other, as `core.pricing.kernels_chain.figure_rows` reads them."""

    strikes: Ints
    calls: Ints
    puts: Ints
    edges: Ints  # of the grids in the three above
    starts: Ints  # of the grids in the sorted options, and their end
    grid_of: Ints  # position of its grid, for each sorted option


class Universe:
    """Contracts in order of arrival; never changed, `extended` gives a new one."""

    def __init__(self, index: str, contracts: Iterable[Contract] = ()) -> None:
        self.index = index
        self.contracts = tuple(contracts)
        self.rows: Mapping[str, int] = {contract.symbol: row for row, contract in enumerate(self.contracts)}

    def extended(self, contracts: Iterable[Contract]) -> "Universe":
        """Return a universe that also holds `contracts`, which must be new to it.

        Raises SchemaError for an option or a future without expiry, for an option without strike, and for a second
        symbol of a contract.
        """
        new = tuple(contracts)
        known = {contract[1:]: contract.symbol for contract in self.contracts}
        for contract in new:
            option = contract.kind in {Kind.CALL, Kind.PUT}
            if contract.kind != Kind.INDEX and contract.expiry_days == ABSENT:
                raise SchemaError(f"ticks.expiry: {contract.symbol} is of kind {contract.kind} and must have an expiry")
            if option and contract.strike_paise <= 0:
                raise SchemaError(f"ticks.strike_paise: {contract.symbol} is an option, found {contract.strike_paise}")
            if contract.kind != Kind.INDEX and contract[1:] in known:
                raise SchemaError(f"ticks.symbol: {contract.symbol} and {known[contract[1:]]} are one contract")
            known[contract[1:]] = contract.symbol
        return Universe(self.index, self.contracts + new)

    @cached_property
    def terms(self) -> Ints:
        """Kind, expiry in days and strike in paise of every contract, (3, contracts)."""
        return np.array([contract[1:] for contract in self.contracts], np.int64).reshape(-1, 3).T

    @cached_property
    def options(self) -> Ints:
        """Rows of the options, sorted by expiry, strike, kind."""
        rows = [row for row, contract in enumerate(self.contracts) if contract.kind in {Kind.CALL, Kind.PUT}]
        rows.sort(key=lambda row: (self.contracts[row][2:], self.contracts[row].kind))
        return np.array(rows, np.int64)

    @cached_property
    def signs(self) -> NDArray[np.float64]:
        """+1 for each sorted option that is a call, −1 for a put."""
        return np.array([1.0 if self.contracts[row].kind == Kind.CALL else -1.0 for row in self.options])

    @cached_property
    def strikes(self) -> NDArray[np.float64]:
        """Strike of each sorted option, rupees."""
        return np.array([self.contracts[row].strike_paise / 100 for row in self.options])

    @cached_property
    def grids(self) -> tuple[Grid, ...]:
        """One per expiry that has options, earliest first."""
        futures = {c.expiry_days: row for row, c in enumerate(self.contracts) if c.kind == Kind.FUTURE}
        listed = [self.contracts[row] for row in self.options]
        days = np.array([contract.expiry_days for contract in listed], np.int64)
        edges = [*np.flatnonzero(np.diff(days, prepend=-2)).tolist(), len(listed)]
        return tuple(
            _grid(listed, start, stop, futures.get(listed[start].expiry_days, ABSENT))
            for start, stop in pairwise(edges)
        )

    @cached_property
    def layout(self) -> Layout:
        grids, none = self.grids, np.empty(0, np.int64)
        sizes = [grid.strikes_paise.size for grid in grids]
        listed = [grid.stop - grid.start for grid in grids]
        return Layout(
            strikes=np.concatenate([none, *(grid.strikes_paise for grid in grids)]),
            calls=np.concatenate([none, *(grid.calls for grid in grids)]),
            puts=np.concatenate([none, *(grid.puts for grid in grids)]),
            edges=np.cumsum([0, *sizes]),
            starts=np.cumsum([0, *listed]),
            grid_of=np.repeat(np.arange(len(grids)), listed),
        )

    @cached_property
    def columns(self) -> tuple["pa.Array[Any]", ...]:
        """The five contract columns of schemas.CONTRACTS, for the sorted options."""
        listed = [self.contracts[row] for row in self.options]
        return (
            pa.array([self.index] * len(listed), pa.string()),
            pa.array([contract.symbol for contract in listed], pa.string()),
            pa.array([contract.kind for contract in listed], pa.int8()),
            pa.array([contract.expiry_days for contract in listed], pa.int32()).cast(pa.date32()),
            pa.array([contract.strike_paise for contract in listed], pa.int64()),
        )


def _grid(listed: list[Contract], start: int, stop: int, future: int) -> Grid:
    strikes = sorted({contract.strike_paise for contract in listed[start:stop]})
    at = {(c.strike_paise, c.kind): row for row, c in enumerate(listed[start:stop], start)}
    calls, puts = (
        np.array([at.get((strike, kind), ABSENT) for strike in strikes], np.int64) for kind in (Kind.CALL, Kind.PUT)
    )
    paise = np.array(strikes, np.int64)
    return Grid(listed[start].expiry_days, start, stop, future, paise, paise / 100, calls, puts)
