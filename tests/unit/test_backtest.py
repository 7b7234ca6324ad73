"""The golden days of the EMA channel to the paisa, and what a backtest says of bad input."""

import datetime as dt
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.day import BacktestConfig, run_day
from core.backtest.fills import slipped
from core.backtest.merge import merge
from core.backtest.records import DayData, DayResult, Trade
from core.errors import InputError
from core.market import IST, charges_at, from_ns, parse_symbol, to_ns
from core.schemas import Kind
from core.strategies.ema_channel import EmaChannelConfig, Held, atm_strike_paise, quantity, stop_or_target
from core.strategies.events import Bar
from core.strategies.expiry import expiry_to_trade
from jobs import backtest
from jobs.backtest import GOLDEN
from jobs.recorded import load_days
from jobs.report import heading, summary, table_of, write_report

DATA = (Path(__file__).parents[2] / "../shared/data/market").resolve()
D = dt.date


@cache
def recorded() -> dict[D, DayData]:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    return {day.day: day for day in load_days(DATA, "SENSEX", 180)}


def golden(day: D, **settings: object) -> DayResult:
    strategy = EmaChannelConfig.model_validate(GOLDEN)
    return run_day(BacktestConfig(strategy=strategy, **settings), recorded()[day])


def ist(hour: int, minute: int) -> int:
    return to_ns(dt.datetime(2025, 9, 4, hour, minute, tzinfo=IST))


def clocks(stamps: list[int]) -> list[str]:
    """Opens of the bars whose closes are `stamps`: the golden table stamps bars at their open."""
    return [f"{from_ns(at - 180 * 10**9):%H:%M}" for at in stamps]


def test_5_september_two_trades_two_stops_and_fifteen_refusals_to_the_paisa() -> None:
    result = golden(D(2025, 9, 5))
    assert [(t.entry_paise, t.exit_paise, t.reason, t.quantity) for t in result.trades] == [
        (34910, 32815, "stop", 100)
    ] * 2
    assert clocks([t.signal_ns for t in result.trades]) == ["11:09", "11:21"]
    assert [f"{from_ns(t.exit_ns):%H:%M}" for t in result.trades] == ["11:21", "11:30"]
    assert [round(t.net, 4) for t in result.trades] == [Decimal("-2202.1148")] * 2
    assert f"{result.net:.2f}" == "-4404.23"
    assert round(sum(t.charges for t in result.trades), 3) == Decimal("214.230")
    puts = ["11:39", "11:42", "12:00", "12:12", "12:24", "12:30", "12:33", "12:45", "12:51"]
    calls = ["13:24", "13:36", "14:48", "14:54", "15:09", "15:15"]
    assert clocks([r.signal_ns for r in result.refused]) == puts + calls
    assert [r.symbol[-2:] for r in result.refused] == ["PE"] * 9 + ["CE"] * 6
    assert {r.limits for r in result.refused} == {"consecutive_stops"}
    assert result.missing == ()
    assert result.equity[-1].net == result.net


def test_5_september_without_slippage() -> None:
    result = golden(D(2025, 9, 5), slippage_pct=0.0)
    assert len(result.trades) == 3
    assert f"{result.net:.2f}" == "-338.17"


def test_4_september_with_the_next_expiry_and_a_refusal_that_names_both_limits() -> None:
    result = golden(D(2025, 9, 4), expiry="next")
    assert [(t.symbol[-7:], t.entry_paise, t.exit_paise, t.reason) for t in result.trades] == [
        ("81100PE", 41555, 46545, "target"),
        ("80900PE", 36575, 34380, "stop"),
        ("80900PE", 38185, 35890, "stop"),
    ]
    nets = [round(t.net, 4) for t in result.trades]
    assert nets == [Decimal("4861.1180"), Decimal("-2304.9722"), Decimal("-2407.7307")]
    assert f"{result.net:.2f}" == "148.42"
    assert result.refused[0].limits == "trades_per_day + consecutive_stops"


@pytest.mark.parametrize("day", [D(2025, 9, 1), D(2025, 9, 2), D(2025, 9, 4)])
def test_a_day_without_data_of_its_contract_is_said_and_not_traded(day: D) -> None:
    result = golden(day)
    assert result.trades == ()
    assert "no data of any contract of 2025-09-04" in result.missing[0].why
    assert all(row.symbol.startswith("SENSEX25904") for row in result.missing[1:])


