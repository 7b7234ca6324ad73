"""The mean of the index over the half hour that expiries to July 2026 settle on, while that half hour runs.

A value: `after` gives the next one. Between two quotes the index is taken to stand at the first; a silence of more than
LONGEST_GAP leaves the mean unknown until the next window.
"""

import datetime as dt
import math
from typing import NamedTuple

from core.errors import UnknownDate
from core.market import Settlement, SettlementMethod, from_ns, settlement
from core.market.overlay import remembered

LONGEST_GAP_NS = 5 * 60 * 1_000_000_000  # recorded chains come every one to three minutes


class RunningMean(NamedTuple):
    """What one index has averaged up to its latest quote."""

    at_ns: int = 0  # of that quote; 0 before the first
    paise: int = 0
    area: int = 0  # paise × ns from the beginning of that day's window to at_ns
    whole: bool = False  # no silence since that beginning

    def after(self, index: str, at_ns: int, paise: int) -> "RunningMean":
        """Return the mean with one more quote of the index, which is not older than the latest one."""
        ends = _window(index, from_ns(at_ns).date())
        if ends is None or at_ns <= ends.begin_ns:
            return RunningMean(at_ns, paise, 0, whole=True)
        area, whole = self._until(ends, at_ns)
        return RunningMean(at_ns, paise, area, whole=whole)

    def rupees(self, ends: Settlement, now_ns: int) -> float:
        """Return the mean from the beginning of the window to `now_ns`, inside it; NaN if it is not known."""
        area, whole = self._until(ends, now_ns)
        return area / (min(now_ns, ends.end_ns) - ends.begin_ns) / 100 if whole else math.nan

    def _until(self, ends: Settlement, now_ns: int) -> tuple[int, bool]:
        """Area from the beginning of the window to `now_ns`, after it, and whether there was no silence."""
        begun = self.at_ns > ends.begin_ns
        since_ns = min(max(self.at_ns, ends.begin_ns), ends.end_ns)
        area = (self.area if begun else 0) + self.paise * (min(now_ns, ends.end_ns) - since_ns)
        return area, now_ns - self.at_ns <= LONGEST_GAP_NS and (self.whole or not begun)


@remembered(64)
def _window(index: str, on: dt.date) -> Settlement | None:
    """The window of a day on which the settlement would be a mean; None where it would not, or nobody knows."""
    try:
        ends = settlement(index, on)
    except UnknownDate:  # before the tables begin: a chain of that day cannot be analysed, which says so
        return None
    return ends if ends.method is SettlementMethod.AVERAGE else None
