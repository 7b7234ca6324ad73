"""Which expiry a strategy trades, the same on a recorded day as on the desk."""

import datetime as dt

from core.errors import UnknownDate
from core.market import expiries


def expiry_to_trade(index: str, day: dt.date, on_expiry: str) -> dt.date:
    """The nearest expiry from `day` on; on an expiry day the next one if `on_expiry` is next. Raises UnknownDate."""
    listed = expiries(index, day)
    if listed[0] != day or on_expiry == "same":
        return listed[0]
    if len(listed) < 2:
        raise UnknownDate(f"no expiry of {index} after {day} is known")
    return listed[1]
