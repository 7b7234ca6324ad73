"""What every feed can be told."""

from typing import Literal

from pydantic import BaseModel, Field, PositiveFloat


class FeedConfig(BaseModel, frozen=True, extra="forbid"):
    index: str = Field(description="index this feed carries")
    timer_ms: int = Field(default=100, gt=0, description="ms between looks at the clock: of a replay at its source")
    stagger_ms: int = Field(
        default=0, ge=0, description="ms this feed's timer starts after the first feed's; its host does it"
    )
    replay: Literal["max"] | PositiveFloat | None = Field(
        default=None, description="null for a market with its own clock; else market seconds a second, or max"
    )
    hold: bool = Field(default=False, description="in a replay: wait for begin() before the first batch")
    budget_ms: int = Field(default=200, gt=0, description="ms one timer call may spend stepping through a replay")
    bar_seconds: tuple[int, ...] = Field(default=(60, 180), description="lengths of the bars made, s")
    bar_grace_ms: int = Field(
        default=1_000, ge=0, description="live: ms without quotes after which the clock closes a bar"
    )
    kept_bars: int = Field(default=40, ge=1, description="bars of each length given again on refresh")
    max_ahead_ms: int = Field(default=2_000, ge=0, description="a tick further ahead of the clock is refused, ms")
    max_behind_s: int = Field(default=86_400, gt=0, description="a tick further behind the clock is refused, s")
    strikes: int = Field(default=20, ge=0, description="live: strikes watched on each side of the money")
    slack: int = Field(
        default=4, ge=0, description="live: strikes more on each side; the money moves so many before the band does"
    )
    expiries: int = Field(
        default=4, ge=0, description="live: nearest option expiries watched, none beyond the last listed future"
    )
    most: int = Field(
        default=600, gt=0, description="live: contracts watched of this index; only what is held may make it more"
    )
