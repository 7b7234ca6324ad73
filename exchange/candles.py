"""Kite's historical candles, made of the minutes of the days that the market has.

A candle is stamped with its opening moment; one that has not closed yet holds what has happened of it. Intervals and
the longest request of each: kite.md §6.
"""

import datetime as dt
from collections.abc import Iterator

from core.errors import InputError, UnknownDate
from core.market import IST, from_ns, session, to_ns
from exchange.day import Day
from exchange.listing import Instrument
from exchange.minutes import MINUTE_NS, Minutes
from exchange.quotes import grouped
from exchange.refusal import bad_input

MINUTES = {"minute": 1, "3minute": 3, "5minute": 5, "10minute": 10, "15minute": 15, "30minute": 30, "60minute": 60}
LONGEST_DAYS = {
    "minute": 60, "3minute": 100, "5minute": 100, "10minute": 100, "15minute": 200, "30minute": 200, "60minute": 400,
    "day": 2000,
}  # fmt: skip
Candle = list[object]


def candles(
    today: Day, one: Instrument, interval: str, first: dt.datetime, last: dt.datetime, *, minutes: Minutes,
    now_ns: int, oi: bool,
) -> list[Candle]:  # fmt: skip
    """Candles of `one` that open in [first, last], both aware, oldest first, none from the future.

    `minutes` are those of `today`, which goes on meanwhile. Raises KiteError in Kite's words for an interval nobody
    knows or too long a stretch of it.
    """
    if interval not in LONGEST_DAYS:
        raise bad_input("invalid interval")
    if last < first:
        raise bad_input("invalid from date, it is after the to date")
    if (last.date() - first.date()).days > LONGEST_DAYS[interval]:
        raise bad_input(f"interval exceeds max limit: {LONGEST_DAYS[interval]} days")
    span = to_ns(first), min(to_ns(last) + 1, now_ns)
    out: list[Candle] = []
    for day in _days(today, one, first.date(), min(last.date(), today.date)):
        same = day.listing.by_name.get((one.exchange, one.symbol))
        if same is not None:
            out += _of_day(day, minutes if day is today else day.minutes(same, now_ns), interval, span, oi=oi)
    return out


def _days(today: Day, one: Instrument, first: dt.date, last: dt.date) -> Iterator[Day]:
    """Every session of the stretch that the market has, today's as it is; a date that no table covers has none."""
    exchange = "BSE" if one.exchange in {"BSE", "BFO"} else "NSE"
    for ahead in range((last - first).days + 1):
        date = first + dt.timedelta(days=ahead)
        try:
            if session(exchange, date) is None:
                continue
            day = today if date == today.date else today.before(date, one.index)
        except UnknownDate:
            continue
        except InputError as why:  # a recorded day that cannot be read
            raise bad_input(str(why)) from why
        if day is not None:
            yield day


def _of_day(day: Day, bars: Minutes, interval: str, span_ns: tuple[int, int], *, oi: bool) -> list[Candle]:
    """`span_ns`: the first opening asked for, and the end of those asked for."""
    if not bars.start_ns.size:
        return []
    length_ns = day.close_ns - day.open_ns if interval == "day" else MINUTES[interval] * MINUTE_NS
    _, first, final = grouped((bars.start_ns - day.open_ns) // length_ns)
    out: list[Candle] = []
    for a, b in zip(first.tolist(), final.tolist(), strict=True):
        opens_ns = day.open_ns + int(bars.start_ns[a] - day.open_ns) // length_ns * length_ns
        if interval != "day" and not span_ns[0] <= opens_ns < span_ns[1]:
            continue
        inside = slice(a, b + 1)
        ohlc = (bars.open[a], bars.high[inside].max(), bars.low[inside].min(), bars.close[b])
        row: Candle = [_stamp(opens_ns, interval), *(int(p) / 100 for p in ohlc), int(bars.volume[inside].sum())]
        out.append([*row, int(bars.oi[b])] if oi else row)
    return out


def _stamp(opens_ns: int, interval: str) -> str:
    opens = from_ns(opens_ns)
    if interval == "day":
        opens = dt.datetime.combine(opens.date(), dt.time(), IST)
    return opens.strftime("%Y-%m-%dT%H:%M:%S%z")
