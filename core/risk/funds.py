"""What the account has, as its margin limits see it."""

import msgspec
from pydantic import BaseModel, Field

from core.records import Funds


class FundsConfig(BaseModel, frozen=True, extra="forbid"):
    """The account's money as the session began; the broker's own figure counts where it has been told and is less.

    The default is what an account at the local exchange begins with.
    """

    cash_paise: int = Field(default=100_000_000, ge=0, description="cash as the session began, paise")
    collateral_paise: int = Field(default=0, ge=0, description="collateral after its haircut, paise; pays no premium")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Paise as the session began; `broker` is what the broker last said of the account, None if nothing yet."""

    cash_paise: int = 100_000_000
    collateral_paise: int = 0
    broker: Funds | None = None
