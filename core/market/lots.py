"""Units in one lot, by expiry of the contract; the trade date decides only for contracts listed before a change.

A revision never touches a contract that is already listed, except the quarterly and half-yearly ones, which are
converted on a stated evening. So a row says: expiries from `first_expiry` on carry `lot`; a contract of a quarter's
last month, which may have been listed years before, carries it from the trade date `long_dated_from` on; any other
contract from `new_from` on.

Sources: realised monthly lots of NSE's bhavcopies 2012-2026, circulars NSE 26-Apr-2024, NSE Oct-2024 (SEBI 2024-10-01),
NSE/FAOP/70616 of 2025-10-03; reports of angelone, fyers, share.market, livemint where a row says so. Seen until
2026-08-22; the last row stays in force until a newer one is entered, because it is what contracts listed since carry.
On a live desk the instrument dump wins.
"""

import datetime as dt
from typing import NamedTuple

from core.errors import UnknownDate
from core.market.indices import check_index

_D = dt.date


class LotRow(NamedTuple):
    first_expiry: dt.date
    lot: int  # 0: no source says; such an expiry is refused
    new_from: dt.date
    long_dated_from: dt.date
    source: str


_START = _D(2023, 1, 1)
_APR24, _NOV24, _APR25, _OCT25 = _D(2024, 4, 26), _D(2024, 11, 21), _D(2025, 4, 25), _D(2025, 10, 3)
_LONG24, _LONG25 = _D(2024, 12, 27), _D(2025, 12, 31)
_BHAV = "realised lots, NSE bhavcopies"
_NSE24 = "NSE Oct-2024 after SEBI 2024-10-01; new contracts from 2024-11-21"
_NSE25 = "NSE/FAOP/70616, 2025-10-03"

_TABLE: dict[str, tuple[LotRow, ...]] = {
    "NIFTY": (
        LotRow(_START, 50, _START, _START, _BHAV),
        LotRow(_D(2024, 4, 26), 25, _APR24, _APR24, "NSE 26-Apr-2024: all live contracts at once"),
        LotRow(_D(2025, 1, 2), 75, _NOV24, _LONG24, _NSE24 + "; first weekly of 75 not confirmed by a contract file"),
        LotRow(_D(2025, 1, 30), 25, _APR24, _APR24, _BHAV + ": the monthly of January 2025 was listed before"),
        LotRow(_D(2025, 2, 6), 75, _NOV24, _LONG24, _NSE24 + "; long-dated converted 2024-12-26 EOD"),
        LotRow(_D(2026, 1, 6), 65, _OCT25, _LONG25, _NSE25 + "; long-dated converted 2025-12-30 EOD"),
    ),
    "BANKNIFTY": (
        LotRow(_START, 25, _START, _START, _BHAV),
        LotRow(_D(2023, 7, 1), 15, _D(2023, 4, 28), _D(2023, 4, 28), "angelone: new contracts from 2023-04-28"),
        LotRow(_D(2025, 2, 27), 30, _NOV24, _D(2024, 12, 25), _NSE24 + "; long-dated converted 2024-12-24 EOD"),
        LotRow(_D(2025, 7, 31), 35, _APR25, _APR25, "fyers, ndtvprofit 2025-03-28: from 2025-04-25"),
        LotRow(_D(2026, 1, 27), 30, _OCT25, _LONG25, _NSE25 + "; long-dated converted 2025-12-30 EOD"),
    ),
    "FINNIFTY": (
        LotRow(_START, 40, _START, _START, _BHAV),
        LotRow(_D(2024, 7, 30), 25, _APR24, _APR24, "NSE 26-Apr-2024; weeklies from 2024-08-06 (angelone)"),
        LotRow(_D(2025, 2, 27), 65, _NOV24, _LONG24, _NSE24),
        LotRow(_D(2026, 1, 27), 60, _OCT25, _LONG25, _NSE25),
    ),
    "MIDCPNIFTY": (
        LotRow(_START, 75, _START, _START, _BHAV),
        LotRow(_D(2024, 7, 29), 50, _APR24, _APR24, "NSE 26-Apr-2024; weeklies from 2024-08-05 (angelone)"),
        LotRow(_D(2025, 2, 27), 120, _NOV24, _LONG24, _NSE24),
        LotRow(_D(2025, 7, 31), 140, _APR25, _APR25, "realised lots; 2025 revision from 2025-04-25"),
        LotRow(_D(2026, 1, 27), 120, _OCT25, _LONG25, _NSE25),
    ),
    "SENSEX": (
        LotRow(_D(2023, 5, 15), 10, _START, _START, "livemint 2023-03-28: relaunch of 2023-05-15"),
        LotRow(_D(2025, 1, 1), 0, _START, _START, "no source says which expiries of January 2025 were listed with 20"),
        LotRow(
            _D(2025, 2, 1), 20, _NOV24, _D(2024, 12, 28), "share.market: from 2024-11-21, long-dated 2024-12-27 EOD"
        ),
    ),
}


def lot(index: str, expiry: dt.date, on: dt.date) -> int:
    """Units in one lot of `index`'s contracts of `expiry`, as traded on `on`.

    Raises UnknownName for the index, UnknownDate before the table begins or where no source gives the lot.

    >>> lot("NIFTY", dt.date(2026, 3, 31), dt.date(2025, 8, 29))
    75
    >>> lot("NIFTY", dt.date(2026, 3, 31), dt.date(2026, 1, 1))
    65
    """
    rows = _TABLE[check_index(index)]
    quarterly = expiry.month % 3 == 0
    for row in reversed(rows):
        if expiry >= row.first_expiry and on >= (row.long_dated_from if quarterly else row.new_from):
            if row.lot == 0:
                raise UnknownDate(f"the lot of {index} {expiry} is not known: {row.source}")
            return row.lot
    first = max(rows[0].first_expiry, rows[0].new_from)
    raise UnknownDate(f"the lot of {index} {expiry} on {on} is not known; the table of {index} begins {first}")
