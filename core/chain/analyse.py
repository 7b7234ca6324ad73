"""From the latest quotes of one index to its chain: vols and Greeks of every contract, figures of every expiry.

Pure: one book, one time, one rate give one chain, to the byte.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core import schemas
from core.chain import forwards
from core.chain.book import FIELDS, Book
from core.chain.expiry import Market
from core.chain.figures import figures, sums
from core.chain.universe import VIX, Grid, Universe
from core.errors import UnknownDate
from core.market import SettlementMethod, from_ns, lot, settlement, spot_frozen
from core.market.overlay import remembered
from core.pricing import (
    Greeks,
    ParityForward,
    Reason,
    expected_settlement,
    greeks,
    implied_vol,
    kernels_parity,
    variance_pace,
    variance_years,
)
from core.pricing import kernels_chain as k
from core.pricing.chain_rules import ABSENT
from core.records import Chain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]

EXPIRY_ROW = pa.struct(list(schemas.EXPIRIES))
ARROW = {np.dtype(np.float64): pa.float64(), np.dtype(np.int64): pa.int64(), np.dtype(np.int8): pa.int8()}
EPOCH = dt.date(1970, 1, 1)
COMPUTED = tuple(schemas.CONTRACTS.names[len(Universe("").columns) :])
TOPS = [FIELDS["bid_paise"], FIELDS["ask_paise"]]
LOT_UNKNOWN = 0  # the tables do not reach this expiry; nothing is guessed and orders are refused elsewhere


@dataclass(frozen=True)
class Options:
    """The sorted options of a book, an entry each; prices in rupees."""

    values: Ints  # a row per book.FIELDS
    numbers: Floats  # the rows of core.pricing.kernels_chain; vol, delta and vega come later
    two_sided: NDArray[np.bool_]
    price: Floats


@dataclass(frozen=True)
class Basis:
    """What an expiry is priced on."""

    grid: Grid
    expiry: dt.date
    years: float
    discount: float
    future_paise: int
    parity: ParityForward
    forward: forwards.Forward


def analyse(book: Book, *, as_of_ns: int, sequence: int, rate: float, max_age_ns: int) -> Chain:
    """Return the chain of `book` at market time `as_of_ns`.

    rate: continuously compounded per year, for the discount factor alone; the forward comes from the market.
    max_age_ns: older quotes are priced all the same, but do not count as fresh, and an older future gives no forward.
    Contracts come sorted by expiry, strike, kind; expiries earliest first. A contract without price or vol has NaN
    and its reason; it changes no other row.
    """
    options = _options(book)
    market = _market(book, as_of_ns, sequence, max_age_ns)
    universe, layout = book.universe, book.universe.layout
    bases = _bases(book, options, market, rate)
    shared = np.array(
        [(basis.forward.value, basis.years, basis.discount, _pace(market, basis)) for basis in bases], np.float64
    ).reshape(-1, 4)
    forward, years, discount, pace = shared.T.take(layout.grid_of, axis=1)
    vol, reason = implied_vol(universe.signs, options.price, forward, universe.strikes, years, discount)
    reason = _reason(reason, options.price, forward, years)
    sensitivities = greeks(universe.signs, forward, universe.strikes, years, vol, discount)
    sensitivities = sensitivities._replace(theta=sensitivities.theta * pace)
    options.numbers[k.VOL], options.numbers[k.DELTA], options.numbers[k.VEGA] = vol, *sensitivities[:4:3]
    found = sums(
        layout, market, options.values, options.numbers, options.two_sided, *np.ascontiguousarray(shared.T[::2])
    )
    rows = [_expiry_row(basis, market, row) for basis, row in zip(bases, found, strict=True)]
    return Chain(
        contracts=_contracts(book, options, vol, reason, sensitivities),
        expiries=pa.RecordBatch.from_struct_array(cast("pa.StructArray", pa.array(rows, EXPIRY_ROW))),
    )


def _pace(market: Market, basis: Basis) -> float:
    return variance_pace(market.index, basis.expiry, market.as_of_ns)


def _reason(reason: Codes, price: Floats, forward: Floats, years: Floats) -> Codes:
    """Why a contract has no vol: it is settled; else its price or the forward is missing; else the kernel's reason."""
    reason[np.isnan(forward)] = Reason.NO_FORWARD
    reason[np.isnan(price)] = Reason.NO_PRICE
    reason[years <= 0] = Reason.NO_TIME
    return reason


def _options(book: Book) -> Options:
    values = book.values.take(book.universe.options, axis=1)
    count = values.shape[1]
    numbers, two_sided = np.empty((7, count)), np.empty(count, np.bool_)
    k.quote_rows(values, values[TOPS], book.universe.strikes, numbers, two_sided)
    return Options(values, numbers, two_sided, numbers[k.PRICE])


