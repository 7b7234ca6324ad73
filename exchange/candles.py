"""Kite's historical candles of the simulated past: pure functions of the seed, the instrument and the dates.

A candle is stamped with its opening moment and made of the market sampled every SAMPLE_S seconds; a candle that has
not closed yet holds what has happened of it. Intervals and the longest request of each: kite.md §6.
"""

import datetime as dt
from collections.abc import Iterator

import numpy as np

from core.errors import UnknownDate
from core.market import IST, from_ns, session, to_ns
from exchange.day import BATCH_MS, Day
from exchange.listing import Instrument
from exchange.refusal import bad_input

MINUTES = {"minute": 1, "3minute": 3, "5minute": 5, "10minute": 10, "15minute": 15, "30minute": 30, "60minute": 60}
LONGEST_DAYS = {
    "minute": 60, "3minute": 100, "5minute": 100, "10minute": 100, "15minute": 200, "30minute": 200, "60minute": 400,
    "day": 2000,
}  # fmt: skip
SAMPLE_S = 5
Candle = list[object]


def candles(
    today: Day, one: Instrument, interval: str, first: dt.datetime, last: dt.datetime, *, now_ns: int, oi: bool
) -> list[Candle]:
    """Candles of `one` that open in [first, last], both aware, oldest first, none from the future.

    Raises KiteError in Kite's words for an interval nobody knows or too long a stretch of it.
    """
    if interval not in LONGEST_DAYS:
        raise bad_input("invalid interval")
    if last < first:
        raise bad_input("invalid from date, it is after the to date")
    if (last.date() - first.date()).days > LONGEST_DAYS[interval]:
        raise bad_input(f"interval exceeds max limit: {LONGEST_DAYS[interval]} days")
    until = min(to_ns(last) + 1, now_ns)
    out: list[Candle] = []
    for day in _days(today, one, first.date(), min(last.date(), today.date)):
        same = day.listing.by_name.get((one.exchange, one.symbol))
        if same is not None:
            out += _of_day(day, same, interval, (to_ns(first), until, now_ns), oi=oi)
    return out


def _days(today: Day, one: Instrument, first: dt.date, last: dt.date) -> Iterator[Day]:
    """Every session of the stretch, today's as it is; a date that no table covers has none."""
    exchange = "BSE" if one.exchange in {"BSE", "BFO"} else "NSE"
    for ahead in range((last - first).days + 1):
        date = first + dt.timedelta(days=ahead)
        try:
            if session(exchange, date) is None:
                continue
            day = today if date == today.date else today.before(date, one.index)
        except UnknownDate:
            continue
        yield day


def _of_day(day: Day, one: Instrument, interval: str, moments_ns: tuple[int, int, int], *, oi: bool) -> list[Candle]:
    """`moments_ns`: the first opening asked for, the end of those asked for, and now."""
    first_ns, until_ns, now_ns = moments_ns
    length_s = int((day.close_ns - day.open_ns) // 1_000_000_000) if interval == "day" else 60 * MINUTES[interval]
    step = SAMPLE_S * 1000 // BATCH_MS
    moments = np.arange(0, day.batches(now_ns), step, dtype=np.int64)
    if not moments.size:
        return []
    ticks = day.ticks(one, moments)
    last = ticks.column("last_paise").to_numpy()
    volume, interest = ticks.column("volume").to_numpy(), ticks.column("oi").to_numpy()
    which = moments * BATCH_MS // (1000 * length_s)
    out: list[Candle] = []
    for candle in np.unique(which):
        opens_ns = day.open_ns + int(candle) * length_s * 1_000_000_000
        if interval != "day" and not first_ns <= opens_ns < until_ns:
            continue
        inside = np.flatnonzero(which == candle)
        before = volume[inside[0] - 1] if inside[0] else 0
        prices = last[inside]
        ohlc = (prices[0], prices.max(), prices.min(), prices[-1])
        row: Candle = [_stamp(opens_ns, interval), *(int(p) / 100 for p in ohlc), int(volume[inside[-1]] - before)]
        out.append([*row, int(interest[inside[-1]])] if oi else row)
    return out


def _stamp(opens_ns: int, interval: str) -> str:
    opens = from_ns(opens_ns)
    if interval == "day":
        opens = dt.datetime.combine(opens.date(), dt.time(), IST)
    return opens.strftime("%Y-%m-%dT%H:%M:%S%z")
