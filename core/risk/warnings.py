"""A word at 80 % of a limit, before it refuses anything: once, and again only after its use has fallen below 70 %."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from core.records import LimitUse
from core.rupees import number, rupees, whole_rupees

WARN_AT, AGAIN_BELOW = 0.8, 0.7


class Warned(msgspec.Struct, frozen=True):
    """The limits of which it was said on `day`."""

    day: dt.date | None = None
    limits: frozenset[str] = frozenset()


def warnings(uses: Sequence[LimitUse], warned: Warned, day: dt.date | None) -> tuple[tuple[LimitUse, ...], Warned]:
    """Those that have reached 80 % and were not told of on `day`, and what has been told of from now on."""
    told = warned.limits if warned.day == day else frozenset[str]()
    shares = {use.limit: use.used / use.allowed if use.allowed > 0 else 0.0 for use in uses}
    kept = frozenset(name for name in told if shares.get(name, 0.0) >= AGAIN_BELOW)
    new = tuple(use for use in uses if shares[use.limit] >= WARN_AT and use.limit not in kept)
    return new, Warned(day, kept | {use.limit for use in new})


def in_words(use: LimitUse) -> str:
    """What a person is told of a limit that is nearly used up."""
    share = f", {use.used / use.allowed:.0%}" if use.allowed > 0 else ""
    used, allowed = _figure(use.used, use), _figure(use.allowed, use)
    figures = f"{used} of {allowed} {use.unit.removeprefix('rupees').lstrip()}".rstrip()
    return f"{use.limit}: {figures} are used{share}"


def _figure(value: float, use: LimitUse) -> str:
    """Whole rupees, where these tell the two apart; other units as they are."""
    if not use.unit.startswith("rupees"):
        return number(value)
    return whole_rupees(value) if whole_rupees(use.used) != whole_rupees(use.allowed) else rupees(100 * value)
