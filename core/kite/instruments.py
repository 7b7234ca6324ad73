"""Kite's instrument dump as the desk uses it: a registry of tokens, and the rows that become the day's contracts.

A contract is known by (exchange, trading symbol): its token goes to another contract after the expiry.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import InputError
from core.kite.ticks import CONTRACT, Registry
from core.market.dump import DumpRow
from core.market.indices import CONTRACT_INDICES, INDICES, check_index, derivatives_exchange_of, exchange_of
from core.market.symbols import VIX, Contract
from core.schemas import Kind

Key = tuple[str, str]  # exchange, Kite's trading symbol
INDEX_SEGMENT = "INDICES"
# Kite's names of the desk's indices, and India VIX, which goes with NIFTY. Read in kite.md §6's sources: NIFTY 50,
# NIFTY BANK and SENSEX; the others are as third parties quote them, and one that is not listed is said to be missing.
INDEX_NAMES: dict[str, Key] = {
    "NIFTY": ("NSE", "NIFTY 50"),
    "BANKNIFTY": ("NSE", "NIFTY BANK"),
    "FINNIFTY": ("NSE", "NIFTY FIN SERVICE"),
    "MIDCPNIFTY": ("NSE", "NIFTY MID SELECT"),
    "SENSEX": ("BSE", "SENSEX"),
    VIX: ("NSE", VIX),
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SIGNS = "123456789OND"
_READ = [
    "instrument_token", "exchange", "segment", "symbol", "name", "kind", "expiry", "strike_paise", "tick_paise", "lot",
]  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What a dump lists for the desk.

    registry: the contracts by token, in the desk's names. contracts: the same, in the dump's order. keys: the desk's
    name of each → Kite's. tokens: Kite's name → token. rows: futures and options of every index whose facts are known,
    for `core.market.dump.merge_dump`. problems: in sentences, what is missing or was left out.
    """

    registry: Registry
    contracts: tuple[Contract, ...]
    keys: Mapping[str, Key]
    tokens: Mapping[Key, int]
    rows: tuple[DumpRow, ...]
    problems: tuple[str, ...]

    def token(self, symbol: str) -> int:
        """Today's token of a contract by the desk's name; InputError for one the dump does not have."""
        key = self.keys.get(symbol)
        if key is None:
            raise InputError(f"{symbol} is not in today's instrument dump")
        return self.tokens[key]


def exchanges_of(indices: Sequence[str]) -> tuple[str, ...]:
    """The exchanges whose dumps have everything of `indices`, as Kite names them; derivatives first."""
    both = [derivatives_exchange_of(index) for index in indices] + [exchange_of(index) for index in indices]
    return tuple(dict.fromkeys(both))


def listing_of(instruments: pa.Table, indices: Sequence[str] = INDICES) -> Listing:
    """The desk's part of a table of core.file_schemas.INSTRUMENTS.

    A future or option is on the index its name says, or where Kite leaves the name blank (some BSE rows) the one its
    symbol and expiry spell. Raises InputError if there is no contract of one of `indices`, or none at all, and for a
    token of two contracts.
    """
    found = _Found(indices)
    ours = pc.is_in(instruments.column("name"), pa.array([*CONTRACT_INDICES, ""]))
    index = pc.equal(instruments.column("segment"), pa.scalar(INDEX_SEGMENT))
    for row in instruments.select(_READ).filter(pc.or_(ours, index)).to_pylist():
        found.take(row)
    return found.listing()


def _underlying(symbol: str, expiry: dt.date) -> str:
    """The index a symbol of that expiry is on; empty for none: SENSEX50 is not SENSEX."""
    month = _MONTHS[expiry.month - 1], f"{_SIGNS[expiry.month - 1]}{expiry:%d}"
    starts = {f"{index}{expiry:%y}{part}": index for index in CONTRACT_INDICES for part in month}
    return next((index for start, index in starts.items() if symbol.startswith(start)), "")


class _Found:
    """A listing as it grows, row by row."""

    def __init__(self, indices: Sequence[str]) -> None:
        self._indices = tuple(check_index(index) for index in indices)
        wanted = (*self._indices, *([VIX] if "NIFTY" in self._indices else []))
        self._names = {INDEX_NAMES[name]: name for name in wanted}
        self._contracts: dict[str, Contract] = {}
        self._terms: dict[tuple[object, ...], str] = {}
        self._keys: dict[str, Key] = {}
        self._tokens: dict[Key, int] = {}
        self._rows: list[DumpRow] = []
        self._problems: list[str] = []

    def take(self, row: Mapping[str, Any]) -> None:
        key, kind, expiry = (row["exchange"], row["symbol"]), Kind(row["kind"]), row["expiry"]
        if kind == Kind.INDEX:
            name = self._names.get(key) if row["segment"] == INDEX_SEGMENT else None
            if name is not None:
                self._keep(key, row, Contract("NIFTY" if name == VIX else name, kind, None, 0, name))
            return
        index = row["name"] or _underlying(key[1], expiry)
        if index not in CONTRACT_INDICES or key[0] != derivatives_exchange_of(index):
            return
        strike = row["strike_paise"]
        self._rows.append(DumpRow(key[1], index, kind, expiry, strike, row["lot"], row["tick_paise"]))
        if index in self._indices:
            self._keep(key, row, Contract(index, kind, expiry, strike, key[1]))

    def _keep(self, key: Key, row: Mapping[str, Any], contract: Contract) -> None:
        terms = (contract.index, contract.kind, contract.expiry, contract.strike_paise)
        if contract.kind != Kind.INDEX and self._terms.setdefault(terms, contract.symbol) != contract.symbol:
            first = self._terms[terms]
            self._problems.append(f"{contract.symbol} is the same contract as {first} in the dump: it is left out")
            return
        self._contracts[contract.symbol] = contract
        self._keys[contract.symbol] = key
        self._tokens[key] = row["instrument_token"]

    def listing(self) -> Listing:
        contracts = tuple(self._contracts.values())
        for index in self._indices:
            if not any(one.index == index and one.kind != Kind.INDEX for one in contracts):
                raise InputError(
                    f"the instrument dump has no contract of {index}: is it of {exchanges_of([index])[0]}?"
                )
        for (exchange, symbol), name in self._names.items():
            if name not in self._contracts:
                self._problems.append(f"the instrument dump has no {exchange}:{symbol}: {name} has no level from Kite")
        return Listing(
            registry=_registry(contracts, [self._tokens[self._keys[one.symbol]] for one in contracts]),
            contracts=contracts,
            keys=self._keys,
            tokens=self._tokens,
            rows=tuple(self._rows),
            problems=tuple(self._problems),
        )


def _registry(contracts: Sequence[Contract], tokens: Sequence[int]) -> Registry:
    columns = [[getattr(one, name) for one in contracts] for name in CONTRACT.names]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, CONTRACT, strict=True)]
    return Registry(np.array(tokens, np.int64), pa.RecordBatch.from_arrays(arrays, schema=CONTRACT))
