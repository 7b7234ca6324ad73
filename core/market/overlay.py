"""Rows a user added to the tables with `vikalp facts import`: what they may say, and where the tables look for them.

The tables of core/market are the same in every process. A user's rows are read once at start by cluster/ and handed
to `use`, in each process of a desk; nothing here reads a file. A user's row wins over the table's of the same key.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast

import msgspec

Grade = Literal["circular", "measured", "provisional", "user"]
GRADES: dict[Grade, str] = {
    "circular": "a circular of the exchange or of SEBI, read or as reported where the row says so",
    "measured": "what the exchange's own files and recorded bars show; no circular was at hand",
    "provisional": "by rule, nothing published confirms it: enough to plan and simulate with",
    "user": "imported on this machine with the source its file names",
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


_P = ParamSpec("_P")
_R = TypeVar("_R")
_rows: list[UserFacts] = []
_caches: list[Callable[[], None]] = []


def use(facts: Sequence[UserFacts]) -> None:
    """Make `facts` the user's rows of this process, instead of those before; what was remembered is forgotten."""
    _rows[:] = facts
    for clear in _caches:
        clear()


def user_facts() -> tuple[UserFacts, ...]:
    """The user's rows of this process, in the order of their import: a later one wins."""
    return tuple(_rows)


def remembered(size: int) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`functools.lru_cache` of `size`, emptied when the user's rows change."""

    def wrap(function: Callable[_P, _R]) -> Callable[_P, _R]:
        cached: Any = lru_cache(maxsize=size)(function)
        _caches.append(cached.cache_clear)
        return cast("Callable[_P, _R]", wraps(function)(cached))

    return wrap
