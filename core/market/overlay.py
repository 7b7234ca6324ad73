"""What is laid over the tables: rows a user imported (`vikalp facts import`), and the instrument dump of the day.

The tables of core/market are the same in every process. A user's rows are read once at start by cluster/ and handed
to `use`, in each process of a desk; nothing here reads a file. A user's row wins over the table's of the same key, the
dump of a day over both on that day.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast

import msgspec

Grade = Literal["circular", "measured", "provisional", "user", "dump"]
GRADES: dict[Grade, str] = {
    "circular": "a circular of the exchange or of SEBI, read or as reported where the row says so",
    "measured": "what the exchange's own files and recorded bars show; no circular was at hand",
    "provisional": "by rule, nothing published confirms it: enough to plan and simulate with",
    "user": "imported on this machine with the source its file names",
    "dump": "the broker's instrument dump of the very day, which wins over every table",
}


class UserSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session on a day that would be closed, or other hours than the usual ones; times IST."""

    date: dt.date
    kind: Literal["normal", "muhurat", "weekend", "drill"]
    open: dt.time
    close: dt.time
    pre_open: dt.time | None = None


class UserLot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Contracts of `index` that expire from `first_expiry` on have `lot` units; from which trade dates on, see lots."""

    index: str
    first_expiry: dt.date
    lot: int
    new_from: dt.date
    long_dated_from: dt.date


class UserFreeze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `since` on an order in `index` may have `quantity` units at most."""

    index: str
    since: dt.date
    quantity: int


class UserFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One imported file. A year in `years` says that `holidays` has all weekday holidays of it: it is published."""

    source: str
    published: dt.date
    years: tuple[int, ...] = ()
    holidays: tuple[dt.date, ...] = ()
    sessions: tuple[UserSession, ...] = ()
    lots: tuple[UserLot, ...] = ()
    freeze: tuple[UserFreeze, ...] = ()


class DayContracts(msgspec.Struct, frozen=True, kw_only=True):
    """What a dump of `on` lists: units of each (index, expiry); `monthly` are written with their month alone."""

    on: dt.date
    lots: dict[tuple[str, dt.date], int]
    monthly: frozenset[tuple[str, dt.date]] = frozenset()

    def expiries(self, index: str) -> tuple[dt.date, ...]:
        """Ascending; empty for an index the dump has nothing of."""
        return tuple(sorted(expiry for name, expiry in self.lots if name == index))

    def monthly_expiry(self, index: str, year: int, month: int) -> dt.date | None:
        """The expiry that a symbol with that month alone means; None where the dump has none."""
        own = (day for name, day in self.monthly if (name, day.year, day.month) == (index, year, month))
        return next(own, None)


_P = ParamSpec("_P")
_R = TypeVar("_R")
_rows: list[UserFacts] = []
_dump: list[DayContracts] = []
_caches: list[Callable[[], None]] = []


def use(facts: Sequence[UserFacts]) -> None:
    """Make `facts` the user's rows of this process, instead of those before; what was remembered is forgotten."""
    if _rows == list(facts):
        return
    _rows[:] = facts
    for clear in _caches:
        clear()


def user_facts(known: dt.date | None = None) -> tuple[UserFacts, ...]:
    """The user's rows of this process that were published by `known` (None: all); a later one wins."""
    return tuple(facts for facts in _rows if known is None or facts.published <= known)


def use_dump(contracts: DayContracts | None) -> None:
    """Let the dump of a day decide about that day in this process; None: the tables alone again."""
    _dump[:] = [contracts] if contracts is not None else []
    for clear in _caches:
        clear()


def dump_of(on: dt.date | None) -> DayContracts | None:
    """The dump in use, if it is of `on`; None: whatever day it is of."""
    return _dump[0] if _dump and on in {None, _dump[0].on} else None


def dump_differs(contracts: DayContracts | None) -> bool:
    """Whether another dump than `contracts` is in use."""
    return _dump != ([contracts] if contracts is not None else [])


def remembered(size: int) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`functools.lru_cache` of `size`, emptied when the user's rows change."""

    def wrap(function: Callable[_P, _R]) -> Callable[_P, _R]:
        cached: Any = lru_cache(maxsize=size)(function)
        _caches.append(cached.cache_clear)
        return cast("Callable[_P, _R]", wraps(function)(cached))

    return wrap
