"""The strategy actor against a recorded day and an order manager that fills or refuses at once."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from actors.strategies.strategy import StrategyActor, StrategyConfig
from core.market import parse_symbol
from core.records import Chain, Intent, Order
from core.schemas import BARS, CONTRACTS, EXPIRIES, Kind
from core.strategies.ema_channel import EmaChannelConfig
from core.strategies.events import Bar
from jobs.backtest import GOLDEN
from jobs.recorded import load_days

DATA = (Path(__file__).parents[2] / "../shared/data/market").resolve()


class Clock:
    now = 0

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return 7

    def advance(self, to_ns: int) -> None: ...


class Bus:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def publish(self, topic: str, payload: object, *, index: str = "") -> None:
        self.sent.append(f"{topic}.{index}")


class Manager:
    """Fills every order at once at `price`, or refuses it."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.refuse, self.price, self.book = refuse, 34910, []

    def submit(self, intent: Intent) -> Order:
        done = {"filled_quantity": intent.quantity, "average_paise": float(self.price), "updated_ns": intent.created_ns}
        order = Order(intent=intent, state="REFUSED") if self.refuse else Order(intent=intent, state="COMPLETE", **done)
        self.book.append(order)
        return order

    def orders(self) -> Sequence[Order]:
        return self.book

    all_orders = orders

    def positions(self) -> Sequence[object]:
        return []


def row(symbol: str, bar: Bar) -> dict[str, object]:
    contract = parse_symbol(symbol)
    return {
        "index": contract.index, "symbol": symbol, "kind": int(contract.kind), "expiry": contract.expiry,
        "strike_paise": contract.strike_paise, "volume": 0, "oi": 0, **msgspec.structs.asdict(bar),
    }  # fmt: skip


def batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=BARS)


def feed(actor: StrategyActor, clock: Clock, until: str) -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    day = load_days(DATA, "SENSEX", 180, [dt.date(2025, 9, 5)])[0]
    for bar in day.index_bars:
        found = {
            name: option for name, bars in day.options.items() for option in bars if option.start_ns == bar.start_ns
        }
        clock.now = bar.end_ns
        actor.on_bars(batch([row("SENSEX", bar)] + [row(name, option) for name, option in found.items()]))
        if f"{dt.datetime.fromtimestamp(bar.start_ns // 10**9, dt.timezone(dt.timedelta(hours=5.5))):%H:%M}" == until:
            return


def premium(symbol: str, bid: int, at_ns: int) -> Chain:
    contract = parse_symbol(symbol)
    filler = {f.name: float("nan") if pa.types.is_floating(f.type) else 0 for f in CONTRACTS}
    known = {"index": "SENSEX", "symbol": symbol, "kind": int(contract.kind), "expiry": contract.expiry}
    values = {**filler, **known, "bid_paise": bid, "exchange_ns": at_ns}
    return Chain(
        contracts=pa.RecordBatch.from_pylist([values], schema=CONTRACTS),
        expiries=pa.RecordBatch.from_pylist([], schema=EXPIRIES),
    )


def actor_with(manager: Manager, *, enabled: bool = True) -> tuple[StrategyActor, Clock, Bus]:
    clock, bus = Clock(), Bus()
    config = StrategyConfig(index="SENSEX", enabled=enabled, params=EmaChannelConfig.model_validate(GOLDEN))
    actor = StrategyActor(config, bus=bus, clock=clock, orders=manager)
    actor.open()
    return actor, clock, bus


def test_the_golden_signal_is_submitted_and_the_premium_stop_sells() -> None:
    manager = Manager()
    actor, clock, bus = actor_with(manager)
    assert bus.sent == ["refresh.SENSEX"]
    feed(actor, clock, "11:09")
    assert [(o.intent.symbol, o.intent.side, o.intent.quantity) for o in manager.book] == [
        ("SENSEX2591180500PE", "BUY", 100)
    ]
    actor.on_timer()
    manager.price = 32815
    actor.on_chain(premium("SENSEX2591180500PE", 32820, clock.now))
    assert len(manager.book) == 1
    actor.on_chain(premium("SENSEX2591180500PE", 32815, clock.now))
    sold = manager.book[-1].intent
    assert (sold.side, sold.purpose, sold.reason, sold.quantity) == ("SELL", "exit", "stop", 100)
    actor.on_chain(premium("SENSEX2591180500PE", 32000, clock.now))
    assert len(manager.book) == 2
    assert actor.check_health() == 7


def test_a_refused_signal_is_not_sent_again() -> None:
    manager = Manager(refuse=True)
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    assert [o.state for o in manager.book] == ["REFUSED"]


def test_a_disabled_strategy_sends_nothing() -> None:
    manager = Manager()
    actor, clock, _ = actor_with(manager, enabled=False)
    feed(actor, clock, "12:00")
    assert manager.book == []


def test_after_a_restart_the_open_position_is_found_and_its_stop_still_sells() -> None:
    manager = Manager()
    first, clock, _ = actor_with(manager)
    feed(first, clock, "11:09")
    again, _, _ = actor_with(manager)
    again.on_chain(premium("SENSEX2591180500PE", 32815, clock.now))
    assert [o.intent.reason for o in manager.book] == ["signal", "stop"]


def test_bars_the_feed_sends_again_are_not_decided_on_twice() -> None:
    manager = Manager(refuse=True)
    actor, clock, _ = actor_with(manager)
    feed(actor, clock, "11:09")
    feed(actor, clock, "11:09")
    assert len(manager.book) == 1
    assert manager.book[0].intent.index == "SENSEX"
    assert parse_symbol(manager.book[0].intent.symbol).kind == Kind.PUT
