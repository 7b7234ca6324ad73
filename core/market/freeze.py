"""The largest quantity one order may have, in units. NSE computes it anew every month, BSE when it sees fit.

Rows are the dates whose publication was seen; between two of them the earlier one is used. After the month of the
newest circular that was read the tables' figure is provisional. On a live desk the exchange's contract file wins. A
usable order is a whole number of lots at or below the figure.
"""

import datetime as dt
from typing import NamedTuple

from core.errors import UnknownDate
from core.market.indices import check_contract_index, exchange_of
from core.market.lots import lot
from core.market.overlay import Grade, user_facts

_D = dt.date
FREEZE_SEEN_UNTIL = _D(2026, 8, 31)  # the month of the newest circular read
BSE_REVIEW_DAYS = 183
_NSE = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50")


class FreezeRow(NamedTuple):
    since: dt.date
    quantity: int
    source: str
    grade: Grade = "circular"


# from, (NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY, NIFTYNXT50; 0: not traded or not seen), source
_NSE_ROWS = (
    (_D(2023, 4, 3), (1800, 900, 1800, 5500, 0), "angelone"),
    (_D(2024, 8, 1), (1800, 900, 1800, 2800, 600), "angelone"),
    (_D(2025, 3, 3), (1800, 900, 1800, 4200, 600), "angelone"),
    (_D(2025, 7, 1), (1800, 600, 1800, 2800, 600), "NSE 2025-06-30 (moneycontrol 2025-08-29)"),
    (_D(2025, 9, 1), (1800, 900, 1800, 2800, 600), "NSE 2025-08-29 (moneycontrol)"),
    (_D(2025, 11, 3), (1800, 600, 1800, 2800, 600), "NSE/FAOP/71087"),
    (_D(2025, 12, 1), (1800, 600, 1200, 2800, 600), "NSE/FAOP/71540; qtyfreeze file of December 2025"),
    (_D(2026, 2, 2), (1800, 600, 1800, 2800, 600), "NSE circular of 2026-01-30"),
    (_D(2026, 3, 2), (1800, 600, 1200, 2800, 600), "NSE circular of 2026-02-27"),
    (_D(2026, 4, 1), (1800, 900, 1800, 2800, 600), "NSE circulars of 2026-03-30, 2026-04-30, NSE/FAOP/74469"),
    (_D(2026, 7, 1), (1800, 600, 1800, 2800, 600), "NSE/FAOP/74942, NSE/FAOP/75521"),
)
TABLE: dict[str, tuple[FreezeRow, ...]] = {
    name: tuple(FreezeRow(since, row[place], source) for since, row, source in _NSE_ROWS if row[place])
    for place, name in enumerate(_NSE)
} | {
    # One figure was read for each; it is applied back to the contracts of the lots it is a multiple of.
    "SENSEX": (FreezeRow(_D(2025, 2, 1), 1000, "icicidirect, early 2026: 50 lots of 20", "provisional"),),
    "BANKEX": (FreezeRow(_D(2025, 2, 1), 900, "icicidirect, early 2026: 30 lots of 30", "provisional"),),
}


def freeze(index: str, on: dt.date) -> int:
    """Most units in one order on `on`; UnknownName, or UnknownDate before the table begins."""
    return freeze_row(index, on).quantity


def usable_freeze(index: str, expiry: dt.date, on: dt.date) -> int:
    """Most units one order of a contract of `expiry` may have on `on`: whole lots. Raises like `freeze` and `lot`."""
    units = lot(index, expiry, on)
    return freeze(index, on) // units * units


def freeze_row(index: str, on: dt.date) -> FreezeRow:
    """The row that decides, with its source and grade: provisional after `freeze_seen`. Raises like `freeze`."""
    rows = freeze_rows(index)
    held = [row for row in reversed(rows) if on >= row.since]
    if not held:
        first = min(row.since for row in rows)
        raise UnknownDate(f"the freeze quantity of {index} on {on} is not known; the table begins {first}")
    row = max(held, key=lambda row: row.since)  # of one day the first in turn: the user's own, last imported
    return row if row.grade == "user" or on <= freeze_seen(index, on) else row._replace(grade="provisional")


def freeze_seen(index: str, on: dt.date) -> dt.date:
    """The day up to which, by `on`, the figure of `index` is confirmed: to the end of the month a circular was for.

    A user's row older than the table's newest confirms nothing.
    """
    found, newest = [FREEZE_SEEN_UNTIL], TABLE[check_contract_index(index)][-1].since
    for facts in user_facts(on):
        for row in facts.freeze:
            if row.index == index and row.since >= newest:
                ahead = row.since - facts.published <= dt.timedelta(days=31)  # of the month after, as NSE's come out
                found.append(_month_end(max(facts.published, row.since) if ahead else facts.published))
    return max(found)


def freeze_horizon(index: str, on: dt.date) -> dt.date:
    """The last day before the figure of `index` is due: NSE's a month after `freeze_seen`, BSE's half a year."""
    seen = freeze_seen(index, on)
    if exchange_of(index) == "BSE":
        return seen + dt.timedelta(days=BSE_REVIEW_DAYS)
    return _month_end(seen + dt.timedelta(days=1))


def _month_end(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def freeze_rows(index: str) -> tuple[FreezeRow, ...]:
    """The table's rows and then the user's own. Raises UnknownName."""
    own = (
        FreezeRow(row.since, row.quantity, facts.source, "user")
        for facts in user_facts()
        for row in facts.freeze
        if row.index == index
    )
    return (*TABLE[check_contract_index(index)], *own)
