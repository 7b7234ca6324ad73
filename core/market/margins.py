"""What NSE Clearing's margins are made of, by date: scan ranges, spread charge, exposure, expiry-day addition.

Price scan range = max(k·σ·√2, floor) × the previous day's official close of the index, σ the daily EWMA volatility of
that day; vol scan range = max(25 % of σ·√365, 4 %), to the whole percent (NSE Clearing, "SPAN risk parameters", copy of
2024-07). Each row's dates and floors are measured in NSE Clearing's own daily figures 2019 to 2026-07-31 (price and vol
scan range, volatility, official close); docs/risk.md has the shares of days reproduced. What has no figure at hand is
graded `assumed`: BSE's clearing house publishes by the same formula, no file of it was read.
"""

import datetime as dt
import math
from typing import Literal, NamedTuple

from core.errors import InputError, UnknownDate, UnknownName

Grade = Literal["measured", "page", "circular", "assumed"]
_D = dt.date
_ROOT2 = math.sqrt(2)
_LONG_MONTHS = 9


class ScanRates(NamedTuple):
    """Price scan range of one index from `since` on."""

    since: dt.date
    sigmas: float  # k of k·σ·√2
    floor: float  # share of the close; 0 where none was ever seen to bind
    long_floor: float  # for options of more than nine months; NaN where no source says
    grade: Grade
    source: str


class VolRates(NamedTuple):
    """Vol scan range of every index, and the decay of its σ, from `since` on."""

    since: dt.date
    share: float  # of σ·√365
    floor: float
    decay: float  # λ of σ² = λ·σ² + (1 − λ)·return²
    source: str


class MarginRates(NamedTuple):
    """What is added to the scan, for every index, from `since` on; rates are shares of the notional."""

    since: dt.date
    calendar: float  # of the far month's price, a matched unit of delta
    exposure: float  # futures and short options
    expiry_short: float  # additional, short options on the day they expire
    expiring_leg_spreads: bool  # whether a leg still has calendar benefit on its expiry day
    source: str


class Scenario(NamedTuple):
    """One of SPAN's sixteen: price move in scan ranges, vol move in vol scan ranges, share of the loss that counts."""

    move: float
    vol: int
    share: float


EXTREME_MOVE, EXTREME_SHARE = 2.0, 0.35
SCENARIOS: tuple[Scenario, ...] = (
    *(Scenario(move, vol, 1.0) for move in (0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0) for vol in (1, -1)),
    Scenario(EXTREME_MOVE, 0, EXTREME_SHARE),
    Scenario(-EXTREME_MOVE, 0, EXTREME_SHARE),
)
"""In the order of a risk array. Twice the range and 35 % are NSE Clearing's page and the arrays it published (NIFTY
future of 2026-06-25: −1561.89 = 0.35 × (8.72 − 2 × 2235.63)); the file's own scanPointDef says 3 and 30 %."""

COMPOSITE_WEIGHTS: tuple[tuple[float, float], ...] = (
    (-1.0, 0.037), (-2 / 3, 0.111), (-1 / 3, 0.217), (0.0, 0.270), (1 / 3, 0.217), (2 / 3, 0.111), (1.0, 0.037),
)  # fmt: skip
"""Move in scan ranges and weight of a composite delta's seven points (deltaPointDef of the file of 2026-06-25; the
middle weight is what is left to 1)."""

_FIGURES = "measured: NSE Clearing's daily scan ranges and closes"
_PHASE = "measured: a floor raised in steps, NSE Clearing's daily scan ranges"
_PAGE = "measured; NSE Clearing, SPAN risk parameters, copy of 2024-07"
_BSE = "assumed: the same formula as NSE Clearing's; no BSE risk file at hand"
_NAN = math.nan
_START, _MULTIPLE, _FLOOR = _D(2019, 1, 1), _D(2020, 6, 1), _D(2022, 12, 5)
_SCAN: dict[str, tuple[ScanRates, ...]] = {
    "NIFTY": (
        ScanRates(_START, 3, 0.07 * _ROOT2, _NAN, "measured", _FIGURES),
        ScanRates(_D(2019, 1, 21), 3, 0.05 * _ROOT2, _NAN, "measured", _FIGURES),
        ScanRates(_MULTIPLE, 6, 0.0, _NAN, "measured", _FIGURES),
        ScanRates(_FLOOR, 6, 0.093, 0.177, "measured", _PAGE),
    ),
    "BANKNIFTY": (
        ScanRates(_START, 3, 0.07 * _ROOT2, _NAN, "measured", _FIGURES),
        ScanRates(_D(2019, 1, 21), 3, 0.05 * _ROOT2, _NAN, "measured", _FIGURES),
        ScanRates(_D(2019, 4, 5), 3, 0.055 * _ROOT2, _NAN, "measured", _PHASE),
        ScanRates(_D(2019, 4, 12), 3, 0.06 * _ROOT2, _NAN, "measured", _PHASE),
        ScanRates(_D(2019, 4, 22), 3, 0.065 * _ROOT2, _NAN, "measured", _PHASE),
        ScanRates(_MULTIPLE, 6, 0.0, _NAN, "measured", _FIGURES),
        ScanRates(_FLOOR, 6, 0.113, 0.177, "measured", _FIGURES + "; first seen to bind on 2023-03-16"),
        ScanRates(_D(2026, 2, 27), 6, 0.093, 0.177, "measured", _PAGE),
    ),
    "FINNIFTY": (
        ScanRates(_D(2021, 1, 12), 6, 0.0, _NAN, "measured", _FIGURES),
        ScanRates(_FLOOR, 6, 0.093, 0.177, "measured", _PAGE),
        ScanRates(_D(2023, 5, 31), 6, 0.113, 0.177, "measured", _FIGURES),
        ScanRates(_D(2025, 12, 31), 6, 0.093, 0.177, "measured", _PAGE),
    ),
    "MIDCPNIFTY": (
        ScanRates(_D(2022, 1, 25), 6, 0.0, _NAN, "measured", _FIGURES),
        ScanRates(_FLOOR, 6, 0.093, 0.177, "measured", _PAGE),
    ),
    "NIFTYNXT50": (ScanRates(_D(2024, 4, 24), 6, 0.093, 0.177, "measured", _PAGE),),
    "SENSEX": (ScanRates(_D(2023, 5, 15), 6, 0.093, 0.177, "assumed", _BSE),),
    "BANKEX": (ScanRates(_D(2023, 5, 15), 6, 0.093, 0.177, "assumed", _BSE),),
}
_VOL = (
    VolRates(_START, 0.0, 0.04, 0.94, _FIGURES),
    VolRates(_MULTIPLE, 0.25, 0.04, 0.995, _PAGE),
)
_RATES_PAGE = "NSE Clearing, SPAN risk parameters, copy of 2024-07; exposure 2 % as a broker's calculator of 2026-05-29"
_RATES = (
    MarginRates(_D(2024, 7, 1), 0.0175, 0.02, 0.0, True, _RATES_PAGE),
    MarginRates(_D(2024, 11, 20), 0.0175, 0.02, 0.02, True, "SEBI/HO/MRD/TPD-1/P/CIR/2024/132, 2024-10-01"),
    MarginRates(_D(2025, 2, 1), 0.0175, 0.02, 0.02, False, "SEBI/HO/MRD/TPD-1/P/CIR/2024/132, 2024-10-01"),
)
# Named by circular summaries without a rate we could verify; off unless a setting asks for them.
DEEP_OTM_BEYOND, DEEP_OTM_EXPOSURE, LONG_DATED_EXPOSURE = 0.10, 0.03, 0.05


