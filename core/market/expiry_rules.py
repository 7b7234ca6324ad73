"""On which weekday contracts expire, by the contract's own date and by the trade date from which that was so.

A change of weekday has two dates: from which contracts on it holds, and from which trade date on the contracts
already listed carried it. NIFTY of September 2025 was listed for Thursday the 25th until 2025-07-31 and for Tuesday
the 30th from the next day on. Both are needed to read an old file and to know what was known then.
"""

import datetime as dt
from typing import NamedTuple

from core.market.overlay import Grade

_D = dt.date
MON, TUE, WED, THU, FRI = range(5)


class Rule(NamedTuple):
    """From `first` on (the scheduled day of a weekly, the first of the month of a monthly) contracts expire on
    `weekday`, None: there are none; carried by the contracts listed from the trade date `known_from` on.
    """

    first: dt.date
    weekday: int | None
    known_from: dt.date
    source: str
    grade: Grade = "circular"


def _since(first: dt.date, weekday: int, source: str, grade: Grade = "circular") -> Rule:
    return Rule(first, weekday, first, source, grade)


_SEBI24 = "SEBI 2024-10-01: one weekly an exchange; exchange circulars of 2024-10-04 and 2024-10-10"
_SEBI25 = "SEBI 2025-05-26, NSE circular of 2025-06-17, NSE/FAOP/68747"
_NSE25 = "NSE circular of November 2024, listed contracts moved 2025-01-01 EOD; NSE bhavcopies"
_BSE25 = "BSE circular of 2024-11-28, listed contracts moved 2024-12-31 EOD; the weekly of 2025-01-03 kept its Friday"
_BSE23 = "BSE 2023-03-28: relaunched 2023-05-15"
_BHAV = "NSE bhavcopies"
_BSE_SEP = "SEBI 2025-05-26; instrument dump of 2025-09; the day BSE moved listed contracts is taken to be NSE's"
_WED = "NSE circular of 2023-07-12, listed weeklies moved 2023-09-01 EOD"
_MID = "NSE circular of 2023-07-12, listed contracts moved 2023-08-16 EOD; NSE bhavcopies"
_FIN = "NSE October 2021, listed contracts moved 2021-10-14 EOD; NSE bhavcopies"

