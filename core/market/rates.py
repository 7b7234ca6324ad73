"""Rates that trades in index options are charged at, by date; each row with its source.

A row holds from its date on. A date before the first row raises UnknownDate: where no source gives a start, the row
begins at the earliest date for which the whole set of rates is known.
"""

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

from core.errors import UnknownDate
from core.market.indices import exchange_of

_D, _R = dt.date, Decimal


class RateRow(NamedTuple):
    since: dt.date
    rate: Decimal
    source: str


_FLAT = _D(2024, 10, 1)  # from here on the exchanges charge flat rates: SEBI's true-to-label circular of 2024-07-01
_BUDGET24, _BUDGET26 = "Finance Act 2024 (livemint 2024-10, cleartax)", "BSE 20260331-7; mid-day 2026-02"

STT_SELL = (
    RateRow(_D(2016, 6, 1), _R("0.0005"), "NSE circular of May 2016, as reported: 0.05 % of premium"),
    RateRow(_D(2023, 4, 1), _R("0.000625"), "cleartax; the start is not confirmed by a circular"),
    RateRow(_D(2024, 10, 1), _R("0.001"), _BUDGET24),
    RateRow(_D(2026, 4, 1), _R("0.0015"), _BUDGET26),
)
STT_EXERCISE = (
    RateRow(_D(2019, 9, 1), _R("0.00125"), "NSE circular as reported by fyers: on the intrinsic value from 2019-09-01"),
    RateRow(_D(2026, 4, 1), _R("0.0015"), _BUDGET26),
)
TRANSACTION = {
    "NSE": (
        RateRow(_FLAT, _R("0.0003503"), "NSE/FA/64323: 3,503 a crore of premium"),
        RateRow(_D(2026, 3, 1), _R("0.0003552"), "NSE/FA/73061, 2026-02-27: 3,552 a crore"),
    ),
    "BSE": (RateRow(_FLAT, _R("0.000325"), "3,250 a crore (Hindustan Times 2024-09-27; BSE circular 2026-05-06)"),),
}
IPFT = {
    "NSE": (
        RateRow(_FLAT, _R("0.000005"), "NSE/FA/64323: 50 a crore; shareindia's list of charges"),
        RateRow(_D(2026, 3, 1), _R("0.0000001"), "NSE/FA/73061, 2026-02-27: 1 a crore"),
    ),
    "BSE": (RateRow(_FLAT, _R(0), "none beside the transaction charge in what was read"),),
}
SEBI_FEE = (RateRow(_FLAT, _R("0.000001"), "10 a crore of premium, both sides (Zerodha's list of charges)"),)
STAMP_BUY = (RateRow(_D(2020, 7, 1), _R("0.00003"), "Indian Stamp Act as amended, in force 2020-07-01"),)
GST = (RateRow(_FLAT, _R("0.18"), "on brokerage, transaction charge, IPFT and SEBI fee (Zerodha's list of charges)"),)
BROKERAGE_RUPEES = (RateRow(_FLAT, _R(20), "Zerodha: flat for an executed order; 40 with a debit balance"),)


def rate(rows: tuple[RateRow, ...], on: dt.date, name: str) -> Decimal:
    """The rate of `rows` in force on `on`; UnknownDate, saying where the table begins, for an earlier date."""
    for row in reversed(rows):
        if on >= row.since:
            return row.rate
    raise UnknownDate(f"the {name} on {on} is not known; the table begins {rows[0].since}")


def exchange_rate(table: dict[str, tuple[RateRow, ...]], index: str, on: dt.date, name: str) -> Decimal:
    """The rate of the exchange where `index` is traded; UnknownName for the index, UnknownDate for the date."""
    exchange = exchange_of(index)
    return rate(table[exchange], on, f"{name} of {exchange}")
