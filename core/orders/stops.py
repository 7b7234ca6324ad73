"""What a stop-limit order's two prices must be to each other, and to the market, for the exchange to take it.

How far the limit may lie beyond the trigger is NSE's pre-trade control of 2023 (its code 16448); no such rule of BSE's
was found. That the trigger must lie ahead of the last price is the broker's: it turns away what would trigger at once.
"""

import datetime as dt
from typing import NamedTuple

from core.errors import UnknownDate
from core.market import exchange_of
from core.records import Refusal, Side

RUPEE = 100


class StopRange(NamedTuple):
    """Of options: up to `low_trigger_paise` the limit may lie `least_paise` beyond the trigger, above it this share."""

    since: dt.date
    low_trigger_paise: int
    least_paise: int
    share: float
    source: str


STOP_RANGES: dict[str, tuple[StopRange, ...]] = {
    "NSE": (
        StopRange(dt.date(2024, 1, 1), 50 * RUPEE, 10 * RUPEE, 0.20,
                  "NSE's F&O circular of 2023, as told by Alice Blue (54/2023), Geojit and Angel One; code 16448; the "
                  "day it came into force was not found, so the row begins with the year after"),
    ),
    "BSE": (),
}  # fmt: skip


def stop_width_paise(index: str, trigger_paise: int, on: dt.date) -> int | None:
    """How far a stop's limit may lie beyond its trigger; None where no rule is known. UnknownDate before the table."""
    exchange = exchange_of(index)
    rows = STOP_RANGES[exchange]
    if not rows:
        return None
    for row in reversed(rows):
        if on >= row.since:
            return row.least_paise if trigger_paise <= row.low_trigger_paise else int(trigger_paise * row.share)
    raise UnknownDate(f"how far a stop's limit may lie on {exchange} on {on} is not known; see {rows[0].since}")


def stop_refusal(side: Side, limit_paise: int, trigger_paise: int, *, index: str, on: dt.date) -> Refusal | None:
    """Why the exchange does not take a stop of these two prices; None if it does. Raises as `stop_width_paise`.

    A buyer's limit lies at its trigger or above, a seller's at its trigger or below: else it would rest, not trade.
    """
    beyond = limit_paise - trigger_paise if side == "BUY" else trigger_paise - limit_paise
    trigger, limit = f"{trigger_paise / 100:.2f}", f"{limit_paise / 100:.2f}"
    if beyond < 0:
        above = "at or above" if side == "BUY" else "at or below"
        why = f"a {side} stop becomes a limit order at its trigger, so its limit lies {above} that"
        return Refusal(limit="stop", allowed=f"{above} {trigger}", asked=limit, why=why)
    width = stop_width_paise(index, trigger_paise, on)
    if width is not None and beyond > width:
        edge = trigger_paise + width if side == "BUY" else max(0, trigger_paise - width)
        why = f"the exchange lets a stop's limit lie {width / 100:.2f} beyond its trigger of {trigger} (16448)"
        return Refusal(limit="stop_range", allowed=f"up to {edge / 100:.2f}", asked=limit, why=why)
    return None


def passed(side: Side, trigger_paise: int, last_paise: int) -> bool:
    """Whether the last price has reached a stop's trigger: then it is a limit order, and a new one is turned away."""
    if last_paise <= 0:
        return False
    return last_paise >= trigger_paise if side == "BUY" else last_paise <= trigger_paise


def turned_away(side: Side, trigger_paise: int, last_paise: int) -> str:
    """In Kite's words why a stop that the last price has passed is no order; empty if it is one."""
    if not passed(side, trigger_paise, last_paise):
        return ""
    beyond = "higher" if side == "BUY" else "lower"
    return (
        f"Trigger price for stoploss {side.lower()} orders should be {beyond} than the last traded price "
        f"({last_paise / 100:.2f})."
    )
