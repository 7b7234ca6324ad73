"""A pure strategy on the desk: bars and premiums in, order intents out.

in       bars (index and options), chain (premium of what is held)
out      intents, by awaited calls of the order manager
state    averages of this session (soft: the feed sends its bars again), position (from the order manager's orders)
restart  empty averages that warm up again; its open position is found in the order manager's book
"""

import pyarrow as pa
from pydantic import BaseModel, Field

from actors.strategies.orders import Follow
from actors.strategies.rows import bars_of, lot_of, premium_of
from core.market import exchange_of, from_ns, session, to_ns
from core.ports import Bus, Clock, Orders
from core.records import Chain, Position
from core.schemas import NO_TICKS
from core.strategies.ema_channel import NAME, EmaChannelConfig, State, quantity, step
from core.strategies.events import (
    Bar,
    BarClosed,
    Enter,
    EntryDropped,
    Event,
    ExitDropped,
    ExitFilled,
    Leave,
    PremiumSeen,
)
from core.strategies.expiry import expiry_to_trade

_MINUTE_NS = 60_000_000_000


class StrategyConfig(BaseModel, frozen=True, extra="forbid"):
    name: str = Field(default=NAME, description="name of the strategy in orders, limits and the page")
    index: str = Field(description="index whose options it trades")
    enabled: bool = Field(default=False, description="false: it watches and keeps its averages, and sends nothing")
    capital_paise: int = Field(default=50_000_000, gt=0, description="virtual cash it may spend, paise")
    expiry: str = Field(default="same", pattern="^(same|next)$", description="contract to trade on an expiry day")
    timer_ms: int = Field(default=1000, ge=0, description="ms between looks at its own orders; 0 is never")
    rest_s: int = Field(default=30, gt=0, description="market seconds an order may rest unfilled until it is cancelled")
    retry_s: int = Field(default=5, gt=0, description="market seconds from a refused exit to the next on the premium")
    params: EmaChannelConfig = Field(default=EmaChannelConfig(), description="the strategy's own choices")


