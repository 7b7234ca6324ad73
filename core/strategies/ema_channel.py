"""The EMA channel: a trend pullback on three-minute bars of the index, confirmed by the option that is bought.

A decision is taken at a bar's close. Eight conditions, four of the index and four alike of the option: the channel
|EMA fast − EMA slow| is narrow (mandatory for both), the bar has the trend's colour, the EMAs lie in the trend's order,
the bar's open or its pullback touches the fast EMA. Confidence is the share passed. How many trades a day, the halt
after stops and the loss of a day are no part of it: they are limits of core.risk, in a backtest and on the desk alike.

The last decision of a day is the close after which one more bar would reach past `square_off_ns`: it only leaves.
"""

import datetime as dt
import math
from collections.abc import Mapping

import msgspec
from pydantic import BaseModel, Field

from core.market import option_symbol, strike_step_paise, tick_paise
from core.schemas import Kind
from core.strategies.events import (
    Action,
    Bar,
    BarClosed,
    Enter,
    EntryDropped,
    EntryFilled,
    Event,
    ExitDropped,
    ExitFilled,
    Leave,
    NoData,
    PremiumSeen,
    Seed,
)

NAME = "ema_channel"
_MINUTE_NS = 60_000_000_000


class EmaChannelConfig(BaseModel, frozen=True, extra="forbid"):
    """Every choice of the definition."""

    fast: int = Field(default=10, gt=1, description="bars of the fast EMA")
    slow: int = Field(default=20, gt=1, description="bars of the slow EMA")
    bar_seconds: int = Field(default=180, gt=0, description="length of a bar, seconds")
    seed: Seed = Field(
        default="session", description="EMAs begin with the session's first close, or go on from yesterday"
    )
    warm_up_bars: int = Field(default=20, ge=0, description="bars of a session before the first decision")
    index_channel: float = Field(default=51.0, ge=0, description="widest channel of the index, points")
    option_channel: float = Field(default=15.0, ge=0, description="widest channel of the option's premium, rupees")
    touch: float = Field(default=21.0, ge=0, description="farthest from the fast EMA that is a touch, points or rupees")
    min_confidence: float = Field(default=80.0, ge=0, le=100, description="per cent of the eight conditions")
    stop_pct: float = Field(default=6.0, ge=0, lt=100, description="stop below the entry premium, per cent; 0 is none")
    target_pct: float = Field(default=12.0, ge=0, description="target above the entry premium, per cent; 0 is none")
    exit_through_slow: bool = Field(default=False, description="leave when the index closes through its slow EMA")
    exit_far: float = Field(
        default=0.0, ge=0, description="leave beyond this distance to the slow EMA, e.g. 150; 0 is off"
    )
    exit_crossover: bool = Field(default=False, description="leave when the index's EMAs cross")
    call_minutes: int = Field(default=60, ge=0, description="longest holding time of a call; 0 is no limit")
    put_minutes: int = Field(default=30, ge=0, description="longest holding time of a put; 0 is no limit")
    before_close_minutes: int = Field(default=5, ge=0, description="minutes before the session's close to leave at")
    cooldown_minutes: int = Field(default=10, ge=0, description="minutes after a signal before the next")
    lots: int = Field(default=5, gt=0, description="lots of an entry, fewer where the balance does not reach")


class Ema(msgspec.Struct, frozen=True):
    """Both EMAs of one symbol in rupees, and the bars of this session that made them."""

    fast: float
    slow: float
    bars: int

    @property
    def width(self) -> float:
        return abs(self.fast - self.slow)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An open position and the two prices that end it; 0 is none."""

    symbol: str
    kind: Kind
    quantity: int
    entry_paise: int
    entry_ns: int
    stop_paise: int
    target_paise: int
    leaving: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the strategy remembers."""

    index: str
    day: dt.date | None = None
    index_ema: Ema | None = None
    option_emas: Mapping[str, Ema] = {}
    wanted: Enter | None = None  # sent, not yet filled or refused
    held: Held | None = None
    signal_ns: int = 0


