"""Whether the participants' rows of a day add up.

Three rules of NSE's table: in every column Client, DII, FII and Pro add up to TOTAL; in the row TOTAL every instrument
is held as much long as short; in every row the totals are the sums of the instruments. Open interest that a lot change
leaves in odd lots is a fraction of a contract; the file mostly prints it rounded, so sums are off by a contract or two.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.file_schemas import SIDES

ROUNDING_CONTRACTS = 2.5  # half a contract for each of the five figures of a column
_GROUPS = ("Client", "DII", "FII", "Pro")
_ROWS = (*_GROUPS, "TOTAL")
_PAIRS = tuple((name, name.replace("long", "short")) for name in SIDES if name.endswith("long"))
_SUMS = {
    total: tuple(name for name in SIDES if name.endswith(side) and not name.startswith("total"))
    for total, side in (("total_long", "long"), ("total_short", "short"))
}


@dataclass(frozen=True)
class Difference:
    """One sum that does not come out; contracts."""

    date: dt.date
    rule: str
    row: str
    column: str
    expected: float
    found: float

    def __str__(self) -> str:
        return (
            f"{self.date}, row {self.row}, column {self.column}: expected {self.rule} {self.expected:,.10g}, "
            f"found {self.found:,.10g} contracts"
        )


@dataclass(frozen=True)
class SumCheck:
    """`days` seen, `exact` of them to the contract, `rounded` within ROUNDING_CONTRACTS, the rest in `differences`.

    `incomplete` are the days that lack a participant: they are not checked.
    """

    days: int
    exact: int
    rounded: int
    differences: tuple[Difference, ...]
    incomplete: tuple[dt.date, ...]

    @property
    def failed(self) -> tuple[dt.date, ...]:
        """Days with a difference beyond rounding, oldest first."""
        return tuple(sorted({difference.date for difference in self.differences}))


def sum_checks(rows: pa.Table) -> SumCheck:
    """The three rules over rows of file_schemas.PARTICIPANTS of one measure, in any order.

    A figure that is no number is a difference. Raises InputError for two measures and for a participant of a day twice.
    """
    measures = sorted(map(str, rows["measure"].unique().to_pylist()))
    if len(measures) > 1:
        raise InputError(f"the rows have the measures {', '.join(measures)}; give those of one at a time")
    dates: list[dt.date] = rows["date"].to_pylist()  # type: ignore[assignment]  # the schema has no nulls
    names = rows["participant"].to_pylist()
    place: dict[tuple[dt.date, str | None], int] = {}
    for at, key in enumerate(zip(dates, names, strict=True)):
        if place.setdefault(key, at) != at:
            raise InputError(f"{key[1]} of {key[0]} is there twice, in rows {place[key] + 1} and {at + 1}")
    days = sorted(set(dates))
    whole = [day for day in days if all((day, name) in place for name in _ROWS)]
    table = np.column_stack([rows[f"{name}_contracts"].to_numpy() for name in SIDES])
    order = np.array([[place[day, name] for name in _ROWS] for day in whole], int).reshape(-1, len(_ROWS))
    figures = table[order]  # day × row × column
    found: list[Difference] = []
    worst = np.zeros(len(whole))
    for rule, row, column, expected, actual in _rules(figures):
        off = np.abs(expected - actual)
        worst = np.maximum(worst, off)
        found += [
            Difference(whole[day], rule, row, column, float(expected[day]), float(actual[day]))
            for day in np.flatnonzero(~(off <= ROUNDING_CONTRACTS)).tolist()  # NaN too
        ]
    exact = int(np.count_nonzero(worst == 0))
    rounded = int(np.count_nonzero((worst > 0) & (worst <= ROUNDING_CONTRACTS)))
    incomplete = tuple(day for day in days if day not in set(whole))
    return SumCheck(len(days), exact, rounded, tuple(sorted(found, key=lambda each: each.date)), incomplete)


_Figures = NDArray[np.float64]


def _rules(figures: _Figures) -> list[tuple[str, str, str, _Figures, _Figures]]:
    """(rule, row, column, expected a day, found a day) of every sum."""
    at = {name: column for column, name in enumerate(SIDES)}
    total = len(_GROUPS)
    found = [
        ("the sum of the four,", "TOTAL", name, figures[:, :total, at[name]].sum(axis=1), figures[:, total, at[name]])
        for name in SIDES
    ]
    found += [
        ("as much as long,", "TOTAL", short, figures[:, total, at[long]], figures[:, total, at[short]])
        for long, short in _PAIRS
    ]
    for row, who in enumerate(_ROWS):
        for name, parts in _SUMS.items():
            summed = figures[:, row, [at[part] for part in parts]].sum(axis=1)
            found.append(("the sum of the row,", who, name, summed, figures[:, row, at[name]]))
    return found
