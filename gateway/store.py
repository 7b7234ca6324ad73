"""The latest chains of each index, kept as immutable snapshots: one writer (the actor), any number of readers.

A reader takes a snapshot with one dictionary look-up and sees one sequence throughout; the writer never changes a
snapshot, it puts a new one in its place.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from core.errors import SchemaError, UnknownName
from core.records import Chain
from core.schemas import check


@dataclass(frozen=True)
class Kept:
    """One chain with what is asked of it often; rows are made once, on the first question."""

    index: str
    sequence: int
    as_of_ns: int  # market clock
    arrived_wall_ns: int  # of one from the tape: when it was recorded
    chain: Chain
    loaded: bool = False  # from the tape: shown as cached until the market's own first chain

    @cached_property
    def expiries(self) -> Sequence[Mapping[str, Any]]:
        """Rows of schemas.EXPIRIES, nearest first."""
        return sorted(self.chain.expiries.to_pylist(), key=lambda row: row["expiry"])

    @cached_property
    def contracts(self) -> Sequence[Mapping[str, Any]]:
        """Rows of schemas.CONTRACTS."""
        return self.chain.contracts.to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def by_symbol(self) -> Mapping[str, Mapping[str, Any]]:
        return {row["symbol"]: row for row in self.contracts}

    def expiry(self, day: dt.date) -> Mapping[str, Any]:
        """The row of `day`; raises UnknownName with the expiries there are."""
        for row in self.expiries:
            if row["expiry"] == day:
                return row
        known = ", ".join(str(row["expiry"]) for row in self.expiries)
        raise UnknownName(f"{self.index} has no expiry {day}; known: {known}")


class ChainStore:
    """`keep` newest chains of each of `indices`; empty after a restart until the next chain."""

    def __init__(self, indices: Sequence[str], keep: int) -> None:
        self.indices = tuple(indices)
        self._keep = keep
        self._kept: dict[str, tuple[Kept, ...]] = dict.fromkeys(indices, ())

    def put(self, chain: Chain, arrived_wall_ns: int) -> Kept:
        """Take a chain as the newest of its index; raises SchemaError, and then nothing has changed."""
        kept = self._checked(chain, arrived_wall_ns)
        before = tuple(old for old in self._kept[kept.index] if not old.loaded)
        self._kept[kept.index] = (kept, *before)[: self._keep]
        return kept

    def load(self, chain: Chain) -> None:
        """Take a chain of the tape, for as long as there is none of the market; raises as `put`."""
        kept = self._checked(chain, 0)
        if not self._kept[kept.index]:
            self._kept[kept.index] = (replace(kept, arrived_wall_ns=kept.as_of_ns, loaded=True),)

    def _checked(self, chain: Chain, arrived_wall_ns: int) -> Kept:
        check("contracts", chain.contracts)
        check("expiries", chain.expiries)
        if chain.expiries.num_rows == 0:
            raise SchemaError("chain: expected at least one expiry, was none")
        first = chain.expiries.slice(0, 1).to_pylist()[0]
        index = first["index"]
        if index not in self._kept:
            raise SchemaError(f"chain.index: expected one of {', '.join(self.indices)}, was {index}")
        return Kept(index, first["sequence"], first["as_of_ns"], arrived_wall_ns, chain)

    def latest(self, index: str) -> Kept | None:
        """The newest chain, None before the first; raises UnknownName for an index the desk does not have."""
        chains = self._of(index)
        return chains[0] if chains else None

    def at(self, index: str, sequence: int) -> Kept:
        """The chain with that sequence; raises UnknownName naming the sequences still kept."""
        chains = self._of(index)
        for kept in chains:
            if kept.sequence == sequence:
                return kept
        span = f"{chains[-1].sequence} to {chains[0].sequence}" if chains else "none yet"
        raise UnknownName(f"{index}: chain {sequence} is not kept; kept: {span}")

    def find(self, symbol: str) -> tuple[Kept, Mapping[str, Any]]:
        """The newest row of a contract; raises UnknownName with near names when no chain has it."""
        names: list[str] = []
        for index in self.indices:
            kept = self.latest(index)
            if kept is None:
                continue
            if symbol in kept.by_symbol:
                return kept, kept.by_symbol[symbol]
            if symbol.startswith(index):
                names = [name for name in kept.by_symbol if name[-2:] == symbol[-2:]]
        known = f"such as {', '.join(names[:5])}" if names else f"indices: {', '.join(self.indices)}"
        raise UnknownName(f"{symbol!r} is in no chain of this desk; known: {known}")

    def _of(self, index: str) -> tuple[Kept, ...]:
        if index not in self._kept:
            raise UnknownName(f"{index!r} is not an index of this desk; known: {', '.join(self.indices)}")
        return self._kept[index]
