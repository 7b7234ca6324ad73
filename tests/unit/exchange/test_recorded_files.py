"""Chain files as a market, the other days of one, and what is no market."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import InputError, UnknownDate
from core.market import IST, to_ns
from exchange.candles import candles
from exchange.limits import Rates
from exchange.orders.order import Status
from exchange.orders.request import parse
from exchange.recorded_day import RecordedDay, Recording
from exchange.world import DEFAULT_USER, World, WorldConfig
from storage.recordings import recorded_sources
from tests.unit.exchange.conftest import Served, Wall
from tests.unit.exchange.recordings import CALL, CALLS, DATE, OLD, SECOND, SUNDAY, recording
from tests.unit.exchange.shapes import raw
from tests.unit.market_data import data
from tests.unit.test_chain_files import collection, write


def test_the_other_days_of_a_recording_are_there_as_candles(tmp_path: Path) -> None:
    low, high = ({f"CALLS_{k}": v for k, v in (CALLS | {"LTP": price}).items()} for price in (90.0, 95.5))
    before = {
        "date": dt.date(2025, 8, 28),
        "Fetch_Time": "28-Aug-2025 11:30:00",
        "collection_timestamp": "20250828_1130",
    }
    path = write(tmp_path / "chain.parquet", collection(2, **low) | before, collection(2, **high), collection(3))
    world = World(WorldConfig(recording=recording(path, dt.date(2025, 8, 29))), wall=lambda: 0)
    world.step()
    one, now = world.day.listing.by_name["NFO", CALL], world.clock.now_ns()
    first, last = (dt.datetime(2025, 8, day, tzinfo=IST) for day in (25, 30))
    for interval, wanted in (
        ("day", [("2025-08-28T00:00:00+0530", 90.0), ("2025-08-29T00:00:00+0530", 95.5)]),
        ("minute", [("2025-08-28T11:30:00+0530", 90.0), ("2025-08-29T10:02:00+0530", 95.5)]),
    ):
        minutes = world.day.minutes(one, now)
        found = candles(world.day, one, interval, first, last, minutes=minutes, now_ns=now + SECOND, oi=False)
        assert [(row[0], row[4]) for row in found] == wanted
    assert world.day.before(dt.date(2025, 8, 28), "SENSEX") is None
    assert world.day.following(dt.date(2025, 9, 1), ()) is None


def test_a_chain_file_has_one_level_no_index_and_the_closes_of_its_rows(tmp_path: Path) -> None:
    rows = [collection(minute, **{f"CALLS_{k}": v for k, v in CALLS.items()}) for minute in (2, 5)]
    path = write(tmp_path / "chain.parquet", *rows)
    config = WorldConfig(recording=recording(path), rates=Rates(enforced=False))
    with Served(World(config, wall=Wall())) as server:
        kite = server.client()
        server.do(lambda: (server.world.clock.jump(200 * SECOND), server.world.step()))
        names = {row["tradingsymbol"] for row in kite.instruments()}
        assert names == {"NIFTY 50", CALL, CALL.replace("CE", "PE")}
        found = kite.quote([f"NFO:{CALL}", "NSE:NIFTY 50"])
        assert list(found) == [f"NFO:{CALL}"]
        quote = found[f"NFO:{CALL}"]
        assert (quote["last_price"], quote["ohlc"]["close"], quote["volume"], quote["oi"]) == (107.1, 107.6, 1350, 900)
        assert [level["price"] for level in quote["depth"]["buy"]] == [106.1, 0, 0, 0, 0]
        token = quote["instrument_token"]
        days = {"from": "2025-08-20", "to": "2025-09-02"}
        candles = raw(kite, f"/instruments/historical/{token}/minute", **days)["candles"]
        assert [row[0][11:16] for row in candles] == ["10:02", "10:05"]
        assert [row[5] for row in candles] == [0, 0]
        assert len(raw(kite, f"/instruments/historical/{token}/day", **days)["candles"]) == 1


def test_a_real_chain_of_august_2025_is_a_market(tmp_path: Path) -> None:
    path = data("option_chain/NSE_NIFTY_chain_2025-08-27_29.parquet")
    day = dt.date(2025, 8, 29)
    config = WorldConfig(recording=recording(path), rates=Rates(enforced=False))
    assert config.recording is not None
    assert config.recording.date == day, "the file's other day is a holiday"
    at = [0]
    world = World(config, wall=lambda: at[0])
    source = recorded_sources(str(path), day)[1][day]["NIFTY"]
    source.open()
    noon = to_ns(dt.datetime(2025, 8, 29, 12, 0, tzinfo=IST))
    truth = list(source.poll(noon))[-1].to_pylist()
    at[0] = noon - world.clock.now_ns()
    world.step()
    listing, quotes = world.day.listing, world.day.quotes
    for row in truth:
        place = listing.by_name["NFO", row["symbol"]].place
        assert (quotes.last[place], quotes.at_ns[place]) == (row["last_paise"], row["exchange_ns"])
        assert quotes.book["ask_paise"][place].tolist() == row["ask_paise"]
    near = max((row for row in truth if row["ask_paise"][0] > 5000), key=lambda row: int(row["volume"]))
    one = listing.by_name["NFO", near["symbol"]]
    assert one.lot == 75
    form = {"exchange": "NFO", "tradingsymbol": one.symbol, "quantity": "75", "product": "NRML", "order_type": "LIMIT"}
    for side, reach in (("BUY", "ask_paise"), ("SELL", "bid_paise")):
        asked = form | {"transaction_type": side, "price": str(near[reach][0] / 100)}
        order = world.engine.place(DEFAULT_USER, parse("regular", asked, listing))
        for _ in range(4):
            at[0] += 20_000_000
            world.engine.advance()
        assert (order.status, order.average_paise) == (Status.COMPLETE, near[reach][0]), order.message
    short = world.engine.place(
        DEFAULT_USER, parse("regular", asked | {"price": str(near["bid_paise"][0] / 100)}, listing)
    )
    at[0] += SECOND
    world.engine.advance()
    assert short.status in {Status.OPEN, Status.COMPLETE}, short.message


def test_a_day_that_the_tables_do_not_cover_says_what_to_do() -> None:
    class Nothing:
        def open(self) -> None: ...
        def poll(self, now_ns: int) -> list[pa.RecordBatch]:
            return []

        def next_ns(self) -> int | None:
            return None

        def counts(self) -> dict[str, int]:
            return {}

    with pytest.raises(UnknownDate, match="cannot take orders of that day: choose a recording of a later date"):
        RecordedDay(Recording("old", OLD, {OLD: {"NIFTY": Nothing()}}))
    with pytest.raises(InputError, match="Sunday; choose a trading day"):
        RecordedDay(Recording("sunday", SUNDAY, {SUNDAY: {"NIFTY": Nothing()}}))
    with pytest.raises(InputError, match="no ticks of NIFTY"):
        RecordedDay(Recording("empty", DATE, {DATE: {"NIFTY": Nothing()}}))
