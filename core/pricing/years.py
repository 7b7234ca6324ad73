"""Time to expiry as the formulas want it: how much variance is still to come, on a clock with a name.

An option on the mean of the index over a window of length τ gathers variance at the full rate until the window
begins. Inside it the part already averaged is known; with τ' left only the rest is random. For a Brownian motion
Var(∫₀^τ' W ds) = τ'³/3, so the variance of the mean is τ'³/3τ²: τ/3 at the beginning of the window, 0 at its end.
(A. Kemna & A. Vorst, "A pricing method for options based on average asset values", Journal of Banking and Finance 14
(1990) 113–129, for the geometric mean, which over half an hour is the arithmetic one; J. Hull, Options, Futures, and
Other Derivatives, 9th ed., §26.13, for the part already averaged.) The closing auction strikes one price: variance
runs to its end.
"""

import datetime as dt
from enum import StrEnum

from core.market import Settlement, SettlementMethod, exchange_of, from_ns, session, settlement, to_ns
from core.market.calendar import full_day
from core.market.overlay import remembered
from core.records import Session

NS_PER_YEAR = 365 * 86_400 * 1_000_000_000
SESSIONS_PER_YEAR = 252  # of the trading clock, the usual convention; NSE held 246 to 249 a year in 2019–2025


class Clock(StrEnum):
    """What a year is made of."""

    CALENDAR = "calendar"  # 365 days, nights and weekends alike; the desk's own
    TRADING = "trading"  # 252 sessions; nothing passes while the derivatives market is closed
    NSE = "nse"  # NSE's published vols: whole days to the expiry day over 365, whatever the hour


def years_to(expiry_moment_ns: int, now_ns: int) -> float:
    """Return ACT/365 years from `now_ns` to `expiry_moment_ns`, both UTC nanoseconds; 0 from the moment on: settled.

    >>> years_to(NS_PER_YEAR, 0), years_to(5, 5), years_to(5, 6)
    (1.0, 0.0, 0.0)
    """
    return max(expiry_moment_ns - now_ns, 0) / NS_PER_YEAR


def variance_years(index: str, expiry: dt.date, now_ns: int, clock: Clock = Clock.CALENDAR) -> float:
    """Return the time over which the settlement price of `expiry` still varies at the index's own vol; 0 once known.

    The `years` of Black-76 whose `forward` is the expected settlement price. Put–call parity and the expiring future
    give that directly, the part already averaged included; `expected_settlement` gives it from the spot. With 45
    minutes to 15:30 before August 2026 it is 15 + 30/3 minutes.

    Raises UnknownName and UnknownDate as `settlement` does, the trading clock also outside the calendar.
    """
    if clock is Clock.NSE:
        return nse_years(expiry, from_ns(now_ns).date())
    ends = settlement(index, expiry)
    if now_ns >= ends.known_ns:
        return 0.0
    before, inside, window = _phases(ends, now_ns)
    if clock is Clock.CALENDAR:
        return (before + _averaged(inside, window)) / NS_PER_YEAR
    length = _length_ns(ends.index, expiry)
    days = _sessions_left(ends, now_ns) if before else 0.0
    return (days + _averaged(inside, window) / length) / SESSIONS_PER_YEAR


def nse_years(expiry: dt.date, on: dt.date) -> float:
    """Return the time behind the vols NSE publishes on `on`: whole days to `expiry` over 365; 0 on the day itself.

    Measured: on NSE's own chains of 2019, a day before the expiry, vols out of the money then miss by a median of 0.0
    vol points at every hour, while time to the minute drifts from −2.6 at nine to 0 at half past three; the chains of
    August 2025 agree. On the expiry day NSE prints no vol.
    """
    return max((expiry - on).days, 0) / 365


def variance_pace(index: str, expiry: dt.date, now_ns: int) -> float:
    """Return how fast calendar `variance_years` falls: 1, in the averaging window the square of what is left of it, 0.

    Black-76's theta times this is the theta of the option on the mean: it dies away where Black's own would explode.
    """
    ends = settlement(index, expiry)
    if now_ns >= ends.known_ns:
        return 0.0
    _, inside, window = _phases(ends, now_ns)
    return (inside / window) ** 2 if window else 1.0


def expected_settlement(index: str, expiry: dt.date, now_ns: int, *, forward: float, mean_so_far: float) -> float:
    """Return the settlement price expected at `now_ns`: what is averaged already, and `forward` for the rest.

    `forward` is where the index is expected while it is still averaged: the spot carried, or a future of a later expiry
    carried back. Not the future of this expiry, which settles at the same mean and has its past part in its price.
    `mean_so_far` is the mean of the index since the window began, in the unit of `forward`; not read outside it.
    """
    ends = settlement(index, expiry)
    _, inside, window = _phases(ends, now_ns)
    if inside == window:  # not begun, or an auction
        return forward
    left = inside / window
    return left * forward + (1.0 - left) * mean_so_far if inside else mean_so_far


def _phases(ends: Settlement, now_ns: int) -> tuple[int, int, int]:
    """Nanoseconds until the mean begins, nanoseconds of it still to come, and its length; an auction has no mean."""
    if ends.method is SettlementMethod.AUCTION:
        return max(ends.end_ns - now_ns, 0), 0, 0
    window = ends.end_ns - ends.begin_ns
    return max(ends.begin_ns - now_ns, 0), min(max(ends.end_ns - now_ns, 0), window), window


def _averaged(inside: int, window: int) -> float:
    return inside**3 / (3.0 * window**2) if window else 0.0


def _sessions_left(ends: Settlement, now_ns: int) -> float:
    """Full sessions, in parts of one, from `now_ns` to the moment the mean begins or the auction ends."""
    to = ends.end_ns if ends.method is SettlementMethod.AUCTION else ends.begin_ns
    today = from_ns(now_ns).date()
    if today == ends.expiry:
        return _part(ends.index, today, now_ns, to)
    whole = _whole_sessions(ends.index, today, ends.expiry)
    return _part(ends.index, today, now_ns, None) + whole + _part(ends.index, ends.expiry, None, to)


def _part(index: str, day: dt.date, from_: int | None, to: int | None) -> float:
    """Share of the session of `day` between two moments; None is its own end."""
    hours = _full_session(index, day)
    if hours is None:
        return 0.0
    opened, closed = to_ns(hours.open), to_ns(hours.close)
    since = opened if from_ is None else min(max(from_, opened), closed)
    until = closed if to is None else min(max(to, opened), closed)
    return max(until - since, 0) / (closed - opened)


@remembered(4096)
def _whole_sessions(index: str, after: dt.date, before: dt.date) -> int:
    days = ((after + dt.timedelta(days=n)) for n in range(1, (before - after).days))
    return sum(_full_session(index, day) is not None for day in days)


@remembered(4096)
def _length_ns(index: str, day: dt.date) -> int:
    hours = _full_session(index, day)
    if hours is None:
        raise ValueError(f"{index} cannot expire on {day}: it is no full trading day")
    return to_ns(hours.close) - to_ns(hours.open)


def _full_session(index: str, day: dt.date) -> Session | None:
    """The session of `day` if it counts: a drill or a muhurat hour is no day of news."""
    return session(exchange_of(index), day) if full_day(day) else None