def _market(book: Book, as_of_ns: int, sequence: int, max_age_ns: int) -> Market:
    index = book.universe.index
    row = book.universe.rows.get(index)
    previous = 0 if row is None else int(book.values[FIELDS["prev_close_paise"], row])
    vix_paise = book.last_paise(VIX)
    return Market(
        index=index,
        as_of_ns=as_of_ns,
        sequence=sequence,
        max_age_ns=max_age_ns,
        spot_paise=book.last_paise(index),
        spot_prev_close_paise=previous,
        vix=vix_paise / 100 if vix_paise > 0 else math.nan,
    )


def _bases(book: Book, options: Options, market: Market, rate: float) -> list[Basis]:
    """What each expiry is priced on, in order."""
    grids, layout = book.universe.grids, book.universe.layout
    days = [EPOCH + dt.timedelta(days=grid.expiry_days) for grid in grids]
    years = [variance_years(market.index, day, market.as_of_ns) for day in days]
    discounts = np.array([math.exp(-rate * left) for left in years])
    found = np.empty((len(grids), 3))
    kernels_parity.parity_rows(
        options.values, options.numbers, options.two_sided, layout.strikes, layout.calls, layout.puts, layout.edges,
        discounts, market.as_of_ns, market.max_age_ns, found,
    )  # fmt: skip
    bases = []
    for grid, day, left, discount, (level, error, used) in zip(
        grids, days, years, discounts.tolist(), found.tolist(), strict=True
    ):
        pairs = ParityForward(level, error, int(used))
        future, future_paise = _future(book, grid.future, market)
        forward = forwards.choose(future, pairs, _carried(book, market, day, discount))
        bases.append(Basis(grid, day, left, discount, future_paise, pairs, forward))
    return bases


def _carried(book: Book, market: Market, expiry: dt.date, discount: float) -> float:
    """The spot carried to the settlement of `expiry`, rupees; while that is averaged, with what is averaged already.

    NaN while the closing auction holds the index still, and where spot or mean are unknown.
    """
    if market.spot_paise <= 0 or spot_frozen(market.index, market.as_of_ns):
        return math.nan
    spot, ends = market.spot_paise / 100 / discount, settlement(market.index, expiry)
    if ends.method is not SettlementMethod.AVERAGE or market.as_of_ns <= ends.begin_ns:
        return spot
    mean = book.averaged.rupees(ends, market.as_of_ns)
    return expected_settlement(market.index, expiry, market.as_of_ns, forward=spot, mean_so_far=mean)


def _future(book: Book, row: int, market: Market) -> tuple[forwards.Forward, int]:
    """Forward of the future in `row` of the book, and its price in paise, middle or last; 0 where there is none."""
    if row == ABSENT:
        return forwards.future_forward(0, 0, fresh=False), 0
    quote = book.values[:, row]
    fresh = market.as_of_ns - int(quote[FIELDS["exchange_ns"]]) <= market.max_age_ns
    bid, ask = int(quote[FIELDS["bid_paise"]]), int(quote[FIELDS["ask_paise"]])
    forward = forwards.future_forward(bid / 100, ask / 100, fresh=fresh)
    return forward, (bid + ask) // 2 if forward.source == "future" else int(quote[FIELDS["last_paise"]])


def _expiry_row(basis: Basis, market: Market, row: list[float]) -> dict[str, object]:
    forward, parity = basis.forward.value, basis.parity
    return {
        "index": market.index,
        "expiry": basis.expiry,
        "as_of_ns": market.as_of_ns,
        "sequence": market.sequence,
        "lot": _lot(market.index, basis.expiry, from_ns(market.as_of_ns).date()),
        "years": basis.years,
        "discount": basis.discount,
        "spot_paise": market.spot_paise,
        "spot_prev_close_paise": market.spot_prev_close_paise,
        "future_paise": basis.future_paise,
        "vix": market.vix,
        "forward": basis.forward.value,
        "forward_source": basis.forward.source,
        "forward_error": basis.forward.error,
        **figures(
            row,
            basis.grid,
            forward=forward,
            years=basis.years,
            parity_error=max(parity.error, abs(parity.forward - forward)),
        ),
    }


def _contracts(
    book: Book, options: Options, vol: Floats, reason: NDArray[np.int8], sensitivities: Greeks
) -> pa.RecordBatch:
    computed = {"price": options.price, "iv": vol, "iv_reason": reason, **sensitivities._asdict()}
    columns = list(book.universe.columns)
    columns += [_arrow(computed[name] if name in computed else options.values[FIELDS[name]]) for name in COMPUTED]
    return pa.RecordBatch.from_arrays(columns, schema=schemas.CONTRACTS)


def _arrow(column: NDArray[Any]) -> "pa.Array[Any]":
    """The column as it lies in memory: NaN stays NaN, and nothing is looked at."""
    return pa.Array.from_buffers(ARROW[column.dtype], column.size, [None, pa.py_buffer(column.data)], 0)


@remembered(256)
def _lot(index: str, expiry: dt.date, on: dt.date) -> int:
    try:
        return lot(index, expiry, on)
    except UnknownDate:
        return LOT_UNKNOWN
