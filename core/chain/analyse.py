"""From the latest quotes of one index to its chain: vols and Greeks of every contract, figures of every expiry.

Pure: one book, one time, one rate give one chain, to the byte.
"""

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core import schemas
from core.chain import forwards, quotes
from core.chain.book import FIELDS, Book
from core.chain.expiry import Expiry, Market, figures
from core.chain.universe import ABSENT, VIX, Grid
from core.errors import UnknownDate
from core.market import from_ns, lot, spot_frozen
from core.pricing import Greeks, ParityForward, Reason, greeks, implied_vol, variance_pace, variance_years
from core.records import Chain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPOCH = dt.date(1970, 1, 1)
LOT_UNKNOWN = 0  # the tables do not reach this expiry; nothing is guessed and orders are refused elsewhere


@dataclass(frozen=True)
class Options:
    """The sorted options of a book, an entry each; prices in rupees."""

    values: Ints  # a row per book.FIELDS
    bid: Floats
    ask: Floats
    last: Floats
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
    bases = [_basis(book, grid, options, market, rate) for grid in book.universe.grids]
    sizes = [basis.grid.stop - basis.grid.start for basis in bases]
    forward = np.repeat([basis.forward.value for basis in bases], sizes)
    years = np.repeat([basis.years for basis in bases], sizes)
    discount = np.repeat([basis.discount for basis in bases], sizes)
    signs, strikes = book.universe.signs, book.universe.strikes
    vol, reason = implied_vol(signs, options.price, forward, strikes, years, discount)
    reason = np.where(np.isnan(forward), Reason.NO_FORWARD, reason)
    reason = np.where(years <= 0, Reason.NO_TIME, reason)
    reason = np.where(np.isnan(options.price), Reason.NO_PRICE, reason).astype(np.int8)
    vol = np.where(reason == Reason.OK, vol, np.nan)
    sensitivities = greeks(signs, forward, strikes, years, vol, discount)
    pace = np.repeat([variance_pace(market.index, basis.expiry, as_of_ns) for basis in bases], sizes)
    sensitivities = sensitivities._replace(theta=sensitivities.theta * pace)
    rows = [_expiry_row(basis, options, market, vol, sensitivities) for basis in bases]
    return Chain(
        contracts=_contracts(book, options, vol, reason, sensitivities),
        expiries=pa.RecordBatch.from_pylist(rows, schema=schemas.EXPIRIES),
    )


def _options(book: Book) -> Options:
    values = book.values[:, book.universe.options]
    bid, ask, last = (values[FIELDS[name]] / 100 for name in ("bid_paise", "ask_paise", "last_paise"))
    two_sided = quotes.sane(bid, ask, book.universe.strikes)
    return Options(values, bid, ask, last, two_sided, quotes.believed(bid, ask, last, two_sided))


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


def _basis(book: Book, grid: Grid, options: Options, market: Market, rate: float) -> Basis:
    expiry = EPOCH + dt.timedelta(days=grid.expiry_days)
    years = variance_years(market.index, expiry, market.as_of_ns)
    discount = math.exp(-rate * years)
    strikes = grid.strikes_paise / 100
    pairs = forwards.parity(strikes, _legs(options, grid.calls), _legs(options, grid.puts), discount)
    future, future_paise = _future(book, grid.future, market)
    spot = market.spot_paise / 100 if market.spot_paise > 0 else math.nan
    frozen = spot_frozen(market.index, market.as_of_ns)
    forward = forwards.choose(future, pairs, spot, discount, spot_frozen=frozen)
    return Basis(grid, expiry, years, discount, future_paise, pairs, forward)


def _legs(options: Options, rows: Ints) -> forwards.Legs:
    """Row ABSENT is −1 and reads the last row, so what is not listed is masked afterwards."""
    listed = rows != ABSENT
    traded = listed & (options.values[FIELDS["volume"], rows] > 0) & (options.last[rows] > 0)
    return forwards.Legs(
        bid=options.bid[rows],
        ask=options.ask[rows],
        last=np.where(traded, options.last[rows], np.nan),
        two_sided=options.two_sided[rows] & listed,
    )


def _future(book: Book, row: int, market: Market) -> tuple[forwards.Forward, int]:
    """Forward of the future in `row` of the book, and its price in paise, middle or last; 0 where there is none."""
    if row == ABSENT:
        return forwards.future_forward(0, 0, fresh=False), 0
    quote = book.values[:, row]
    fresh = market.as_of_ns - int(quote[FIELDS["exchange_ns"]]) <= market.max_age_ns
    bid, ask = int(quote[FIELDS["bid_paise"]]), int(quote[FIELDS["ask_paise"]])
    forward = forwards.future_forward(bid / 100, ask / 100, fresh=fresh)
    return forward, (bid + ask) // 2 if forward.source == "future" else int(quote[FIELDS["last_paise"]])


def _expiry_row(
    basis: Basis, options: Options, market: Market, vol: Floats, sensitivities: Greeks
) -> dict[str, object]:
    grid = basis.grid
    part = slice(grid.start, grid.stop)
    expiry = Expiry(
        strikes_paise=grid.strikes_paise,
        calls=np.where(grid.calls == ABSENT, ABSENT, grid.calls - grid.start),
        puts=np.where(grid.puts == ABSENT, ABSENT, grid.puts - grid.start),
        values=options.values[:, part],
        bid=options.bid[part],
        ask=options.ask[part],
        last=options.last[part],
        two_sided=options.two_sided[part],
        price=options.price[part],
        vol=vol[part],
        delta=sensitivities.delta[part],
        vega=sensitivities.vega[part],
        years=basis.years,
        discount=basis.discount,
        forward=basis.forward.value,
        parity_error=basis.parity.error,
    )
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
        **figures(expiry, market),
    }


def _contracts(
    book: Book, options: Options, vol: Floats, reason: NDArray[np.int8], sensitivities: Greeks
) -> pa.RecordBatch:
    computed = {"price": options.price, "iv": vol, "iv_reason": reason, **sensitivities._asdict()}
    columns = list(book.universe.columns)
    for name in schemas.CONTRACTS.names[len(columns) :]:
        column = computed[name] if name in computed else options.values[FIELDS[name]]
        columns.append(pa.array(np.ascontiguousarray(column)))
    return pa.RecordBatch.from_arrays(columns, schema=schemas.CONTRACTS)


@lru_cache(maxsize=256)
def _lot(index: str, expiry: dt.date, on: dt.date) -> int:
    try:
        return lot(index, expiry, on)
    except UnknownDate:
        return LOT_UNKNOWN
