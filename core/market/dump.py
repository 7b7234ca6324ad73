"""The instrument dump of the day against the tables: what differs, and the dump laid over them, since it wins."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from core.errors import InputError, UnknownDate
from core.market.expiries import expiries
from core.market.indices import CONTRACT_INDICES, future_tick_paise, tick_paise
from core.market.lots import table_row
from core.market.overlay import DayContracts
from core.market.symbols import written_by_month
from core.schemas import Kind

SERIAL_DAYS = 21  # nearer expiries are listed by every exchange; the farther ones only as its contract cycle has them


class DumpRow(NamedTuple):
    """A derivative of the dump; the names are those of core.file_schemas.INSTRUMENTS."""

    symbol: str
    name: str
    kind: int
    expiry: dt.date
    strike_paise: int
    lot: int
    tick_paise: float


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which the dump and the tables disagree; `message` is a sentence for a risk event."""

    what: str  # lot, tick, expiry or missing
    index: str
    expiry: dt.date
    table: str
    dump: str

    @property
    def message(self) -> str:
        return (
            f"{self.index} {self.expiry}: {self.what} is {self.dump} in the instrument dump and {self.table} in the "
            "tables; the dump is used"
        )


def merge_dump(rows: Iterable[DumpRow], on: dt.date) -> tuple[DayContracts, tuple[Difference, ...]]:
    """What the dump of `on` lists of the seven indices, to hand to `use_dump`, and where the tables say otherwise.

    Rows of anything else (stocks, other indices, the indices themselves) are passed over. Raises InputError for a dump
    that has none of the indices' contracts, one of another day (it lists what has expired), two lots of one expiry or
    two expiries under one month, of which none can be right, and a lot that is none.
    """
    units: dict[tuple[str, dt.date], set[int]] = defaultdict(set)
    ticks: dict[tuple[str, dt.date, bool], set[float]] = defaultdict(set)
    monthly: dict[tuple[str, int, int], set[dt.date]] = defaultdict(set)
    for row in rows:
        if row.name in CONTRACT_INDICES and row.kind != Kind.INDEX:
            units[row.name, row.expiry].add(row.lot)
            ticks[row.name, row.expiry, row.kind == Kind.FUTURE].add(row.tick_paise)
            if written_by_month(row.symbol):
                monthly[row.name, row.expiry.year, row.expiry.month].add(row.expiry)
    _check(units, monthly, on)
    contracts = DayContracts(
        on=on,
        lots={key: next(iter(found)) for key, found in sorted(units.items())},
        monthly=frozenset((index, next(iter(found))) for (index, _, _), found in monthly.items()),
    )
    differences = [*_lots(contracts), *_expiries(contracts), *_ticks(ticks)]
    return contracts, tuple(sorted(differences, key=lambda d: (d.index, d.expiry, d.what)))


def _check(
    units: Mapping[tuple[str, dt.date], set[int]], monthly: Mapping[tuple[str, int, int], set[dt.date]], on: dt.date
) -> None:
    if not units:
        raise InputError(f"the dump of {on} has no contract of {', '.join(CONTRACT_INDICES)}")
    for (index, expiry), lots in units.items():
        if expiry < on:
            raise InputError(f"the dump lists {index} {expiry}, which has expired on {on}: give the dump of that day")
        if len(lots) > 1 or min(lots) < 1:
            raise InputError(f"the dump of {on} has lots {sorted(lots)} for {index} {expiry}: one above 0 was expected")
    for (index, year, month), days in monthly.items():
        if len(days) > 1:
            said = ", ".join(map(str, sorted(days)))
            raise InputError(f"the dump of {on} has the expiries {said} under {index} {year}-{month:02d}: expected one")


def _lots(contracts: DayContracts) -> list[Difference]:
    found = []
    for (index, expiry), units in contracts.lots.items():
        try:
            table = str(table_row(index, expiry, contracts.on).lot)
        except UnknownDate:
            table = "unknown"
        if table != str(units):
            found.append(Difference(what="lot", index=index, expiry=expiry, table=table, dump=str(units)))
    return found


def _expiries(contracts: DayContracts) -> list[Difference]:
    """Expiries the tables do not have, and those of the next three weeks that the dump does not."""
    found = []
    for index in sorted({name for name, _ in contracts.lots}):
        have = set(contracts.expiries(index))
        try:
            table = set(expiries(index, contracts.on, known=contracts.on))
        except UnknownDate:
            table = set()
        near = contracts.on + dt.timedelta(days=SERIAL_DAYS)
        only = [(day, "not listed", "listed") for day in have - table]
        only += [(day, "listed", "not listed") for day in table - have if contracts.on < day <= near]
        found += [
            Difference(what="expiry", index=index, expiry=day, table=ours, dump=theirs) for day, ours, theirs in only
        ]
    return found


def _ticks(ticks: dict[tuple[str, dt.date, bool], set[float]]) -> list[Difference]:
    found = []
    for (index, expiry, future), values in ticks.items():
        table = future_tick_paise(index) if future else tick_paise(index)
        if values != {table}:
            said = ", ".join(f"{value / 100:.2f}" for value in sorted(values))
            what = "future tick" if future else "option tick"
            found.append(Difference(what=what, index=index, expiry=expiry, table=f"{table / 100:.2f}", dump=said))
    return found
