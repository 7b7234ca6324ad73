"""When an after-market order may be given, and when it reaches the exchange: the broker's windows, by date.

Zerodha takes those of index derivatives from 15:45 to 09:10 and sends them at the open, 09:15; on days without a
session at any time; never from 01:00 to 05:30, when its systems are maintained. A window beside a special session, and
any date the table does not cover, raises UnknownDate: such windows are told of when the session is.
"""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from core.errors import UnknownDate
from core.market import IST, exchange_of, from_ns, session, to_ns
from core.market.calendar import OPEN, close_time, special_of
from core.orders.positions import market_date
from core.records import Intent, Refusal

_T, _D = dt.time, dt.date
_PAGES = "support.zerodha.com: what is an AMO, auto AMO, order rejections"
FARTHEST_DAYS = 14  # between two sessions; more is a hole in the calendar


class AmoRow(NamedTuple):
    """From `since` on: given from `opens` of a session's day to `closes` of the next one's, but not in the pause."""

    since: dt.date
    opens: dt.time
    closes: dt.time
    pause: tuple[dt.time, dt.time]
    grade: str
    source: str


AMO_WINDOWS = (
    AmoRow(_D(2024, 10, 1), _T(15, 45), _T(9, 10), (_T(1), _T(5, 30)), "circular",
           f"{_PAGES}; the pages have no date, so the row begins with the tables of charges"),
    AmoRow(_D(2026, 8, 3), _T(15, 45), _T(9, 10), (_T(1), _T(5, 30)), "provisional",
           f"{_PAGES}; whether 15:45 still holds since the session ends at 15:40 nobody says"),
)  # fmt: skip


class AmoWindow(NamedTuple):
    """The window a moment is in: where an order given now goes, and the row it follows from."""

    arrives: dt.datetime  # at the exchange: the open of the session it is for, IST
    row: AmoRow


def amo_row(on: dt.date) -> AmoRow:
    """The row in force on `on`; UnknownDate before the first."""
    for row in reversed(AMO_WINDOWS):
        if on >= row.since:
            return row
    first = AMO_WINDOWS[0].since
    raise UnknownDate(f"the windows of after-market orders on {on} are not known; the table begins {first}")


def amo_window(index: str, now_ns: int) -> AmoWindow | None:
    """The window that `now_ns` of the market is in; None between two.

    UnknownName for the index; UnknownDate where the window, or the session it leads to, is not known.
    """
    exchange, now = exchange_of(index), from_ns(now_ns)
    today, time = now.date(), now.time().replace(tzinfo=None)
    row = amo_row(today)
    trades = _ordinary(exchange, today)
    if row.pause[0] <= time < row.pause[1] or (trades and row.closes <= time < row.opens):
        return None
    on = today if trades and time < row.closes else next(_sessions_after(exchange, today))
    return AmoWindow(arrives=dt.datetime.combine(on, OPEN, IST), row=row)


def amo_arrival_ns(index: str, now_ns: int) -> int:
    """When an after-market order given now reaches the exchange, UTC ns; 0 where none can be given now."""
    window = amo_window(index, now_ns)
    return to_ns(window.arrives) if window is not None else 0


def amo_refusal(index: str, now_ns: int) -> Refusal | None:
    """Why no after-market order can be given, modified or cancelled at `now_ns`; None if it can."""
    now = from_ns(now_ns)
    try:
        if amo_window(index, now_ns) is not None:
            return None
        row = amo_row(now.date())
    except UnknownDate as error:
        return Refusal(limit="amo", allowed="a window that is known", asked=f"{now:%Y-%m-%d %H:%M}", why=f"{error}")
    pause = f"{row.pause[0]:%H:%M} to {row.pause[1]:%H:%M}"
    return Refusal(
        limit="amo", allowed=f"{row.opens:%H:%M} to {row.closes:%H:%M}, not {pause}", asked=f"{now:%H:%M}",
        why="after-market orders are taken between two sessions, on days without one all day but for the pause",
    )  # fmt: skip


def trades_on(intent: Intent) -> dt.date:
    """The last day that the order is for: the one it was given on, of an after-market order the one it arrives on."""
    given = market_date(intent.created_ns)
    if intent.variety != "amo":
        return given
    try:
        arrives_ns = amo_arrival_ns(intent.index, intent.created_ns)
    except UnknownDate:
        return given  # none could be given then
    return market_date(arrives_ns) if arrives_ns else given


def is_of(intent: Intent, on: dt.date) -> bool:
    """Whether the order was given on `on`, or is an after-market order that reaches the exchange then."""
    return market_date(intent.created_ns) == on or trades_on(intent) == on


def _ordinary(exchange: str, on: dt.date) -> bool:
    """Whether `on` has a session of ordinary hours; UnknownDate for one of special hours."""
    special = special_of(on)
    if special is not None and special.windows != ((OPEN, close_time(on)),):
        raise UnknownDate(f"the windows of after-market orders about the {special.kind} session of {on} are not known")
    return session(exchange, on) is not None


def _sessions_after(exchange: str, on: dt.date) -> Iterator[dt.date]:
    for ahead in range(1, FARTHEST_DAYS + 1):
        day = on + dt.timedelta(days=ahead)
        if _ordinary(exchange, day):
            yield day
    raise UnknownDate(f"no session of {exchange} within {FARTHEST_DAYS} days after {on}: is the calendar whole?")
