"""What risk says and knows: refusals and their limits, events, margins."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A limit said no. `allowed` and `asked` are in the limit's own unit, as text."""

    limit: str
    allowed: str
    asked: str
    why: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Risk's answer to an intent; empty `refusals` is a yes. `purpose` is as what it was judged, empty: as it says."""

    refusals: tuple[Refusal, ...] = ()
    purpose: Literal["", "entry"] = ""


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is used now, for the page's bars."""

    limit: str
    used: float
    allowed: float
    unit: str


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True):
    at_ns: int
    kind: str  # refusal, halt, limit, difference …
    subject: str
    message: str
    severity: Literal["", "info", "warning", "alarm"] = ""  # empty where nobody has weighed it
    triggered_by: str = ""  # a person's name, or the rule; empty: the subject
    action_taken: str = ""


class RiskDay(msgspec.Struct, frozen=True, kw_only=True):
    """What risk must still know of a day after its own restart; nothing else in the ledger tells it.

    `highs` is the best result so far in paise by strategy, of the desk under ""; `warned` the limits of which it was
    said that they are nearly used up; `lost` whether it was said that the day's loss limit is reached; `entries` the
    tags of hedges that were judged as entries.
    """

    date: str = ""  # YYYY-MM-DD; empty: of no day
    highs: Mapping[str, int] = {}
    warned: tuple[str, ...] = ()
    lost: bool = False
    entries: tuple[str, ...] = ()


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """The kill switch was pulled, or released: by whom and why."""

    pulled: bool
    who: str  # a person's name, or the rule that pulled it
    why: str
    square_off: bool = False  # also close every position, shorts first
    at_ns: int = 0  # market


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would block and cost; `estimate` says what no exchange file confirms."""

    premium_paise: int
    span_paise: int
    exposure_paise: int
    charges_paise: int
    estimate: bool

    @property
    def total_paise(self) -> int:
        return self.premium_paise + self.span_paise + self.exposure_paise


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has: cash that may still be blocked, and what positions and orders take of it now.

    `margin_paise` is of that what is blocked beside premium (SPAN and exposure); None where it is not told apart, and
    then `available_paise` is before it.
    """

    available_paise: int
    used_paise: int
    at_ns: int  # when it was asked; of what risk is told, market time
    margin_paise: int | None = None
