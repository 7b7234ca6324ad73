"""One recorded day through a strategy: a virtual clock that goes from bar to bar.

Within a bar: what was decided at the close before fills at the open; then the stop, then the target of what is held;
then the strategy decides at the close. Entries are asked of the same limits, over the same risk book, as on the desk.
"""

import datetime as dt
from decimal import Decimal

import msgspec
import numpy as np
from pydantic import BaseModel, Field

from core.backtest.fills import slipped
from core.backtest.records import DayData, DayResult, Equity, Missing, Refused, Trade
from core.errors import InputError
from core.market import (
    charges_at,
    exchange_of,
    exercise_charges,
    lot,
    parse_symbol,
    session,
    settlement_price,
    tick_paise,
    to_ns,
)
from core.orders.expiry import end_of, settled_at
from core.orders.tag import make_tag
from core.records import Fill, Intent, Settled, Side
from core.risk.book import RiskBook, at, with_end, with_fill, with_intent, with_marks, with_settled
from core.risk.limits.consecutive_stops import ConsecutiveStops
from core.risk.limits.daily_loss import DailyLoss
from core.risk.limits.limit import Limit
from core.risk.limits.trades_per_day import TradesPerDay
from core.risk.marks import Mark
from core.risk.verdict import verdict
from core.strategies import ema_channel
from core.strategies.ema_channel import EmaChannelConfig, State, step
from core.strategies.events import (
    Bar,
    BarClosed,
    Enter,
    EntryDropped,
    EntryFilled,
    Event,
    ExitFilled,
    Leave,
    NoData,
)
from core.strategies.expiry import expiry_to_trade


class BacktestConfig(BaseModel, frozen=True, extra="forbid"):
    """How a recorded day is traded."""

    strategy: EmaChannelConfig = Field(default=EmaChannelConfig(), description="the strategy's choices")
    expiry: str = Field(default="same", pattern="^(same|next)$", description="contract to trade on an expiry day")
    slippage_pct: float = Field(default=0.5, ge=0, lt=100, description="per cent by which a fill at the open is worse")
    capital_paise: int = Field(default=50_000_000, gt=0, description="cash at the start of the day, paise")
    trades_per_day: TradesPerDay = Field(default=TradesPerDay(), description="entries a day")
    consecutive_stops: ConsecutiveStops = Field(default=ConsecutiveStops(), description="stops in a row that halt")
    daily_loss: DailyLoss = Field(default=DailyLoss(), description="loss of the day that stops entries")

    def limits(self) -> tuple[Limit, ...]:
        return (self.trades_per_day, self.consecutive_stops, self.daily_loss)


def run_day(config: BacktestConfig, data: DayData) -> DayResult:
    """The day's trades, refusals, signals without data and equity; the same for the same arguments.

    Raises InputError for a day without bars or one on which something expires that nothing says the worth of,
    UnknownDate for one the exchange's tables do not cover.
    """
    if not data.index_bars:
        raise InputError(f"{data.index} has no bars on {data.day}; give a file that holds that day")
    hours = session(exchange_of(data.index), data.day)
    if hours is None:
        raise InputError(f"{data.day} is no trading day of {exchange_of(data.index)}; bars of it cannot be right")
    run = _Day(config, data, expiry_to_trade(data.index, data.day, config.expiry))
    until = to_ns(hours.close) - config.strategy.before_close_minutes * 60_000_000_000
    for bar in data.index_bars:
        run.bar(bar, until)
    return run.finish()