def step(config: EmaChannelConfig, state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """The next state and what to do; the same for the same arguments, always."""
    if isinstance(event, BarClosed):
        return _bar_closed(config, _new_day(config, state, event.day), event)
    if isinstance(event, PremiumSeen):
        return _premium(state, event)
    return _order(config, state, event), ()


def _order(
    config: EmaChannelConfig, state: State, event: EntryFilled | EntryDropped | ExitFilled | ExitDropped
) -> State:
    replace = msgspec.structs.replace
    if isinstance(event, EntryFilled):
        return replace(state, wanted=None, held=_held(config, state, event))
    if isinstance(event, EntryDropped):
        return replace(state, wanted=None)
    if isinstance(event, ExitDropped) and state.held is not None:
        return replace(state, held=replace(state.held, leaving=False))
    return replace(state, held=None)


def atm_strike_paise(index: str, close_paise: int) -> int:
    """The strike nearest to the close, upwards on a tie: floor(close / step + ½) × step."""
    step_paise = strike_step_paise(index)
    return (2 * close_paise + step_paise) // (2 * step_paise) * step_paise


def quantity(config: EmaChannelConfig, lot: int, price_paise: int, cash_paise: int) -> int:
    """Units to buy: `config.lots` lots, or as many whole ones as the cash pays for; 0 if not even one."""
    affordable = cash_paise // (lot * price_paise) if price_paise > 0 else 0
    return min(config.lots, affordable) * lot


def stop_or_target(held: Held, bar: Bar) -> Leave | None:
    """What a bar of the held option would have triggered, the stop first: which came first inside a bar is unknown."""
    if held.stop_paise and bar.low_paise <= held.stop_paise:
        return Leave(
            symbol=held.symbol, at_ns=bar.end_ns, reason="stop", limit_paise=min(held.stop_paise, bar.open_paise)
        )
    if held.target_paise and bar.high_paise >= held.target_paise:
        return Leave(symbol=held.symbol, at_ns=bar.end_ns, reason="target", limit_paise=held.target_paise)
    return None


def _new_day(config: EmaChannelConfig, state: State, day: dt.date) -> State:
    if state.day == day:
        return state
    if config.seed == "session" or state.index_ema is None:
        return State(index=state.index, day=day, held=state.held)
    # A gap between the days: the averages go on, the warm-up is theirs already.
    return msgspec.structs.replace(state, day=day, wanted=None, signal_ns=0)


def _grown(config: EmaChannelConfig, ema: Ema | None, bar: Bar) -> Ema:
    close = bar.close_paise / 100
    if ema is None:
        return Ema(close, close, 1)
    fast, slow = 2 / (config.fast + 1), 2 / (config.slow + 1)
    return Ema(ema.fast + fast * (close - ema.fast), ema.slow + slow * (close - ema.slow), ema.bars + 1)


def _bar_closed(config: EmaChannelConfig, state: State, event: BarClosed) -> tuple[State, tuple[Action, ...]]:
    before = state.index_ema
    ema = _grown(config, before, event.index_bar)
    options = {
        **state.option_emas,
        **{name: _grown(config, state.option_emas.get(name), bar) for name, bar in event.options.items()},
    }
    state = msgspec.structs.replace(state, index_ema=ema, option_emas=options)
    if state.held is not None:
        reason = "" if state.held.leaving else _exit_reason(config, state.held, event, before, ema)
        if not reason:
            return state, ()
        leave = Leave(symbol=state.held.symbol, at_ns=event.index_bar.end_ns, reason=reason)
        return _leaving(state, state.held), (leave,)
    now = event.index_bar.end_ns
    cooling = state.signal_ns and now - state.signal_ns < config.cooldown_minutes * _MINUTE_NS
    if state.wanted is not None or ema.bars < config.warm_up_bars or _last_decision(event) or cooling:
        return state, ()
    action = _signal(config, state, event, ema)
    if isinstance(action, Enter):
        state = msgspec.structs.replace(state, wanted=action, signal_ns=now)
    return state, () if action is None else (action,)


def _signal(config: EmaChannelConfig, state: State, event: BarClosed, ema: Ema) -> Enter | NoData | None:
    """The better of call and put; a tie goes to the EMAs' order."""
    if ema.width > config.index_channel:
        return None
    first = Kind.CALL if ema.fast > ema.slow else Kind.PUT
    best: Enter | None = None
    missing: NoData | None = None
    for kind in (first, Kind.PUT if first == Kind.CALL else Kind.CALL):
        passed = _conditions(config, event.index_bar, ema, up=kind == Kind.CALL)
        if 100 * (passed + 4) / 8 < config.min_confidence:
            continue
        found = _confirmed(config, state, event, kind, passed)
        if isinstance(found, NoData):
            missing = missing or found
        elif found is not None and (best is None or found.confidence > best.confidence):
            best = found
    return best or missing


def _confirmed(
    config: EmaChannelConfig, state: State, event: BarClosed, kind: Kind, passed: int
) -> Enter | NoData | None:
    strike = atm_strike_paise(state.index, event.index_bar.close_paise)
    symbol = option_symbol(state.index, event.expiry, kind, strike)
    at_ns = event.index_bar.end_ns
    bar, ema = event.options.get(symbol), state.option_emas.get(symbol)
    if bar is None or ema is None:
        return NoData(symbol=symbol, at_ns=at_ns, kind=kind, why=f"{symbol} has no bar here")
    if ema.bars < config.warm_up_bars:
        why = f"{symbol} has {ema.bars} bars of the {config.warm_up_bars} its averages need"
        return NoData(symbol=symbol, at_ns=at_ns, kind=kind, why=why)
    if ema.width > config.option_channel:
        return None
    confidence = 100 * (passed + _conditions(config, bar, ema, up=True, channel=config.option_channel)) / 8
    if confidence < config.min_confidence:
        return None
    return Enter(symbol=symbol, kind=kind, at_ns=at_ns, confidence=confidence, close_paise=bar.close_paise)


def _conditions(config: EmaChannelConfig, bar: Bar, ema: Ema, *, up: bool, channel: float | None = None) -> int:
    """How many of the four hold; the option is always bought, so its own are those of a rise."""
    widest = config.index_channel if channel is None else channel
    rise = bar.close_paise - bar.open_paise
    pullback = bar.low_paise if up else bar.high_paise
    distance = min(abs(bar.open_paise / 100 - ema.fast), abs(pullback / 100 - ema.fast))
    return sum(
        (
            ema.width <= widest,
            rise > 0 if up else rise < 0,
            ema.fast > ema.slow if up else ema.fast < ema.slow,
            distance < config.touch,
        )
    )


def _exit_reason(config: EmaChannelConfig, held: Held, event: BarClosed, before: Ema | None, ema: Ema) -> str:
    close, now = event.index_bar.close_paise / 100, event.index_bar.end_ns
    up = held.kind == Kind.CALL
    minutes = config.call_minutes if up else config.put_minutes
    if _last_decision(event):
        return "session close"
    if config.exit_through_slow and (close < ema.slow if up else close > ema.slow):
        return "through EMA"
    if config.exit_far and abs(close - ema.slow) > config.exit_far:
        return "far from EMA"
    if config.exit_crossover and before is not None and (before.fast > before.slow) != (ema.fast > ema.slow):
        return "crossover"
    if minutes and now - held.entry_ns >= minutes * _MINUTE_NS:
        return "time"
    return ""


def _last_decision(event: BarClosed) -> bool:
    bar = event.index_bar
    return bar.end_ns + bar.seconds * 1_000_000_000 > event.square_off_ns


def _premium(state: State, event: PremiumSeen) -> tuple[State, tuple[Action, ...]]:
    held = state.held
    if held is None or held.leaving or held.symbol != event.symbol or event.price_paise <= 0:
        return state, ()
    price = event.price_paise
    reason = "stop" if held.stop_paise and price <= held.stop_paise else ""
    if not reason and held.target_paise and price >= held.target_paise:
        reason = "target"
    if not reason:
        return state, ()
    limit = held.stop_paise if reason == "stop" else held.target_paise
    return _leaving(state, held), (Leave(symbol=held.symbol, at_ns=event.at_ns, reason=reason, limit_paise=limit),)


def _leaving(state: State, held: Held) -> State:
    return msgspec.structs.replace(state, held=msgspec.structs.replace(held, leaving=True))


def _held(config: EmaChannelConfig, state: State, event: EntryFilled) -> Held:
    tick = tick_paise(state.index)
    kind = Kind.CALL if event.symbol.endswith("CE") else Kind.PUT
    stop = math.floor(round(event.price_paise * (100 - config.stop_pct) / 100, 6) / tick) * tick
    target = math.ceil(round(event.price_paise * (100 + config.target_pct) / 100, 6) / tick) * tick
    return Held(
        symbol=event.symbol,
        kind=kind,
        quantity=event.quantity,
        entry_paise=event.price_paise,
        entry_ns=event.at_ns,
        stop_paise=stop if config.stop_pct else 0,
        target_paise=target if config.target_pct else 0,
    )
