"""What happens within a trading day: pre-open, normal market, closing auction, post-close, by market and date.

Cash and derivatives keep different hours since 2026-08-03. Nothing here decides when the desk may trade (that is
`session`); it says when the spot index stands still, when a price is an auction's, and when the day is over.
"""

import datetime as dt
from typing import Literal, NamedTuple

from core.market.calendar import OPEN, close_time, session, special_of
from core.market.moment import IST

Market = Literal["cash", "derivatives"]
_T, _D = dt.time, dt.date
_NEVER = _D.max
_LATE = "NSE/FAOP/74467, BSE 20260801-2: 15:40 since 2026-08-03"
_CAS = "NSE/CMTR/74466, SEBI 2026-01-16"


class _Row(NamedTuple):
    since: dt.date
    until: dt.date  # the first day on which it no longer holds
    market: Market
    name: str
    start: dt.time
    end: dt.time
    note: str
    source: str
    exchange: str = ""  # empty: both


_AUGUST, _SEPTEMBER, _PRE = _D(2026, 8, 3), _D(2026, 9, 7), _D(2025, 12, 8)
_OLD_PRE = "NSE and BSE timings until 2026-09-06"
_CUT = "NSE/CMTR/74969"
_ROWS = (
    _Row(_D.min, _SEPTEMBER, "cash", "pre-open orders", _T(9, 0), _T(9, 8), "random close 09:07 to 09:08", _OLD_PRE),
    _Row(_D.min, _SEPTEMBER, "cash", "pre-open match", _T(9, 8), _T(9, 12), "", _OLD_PRE),
    _Row(_D.min, _SEPTEMBER, "cash", "buffer", _T(9, 12), _T(9, 15), "", _OLD_PRE),
    _Row(_SEPTEMBER, _NEVER, "cash", "pre-open orders", _T(9, 0), _T(9, 5), "market and limit orders", _CUT),
    _Row(_SEPTEMBER, _NEVER, "cash", "pre-open limit orders", _T(9, 5), _T(9, 10), "random close from 09:08 on", _CUT),
    _Row(_SEPTEMBER, _NEVER, "cash", "pre-open match", _T(9, 10), _T(9, 12), "", _CUT),
    _Row(_SEPTEMBER, _NEVER, "cash", "buffer", _T(9, 12), _T(9, 15), "", _CUT),
    _Row(_PRE, _NEVER, "derivatives", "futures pre-open", _T(9, 0), _T(9, 15),
         "futures of the current month, of the next too in its last 5 days; no options", "NSE/FAOP/71092, 71582",
         "NSE"),
    _Row(_SEPTEMBER, _NEVER, "derivatives", "futures pre-open", _T(9, 0), _T(9, 15),
         "as on NSE; no source read says since when", "BSE notice of 2026-08-03", "BSE"),
    _Row(_D.min, _AUGUST, "cash", "normal", _T(9, 15), _T(15, 30), "", "NSE and BSE timings"),
    _Row(_AUGUST, _NEVER, "cash", "normal", _T(9, 15), _T(15, 15), "the index stands still from its end on", _CAS),
    _Row(_D.min, _NEVER, "derivatives", "normal", _T(9, 15), _T(15, 30), "", _LATE),
    _Row(_AUGUST, _NEVER, "cash", "auction reference", _T(15, 15), _T(15, 20), "its reference price", _CAS),
    _Row(_AUGUST, _NEVER, "cash", "auction orders", _T(15, 20), _T(15, 30),
         "market orders to 15:25, limit orders to a random close in the last two minutes", _CAS),
    _Row(_AUGUST, _NEVER, "cash", "auction match", _T(15, 30), _T(15, 35), "the index jumps to its value", _CAS),
    _Row(_D.min, _AUGUST, "cash", "post-close", _T(15, 40), _T(16, 0), "", "NSE and BSE timings"),
    _Row(_AUGUST, _NEVER, "cash", "post-close", _T(15, 50), _T(16, 0), "", _CAS),
)  # fmt: skip


class Window(NamedTuple):
    """A part of a trading day; aware datetimes IST."""

    market: Market
    name: str
    start: dt.datetime
    end: dt.datetime
    note: str
    source: str


def day_windows(exchange: str, on: dt.date) -> tuple[Window, ...]:
    """The parts of `on` in the order they begin; empty when closed. Raises like `session`.

    A special session has its normal windows alone, unless it keeps the hours of an ordinary day: the exchanges publish
    its other parts in the circular of the day.
    """
    hours = session(exchange, on)
    if hours is None:
        return ()
    special = special_of(on)
    if special is not None and special.windows != ((OPEN, close_time(on)),):
        return tuple(
            Window("derivatives", "normal", _at(on, start), _at(on, end), special.kind, special.source)
            for start, end in special.windows
        )
    here = "BSE" if exchange in {"BSE", "BFO"} else "NSE"
    found = [row for row in _ROWS if row.since <= on < row.until and row.exchange in {"", here}]
    made = [
        Window(r.market, r.name, _at(on, r.start), _at(on, _end(r, on)), r.note, r.source) for r in found
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda window: (window.start, window.market)))


def _end(row: _Row, on: dt.date) -> dt.time:
    return close_time(on) if row.market == "derivatives" and row.name == "normal" else row.end


def _at(on: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(on, time, IST)
