"""The latest quote of each contract as risk needs it: what a position would bring now, whether the price jumped."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from core.market import IST, to_ns
from core.orders.positions import mark

BASE_NS = 5_000_000_000
"""Within so much market time steps of a mid add up to one move (`Mark.base_paise`)."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Latest quote of a symbol; paise 0 is no price, units 0 none or unknown.

    `base_paise` is the mid as it stood before `base_ns`, from which on it moved to what it is now in steps less than
    BASE_NS apart from the first; 0 of the first quote.
    """

    bid_paise: int = 0
    ask_paise: int = 0
    last_paise: int = 0
    at_ns: int = 0
    prev_close_paise: int = 0
    volume: int = 0  # traded today
    oi: int = 0
    base_paise: int = 0
    base_ns: int = 0

    @property
    def known(self) -> bool:
        """Whether it holds any price."""
        return bool(self.bid_paise or self.ask_paise or self.last_paise)

    @property
    def mid_paise(self) -> int:
        """Mid of a two-sided quote, else the last trade; 0 unknown."""
        return mark(self.bid_paise, self.ask_paise, self.last_paise)

    def exit_paise(self, quantity: int) -> int:
        """What a unit of a position of `quantity` signed units would bring now (`core.orders.positions.mark`)."""
        return mark(self.bid_paise, self.ask_paise, self.last_paise, quantity)


def newer(marks: Mapping[str, Mark], news: Mapping[str, Mark], day: dt.date | None) -> dict[str, Mark]:
    """`marks` with newer quotes of some symbols on `day`; one without any price leaves an older price as it is."""
    priced = {name: mark for name, mark in news.items() if mark.known or name not in marks}
    based = {name: _based(marks.get(name), mark) for name, mark in priced.items()}
    return {**marks, **of_day(based, day)}


def of_day(marks: Mapping[str, Mark], day: dt.date | None) -> dict[str, Mark]:
    """A quote of an earlier day has no part in this day's result: it is its own previous close, without sides."""
    begin_ns = to_ns(dt.datetime.combine(day, dt.time.min, IST)) if day else 0
    return {name: mark if mark.at_ns >= begin_ns else _closed(mark) for name, mark in marks.items()}


def _closed(mark: Mark) -> Mark:
    price = mark.mid_paise
    return Mark(last_paise=price, prev_close_paise=price, at_ns=mark.at_ns)


def _based(old: Mark | None, new: Mark) -> Mark:
    if old is None:
        return new
    if new.mid_paise == old.mid_paise or (old.base_paise and new.at_ns < old.base_ns + BASE_NS):
        return msgspec.structs.replace(new, base_paise=old.base_paise, base_ns=old.base_ns)
    return msgspec.structs.replace(new, base_paise=old.mid_paise, base_ns=new.at_ns)