def test_the_merge_does_not_care_about_order_and_refuses_a_day_twice() -> None:
    a, b = golden(D(2025, 9, 5)), golden(D(2025, 9, 4), expiry="next")
    assert merge([a, b]).sha256 == merge([b, a]).sha256
    assert merge([a]).sha256 != merge([b]).sha256
    with pytest.raises(InputError, match="twice"):
        merge([a, a])


def expiring(day: DayData, **changes: object) -> DayData:
    """The day, its contracts renamed to expire on it."""
    options = {name.replace("SENSEX25911", "SENSEX25904"): bars for name, bars in day.options.items()}
    return msgspec.structs.replace(day, options=options, **changes)


def held_to_the_end(**settings: object) -> BacktestConfig:
    """One entry, and nothing but the last bar leaves."""
    never = dict.fromkeys(("stop_pct", "target_pct", "call_minutes", "put_minutes", "before_close_minutes"), 0)
    return BacktestConfig(strategy=EmaChannelConfig.model_validate({**GOLDEN, **never}), **settings)


def test_what_is_held_to_its_expiry_settles_at_the_mean_and_never_sells_at_its_last_print() -> None:
    day = expiring(recorded()[D(2025, 9, 4)])
    trade = run_day(held_to_the_end(), day).trades[-1]
    half_hour = [(b.open_paise + b.close_paise) / 2 for b in day.index_bars if b.start_ns >= ist(15, 0)]
    strike = parse_symbol(trade.symbol).strike_paise
    worth = max(0, round(sum(half_hour) / 10) - strike) if trade.symbol.endswith("CE") else (
        max(0, strike - round(sum(half_hour) / 10))
    )  # fmt: skip
    bought = charges_at("SENSEX", "BUY", trade.quantity, trade.entry_paise, day.day).total

    assert len(half_hour) == 10
    assert (trade.exit_paise, trade.exit_ns, trade.reason) == (worth, ist(15, 30), "expiry, mean of 15:00-15:30")
    assert trade.charges == bought + Decimal(worth * trade.quantity) / 100 * Decimal("0.00125")
    assert trade.exit_paise != slipped(day.options[trade.symbol][-1].close_paise, "SELL", 0.5, 5)


def test_a_published_close_wins_over_the_bars_and_says_so() -> None:
    day = expiring(recorded()[D(2025, 9, 4)])
    strike = parse_symbol(run_day(held_to_the_end(), day).trades[-1].symbol).strike_paise
    for close, worth in ((strike + 12_345, (12_345, 0)), (strike - 12_345, (0, 12_345)), (strike, (0, 0))):
        result = run_day(held_to_the_end(), msgspec.structs.replace(day, close_paise=close))
        trade = result.trades[-1]
        assert trade.exit_paise == worth[trade.symbol.endswith("PE")]
        assert trade.reason == "expiry, published close"
        assert result.equity[-1].net == result.net


def test_an_expiry_without_close_and_without_its_half_hour_is_refused() -> None:
    day = expiring(recorded()[D(2025, 9, 4)])
    short = msgspec.structs.replace(day, index_bars=day.index_bars[:-1])

    with pytest.raises(InputError, match=r"SENSEX 2025-09-04: no published close, and 9 of the 10 bars"):
        run_day(held_to_the_end(), short)
    closed = run_day(held_to_the_end(), msgspec.structs.replace(short, close_paise=8_071_801))
    assert closed.trades[-1].reason == "expiry, published close"


def test_before_its_expiry_what_is_held_at_the_last_bar_is_sold_there() -> None:
    trade = run_day(held_to_the_end(expiry="next"), recorded()[D(2025, 9, 4)]).trades[-1]

    assert not trade.reason.startswith("expiry")


