"""What the bars' reader makes of small files: times of every kind, hours, order, contracts, days."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import InputError, UnknownName
from core.market import IST, to_ns
from core.market.overlay import UserFacts, UserSession, use
from core.schemas import BARS as BAR_SCHEMA
from core.schemas import Kind
from storage.readers import read_bars, read_contract_bars
from tests.unit.storage import samples
from tests.unit.storage.samples import BARS, some

D = dt.date


def test_bars_get_their_times_from_text_timestamps_or_seconds(tmp_path: Path) -> None:
    table = samples.bars_table()
    open_ns = to_ns(dt.datetime(2026, 3, 4, 9, 15, tzinfo=IST))
    naive = [dt.datetime.fromisoformat(text) for text in table["ts"].to_pylist()]
    unix = [to_ns(moment.replace(tzinfo=IST)) // 10**9 for moment in naive]
    for times in (
        {"ts": [f"{text}+05:30" for text in table["ts"].to_pylist()]},
        {"datetime": pa.array(naive, pa.timestamp("us"))},
        {"Datetime": pa.array([moment.replace(tzinfo=IST) for moment in naive], pa.timestamp("us", "Asia/Kolkata"))},
        {"Time": unix},
    ):
        other = pa.table(times | {n.title(): table[n] for n in ("open", "high", "low", "close")})
        (tmp_path / "b.parquet").write_bytes(samples.parquet(other))
        read = BARS(tmp_path / "b.parquet", strict=True).table
        assert read.schema.equals(BAR_SCHEMA)
        assert [row - open_ns for row in read["start_ns"].to_pylist()] == [0, 60 * 10**9, 120 * 10**9]
        some(read.to_pylist()[0], symbol="NIFTY", kind=Kind.INDEX, high_paise=102_00, seconds=60, oi=0)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (["09:14", "09:15", "09:16"], "no bar before the open"),
        (["09:15", "15:29", "15:30"], "a bar inside the session 09:15 to 15:30"),
        (["09:15", "09:16", "09:16"], "a time between those of its neighbours"),
        (["09:15", "10:40", "09:16"], "a time between those of its neighbours"),
    ],
)
def test_a_bar_at_a_wrong_time_is_refused_alone_and_the_trap_named(times: list[str], says: str, tmp_path: Path) -> None:
    table = samples.bars_table().set_column(0, "ts", pa.array([f"2026-03-04 {time}:00" for time in times]))
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(table))
    read = BARS(path)

    assert len(read.refused) == 1
    assert says in read.refused[0].expected
    assert read.table.num_rows == 2
    with pytest.raises(InputError, match=says):
        BARS(path, strict=True)


def test_the_last_bar_of_a_session_of_no_whole_number_of_bars_is_kept(tmp_path: Path) -> None:
    """Half-hour bars to 15:30 and, since 2026-08-03, three-minute bars to 15:40 end with a short one."""
    path = tmp_path / "b.parquet"
    for day, step, last, symbol in (
        ("2025-08-28", 1_800, "15:15", "NIFTY"),
        ("2025-08-28", 3_600, "15:15", "NIFTY"),
        ("2026-08-04", 180, "15:39", "NIFTY2680424500CE"),
        ("2026-08-04", 900, "15:30", "NIFTY2680424500CE"),
    ):
        end = dt.datetime.fromisoformat(f"{day} {last}")
        table = samples.bars_table().slice(0, 2).set_column(0, "ts", [[end - dt.timedelta(seconds=step), end]])
        path.write_bytes(samples.parquet(table))
        assert read_bars(path, symbol, step, strict=True).table.num_rows == 2
        after = table.set_column(0, "ts", [[end, end + dt.timedelta(seconds=step)]])
        path.write_bytes(samples.parquet(after))
        assert "a bar inside the session 09:15 to" in read_bars(path, symbol, step).refused[0].expected


def test_bars_in_the_pause_of_a_drill_are_refused(tmp_path: Path) -> None:
    """2024-03-02 traded 09:15 to 10:00 and 11:30 to 12:30."""
    path = tmp_path / "b.parquet"
    start = dt.datetime.fromisoformat("2024-03-02 09:15")

    def read(step: int, many: int) -> list[str]:
        times = [start + dt.timedelta(seconds=step * n) for n in range(many)]
        one = {name: [100.0] * many for name in ("open", "high", "low", "close")}
        path.write_bytes(samples.parquet(pa.table({"ts": times, **one})))
        return [row.found[11:16] for row in read_bars(path, "NIFTY", step).refused]

    minutes = read(60, 195)
    assert (len(minutes), minutes[0], minutes[-1]) == (90, "10:00", "11:29")
    assert read(1_800, 7) == ["10:15", "10:45"]  # the bar of 11:15 holds the first quarter hour after the pause


def test_a_drill_of_a_user_s_own_file_has_no_pause(tmp_path: Path) -> None:
    """An imported session has one opening and one close."""
    path = tmp_path / "b.parquet"
    times = pa.array([f"2026-12-05 09:{minute}:00" for minute in (15, 16, 59)])
    path.write_bytes(samples.parquet(samples.bars_table().set_column(0, "ts", times)))
    drill = UserSession(date=D(2026, 12, 5), kind="drill", open=dt.time(9, 15), close=dt.time(10))
    use([UserFacts(source="mine", published=D(2026, 11, 21), sessions=(drill,))])
    try:
        assert BARS(path, strict=True).table.num_rows == 3
    finally:
        use(())


@pytest.mark.parametrize("times_a_second", [10**3, 10**6, 10**9])
def test_unix_times_in_another_unit_are_refused_and_named(times_a_second: int, tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    start = to_ns(dt.datetime(2025, 8, 28, 9, 15, tzinfo=IST)) // 10**9
    times = [(start + 60 * n) * times_a_second for n in range(3)]
    path.write_bytes(samples.parquet(samples.bars_table().set_column(0, "ts", pa.array(times))))

    with pytest.raises(InputError, match=r"row 1, column ts: expected a time .* or Unix seconds, from 1990 to 2100"):
        BARS(path)


@pytest.mark.parametrize(("unit", "value"), [("ms", 2**61), ("us", 5 * 10**17), ("ns", -1)])
def test_a_time_that_nanoseconds_cannot_hold_is_refused(unit: str, value: int, tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    table = samples.bars_table().set_column(0, "ts", pa.array([value] * 3, pa.timestamp(unit, "UTC")))
    path.write_bytes(samples.parquet(table))

    with pytest.raises(InputError, match="row 1, column ts: expected a time"):
        BARS(path)


@pytest.mark.parametrize("seconds", [0, -60, 86_401])
def test_bars_of_no_length_are_no_bars(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(samples.bars_table()))

    with pytest.raises(InputError, match=f"from 1 second to a day long, was {seconds}"):
        read_bars(path, "NIFTY", seconds)


def test_a_whole_number_that_no_float_holds_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    for huge in (pa.array([0, 2**53 + 1, 0]), pa.array([0, 2**64 - 1, 0], pa.uint64())):
        path.write_bytes(samples.parquet(samples.bars_table().set_column(5, "volume", huge)))
        assert [(row.place, row.column) for row in BARS(path).refused] == [("row 2", "volume")]


def test_bars_of_a_closed_day_are_refused_and_unknown_hours_noted(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    sunday, ancient = (
        samples.bars_table().set_column(0, "ts", pa.array([f"{day} 09:{m}:00" for m in (15, 16, 17)]))
        for day in ("2026-03-08", "1999-03-08")
    )
    path.write_bytes(samples.parquet(sunday))
    with pytest.raises(InputError, match=r"row 1, column ts: expected a trading day of NSE, found 2026-03-08 09:15"):
        BARS(path)
    path.write_bytes(samples.parquet(ancient))
    assert BARS(path, strict=True).notes == ("hours not checked on 1 days, 1999-03-08 to 1999-03-08: no calendar",)
    with pytest.raises(UnknownName):
        read_bars(path, "DAX", 60)
    far = samples.bars_table().set_column(0, "ts", pa.array([f"2093-12-21 09:{m}:00" for m in (15, 16, 17)]))
    path.write_bytes(samples.parquet(far))
    with pytest.raises(InputError, match="row 1, column ts: expected a day until 2031-12-31, where the calendar ends"):
        BARS(path)


def test_bars_of_a_contract_carry_it_and_their_open_interest(tmp_path: Path) -> None:
    table = samples.bars_table().append_column("OI", pa.array([75, 150, 150]))
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(table.set_column(0, "ts", table["ts"].dictionary_encode())))
    first, *_ = read_bars(path, "NIFTY2631024500CE", 60, strict=True).table.to_pylist()

    some(first, index="NIFTY", kind=Kind.CALL, strike_paise=24_500_00, expiry=D(2026, 3, 10), oi=75, open_paise=100_00)


def test_bars_of_many_contracts_are_read_by_their_symbol(tmp_path: Path) -> None:
    symbols = ["SENSEX2591180300CE", "SENSEX2591180300PE", "SENSEX2591180300CE", "DAX"]
    times = [f"2025-09-0{day} 09:15:00+05:30" for day in (4, 4, 5, 5)]
    one = {name: [100.0] * 4 for name in ("open", "high", "low", "close")}
    path = tmp_path / "b.parquet"
    path.write_bytes(samples.parquet(pa.table({"timestamp": times, "tradingsymbol": symbols, **one})))
    read = read_contract_bars(path, 180)

    some(read.table.to_pylist()[1], index="SENSEX", kind=Kind.PUT, strike_paise=80_300_00, expiry=D(2025, 9, 11))
    assert [(row.place, row.column) for row in read.refused] == [("row 4", "tradingsymbol")]
    of_a_day = read_contract_bars(path, 180, days=[D(2025, 9, 4)], strict=True)
    assert of_a_day.table["symbol"].to_pylist() == symbols[:2]
    with pytest.raises(InputError, match=r"no bars of 2025-09-08; it has 2025-09-04 to 2025-09-05"):
        read_contract_bars(path, 180, days=[D(2025, 9, 8)])
    path.write_bytes(samples.parquet(pa.table({"timestamp": times, **one})))
    with pytest.raises(InputError, match="row 0, column tradingsymbol: expected that column"):
        read_contract_bars(path, 180)


def test_a_row_of_no_time_is_refused_whatever_day_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    times = pa.array(["2026-03-04 09:15:00", "soon", "2026-03-05 09:15:00"])
    path.write_bytes(samples.parquet(samples.bars_table().set_column(0, "ts", times)))
    read = BARS(path, days=[D(2026, 3, 5)])

    assert [(row.place, row.found) for row in read.refused] == [("row 2", "'soon'")]
    assert read.table["open_paise"].to_pylist() == [102_50]


def test_a_row_without_a_time_is_refused_and_leaves_no_note(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    times = pa.array(["2026-03-04 09:15:00", None, "2026-03-04 09:17:00"])
    path.write_bytes(samples.parquet(samples.bars_table().set_column(0, "ts", times)))
    read = BARS(path)

    assert [(row.place, row.column) for row in read.refused] == [("row 2", "ts")]
    assert read.notes == ()
