"""What trades does not hang on how fast the market goes, nor on pauses of the process."""

from pathlib import Path
from typing import Any

import pytest

from exchange.orders.gtt import State, Wish
from exchange.orders.order import Status
from exchange.world import DEFAULT_USER
from tests.unit.exchange.recordings import CALL, CALLS, Stepped
from tests.unit.exchange.test_days import Run
from tests.unit.test_chain_files import collection, write

MINUTES = 3


def quoted(bid: float, ask: float, last: float, volume: int) -> dict[str, Any]:
    row = CALLS | {"Bid_Price": bid, "Ask_Price": ask, "LTP": last, "Volume": volume}
    return {f"CALLS_{name}": value for name, value in row.items()}


@pytest.fixture
def dip(tmp_path: Path) -> Path:
    """Four minutes of a call that is cheap in the second alone."""
    dear = (106.1, 107.4, 107.1)
    rows = [quoted(*dear, 18), quoted(94.0, 95.0, 95.0, 20), quoted(*dear, 22), quoted(*dear, 22)]
    return Path(write(tmp_path / "dip.parquet", *(collection(i, **row) for i, row in enumerate(rows))))


@pytest.mark.parametrize("looks", [1, 3, 1800])
def test_the_same_orders_on_the_same_recording_trade_alike_at_any_speed(dip: Path, looks: int) -> None:
    run = Stepped(dip)
    one = run.one(CALL)
    order = run.place(one, "BUY", one.lot, 100_00)
    assert order.status == Status.OPEN
    for _ in range(looks):
        run.go(MINUTES * 60 / looks)
    (trade,) = run.world.engine.trades
    assert (trade.quantity, trade.paise) == (one.lot, 100_00)
    assert 0 <= trade.at_ns - run.began - 60_000_000_000 <= 3_000_000_000, "when the ask came to it"


@pytest.mark.parametrize("looks", [1, 3])
def test_a_trigger_fires_on_a_price_between_two_looks(dip: Path, looks: int) -> None:
    run = Stepped(dip)
    one = run.one(CALL)
    form = {
        "exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": "BUY", "quantity": str(one.lot),
        "order_type": "LIMIT", "product": "NRML", "price": "95.0",
    }  # fmt: skip
    condition = {"exchange": one.exchange, "tradingsymbol": one.symbol, "last_price": "107.1"}
    wish = Wish(kind="single", condition=condition, values=[{"trigger_values": "96.0"}], orders=[form])
    number = run.world.triggers.place(DEFAULT_USER, wish)
    for _ in range(looks):
        run.go(MINUTES * 60 / looks)
    made = run.world.triggers.find(DEFAULT_USER, str(number))
    assert made.state == State.TRIGGERED
    order = made.legs[0].order
    assert order is not None
    assert (order.status, order.average_paise) == (Status.COMPLETE, 95_00)


def test_a_pause_of_hours_is_looked_at_in_parts(dip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Stepped(dip)
    one = run.one(CALL)
    assert run.place(one, "BUY", one.lot, 80_00).status == Status.OPEN
    looked, step = list[int](), run.world.day.step
    monkeypatch.setattr(run.world.day, "step", lambda now_ns: (looked.append(now_ns), step(now_ns))[1])
    run.go(3600)
    assert len(looked) == 60
    assert looked[-1] == run.world.clock.now_ns()


def test_a_fast_invented_market_is_looked_at_where_its_bars_are(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    one = run.option()
    low = run.place(one, price=round(run.world.day.quotes.last[one.place] * 0.7 / 100, 1))
    assert low.status == Status.OPEN
    looked, step = list[int](), run.world.day.step
    monkeypatch.setattr(run.world.day, "step", lambda now_ns: (looked.append(now_ns), step(now_ns))[1])
    run.wait(10)
    assert len(looked) == 2
    run.world.engine.cancel(run.user, low.order_id)
    run.wait(1)
    run.wait(10)
    assert len(looked) == 4, "nobody waits: one look a step"
