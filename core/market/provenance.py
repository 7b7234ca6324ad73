"""What a shown number is: of the live market, of a simulated or a replayed one, or cached.

A desk's data fail over in steps, and each is a word beside whatever is shown: live, then the last that came, cached.
Simulated prices are shown where the user chose a simulated desk, and only there: no desk goes over to them by itself.
Cached is what no entry is sent on; `origin` goes on saying what market it was of.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from core.errors import UnknownName
from core.records import LimitUse

Origin = Literal["live", "simulated", "replay"]
Kind = Literal["live", "simulated", "replay", "cached"]
# By DeskStatus.mode. PAPER trades on paper at the live market's prices.
ORIGINS: Mapping[str, Origin] = {"SIMULATED": "simulated", "REPLAY": "replay", "PAPER": "live", "LIVE": "live"}
MAX_AGE_NS = 10_000_000_000  # limit stale_quote as it is without a setting
MAX_SILENT_NS = 5_000_000_000


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Of one chain."""

    kind: Kind
    origin: Origin  # the market it is of, also when it is cached
    as_of_ns: int  # newest quote in it, market clock, UTC
    age_ns: int  # since then

    @property
    def cached(self) -> bool:
        return self.kind == "cached"


def provenance(
    mode: str,
    *,
    as_of_ns: int,
    now_ns: int,
    silent_ns: int = 0,
    loaded: bool = False,
    max_age_ns: int = MAX_AGE_NS,
    max_silent_ns: int = MAX_SILENT_NS,
) -> Provenance:
    """What a chain is whose newest quote is of `as_of_ns`, on a desk of that mode. UnknownName for another word.

    now_ns: the market's clock. Beyond max_age_ns, which is risk's limit stale_quote, every entry is refused.
    silent_ns: wall nanoseconds since it arrived where it is shown; 0 where it was asked for just now.
    loaded: it came from the tape and not from a market.
    In a replay the clock stands where the data stand, of one index behind another, so that silence alone counts.
    """
    if mode not in ORIGINS:
        raise UnknownName(f"{mode!r} is not a mode of a desk; expected one of {', '.join(ORIGINS)}")
    origin = ORIGINS[mode]
    old_ns = 0 if origin == "replay" else max(0, now_ns - as_of_ns)
    cached = loaded or old_ns > max_age_ns or silent_ns > max_silent_ns
    age_ns = max(old_ns, silent_ns)
    return Provenance(kind="cached" if cached else origin, origin=origin, as_of_ns=as_of_ns, age_ns=age_ns)


def max_age_ns(limits: Iterable[LimitUse]) -> int:
    """The age at which risk refuses every entry, by what it says of its limits; its default where it has not said."""
    return next((int(limit.allowed * 1_000_000) for limit in limits if limit.limit == "stale_quote"), MAX_AGE_NS)
