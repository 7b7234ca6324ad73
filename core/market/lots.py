"""Units in one lot, by expiry of the contract; the trade date decides only for contracts listed before a change.

A revision never touches a contract that is already listed, except the quarterly and half-yearly ones, which are
converted on a stated evening. So a row says: expiries from `first_expiry` on carry `lot`; a contract of a quarter's
last month, which may have been listed years before, carries it from the trade date `long_dated_from` on; any other
contract from `new_from` on.

Every lot of NSE's index futures of 2019 to 2026-07-31 agrees with them (docs/facts.md), and of the dumps of 2025-09 to
2026-05. The last row stays in force until a newer one is entered, because it is what contracts listed since carry.
On a live desk the instrument dump wins. Traded after the newest circular that was read, a contract's lot is graded
provisional: a newer revision may exist.
"""

import datetime as dt
from typing import NamedTuple

from core.errors import UnknownDate
from core.market.indices import check_contract_index
from core.market.overlay import Grade, dump_of, remembered, user_facts

_D = dt.date
LOTS_SEEN_UNTIL = _D(2026, 8, 22)  # newest circular read; SEBI has lots reviewed twice a year
REVIEW_DAYS = 183


class LotRow(NamedTuple):
    first_expiry: dt.date
    lot: int
    new_from: dt.date
    long_dated_from: dt.date
    source: str
    grade: Grade = "circular"


_START = _D(2019, 1, 1)
_MAY20, _APR21, _JUN21 = _D(2020, 5, 4), _D(2021, 4, 30), _D(2021, 6, 25)
_APR23, _MAY23, _JUN23 = _D(2023, 4, 28), _D(2023, 5, 15), _D(2023, 6, 30)
_APR24, _NOV24, _APR25, _OCT25 = _D(2024, 4, 26), _D(2024, 11, 21), _D(2025, 4, 25), _D(2025, 10, 3)
_LONG24, _LONG25, _BSE24 = _D(2024, 12, 27), _D(2025, 12, 31), _D(2024, 12, 28)
_BHAV = "lots implied by NSE bhavcopies"
_NSE24 = "NSE 2024-10-18 after SEBI 2024-10-01; contracts listed since 2024-11-21"
_NSE25 = "NSE/FAOP/70616, 2025-10-03"
_BSE = "BSE 2023-03-28 (livemint): relaunched 2023-05-15"
_BSE_24 = "BSE after SEBI 2024-10-01 (angelone 2024-11, sharekhan 2024-11-26); long-dated converted 2024-12-27 EOD"

TABLE: dict[str, tuple[LotRow, ...]] = {
    "NIFTY": (
        LotRow(_START, 75, _START, _START, _BHAV, "measured"),
        LotRow(_D(2021, 7, 29), 50, _APR21, _JUN21, "NSE/FAOP/47854, 2021-03-31: monthly of July, weeklies of August"),
        LotRow(_D(2024, 4, 26), 25, _APR24, _APR24, "NSE 2024-04-02: all live contracts at once on 2024-04-26"),
        LotRow(_D(2025, 1, 2), 75, _NOV24, _LONG24, _NSE24 + "; first weekly 2025-01-02 (sharekhan 2024-11-26)"),
        LotRow(_D(2025, 1, 30), 25, _APR24, _APR24, "the monthly of January 2025 was listed before; " + _BHAV),
        LotRow(_D(2025, 2, 6), 75, _NOV24, _LONG24, _NSE24 + "; long-dated converted 2024-12-26 EOD"),
        LotRow(_D(2026, 1, 6), 65, _OCT25, _LONG25, _NSE25 + "; long-dated converted 2025-12-30 EOD"),
    ),
    "BANKNIFTY": (
        LotRow(_START, 20, _START, _START, _BHAV, "measured"),
        LotRow(_D(2020, 7, 30), 25, _MAY20, _MAY20, "NSE 2020-03-31 (moneycontrol): from the July monthly"),
        LotRow(_D(2023, 7, 27), 15, _APR23, _JUN23, "NSE 2023-03-31 (livemint): July monthly, weeklies of August"),
        LotRow(_D(2025, 2, 1), 30, _NOV24, _D(2024, 12, 25), _NSE24 + "; long-dated converted 2024-12-24 EOD"),
        LotRow(_D(2025, 7, 31), 35, _APR25, _APR25, "NSE 2025-03-28 (fyers, ndtvprofit): from 2025-04-25"),
        LotRow(_D(2026, 1, 1), 30, _OCT25, _LONG25, _NSE25 + "; long-dated converted 2025-12-30 EOD"),
    ),
    "FINNIFTY": (
        LotRow(_D(2021, 1, 11), 40, _D(2021, 1, 11), _D(2021, 1, 11), _BHAV, "measured"),
        LotRow(_D(2024, 7, 30), 25, _APR24, _APR24, "NSE 2024-04-02: July monthly, weeklies from 2024-08-06"),
        LotRow(_D(2025, 2, 1), 65, _NOV24, _LONG24, _NSE24),
        LotRow(_D(2026, 1, 1), 60, _OCT25, _OCT25, _NSE25),
    ),
    "MIDCPNIFTY": (
        LotRow(_D(2022, 1, 24), 75, _D(2022, 1, 24), _D(2022, 1, 24), _BHAV, "measured"),
        LotRow(_D(2024, 7, 29), 50, _APR24, _APR24, "NSE 2024-04-02: July monthly, weeklies from 2024-08-05"),
        LotRow(_D(2025, 2, 1), 120, _NOV24, _LONG24, _NSE24),
        LotRow(_D(2025, 7, 31), 140, _APR25, _APR25, "NSE 2025-03-28 (fyers, ndtvprofit): from 2025-04-25"),
        LotRow(_D(2026, 1, 1), 120, _OCT25, _OCT25, _NSE25),
    ),
    "NIFTYNXT50": (
        LotRow(_D(2024, 4, 24), 10, _D(2024, 4, 24), _D(2024, 4, 24), _BHAV, "measured"),
        LotRow(_D(2025, 2, 1), 25, _NOV24, _NOV24, _NSE24),
    ),
    "SENSEX": (
        LotRow(_MAY23, 10, _MAY23, _MAY23, _BSE),
        LotRow(_D(2025, 1, 7), 20, _NOV24, _BSE24, _BSE_24 + "; first weekly 2025-01-10, moved to the 7th"),
        LotRow(_D(2025, 1, 28), 10, _MAY23, _MAY23, "January's monthly was listed before; " + _BSE_24),
        LotRow(_D(2025, 2, 1), 20, _NOV24, _BSE24, _BSE_24),
    ),
    "BANKEX": (
        LotRow(_MAY23, 15, _MAY23, _MAY23, _BSE),
        LotRow(_D(2025, 2, 1), 30, _NOV24, _NOV24, _BSE_24),
    ),
}  # fmt: skip