class _Day:
    def __init__(self, config: BacktestConfig, data: DayData, expiry: dt.date) -> None:
        self.config, self.data, self.expiry = config, data, expiry
        self.state, self.book = State(index=data.index), RiskBook()
        self.lot = lot(data.index, expiry, data.day)
        self.bars = _by_start(data)
        self.entry: tuple[Enter, Intent] | None = None
        self.exit: tuple[Leave, Intent] | None = None
        self.open_trade: tuple[Enter, Fill] | None = None
        self.last: dict[str, Bar] = {}
        self.cash = Decimal(config.capital_paise) / 100
        self.trades: list[Trade] = []
        self.refused: list[Refused] = []
        self.missing: list[Missing] = []
        self.equity: list[Equity] = []

    def bar(self, bar: Bar, until_ns: int) -> None:
        options = self.bars.get(bar.start_ns, {})
        self.book = at(self.book, bar.start_ns)
        self._fill_at_open(options)
        self._stop_or_target(options)
        self.last.update(options)
        self.book = at(self.book, bar.end_ns)
        marks = {name: Mark(last_paise=option.close_paise, at_ns=option.end_ns) for name, option in options.items()}
        self.book = with_marks(self.book, marks)
        closed = BarClosed(
            day=self.data.day, index_bar=bar, options=options, expiry=self.expiry, square_off_ns=until_ns
        )
        for action in self._tell(closed):
            if isinstance(action, Enter):
                self._signal(action)
            elif isinstance(action, Leave):
                self.exit = (action, self._intent(action.symbol, "SELL", action))
            else:
                self.missing.append(
                    Missing(day=self.data.day, symbol=action.symbol, signal_ns=action.at_ns, why=action.why)
                )
        self.equity.append(Equity(day=self.data.day, at_ns=bar.end_ns, net=self._net()))

    def finish(self) -> DayResult:
        """What is still held at the last bar expires, or is sold at its close, worse by the slippage."""
        if self.open_trade is not None:
            symbol = self.open_trade[1].symbol
            if parse_symbol(symbol, self.data.day).expiry == self.data.day:
                self._expire(symbol)
            else:
                last = self.last[symbol]
                leave, intent = self.exit or self._leave_now(symbol, last.end_ns)
                self.book = with_intent(self.book, intent)
                self._sell(leave, intent, self._slipped(last.close_paise, "SELL"), last.end_ns)
            self.equity[-1] = msgspec.structs.replace(self.equity[-1], net=self._net())
        if self.entry is not None:
            why = "no bar of the contract followed the signal, so the order never filled"
            signal = self.entry[0]
            self.missing.append(Missing(day=self.data.day, symbol=signal.symbol, signal_ns=signal.at_ns, why=why))
        if not any(parse_symbol(name).expiry == self.expiry for name in self.data.options):
            why = f"no data of any contract of {self.expiry}: nothing could be traded"
            self.missing.insert(0, Missing(day=self.data.day, symbol="", signal_ns=0, why=why))
        return DayResult(
            day=self.data.day, trades=tuple(self.trades), refused=tuple(self.refused), missing=tuple(self.missing),
            equity=tuple(self.equity),
        )  # fmt: skip

    def _tell(self, event: Event) -> tuple[Enter | Leave | NoData, ...]:
        self.state, actions = step(self.config.strategy, self.state, event)
        return actions

    def _signal(self, signal: Enter) -> None:
        price = self._slipped(signal.close_paise, "BUY")
        units = ema_channel.quantity(self.config.strategy, self.lot, price, int(self.cash * 100))
        if units == 0:
            self._refuse(signal, "balance", f"one lot at {price / 100:.2f} costs more than the {self.cash:.2f} left")
            return
        intent = self._intent(signal.symbol, "BUY", signal, units)
        answer = verdict(self.config.limits(), intent, self.book)
        if answer.refusals:
            names = " + ".join(refusal.limit for refusal in answer.refusals)
            self._refuse(signal, names, "; ".join(refusal.why for refusal in answer.refusals))
            return
        self.book = with_intent(self.book, intent)
        self.entry = (signal, intent)

    def _refuse(self, signal: Enter, limits: str, why: str) -> None:
        self._tell(EntryDropped())
        self.refused.append(
            Refused(day=self.data.day, symbol=signal.symbol, signal_ns=signal.at_ns, limits=limits, why=why)
        )

    def _fill_at_open(self, options: dict[str, Bar]) -> None:
        if self.exit is not None and (bar := options.get(self.exit[0].symbol)) is not None:
            leave, intent = self.exit
            self.book = with_intent(self.book, intent)
            self._sell(leave, intent, self._slipped(bar.open_paise, "SELL"), bar.start_ns)
        if self.entry is None or (bar := options.get(self.entry[0].symbol)) is None:
            return
        signal, intent = self.entry
        price = self._slipped(bar.open_paise, "BUY")
        fill = _fill(intent, price, bar.start_ns)
        self.book = with_fill(self.book, fill)
        self.cash -= Decimal(price * fill.quantity) / 100
        self.entry, self.open_trade = None, (signal, fill)
        self._tell(EntryFilled(symbol=fill.symbol, price_paise=price, quantity=fill.quantity, at_ns=fill.at_ns))

    def _stop_or_target(self, options: dict[str, Bar]) -> None:
        held = self.state.held
        if held is None or (bar := options.get(held.symbol)) is None:
            return
        leave = ema_channel.stop_or_target(held, bar)
        if leave is None:
            return
        intent = self._intent(held.symbol, "SELL", leave)
        self.book = with_intent(self.book, intent)
        if self.exit is not None:  # decided at a close, its contract has not traded since: this is the same exit
            self.exit = None
        self._sell(leave, intent, leave.limit_paise, bar.start_ns)

    def _leave_now(self, symbol: str, at_ns: int) -> tuple[Leave, Intent]:
        leave = Leave(symbol=symbol, at_ns=at_ns, reason="last bar")
        return leave, self._intent(symbol, "SELL", leave)

    def _intent(self, symbol: str, side: Side, action: Enter | Leave, units: int = 0) -> Intent:
        reason = action.reason if isinstance(action, Leave) else "signal"
        return Intent(
            tag=make_tag(f"{ema_channel.NAME}|{symbol}|{action.at_ns}|{side}|{reason}"),
            strategy=ema_channel.NAME,
            index=self.data.index,
            symbol=symbol,
            side=side,
            quantity=units or (self.open_trade[1].quantity if self.open_trade else 0),
            order_type="MARKET",
            purpose="entry" if side == "BUY" else "exit",
            reason=reason,
            created_ns=action.at_ns,
        )

    def _sell(self, leave: Leave, intent: Intent, price: int, at_ns: int) -> None:
        sold = _fill(intent, price, at_ns)
        self.book = with_end(with_fill(self.book, sold), intent.tag)
        self._leave(price, at_ns, leave.reason, _cost(sold, self.data.day))

    def _expire(self, symbol: str) -> None:
        """Nobody sells an option that is over: it is worth its intrinsic value, and its exercise is taxed."""
        assert self.open_trade is not None, "only what is held expires"
        settled = _settled(self.data, symbol)
        self.book = with_settled(self.book, settled)
        due, quantity = Decimal(0), self.open_trade[1].quantity
        if settled.value_paise:
            due = exercise_charges(self.data.index, quantity, settled.value_paise, self.data.day).total
        self._leave(settled.value_paise, settled.at_ns, f"expiry, {settled.source}", due)

    def _leave(self, price: int, at_ns: int, reason: str, cost: Decimal) -> None:
        assert self.open_trade is not None, "only what is held is left"
        signal, bought = self.open_trade
        self.cash += Decimal(price * bought.quantity) / 100
        cost += _cost(bought, self.data.day)
        self.cash -= cost
        gross = Decimal((price - bought.price_paise) * bought.quantity) / 100
        self.trades.append(
            Trade(
                day=self.data.day, symbol=bought.symbol, quantity=bought.quantity, confidence=signal.confidence,
                signal_ns=signal.at_ns, entry_ns=bought.at_ns, entry_paise=bought.price_paise, exit_ns=at_ns,
                exit_paise=price, reason=reason, gross=gross, charges=cost, net=gross - cost,
            )
        )  # fmt: skip
        self.exit = self.open_trade = None
        self._tell(ExitFilled())

    def _net(self) -> Decimal:
        net = sum((trade.net for trade in self.trades), Decimal(0))
        if self.open_trade is None:
            return net
        bought = self.open_trade[1]
        mark = self.last[bought.symbol].close_paise
        return net + Decimal((mark - bought.price_paise) * bought.quantity) / 100 - _cost(bought, self.data.day)

    def _slipped(self, price_paise: int, side: Side) -> int:
        return slipped(price_paise, side, self.config.slippage_pct, tick_paise(self.data.index))