def test_a_report_is_written_whole_and_reads_back(tmp_path: Path) -> None:
    day = expiring(recorded()[D(2025, 9, 4)])
    config = held_to_the_end()
    merged = merge([run_day(config, day)])
    write_report(tmp_path, "ema_channel", "SENSEX", config=config, days=[day], merged=merged)
    trades = pq.read_table(tmp_path / "trades.parquet").to_pylist()

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "equity.csv", "equity.parquet", "equity.png", "no_data.csv", "no_data.parquet", "refusals.csv",
        "refusals.parquet", "summary.json", "trades.csv", "trades.parquet",
    ]  # fmt: skip
    assert [Trade(**row) for row in trades] == list(merged.results[0].trades)
    assert "expiry, mean of 15:00-15:30" in (tmp_path / "trades.csv").read_text()
    assert (tmp_path / "equity.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("index", "symbol", "price"), [("NIFTY", "NIFTY2590924500CE", 100_05), ("BANKNIFTY", "B", 400_10)]
)
def test_a_trade_of_any_index_can_be_written(index: str, symbol: str, price: int) -> None:
    """NSE's charges have eleven decimals: 0.0003503 × 1.18 of a turnover in paise."""
    cost = charges_at(index, "BUY", 75, price, D(2025, 9, 5)).total
    trade = Trade(
        day=D(2025, 9, 5), symbol=symbol, quantity=75, confidence=100.0, signal_ns=0, entry_ns=0, entry_paise=price,
        exit_ns=0, exit_paise=0, reason="stop", gross=Decimal("-1.25"), charges=cost, net=Decimal("-1.25") - cost,
    )  # fmt: skip
    row = table_of(Trade, [trade]).to_pylist()[0]

    assert (row["charges"], row["net"]) == (cost, trade.net)


def test_a_result_groups_its_rupees_the_indian_way() -> None:
    lost = Trade(
        day=D(2025, 9, 5), symbol="S", quantity=1, confidence=100.0, signal_ns=0, entry_ns=0, entry_paise=0, exit_ns=0,
        exit_paise=0, reason="stop", gross=Decimal(0), charges=Decimal(0), net=Decimal("-1234567.125"),
    )  # fmt: skip
    result = DayResult(day=lost.day, trades=(lost,), refused=(), missing=(), equity=())

    assert backtest.in_words(result).startswith("2025-09-05 net −₹12,34,567.12, 1 trades")
    assert heading("t", BacktestConfig(), merge([result])).splitlines() == [
        "t: net −₹12,34,567.12 over 1 days",
        "on an expiry day: same; slippage 0.5 %; capital ₹5,00,000 a day",
    ]


@pytest.mark.parametrize(
    "text", ["2025-09-04", "2025-09-04=", "2025-09-04=x", "2025-09-04=-1", "2025-9=1", "2025-09-04=1.001"]
)
def test_a_close_is_a_day_and_rupees(text: str) -> None:
    assert backtest._close("2025-09-04=80718.01") == (D(2025, 9, 4), 8_071_801)
    with pytest.raises(InputError, match="expected DAY=CLOSE"):
        backtest._close(text)


def test_every_result_says_what_its_fills_are_worth() -> None:
    days = [recorded()[D(2025, 9, 4)], recorded()[D(2025, 9, 5)]]
    config = BacktestConfig(strategy=EmaChannelConfig.model_validate(GOLDEN))
    facts = summary("ema_channel", "SENSEX", config=config, days=days, merged=merge([run_day(config, d) for d in days]))
    assert "98.4% of bars" in str(facts["note"])
    assert facts["net"] == "-4404.22950600"


@given(st.integers(1, 100_000), st.floats(0, 5))
def test_slippage_is_against_us_and_on_a_tick(ticks: int, pct: float) -> None:
    price = ticks * 5
    buy, sell = slipped(price, "BUY", pct, 5), slipped(price, "SELL", pct, 5)
    assert buy % 5 == sell % 5 == 0
    assert sell <= price <= buy
    assert buy - price < price * pct / 100 + 6


def test_the_stop_comes_before_the_target_and_a_gap_fills_at_the_open() -> None:
    held = Held(
        symbol="X", kind=Kind.PUT, quantity=20, entry_paise=100_00, entry_ns=0, stop_paise=94_00, target_paise=112_00
    )
    wide = Bar(start_ns=0, seconds=180, open_paise=100_00, high_paise=120_00, low_paise=90_00, close_paise=100_00)
    gap = Bar(start_ns=0, seconds=180, open_paise=80_00, high_paise=85_00, low_paise=70_00, close_paise=82_00)
    first, second = stop_or_target(held, wide), stop_or_target(held, gap)
    assert first is not None
    assert second is not None
    assert (first.reason, first.limit_paise) == ("stop", 94_00)
    assert (second.reason, second.limit_paise) == ("stop", 80_00)


