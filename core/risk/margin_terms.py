"""A margin term by term, and the choices that a circular or a broker leaves open."""

import msgspec
from pydantic import BaseModel, Field

from core.errors import InputError


class MarginRules(BaseModel, frozen=True, extra="forbid"):
    """What the exchange's tables do not settle."""

    buffer: float = Field(
        default=0.0, ge=0, le=1, description="broker's addition, share of SPAN: 0 for Kite, 0.1 elsewhere"
    )
    deep_otm_exposure: bool = Field(
        default=False, description="3 % instead of 2 % on shorts more than 10 % out of the money; unverified"
    )
    long_dated_exposure: bool = Field(
        default=False, description="5 % instead of 2 % on shorts of more than nine months; unverified"
    )


class MarginTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Rupees as whole paise. `span` is max(0, scan + calendar − `nov`), of each group of legs apart."""

    scan_paise: int = 0  # the worst of sixteen scenarios
    calendar_paise: int = 0  # charge on deltas that offset in two expiries
    nov_paise: int = 0  # net option value: below 0 for a net short
    span_paise: int = 0
    exposure_paise: int = 0
    expiry_day_paise: int = 0  # additional exposure of shorts that expire today
    buffer_paise: int = 0  # the broker's own
    premium_paise: int = 0  # of longs not paid for yet

    @property
    def blocked_paise(self) -> int:
        """What is held against the position while it is open."""
        return self.span_paise + self.exposure_paise + self.expiry_day_paise + self.buffer_paise

    @property
    def total_paise(self) -> int:
        """Blocked and paid: what the account must have."""
        return self.blocked_paise + self.premium_paise

    def __add__(self, other: "MarginTerms") -> "MarginTerms":
        return MarginTerms(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class PortfolioMargin(msgspec.Struct, frozen=True, kw_only=True):
    """The margin of legs together; `alone_paise` is the sum of what each would need by itself.

    `estimate`: the arrays are this desk's. From the exchange's file they are not, and still a broker may use another of
    the day's six files; exposure is never in the file.
    """

    terms: MarginTerms
    by_index: dict[str, MarginTerms]
    alone_paise: int
    estimate: bool

    @property
    def total_paise(self) -> int:
        return self.terms.total_paise

    @property
    def benefit_paise(self) -> int:
        """What holding the legs together saves."""
        return self.alone_paise - self.terms.total_paise


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """How a margin is met; paise. Premium leaves as cash, the rest may be collateral after its haircut."""

    cash_needed_paise: int
    cash_short_paise: int
    short_paise: int


def cover(terms: MarginTerms, *, cash_paise: int, collateral_paise: int, cash_share: float = 0.0) -> Cover:
    """What is lacking of cash and in all; `collateral_paise` is after the haircut.

    `cash_share` is the part of what is blocked that must be cash; the clearing houses' half has no source at hand, so
    it is 0. InputError for a share outside [0, 1].
    """
    if not 0 <= cash_share <= 1:
        raise InputError(f"a share of the margin in cash lies between 0 and 1, was {cash_share}")
    cash_needed = terms.premium_paise + round(cash_share * terms.blocked_paise)
    return Cover(
        cash_needed_paise=cash_needed,
        cash_short_paise=max(0, cash_needed - cash_paise),
        short_paise=max(0, cash_needed - cash_paise, terms.total_paise - cash_paise - collateral_paise),
    )