def lot(index: str, expiry: dt.date, on: dt.date) -> int:
    """Units in one lot of `index`'s contracts of `expiry`, as traded on `on`.

    Raises UnknownName for the index, UnknownDate before the table begins.

    >>> lot("NIFTY", dt.date(2026, 3, 31), dt.date(2025, 8, 29))
    75
    >>> lot("NIFTY", dt.date(2026, 3, 31), dt.date(2026, 1, 1))
    65
    """
    return lot_row(index, expiry, on).lot


@remembered(16_384)
def lot_row(index: str, expiry: dt.date, on: dt.date) -> LotRow:
    """The row that decides, with its source and grade: the dump of `on` if one is in use. Raises like `lot`.

    The tables' own row is provisional after `lots_seen`.
    """
    dump = dump_of(on)
    if dump is not None and (index, expiry) in dump.lots:
        return LotRow(expiry, dump.lots[index, expiry], on, on, f"instrument dump of {on}", "dump")
    row = table_row(index, expiry, on)
    return row if row.grade == "user" or on <= lots_seen(index, on) else row._replace(grade="provisional")


def lots_seen(index: str, on: dt.date) -> dt.date:
    """The day up to which, by `on`, the lots of `index` were compared with circulars: by us or by a user's row.

    A user's row older than the table's newest confirms nothing.
    """
    newest = TABLE[check_contract_index(index)][-1].first_expiry
    own = (
        facts.published
        for facts in user_facts(on)
        for row in facts.lots
        if row.index == index and row.first_expiry >= newest
    )
    return max([LOTS_SEEN_UNTIL, *own])


def table_row(index: str, expiry: dt.date, on: dt.date) -> LotRow:
    """The row of the tables alone. Raises like `lot`."""
    rows = lot_rows(index)
    quarterly = expiry.month % 3 == 0
    for row in reversed(rows):
        if expiry >= row.first_expiry and on >= (row.long_dated_from if quarterly else row.new_from):
            return row
    first = max(rows[0].first_expiry, rows[0].new_from)
    raise UnknownDate(f"the lot of {index} {expiry} on {on} is not known; the table of {index} begins {first}")


def lot_rows(index: str) -> tuple[LotRow, ...]:
    """The table's rows and the user's own in order of expiry, of which the last that applies decides.

    Of two with the same days the user's comes after, the last imported last. Raises UnknownName.
    """
    own = (
        LotRow(row.first_expiry, row.lot, row.new_from, row.long_dated_from, facts.source, "user")
        for facts in user_facts()
        for row in facts.lots
        if row.index == index
    )
    rows = (*TABLE[check_contract_index(index)], *own)
    return tuple(sorted(rows, key=lambda row: (row.first_expiry, row.new_from)))
