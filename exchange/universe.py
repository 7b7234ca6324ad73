"""What is listed in a simulated session: the index, India VIX, the monthly futures and the options around the money.

The universe is fixed for the session around its opening money; what somebody holds or has orders in from the day before
stays listed until it expires, as on an exchange.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.market import (
    Contract,
    expiries,
    future_symbol,
    is_monthly,
    lot,
    option_symbol,
    settlement,
    strike_step_paise,
    to_ns,
)
from core.schemas import TICKS, Kind

VIX = "INDIA VIX"
Ints = NDArray[np.int64]
Row = tuple[str, Kind, dt.date | None, int, int]  # symbol, kind, expiry, strike in paise, lot


@dataclass(frozen=True)
class Universe:
    """One row a contract, in the order the simulator numbers them: index, VIX, futures, options, what is held.

    `expiry_at` is the row's place in `expiry_days` and `settled_ns`; the index itself carries 0.
    """

    contracts: pa.RecordBatch  # the five columns that TICKS begins with
    kind: Ints
    strike_paise: Ints
    lots: Ints
    expiry_at: Ints
    expiry_days: tuple[dt.date, ...]
    settled_ns: Ints  # when the price it settles at is known: until then it has time value
    held: int = 0  # how many of the last rows lie outside the strikes of the day

    def __len__(self) -> int:
        return int(self.kind.size)


def build(
    index: str, on: dt.date, *, open_paise: int, expiry_count: int, strikes_each_side: int,
    held: Collection[Contract] = (),
) -> Universe:  # fmt: skip
    """The universe of `index` on `on`: `expiry_count` expiries × (2 × strikes_each_side + 1) strikes × call and put.

    Futures of the next three months, and of `held` what would not be listed otherwise and has not expired. Past the
    published calendar expiries are provisional; UnknownDate past 2031.
    """
    listed = expiries(index, on)
    days = listed[:expiry_count]
    futures = [day for day in listed if is_monthly(index, day)][:3]
    every = tuple(sorted({*days, *futures}))
    place = {day: i for i, day in enumerate(every)}
    step = strike_step_paise(index)
    middle = round(open_paise / step) * step
    strikes = [middle + step * i for i in range(-strikes_each_side, strikes_each_side + 1)]
    rows = _rows(index, on, futures, days, strikes)
    own, there = len(rows), {row[0] for row in rows}
    more = {c.symbol: (c.symbol, c.kind, c.expiry, c.strike_paise, lot(index, c.expiry, on))
            for c in held if c.expiry is not None and c.expiry in place and c.symbol not in there}  # fmt: skip
    rows += [more[symbol] for symbol in sorted(more)]

    symbols, kinds, days_of, strikes_of, sizes = zip(*rows, strict=True)
    schema = pa.schema([TICKS.field(i) for i in range(5)])
    columns = [[index] * len(rows), symbols, [int(k) for k in kinds], days_of, strikes_of]
    return Universe(
        contracts=pa.RecordBatch.from_arrays(
            [pa.array(values, f.type) for values, f in zip(columns, schema, strict=True)], schema=schema
        ),
        kind=np.array(kinds, np.int64),
        strike_paise=np.array(strikes_of, np.int64),
        lots=np.array(sizes, np.int64),
        expiry_at=np.array([place[d] if d else 0 for d in days_of], np.int64),
        expiry_days=every,
        settled_ns=np.array([to_ns(settlement(index, day).known) for day in every], np.int64),
        held=len(rows) - own,
    )


def _rows(
    index: str, on: dt.date, futures: Sequence[dt.date], days: Sequence[dt.date], strikes: Sequence[int]
) -> list[Row]:
    """The index, VIX beside NIFTY, the futures, the options."""
    rows: list[Row] = [(index, Kind.INDEX, None, 0, 1)]
    if index == "NIFTY":
        rows.append((VIX, Kind.INDEX, None, 0, 1))
    rows += [(future_symbol(index, day), Kind.FUTURE, day, 0, lot(index, day, on)) for day in futures]
    for day in days:
        size = lot(index, day, on)
        rows += [(option_symbol(index, day, k, K), k, day, K, size) for K in strikes for k in (Kind.CALL, Kind.PUT)]
    return rows
