"""The largest quantity one order may have, in units. NSE computes it anew every month.

Rows are the dates whose publication was seen; between two of them the earlier one is used. On a live desk the
exchange's contract file wins. A usable order is a whole number of lots at or below the figure.
"""

import datetime as dt

from core.errors import UnknownDate
from core.market.indices import check_index

_D = dt.date
_NSE = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY")
# from, (NIFTY, BANKNIFTY, FINNIFTY, MIDCPNIFTY), source
_NSE_ROWS = (
    (_D(2023, 4, 3), (1800, 900, 1800, 5500), "angelone"),
    (_D(2024, 8, 1), (1800, 900, 1800, 2800), "angelone"),
    (_D(2025, 3, 3), (1800, 900, 1800, 4200), "angelone"),
    (_D(2025, 7, 1), (1800, 600, 1800, 2800), "moneycontrol 2025-08-29"),
    (_D(2025, 9, 1), (1800, 900, 1800, 2800), "moneycontrol 2025-08-29"),
    (_D(2025, 11, 3), (1800, 600, 1800, 2800), "NSE/FAOP/71087"),
    (_D(2025, 12, 1), (1800, 600, 1200, 2800), "NSE/FAOP/71540"),
    (_D(2026, 2, 2), (1800, 600, 1800, 2800), "NSE circular of 2026-01-30"),
    (_D(2026, 3, 2), (1800, 600, 1200, 2800), "NSE circular of 2026-02-27"),
    (_D(2026, 4, 1), (1800, 900, 1800, 2800), "NSE circulars of 2026-03-30, 2026-04-30, NSE/FAOP/74469"),
    (_D(2026, 7, 1), (1800, 600, 1800, 2800), "NSE/FAOP/74942, NSE/FAOP/75521"),
)
_TABLE = {name: tuple((row[0], row[1][i], row[2]) for row in _NSE_ROWS) for i, name in enumerate(_NSE)}
# One figure was read for BSE; it is the figure of contracts of 20 units, which begin with February 2025.
_TABLE["SENSEX"] = ((_D(2025, 2, 1), 1000, "icicidirect, early 2026: 50 lots"),)


def freeze(index: str, on: dt.date) -> int:
    """Most units in one order on `on`; UnknownName, or UnknownDate before the table begins."""
    rows = _TABLE[check_index(index)]
    for since, quantity, _ in reversed(rows):
        if on >= since:
            return quantity
    raise UnknownDate(f"the freeze quantity of {index} on {on} is not known; the table begins {rows[0][0]}")
