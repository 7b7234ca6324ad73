"""The risk supervisor's settings."""

from pydantic import BaseModel, Field, field_validator

from core.risk.funds import FundsConfig
from core.risk.limits.limits import OF_ORDERS, LimitBlocks, LimitsConfig
from core.risk.margin_terms import MarginRules


class RiskConfig(BaseModel, frozen=True, extra="forbid"):
    """The risk supervisor's settings; limits that were changed while the desk ran take the place of `limits`."""

    limits: LimitsConfig = Field(default=LimitsConfig(), description="the pre-trade limits")
    margin: MarginRules = Field(default=MarginRules(), description="what a margin adds to the exchange's tables")
    funds: FundsConfig = Field(default=FundsConfig(), description="the account's money as the session began")
    kill_on: tuple[str, ...] = Field(
        default=("daily_loss", "drawdown"), description="limits whose breach pulls the kill switch"
    )
    lease_ms: int = Field(default=3_000, gt=0, description="ms for which entries may be sent on risk's word")
    pnl_every_s: int = Field(default=60, gt=0, description="market seconds between two writings of the day's result")

    @field_validator("kill_on")
    @classmethod
    def _can_be_passed(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        there = [name for name in LimitBlocks.model_fields if name not in OF_ORDERS]
        wrong = [name for name in names if name not in there]
        if wrong:
            raise ValueError(f"expected limits that a book can pass, of {', '.join(there)}; found {', '.join(wrong)}")
        return names