def scan_rates(index: str, on: dt.date) -> ScanRates:
    """The row of `index` in force on `on`; UnknownName for the index, UnknownDate before its table begins."""
    if index not in _SCAN:
        raise UnknownName(f"no margin parameters of {index!r}; known are {', '.join(_SCAN)}")
    for row in reversed(_SCAN[index]):
        if on >= row.since:
            return row
    raise UnknownDate(f"the price scan range of {index} on {on} is not known; its table begins {_SCAN[index][0].since}")


def vol_rates(on: dt.date) -> VolRates:
    """The vol scan range and σ's decay in force on `on`; UnknownDate before 2019."""
    for row in reversed(_VOL):
        if on >= row.since:
            return row
    raise UnknownDate(f"the vol scan range on {on} is not known; the table begins {_VOL[0].since}")


def margin_rates(on: dt.date) -> MarginRates:
    """Exposure, calendar charge and expiry-day rules in force on `on`; UnknownDate before 2024-07-01."""
    for row in reversed(_RATES):
        if on >= row.since:
            return row
    raise UnknownDate(f"exposure and calendar charge on {on} are not known; the table begins {_RATES[0].since}")


def price_scan(index: str, on: dt.date, *, close: float, sigma: float = math.nan, long_dated: bool = False) -> float:
    """Price scan range of `on` in the unit of `close`, the index's official close of the day before.

    `sigma` is the daily EWMA volatility of that day (the larger of the index's and the future's); NaN leaves the floor,
    which is a lower bound. `long_dated` asks for options of more than nine months.

    Raises like `scan_rates`, UnknownDate for long-dated options before their floor is known and, without `sigma`, where
    there was no floor, and InputError for a close or a `sigma` that cannot be.

    >>> round(price_scan("NIFTY", dt.date(2026, 7, 31), close=24317.10), 2)
    2261.49
    """
    if not 0 < close < math.inf:
        raise InputError(f"the close of {index} before {on}: expected a price above 0, found {close}")
    _check_sigma(sigma)
    row = scan_rates(index, on)
    floor = row.long_floor if long_dated else row.floor
    if math.isnan(floor):
        raise UnknownDate(f"the scan range of {index} options of more than nine months on {on} is not known")
    if math.isnan(sigma):
        if floor == 0:
            raise UnknownDate(f"the scan range of {index} on {on} had no floor: give `sigma`, that day's volatility")
        return floor * close
    return max(row.sigmas * sigma * _ROOT2, floor) * close


def vol_scan(on: dt.date, *, sigma: float = math.nan) -> float:
    """Vol scan range of `on` as a decimal, for a daily EWMA volatility; NaN leaves the floor.

    Raises UnknownDate before 2019, InputError for a `sigma` that cannot be.

    >>> vol_scan(dt.date(2026, 7, 31), sigma=0.01232447)
    0.06
    """
    _check_sigma(sigma)
    row = vol_rates(on)
    if math.isnan(sigma):
        return row.floor
    return math.floor(100 * max(row.share * sigma * math.sqrt(365), row.floor) + 0.5) / 100


def _check_sigma(sigma: float) -> None:
    if sigma < 0 or math.isinf(sigma):
        raise InputError(f"sigma: expected a daily volatility such as 0.012, or NaN for none, found {sigma}")


def is_long_dated(on: dt.date, expiry: dt.date) -> bool:
    """Whether `expiry` is more than nine months after `on`.

    >>> day = dt.date(2026, 3, 30)
    >>> is_long_dated(day, dt.date(2026, 12, 30)), is_long_dated(day, dt.date(2026, 12, 31))
    (False, True)
    """
    months = (expiry.year - on.year) * 12 + expiry.month - on.month
    return months > _LONG_MONTHS or (months == _LONG_MONTHS and expiry.day > on.day)