def _fill(intent: Intent, price: int, at_ns: int) -> Fill:
    return Fill(
        trade_id=intent.tag, tag=intent.tag, strategy=intent.strategy, index=intent.index, symbol=intent.symbol,
        side=intent.side, quantity=intent.quantity, price_paise=price, at_ns=at_ns,
    )  # fmt: skip


def _cost(fill: Fill, day: dt.date) -> Decimal:
    return charges_at(fill.index, fill.side, fill.quantity, fill.price_paise, day).total


def _settled(data: DayData, symbol: str) -> Settled:
    """What `symbol` expires at, by the published close or the index's bars; InputError where neither is there."""
    contract, bars = parse_symbol(symbol, data.day), data.index_bars
    price = settlement_price(
        end_of(contract),
        published_paise=data.close_paise or None,
        start_ns=np.array([bar.start_ns for bar in bars], np.int64),
        seconds=bars[0].seconds,
        open_paise=np.array([bar.open_paise for bar in bars], np.int64),
        close_paise=np.array([bar.close_paise for bar in bars], np.int64),
    )
    return settled_at(contract, price)


def _by_start(data: DayData) -> dict[int, dict[str, Bar]]:
    found: dict[int, dict[str, Bar]] = {}
    for symbol, bars in sorted(data.options.items()):
        for bar in bars:
            found.setdefault(bar.start_ns, {})[symbol] = bar
    return found