WEEKLY: dict[str, tuple[Rule, ...]] = {
    "NIFTY": (
        _since(
            _D(2019, 2, 11), THU, "weekly options began 2019-02-11; seen in option chains from 2019-05-16", "measured"
        ),
        Rule(_D(2025, 8, 29), TUE, _D(2025, 8, 1), _SEBI25),
    ),
    "BANKNIFTY": (
        _since(_D(2019, 1, 1), THU, "option chains from 2019-05-16", "measured"),
        Rule(_D(2023, 9, 2), WED, _D(2023, 9, 2), _WED),
        Rule(_D(2024, 11, 14), None, _D(2024, 10, 10), _SEBI24),
    ),
    "FINNIFTY": (
        _since(_D(2021, 1, 11), THU, _BHAV, "measured"),
        Rule(_D(2021, 10, 15), TUE, _D(2021, 10, 15), _FIN),
        Rule(_D(2024, 11, 20), None, _D(2024, 10, 10), _SEBI24),
    ),
    "MIDCPNIFTY": (
        _since(_D(2022, 1, 24), TUE, _BHAV, "measured"),
        Rule(_D(2023, 4, 26), WED, _D(2023, 4, 26), _BHAV + ": moved 2023-04-25 EOD", "measured"),
        Rule(_D(2023, 8, 17), MON, _D(2023, 8, 17), _MID),
        Rule(_D(2024, 11, 19), None, _D(2024, 10, 10), _SEBI24),
    ),
    "NIFTYNXT50": (),
    "SENSEX": (
        _since(_D(2023, 5, 15), FRI, _BSE23),
        Rule(_D(2025, 1, 4), TUE, _D(2025, 1, 1), _BSE25),
        Rule(_D(2025, 8, 29), THU, _D(2025, 8, 1), _BSE_SEP),
    ),
    "BANKEX": (
        _since(_D(2023, 5, 15), FRI, _BSE23),
        Rule(_D(2023, 10, 14), MON, _D(2023, 10, 16), "BSE 2023-08-30: all listed contracts ended 2023-10-13"),
        Rule(_D(2024, 11, 19), None, _D(2024, 10, 4), _SEBI24),
    ),
}
MONTHLY: dict[str, tuple[Rule, ...]] = {
    "NIFTY": (_since(_D(2019, 1, 1), THU, _BHAV, "measured"), Rule(_D(2025, 9, 1), TUE, _D(2025, 8, 1), _SEBI25)),
    "BANKNIFTY": (
        _since(_D(2019, 1, 1), THU, _BHAV, "measured"),
        Rule(_D(2024, 3, 1), WED, _D(2024, 3, 1), "NSE circular of 2023-12-28, listed contracts moved 2024-02-29 EOD"),
        Rule(_D(2025, 1, 1), THU, _D(2025, 1, 2), _NSE25),
        Rule(_D(2025, 9, 1), TUE, _D(2025, 8, 1), _SEBI25),
    ),
    "FINNIFTY": (
        _since(_D(2021, 1, 1), THU, _BHAV, "measured"),
        Rule(_D(2021, 10, 1), TUE, _D(2021, 10, 15), _FIN),
        Rule(_D(2025, 1, 1), THU, _D(2025, 1, 2), _NSE25),
        Rule(_D(2025, 9, 1), TUE, _D(2025, 6, 27), _SEBI25),
    ),
    "MIDCPNIFTY": (
        _since(_D(2022, 1, 1), TUE, _BHAV, "measured"),
        Rule(_D(2023, 5, 1), WED, _D(2023, 4, 26), _BHAV + ": moved 2023-04-25 EOD", "measured"),
        Rule(_D(2023, 8, 1), MON, _D(2023, 8, 17), _MID),
        Rule(_D(2025, 1, 1), THU, _D(2025, 1, 2), _NSE25),
        Rule(_D(2025, 9, 1), TUE, _D(2025, 6, 27), _SEBI25),
    ),
    "NIFTYNXT50": (
        _since(_D(2024, 4, 1), FRI, _BHAV, "measured"),
        Rule(_D(2025, 1, 1), THU, _D(2025, 1, 2), _NSE25),
        Rule(_D(2025, 9, 1), TUE, _D(2025, 6, 27), _SEBI25),
    ),
    "SENSEX": (
        _since(_D(2023, 5, 1), FRI, _BSE23),
        Rule(_D(2025, 1, 1), TUE, _D(2025, 1, 1), _BSE25),
        Rule(_D(2025, 9, 1), THU, _D(2025, 8, 1), _BSE_SEP),
    ),
    "BANKEX": (
        _since(_D(2023, 5, 1), FRI, _BSE23),
        Rule(_D(2023, 10, 1), MON, _D(2023, 10, 16), "BSE 2023-08-30: all listed contracts ended 2023-10-13"),
        Rule(_D(2025, 1, 1), TUE, _D(2025, 1, 1), _BSE25),
        Rule(_D(2025, 9, 1), THU, _D(2025, 8, 1), _BSE_SEP),
    ),
}
# First trade date of which the table knows the contracts, and who says so.
STARTS: dict[str, tuple[dt.date, str]] = {
    "NIFTY": (_D(2019, 1, 1), _BHAV),
    "BANKNIFTY": (_D(2019, 1, 1), _BHAV),
    "FINNIFTY": (_D(2021, 1, 11), "first contracts; " + _BHAV),
    "MIDCPNIFTY": (_D(2022, 1, 24), "first contracts; " + _BHAV),
    "NIFTYNXT50": (_D(2024, 4, 24), "first contracts; " + _BHAV),
    "SENSEX": (_D(2023, 5, 15), _BSE23 + "; what was listed before was withdrawn 2023-05-12"),
    "BANKEX": (_D(2023, 5, 15), _BSE23 + "; what was listed before was withdrawn 2023-05-12"),
}
# Contract cycle beside the three serial months, as in the dumps of 2025-09, 2025-11, 2026-05 and NSE's bhavcopies of
# 2025: how many of March, June, September, December follow them, and how many of June, December follow those.
LONG_DATED: dict[str, tuple[int, int]] = {"NIFTY": (3, 8), "BANKNIFTY": (3, 0), "SENSEX": (3, 8)}
