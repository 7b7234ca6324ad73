"""Which positions must leave before the day ends, and when: offsets from the close of the dated session.

An expiring contract is squared off 15 minutes before the close and forced out 5 minutes before it; MIS leaves some
minutes before the broker squares it off itself, for a fee an order.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec
from pydantic import BaseModel, Field, model_validator

from core.market import IST, exchange_of, from_ns, parse_symbol, session
from core.records import Product

Stage = Literal["warn", "square_off", "force"]
_WORST: dict[Stage, int] = {"warn": 0, "square_off": 1, "force": 2}


class DayEndConfig(BaseModel, frozen=True, extra="forbid"):
    """Minutes before the session's close, and before the broker's own square-off."""

    warn_minutes: int = Field(
        default=60, gt=0, description="a position that will be squared off is named, minutes before the close"
    )
    square_off_minutes: int = Field(default=15, gt=0, description="expiring contracts are squared off")
    force_minutes: int = Field(
        default=5, gt=0, description="what is still open of them leaves at any price of the band"
    )
    broker_mis: dt.time = Field(
        default=dt.time(15, 25),
        description="when the broker squares MIS off, IST, or 5 minutes before the close if that is earlier; an "
        "estimate: Zerodha's page says 15:25 and is of the time when the session ended at 15:30",
    )
    mis_lead_minutes: int = Field(default=5, gt=0, description="MIS leaves so long before that")

    @model_validator(mode="after")
    def _in_turn(self) -> "DayEndConfig":
        if not self.warn_minutes > self.square_off_minutes > self.force_minutes:
            raise ValueError("expected warn_minutes > square_off_minutes > force_minutes")
        return self


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """The day's end, aware datetimes IST."""

    warn: dt.datetime
    mis: dt.datetime
    square_off: dt.datetime
    force: dt.datetime
    close: dt.datetime


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """A position: signed units of one product."""

    symbol: str
    index: str
    quantity: int
    product: Product = "NRML"


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A position that is to leave, at the touch and down the ladder (square_off) or at any price of the band (force).

    "warn" is told to a person, and is not yet to leave.
    """

    held: Holds
    stage: Stage
    reason: str


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """Why a contract's positions in a product leave on the day, from when on, and when what is left is forced out."""

    why: Literal["expiry", "MIS"]
    begins: dt.datetime
    moments: Moments

    def past(self, now: dt.datetime) -> bool:
        """Whether it leaves, or has left, and the session goes on."""
        return self.begins <= now < self.moments.close


def moments(index: str, on: dt.date, config: DayEndConfig) -> Moments | None:
    """When what happens on `on`; None on a day without a session. Raises UnknownDate as core.market.session."""
    hours = session(exchange_of(index), on)
    if hours is None:
        return None
    broker = min(dt.datetime.combine(on, config.broker_mis, IST), hours.close - dt.timedelta(minutes=5))
    return Moments(
        warn=hours.close - dt.timedelta(minutes=config.warn_minutes),
        mis=broker - dt.timedelta(minutes=config.mis_lead_minutes),
        square_off=hours.close - dt.timedelta(minutes=config.square_off_minutes),
        force=hours.close - dt.timedelta(minutes=config.force_minutes),
        close=hours.close,
    )


def due(positions: Iterable[Holds], now_ns: int, config: DayEndConfig) -> tuple[Due, ...]:
    """What is to leave, or to be told of, at market time `now_ns`: shorts first. Raises UnknownDate, UnknownName."""
    found = [one for held in positions if held.quantity for one in _due(held, now_ns, config)]
    return tuple(sorted(found, key=lambda one: (one.held.quantity > 0, -_WORST[one.stage], one.held.symbol)))


def leave(symbol: str, index: str, product: Product, now_ns: int, config: DayEndConfig) -> Leave | None:
    """When positions of it leave on the day of `now_ns`; None if they may stay. Raises UnknownDate, UnknownName."""
    now = from_ns(now_ns)
    at = moments(index, now.date(), config)
    if at is None:
        return None
    found: list[tuple[dt.datetime, Literal["expiry", "MIS"]]] = [(at.mis, "MIS")] if product == "MIS" else []
    if parse_symbol(symbol, now.date()).expiry == now.date():
        found.append((at.square_off, "expiry"))
    if not found:
        return None
    begins, why = min(found)
    return Leave(why=why, begins=begins, moments=at)


def no_entry(symbol: str, index: str, product: Product, now_ns: int, config: DayEndConfig) -> str:
    """Why nothing new may be opened in it now: its positions are leaving. Empty if it may. Raises as `leave`."""
    found = leave(symbol, index, product, now_ns, config)
    if found is None or not found.past(from_ns(now_ns)):
        return ""
    return f"{_WHY[found.why].format(symbol)}: since {found.begins:%H:%M} what is held of it leaves, and nothing enters"


_WHY = {"expiry": "{} expires today", "MIS": "{} is MIS, which the broker squares off"}


def _due(held: Holds, now_ns: int, config: DayEndConfig) -> Iterable[Due]:
    now, found = from_ns(now_ns), leave(held.symbol, held.index, held.product, now_ns, config)
    if found is None or not found.moments.warn <= now < found.moments.close:
        return
    stage: Stage = "warn" if now < found.begins else "force" if now >= found.moments.force else "square_off"
    reason = f"{_WHY[found.why].format(held.symbol)}; it leaves at {found.begins:%H:%M}"
    yield Due(held=held, stage=stage, reason=reason)
