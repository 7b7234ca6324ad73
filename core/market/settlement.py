"""How an expiry ends: its last trade, the window its settlement price is made in, and when that price is known."""

import datetime as dt

from core.market.calendar import close_time
from core.market.indices import check_index
from core.market.moment import IST


def expiry_moment(index: str, expiry: dt.date) -> dt.datetime:
    """Last moment at which the contract trades, IST: the close in force on that day (15:40 from 2026-08-03)."""
    check_index(index)
    return dt.datetime.combine(expiry, close_time(expiry), IST)