def test_the_strike_nearest_to_the_close_and_lots_the_cash_pays_for() -> None:
    assert [atm_strike_paise("SENSEX", paise) for paise in (80510_80, 80550_00, 80449_99)] == [
        80500_00, 80600_00, 80400_00,
    ]  # fmt: skip
    config = EmaChannelConfig()
    assert [quantity(config, 20, 349_10, cash) for cash in (5_00_000_00, 10_000_00, 6_000_00)] == [100, 20, 0]


def test_the_expiry_of_an_expiry_day_is_a_choice() -> None:
    assert expiry_to_trade("SENSEX", D(2025, 9, 4), "same") == D(2025, 9, 4)
    assert expiry_to_trade("SENSEX", D(2025, 9, 4), "next") == D(2025, 9, 11)
    assert expiry_to_trade("SENSEX", D(2025, 9, 5), "next") == D(2025, 9, 11)


def test_a_holiday_has_no_bars_that_can_be_right() -> None:
    bar = Bar(start_ns=0, seconds=180, open_paise=1, high_paise=1, low_paise=1, close_paise=1)
    data = DayData(day=D(2025, 8, 27), index="SENSEX", index_bars=[bar], options={})
    with pytest.raises(InputError, match="no trading day"):
        run_day(BacktestConfig(), data)


def saved(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / name)


def bar(at: str, **other: object) -> dict[str, object]:
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    return {"datetime": dt.datetime.fromisoformat(at), **prices, **other}


def option(at: str, **other: object) -> dict[str, object]:
    return {"tradingsymbol": "SENSEX2591180300CE", **bar(at), **other}


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        load_days(tmp_path, "SENSEX", 180)
    (tmp_path / "bars").mkdir()
    with pytest.raises(InputError, match=r"must hold one file SENSEX_3m_"):
        load_days(tmp_path, "SENSEX", 180)
    saved(tmp_path / "bars", "SENSEX_3m_x.parquet", [{"datetime": dt.datetime(2025, 9, 5, 9, 15), "open": 1.0}])  # noqa: DTZ001
    saved(tmp_path / "option_bars", "SENSEX_options_x.parquet", [option("2025-09-05 09:15")])
    with pytest.raises(InputError, match=r"SENSEX_3m_x.parquet: row 0, column high: expected that column"):
        load_days(tmp_path, "SENSEX", 180)
    (tmp_path / "bars" / "SENSEX_3m_x.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(InputError, match="no Parquet"):
        load_days(tmp_path, "SENSEX", 180)


def test_a_bad_row_spoils_its_own_day_alone(tmp_path: Path) -> None:
    bars = [bar("2025-09-04 09:15"), bar("2025-09-05 09:15"), bar("2025-09-05 09:15"), bar("2025-09-08 09:15")]
    saved(tmp_path / "bars", "SENSEX_3m_x.parquet", bars)
    options = [option(f"2025-09-0{day} 09:15") for day in (4, 5, 9)] + [option("2025-09-08 09:15", high=float("inf"))]
    saved(tmp_path / "option_bars", "SENSEX_options_x.parquet", options)

    (day,) = load_days(tmp_path, "SENSEX", 180, [D(2025, 9, 4)])
    assert [one.close_paise for one in day.options["SENSEX2591180300CE"]] == [100_00]
    for wanted, says in (
        (D(2025, 9, 5), r"SENSEX_3m_x.parquet: row 3, column datetime: expected a time between those"),
        (D(2025, 9, 8), r"SENSEX_options_x.parquet: row 4, column high: expected rupees"),
        (D(2025, 9, 9), "SENSEX_3m_x.parquet: no bars of 2025-09-09; it has 2025-09-04 to 2025-09-08"),
        (D(2025, 9, 10), "SENSEX_options_x.parquet: no bars of 2025-09-10; it has 2025-09-04 to 2025-09-09"),
    ):
        with pytest.raises(InputError, match=says):
            load_days(tmp_path, "SENSEX", 180, [wanted])
    with pytest.raises(InputError, match="no 3-minute bars of SENSEX on 2025-09-09 under"):
        load_days(tmp_path, "SENSEX", 180, [D(2025, 9, 4), D(2025, 9, 9)])


def test_a_place_that_cannot_be_written_is_one_line_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(backtest, "load_days", lambda *_: [])
    monkeypatch.setattr(backtest, "run", lambda *_, **__: merge([]))
    words = ["--strategy", "ema_channel", "--index", "SENSEX", "--data", str(tmp_path), "--out", str(file / "below")]
    assert backtest.main(words) == 2
    assert str(file) in capsys.readouterr().err
