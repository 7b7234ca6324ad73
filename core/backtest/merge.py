"""Many days into one result that does not depend on which finished first, and its hash."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from core.backtest.records import DayResult
from core.errors import InputError


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Results in order of days. `sha256` is over every trade, refusal, signal without data and equity row."""

    results: tuple[DayResult, ...]
    sha256: str

    @property
    def net(self) -> Decimal:
        return sum((result.net for result in self.results), Decimal(0))


def merge(results: Iterable[DayResult]) -> Merged:
    """Results of different days in order; InputError if a day comes twice."""
    ordered = tuple(sorted(results, key=lambda result: result.day))
    for before, after in pairwise(ordered):
        if before.day == after.day:
            raise InputError(f"{after.day} was run twice; give each day once")
    digest = hashlib.sha256()
    for result in ordered:
        for rows in (result.trades, result.refused, result.missing, result.equity):
            for row in rows:
                digest.update(canonical(row) + b"\n")
    return Merged(results=ordered, sha256=digest.hexdigest())


def canonical(row: msgspec.Struct) -> bytes:
    """One row as JSON with sorted keys, amounts without trailing zeros: equal rows are equal bytes."""
    values = {name: _plain(value) for name, value in msgspec.structs.asdict(row).items()}
    return msgspec.json.encode({"row": type(row).__name__, **values}, order="sorted")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    return value
