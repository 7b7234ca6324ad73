"""How long an instrument list is of the day."""

import datetime as dt

from core.errors import UnknownDate
from core.market.calendar import next_session
from core.market.indices import exchange_of
from core.market.moment import IST, to_ns


def list_ends_ns(index: str, on: dt.date) -> int:
    """UTC nanoseconds of the midnight (IST) before the next session of `index` after `on`; UnknownName for the index.

    From then on a token of the list of `on` may be another contract's. Where no calendar says, the next day is one.
    """
    try:
        day = next_session(exchange_of(index), on)
    except UnknownDate:
        day = on + dt.timedelta(days=1)
    return to_ns(dt.datetime.combine(day, dt.time(), IST))
