"""A recorded day as the market: its prices at its times, its book for orders, and nothing that it does not have."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cluster.cli.main import app
from core.records import Stamp
from core.schemas import DEPTH, TICKS, Kind
from exchange.limits import Rates
from exchange.minutes import MINUTE_NS
from exchange.orders.order import Status
from exchange.quotes import Quotes
from exchange.recorded_day import RecordedDay
from exchange.simulator import SimulatedSource
from exchange.world import DEFAULT_USER, World, WorldConfig
from storage.tape import ParquetTape
from tests.fakes_feed import ticks
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.recordings import BEGAN, DATE, MINUTES, SECOND, Stepped, recording
from tests.unit.test_chain_files import collection, write

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, pa.Table]:
    """A tape of four minutes of NIFTY from 10:00, and everything on it."""
    market = SimulatedSource(index="NIFTY", seed=7, session_date=DATE, strikes_each_side=5)
    market.open()
    times = [BEGAN + n * 100_000_000 for n in range(MINUTES * 600)]
    batches = [batch for at in times for batch in market.poll(at)]
    root = str(tmp_path_factory.mktemp("tape"))
    recorder = ParquetTape(root)
    for sequence, batch in enumerate(batches, 1):
        stamp = Stamp(source="feed.NIFTY", topic="ticks", epoch=1, sequence=sequence, sent_wall_ns=0)
        recorder.append(stamp, "ticks", "NIFTY", batch)
    recorder.flush()
    return root, pa.Table.from_batches(batches)


@pytest.fixture(scope="module")
def served(tape: tuple[str, pa.Table]) -> Iterator[Served]:
    """The tape at ten times its speed: over after twenty-four seconds."""
    config = WorldConfig(recording=recording(tape[0]), rates=Rates(enforced=False), speed=10)
    with Served(World(config, wall=Wall())) as server:
        yield server


def of(truth: pa.Table, symbol: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = truth.filter(pc.equal(truth["symbol"], symbol)).to_pylist()
    return rows


def busiest(truth: pa.Table) -> str:
    """The option with the most rows."""
    options = truth.filter(pc.greater_equal(truth["kind"], int(Kind.CALL)))
    counts = options["symbol"].combine_chunks().value_counts().to_pylist()
    return str(max(counts, key=lambda row: (row["counts"], row["values"]))["values"])


def test_the_client_sees_the_recorded_quotes_at_the_recorded_times(served: Served, tape: tuple[str, pa.Table]) -> None:
    kite, symbol = served.client(), busiest(tape[1])
    rows = of(tape[1], symbol)
    seen = set()
    while len(seen) < 3:
        before = served.world.clock.now_ns()
        quote = kite.quote([f"NFO:{symbol}"])[f"NFO:{symbol}"]
        after = served.world.clock.now_ns()
        assert before < BEGAN + MINUTES * 60 * SECOND, f"the recording is over, and the price was {seen}"
        then = [row for row in rows if before - 20 * SECOND <= row["exchange_ns"] <= after]  # a step is 1 s of its time
        assert (quote["last_price"], quote["volume"], quote["oi"]) in {
            (row["last_paise"] / 100, row["volume"], row["oi"]) for row in then
        }
        levels = [(level["price"], level["quantity"], level["orders"]) for level in quote["depth"]["sell"]]
        assert levels in [
            [(p / 100, q, n) for p, q, n in zip(r["ask_paise"], r["ask_qty"], r["ask_orders"], strict=True)]
            for r in then
        ]
        seen.add(quote["last_price"])
    admin = requests.get(f"{served.root}/admin", timeout=30).json()["data"]
    assert admin["market"].endswith("recorded 10:00:00 to 10:03:59")
    assert tape[0] in admin["market"]


def test_kites_own_ticker_gets_the_recorded_ticks(tape: tuple[str, pa.Table]) -> None:
    config = WorldConfig(recording=recording(tape[0]), rates=Rates(enforced=False), speed=5)
    with Served(World(config, wall=Wall())) as server:
        option = server.world.day.listing.by_name["NFO", busiest(tape[1])]
        words = [server.root.replace("http", "ws"), "vikalp", server.client().access_token, "full", "60", "256265",
                 str(option.token)]  # fmt: skip
        command = [sys.executable, "-m", "tests.unit.exchange.ticker", *words]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    heard = [tick for kind, many in map(json.loads, said.splitlines()) if kind == "ticks" for tick in many]
    assert {tick["instrument_token"] for tick in heard} == {256265, option.token}
    for tick in heard:
        symbol = "NIFTY" if tick["instrument_token"] == 256265 else option.symbol
        at = dt.datetime.fromisoformat(tick["exchange_timestamp"]).timestamp()
        then = [row for row in of(tape[1], symbol) if row["exchange_ns"] // SECOND == at]
        assert tick["last_price"] in {row["last_paise"] / 100 for row in then}


def test_an_order_fills_at_the_recorded_book_and_no_further(tape: tuple[str, pa.Table]) -> None:
    run = Stepped(tape[0])
    run.go(30)
    now = run.world.clock.now_ns()
    then = tape[1].filter(pc.less_equal(tape[1]["exchange_ns"], now)).to_pylist()
    latest = {row["symbol"]: row for row in then if row["kind"] == Kind.CALL}
    row = min(latest.values(), key=lambda row: (sum(row["ask_qty"][:2]), row["symbol"]))
    one, two = run.one(row["symbol"]), sum(row["ask_qty"][:2])
    paid = row["ask_paise"][0] * row["ask_qty"][0] + row["ask_paise"][1] * row["ask_qty"][1]
    run.world.funds.purses[DEFAULT_USER.user_id].opening_paise *= 1000
    order = run.place(one, "BUY", two + one.lot, row["ask_paise"][1])
    assert (order.status, order.filled, order.filled_paise) == (Status.OPEN, two, paid), order.message
    whole = run.place(one, "BUY", one.lot, row["ask_paise"][2])
    assert (whole.status, whole.average_paise) == (Status.COMPLETE, row["ask_paise"][2])


def test_the_client_trades_on_a_recording(served: Served, tape: tuple[str, pa.Table]) -> None:
    kite, one = served.client(), served.world.day.listing.by_name["NFO", busiest(tape[1])]
    quote = kite.quote([f"NFO:{one.symbol}"])[f"NFO:{one.symbol}"]
    order_id = kite.place_order(
        "regular", "NFO", one.symbol, "BUY", one.lot, "NRML", "LIMIT", price=quote["depth"]["sell"][4]["price"]
    )
    served.do(lambda: served.world.clock.jump(SECOND))
    row = kite.order_history(order_id)[-1]
    assert (row["status"], row["filled_quantity"]) == ("COMPLETE", one.lot)
    assert row["average_price"] in {level / 100 for r in of(tape[1], one.symbol) for level in r["ask_paise"]}


def test_the_same_recording_is_the_same_day_however_it_is_stepped(tape: tuple[str, pa.Table]) -> None:
    days = [RecordedDay(recording(tape[0])) for _ in range(3)]
    for day, step in zip(days, (700_000_000, 3_100_000_000, MINUTES * 60 * SECOND), strict=True):
        for at in range(day.begins_ns, BEGAN + MINUTES * 60 * SECOND + step, step):
            day.step(at)
    first, *others = days
    for day in others:
        assert day.listing.instruments == first.listing.instruments
        for name, column in vars(first.quotes).items():
            assert (
                all(np.array_equal(vars(day.quotes)[name][side], column[side]) for side in column)
                if (name == "book")
                else np.array_equal(vars(day.quotes)[name], column)
            ), name
        for one in first.listing.instruments[::9]:
            bars = zip(first.minutes(one, first.close_ns), day.minutes(one, day.close_ns), strict=True)
            assert all(np.array_equal(a, b) for a, b in bars)


def test_candles_are_those_of_the_recording_so_far(tape: tuple[str, pa.Table]) -> None:
    run = Stepped(tape[0])
    run.go(150)
    day, one = run.world.day, run.one(busiest(tape[1]))
    bars = day.minutes(one, run.world.clock.now_ns())
    assert bars.start_ns.tolist() == [BEGAN + n * MINUTE_NS for n in range(3)]
    rows = [row for row in of(tape[1], one.symbol) if row["exchange_ns"] <= BEGAN + 150 * SECOND]
    traded = 0
    for i, start in enumerate(bars.start_ns.tolist()):
        own = [row for row in rows if start <= row["exchange_ns"] < start + MINUTE_NS]
        last = [row["last_paise"] for row in own]
        assert (bars.open[i], bars.high[i], bars.low[i], bars.close[i]) == (last[0], max(last), min(last), last[-1])
        traded += bars.volume[i]
    assert traded == rows[-1]["volume"] - rows[0]["volume"], "what traded before the recording is in no bar"
    first = Stepped(tape[0]).world.day.quotes
    assert (first.last_quantity[one.place], first.traded_ns[one.place], first.traded[one.place]) == (0, 0, 0)
    assert first.average(np.array([one.place]))[0] == rows[0]["last_paise"]
    assert bars.low.min() <= day.quotes.average(np.array([one.place]))[0] <= bars.high.max()
    assert day.minutes(one, BEGAN + MINUTE_NS - 1).start_ns.size == 1


def test_past_its_end_a_recording_stands_still(tape: tuple[str, pa.Table]) -> None:
    run = Stepped(tape[0])
    one = run.one(busiest(tape[1]))
    resting = run.place(one, "BUY", one.lot, max(5, int(run.world.day.quotes.last[one.place]) * 3 // 4 // 5 * 5))
    assert resting.status == Status.OPEN, resting.message
    run.go(MINUTES * 60)
    before = run.world.day.quotes.last.copy()
    for seconds in (3600, 24 * 3600, 5 * 86_400):
        run.go(seconds)
        assert run.world.day.date == DATE
        assert np.array_equal(run.world.day.quotes.last, before)
    assert resting.status == Status.CANCELLED
    late = run.place(one, "BUY", one.lot, int(run.world.day.quotes.book["ask_paise"][one.place][0]))
    assert (late.status, "closed" in (late.message or "")) == (Status.REJECTED, True)


def said(*words: str) -> str:
    done = CliRunner().invoke(app, ["exchange", *words], env={"COLUMNS": "500"})
    assert done.exit_code == 2, done.output
    return done.stderr


def test_the_command_line_says_what_it_cannot_replay(tmp_path: Path, tape: tuple[str, pa.Table]) -> None:
    assert "no such file or folder" in said("--tape", str(tmp_path / "none"))
    assert "no ticks in it" in said("--tape", str(tmp_path))
    assert "holds 2026-11-20, not 2026-11-19" in said("--tape", tape[0], "--date", "2026-11-19")
    path = write(tmp_path / "chain.parquet", collection(2))
    monday = collection(2) | {"date": dt.date(2025, 9, 1)}
    assert "2025-09-01: choose the day" in said("--tape", str(write(tmp_path / "two.parquet", collection(2), monday)))
    holiday = write(tmp_path / "holiday.parquet", collection(2) | {"date": dt.date(2025, 8, 27)})
    assert "trading holiday" in said("--tape", str(holiday), "--date", "2025-08-27")
    assert "holds 2025-08-29, not 2025-08-28" in said("--tape", str(path), "--date", "2025-08-28")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    assert "torn.parquet" in said("--tape", str(tmp_path / "torn.parquet"))


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 900)), min_size=1, max_size=30)


@given(ROWS, st.integers(1, 30))
def test_ticks_folded_in_together_are_ticks_folded_in_one_by_one(rows: list[tuple[int, int, int]], cut: int) -> None:
    table = pa.Table.from_batches([
        ticks(*(
            {"exchange_ns": SECOND + n, "last_paise": last * 5, "volume": volume * 75, "oi": volume,
             "bid_paise": [last] * DEPTH, "prev_close_paise": last}
            for n, (_, last, volume) in enumerate(rows)
        ))
    ], TICKS)  # fmt: skip
    places = np.array([place for place, _, _ in rows], np.int64)
    together, apart = Quotes(4), Quotes(4)
    for first in range(0, len(rows), cut):
        together.take(places[first : first + cut], table.slice(first, cut))
    for n in range(len(rows)):
        apart.take(places[n : n + 1], table.slice(n, 1))
    for name, column in vars(apart).items():
        other = vars(together)[name]
        same = (
            all(np.array_equal(column[k], other[k]) for k in column)
            if name == "book"
            else np.array_equal(column, other)
        )
        assert same, name
    for place in set(places.tolist()):
        prices = [last * 5 for of, last, _ in rows if of == place and last]
        shown = together.open[place], together.high[place], together.low[place]
        assert shown == ((prices[0], max(prices), min(prices)) if prices else (0, 0, 0))