class StrategyActor:
    """Runs the same `step` as a backtest; whatever it wants goes through risk like everybody's orders.

    A refusal ends that signal, nothing is sent again. A tag is made of the decision, so a decision taken twice
    across a restart is one order.
    """

    def __init__(self, config: StrategyConfig, *, bus: Bus, clock: Clock, orders: Orders) -> None:
        self._config, self._bus, self._clock, self._orders = config, bus, clock, orders
        self._state = State(index=config.index)
        self._follow = Follow(config.name, config.index)
        self._last_start_ns = self._progress_ns = 0
        self._missing = False  # a bar was lost on the way, and the feed has not given it again
        self._retry_ns = 0  # market time

    def open(self) -> None:
        """Find what an earlier life left open, and ask the feed for the session's bars."""
        for event in self._follow.adopt(self._orders.all_orders(), self._clock.wall_ns()):
            self._tell(event)
        self._ask()

    def on_bars(self, bars: pa.RecordBatch) -> None:
        if self._missing:
            self._ask()  # they come with the others, in their order
        else:
            self._take(bars)

    def on_past_bars(self, bars: pa.RecordBatch) -> None:
        """The feed's answer to refresh: the session's bars so far, each length in a batch of its own."""
        self._take(bars)
        if self._config.params.bar_seconds in bars["seconds"].to_pylist():
            self._missing = False

    def on_gap(self, source: str) -> None:
        """A bar may be lost: without it the averages are wrong for the day, so those after it wait for it."""
        self._missing = self._missing or source == f"feed.{self._config.index}"

    def on_chain(self, chain: Chain) -> None:
        held = self._state.held
        price, at_ns = premium_of(chain, held.symbol) if held is not None else (0, 0)
        if held is not None and price > 0 and not self._follow.waiting and self._clock.now_ns() >= self._retry_ns:
            self._tell(PremiumSeen(symbol=held.symbol, price_paise=price, at_ns=at_ns))
        self._progress_ns = self._clock.wall_ns()

    def on_timer(self) -> None:
        """Learn from the order manager what has become of its orders; what rests too long is cancelled."""
        wall_ns = self._clock.wall_ns()
        if not self._follow.waiting and not self._follow.open_ends(wall_ns):
            return
        orders = self._orders.orders()
        for event in self._follow.look(orders, wall_ns):
            self._tell(event)
        for tag in self._follow.resting(orders, self._clock.now_ns() - self._config.rest_s * 1_000_000_000, wall_ns):
            self._orders.cancel(tag)  # what has filled counts, and is looked at on the next timer
        self._mind()

    def position(self) -> Position | None:
        """What this strategy holds as the order manager sees it; None if it is flat."""
        held = self._state.held
        return self._position(held.symbol) if held is not None else None

    def check_health(self) -> int:
        """Wall nanoseconds of the last bar or chain handled; 0 before the first."""
        return self._progress_ns

    def _ask(self) -> None:
        self._bus.publish("refresh", NO_TICKS, index=self._config.index)

    def _take(self, bars: pa.RecordBatch) -> None:
        for start_ns, index_bar, options in bars_of(bars, self._config.index, self._config.params.bar_seconds):
            if start_ns > self._last_start_ns:
                self._bar(index_bar, options)
                self._last_start_ns = start_ns
        self._progress_ns = self._clock.wall_ns()

    def _mind(self) -> None:
        """An entry that filled after it was given up is held like any other, or left at once beside another.

        An exit that did so has ended the position.
        """
        held = self._state.held
        if held is not None and not self._follow.waiting and self._follow.units(held.symbol) <= 0:
            self._tell(ExitFilled())
            held = self._state.held
        late = self._follow.unwatched(held.symbol if held is not None else "")
        if late is None or self._follow.waiting or self._clock.now_ns() < self._retry_ns:
            return
        if held is None and self._state.wanted is None:
            self._tell(late)
        else:
            self._leave(Leave(symbol=late.symbol, at_ns=self._clock.now_ns(), reason="late fill"))

    def _position(self, symbol: str) -> Position | None:
        mine = (position for position in self._orders.positions() if position.strategy == self._config.name)
        return next((position for position in mine if position.symbol == symbol), None)

    def _bar(self, bar: Bar, options: dict[str, Bar]) -> None:
        day = from_ns(bar.start_ns).date()
        hours = session(exchange_of(self._config.index), day)
        if hours is None:
            return
        expiry = expiry_to_trade(self._config.index, day, self._config.expiry)
        square_off = to_ns(hours.close) - self._config.params.before_close_minutes * _MINUTE_NS
        closed = BarClosed(day=day, index_bar=bar, options=options, expiry=expiry, square_off_ns=square_off)
        # Bars the feed sends again after a start warm the averages up; what they would have decided is long past.
        old = bar.end_ns < self._clock.now_ns() - bar.seconds * 1_000_000_000
        self._tell(closed, past=old)

    def _tell(self, event: Event, *, past: bool = False) -> None:
        held = self._state.held
        if isinstance(event, ExitFilled) and held is not None and self._follow.units(held.symbol) > 0:
            event = ExitDropped()  # it was of another contract, see `_mind`
        self._state, actions = step(self._config.params, self._state, event)
        for action in actions:
            if isinstance(action, Enter):
                self._enter(action, past=past or not self._config.enabled)
            elif isinstance(action, Leave):
                self._leave(action)

    def _enter(self, signal: Enter, *, past: bool) -> None:
        day, sent = from_ns(signal.at_ns).date(), False
        try:
            if not past and not self._follow.waiting:  # after a restart an entry may still be on its way
                units = quantity(self._config.params, lot_of(signal.symbol, day), signal.close_paise, self._cash())
                sent = units > 0 and self._follow.send(self._orders, signal, units, wall_ns=self._clock.wall_ns())
        finally:
            if not sent:
                self._tell(EntryDropped())

    def _leave(self, leave: Leave) -> None:
        units, sent, flat = self._follow.units(leave.symbol), False, False
        try:
            if not self._follow.waiting:
                sent = self._follow.send(self._orders, leave, units, wall_ns=self._clock.wall_ns())
                position = None if sent else self._position(leave.symbol)
                flat = position is not None and not self._follow.at_most(leave.symbol, position.quantity)
        finally:
            if not sent:
                self._retry_ns = self._clock.now_ns() + self._config.retry_s * 1_000_000_000
                self._tell(ExitFilled() if flat else ExitDropped())

    def _cash(self) -> int:
        return self._config.capital_paise + self._follow.net_paise
