"""What risk remembers of a day over its own restart: written when it has moved by something that matters.

Without it the best result of the day would begin again at the result of that moment, and a fall from a better one
would be judged as none; and what is nearly used up would be told again.
"""

import datetime as dt
from collections.abc import Collection, Mapping

import msgspec

from core.ports import Ledger
from core.records import RiskDay
from core.risk.book import RiskBook
from core.risk.limits.limits import LimitsConfig
from core.risk.parts import with_highs

STEP = 0.05  # of the drawdown limit: a best result that has risen by so much is written at once


class Day:
    """A best result may be lost by at most STEP of its drawdown limit, and of what came within `every_s`."""

    def __init__(self, ledger: Ledger, *, every_s: int) -> None:
        self._ledger, self._every_ns = ledger, every_s * 1_000_000_000
        self._kept = RiskDay()
        self._written_ns = 0  # market

    def load(self) -> RiskDay:
        """The newest in the ledger; of no date where there is none. Raises LedgerDown."""
        self._kept = self._ledger.risk_day()
        return self._kept

    def highs(self, day: dt.date | None) -> Mapping[str, int]:
        """Best results of `day` so far in paise by strategy, of the desk under ""; empty for any other day."""
        return self._kept.highs if self._kept.date == f"{day}" else {}

    def carry(self, book: RiskBook, old: RiskBook) -> RiskBook:
        """`book`, read from the ledger anew, with what its orders and trades do not tell; `old` is the one before."""
        if old.day == book.day:
            book = msgspec.structs.replace(book, highs=old.highs, entries=old.entries)
        elif self._kept.date == f"{book.day}":
            book = msgspec.structs.replace(book, entries=frozenset(self._kept.entries))
        return with_highs(book, self.highs(book.day))

    def keep(self, book: RiskBook, limits: LimitsConfig, warned: Collection[str], *, lost: bool) -> None:
        """Write it, if there is something to write down. Raises LedgerDown: tried again at the next look."""
        highs = {name: paise for name, paise in book.highs.items() if paise > 0}
        entries = tuple(sorted(book.entries))
        now = RiskDay(date=f"{book.day}", highs=highs, warned=tuple(sorted(warned)), lost=lost, entries=entries)
        before = self._kept if self._kept.date == now.date else RiskDay(date=now.date)
        if now == before:
            return
        said = now != msgspec.structs.replace(before, highs=highs)
        if said or book.now_ns >= self._written_ns + self._every_ns or _risen(now.highs, before.highs, limits):
            self._ledger.record_risk_day(now)
            self._kept, self._written_ns = now, book.now_ns


def _risen(now: Mapping[str, int], before: Mapping[str, int], limits: LimitsConfig) -> bool:
    return any(paise - before.get(name, 0) >= STEP * limits.of(name).drawdown.max_paise for name, paise in now.items())
