"""The readers on the exchanges' and the broker's own files: how many rows, which left out, which traps."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.file_schemas import FO_BHAVCOPY
from core.flows import ROUNDING_CONTRACTS, sum_checks
from core.schemas import Kind
from storage.readers import (
    read_bars,
    read_bse_chain,
    read_cash_flow_days,
    read_instruments,
    read_nse_chain,
)
from tests.unit.storage.real_files import DATA, history, needs_data, udiff_days

pytestmark = needs_data
D = dt.date
THREE_MINUTES = "3m_2025-07_2026-04_and_2026-08-03"


@pytest.mark.parametrize(("name", "rows"), [("bfo_2025-09", 4_809), ("nfo_2025-11", 38_752), ("nfo_2026-05", 38_623)])
def test_every_row_of_the_dumps_is_read(name: str, rows: int) -> None:
    table = read_instruments(DATA / "instruments" / f"kite_{name}.csv.gz", strict=True).table

    assert table.num_rows == rows
    assert table["expiry"].null_count == 0
    option = pc.greater_equal(table["kind"], int(Kind.CALL))
    assert pc.min(table.filter(option)["strike_paise"]).as_py() > 0


def test_the_22_days_expire_on_the_index_and_keep_odd_lots() -> None:
    table = udiff_days()
    expiring = pc.equal(table["date"], table["expiry"])
    final, own = table["final_settlement_paise"], table["settlement_paise"]
    odd = np.asarray(table["oi"]) % np.asarray(table["lot"]) != 0
    names = np.array(table["underlying"].to_pylist())[odd]
    counts = {name: int(np.count_nonzero(names == name)) for name in sorted(set(names.tolist()))}
    print(f"{table.num_rows} rows, {pc.sum(expiring).as_py()} expiring; open interest no whole lots: {counts}")

    assert pc.count_distinct(table["date"]).as_py() == 22
    assert pc.sum(expiring).as_py() == 2_293
    assert own.filter(expiring).null_count == 2_293
    assert final.filter(expiring).equals(table["underlying_paise"].filter(expiring))
    assert (own.null_count, final.null_count) == (2_293, table.num_rows - 2_293)
    assert counts == {"BANKNIFTY": 254, "NIFTY": 1_802}


def test_3466_days_of_participants_add_up_but_for_the_ones_named() -> None:
    read = history()
    check = sum_checks(read.table)
    passed = check.exact + check.rounded
    print(f"{check.days} days: {check.exact} to the contract, {check.rounded} within {ROUNDING_CONTRACTS} contracts, "
          f"{len(check.failed)} with a wrong total column, {len(check.incomplete)} with a blank row")  # fmt: skip

    assert check.days == 3_466
    assert (check.exact, check.rounded) == (1_868, 1_591)
    assert passed == 3_459
    assert check.failed == (D(2016, 1, 6), D(2016, 4, 20), D(2017, 1, 24), D(2017, 5, 29), D(2017, 9, 22))
    assert {difference.column for difference in check.differences} == {"total_long", "total_short"}
    assert check.incomplete == (D(2013, 8, 22), D(2019, 12, 12))
    assert [row.place for row in read.refused] == ["line 1406", "line 9134"]


def test_cash_flows_of_64_days() -> None:
    table = read_cash_flow_days(DATA / "daily" / "fii_dii_cash_2026-05_2026-08.csv", strict=True).table

    assert table.group_by("participant").aggregate([("date", "count_distinct")]).num_rows == 2
    assert table.num_rows == 2 * 64


def test_nse_s_chain_of_may_2023() -> None:
    table = read_nse_chain(DATA / "option_chain" / "raw" / "nse_banknifty_2023-05-03.json", strict=True).table

    assert table.num_rows == 1_170
    assert pc.count_distinct(table["expiry"]).as_py() == 10
    assert set(table["spot_paise"].to_pylist()) == {43_312_70}
    assert table["oi"].null_count == 0
    oi, lots, quantity = (np.asarray(table[name]) for name in ("oi", "oi_lots", "bid_qty"))
    for expiry in set(table["expiry"].to_pylist()):
        own = np.asarray(pc.equal(table["expiry"], pa.scalar(expiry, pa.date32())))
        units = set((oi[own & (lots > 0)] / lots[own & (lots > 0)]).tolist())
        # Quantities are units already: their common divisor is the lot, 15 for July and 25 for the rest.
        common = float(np.gcd.reduce(quantity[own]))
        assert common == (15.0 if expiry == D(2023, 7, 27) else 25.0)
        assert units <= {common}  # none where nothing is open


def test_bse_s_chain_of_july_2026() -> None:
    table = read_bse_chain(DATA / "option_chain" / "raw" / "bse_sensex_16jul_2026-07-10.json", strict=True).table
    calls = pc.equal(table["kind"], int(Kind.CALL))

    assert table.num_rows == 368
    assert set(table["spot_paise"].to_pylist()) == {77_569_39}
    assert pc.sum(table["oi"].filter(calls)).as_py() == 481_275 * 20
    assert np.count_nonzero(np.asarray(table["iv"]) > 0) == 368 - 93 - 10 - 49 - 2


@pytest.mark.parametrize(
    ("name", "symbol", "seconds", "kept", "refused"),
    [
        ("BANKNIFTY_15m_2018_2023", "BANKNIFTY", 900, 33_604, {"High": 296, "Low": 400}),
        ("NIFTY_1m_2024-01_2024-08", "NIFTY", 60, 57_960, {"ts": 167}),
        ("NIFTY_1m_2026-03-04_2026-04-06", "NIFTY", 60, 7_381, {"ts": 21}),
        ("NIFTY_1m_2026-07-28_2026-08-21", "NIFTY", 60, 7_121, {}),
        (f"NIFTY_{THREE_MINUTES}", "NIFTY", 180, 23_889, {"datetime": 6}),
        (f"SENSEX_{THREE_MINUTES}", "SENSEX", 180, 23_263, {"datetime": 7}),
        (f"INDIAVIX_{THREE_MINUTES}", "INDIA VIX", 180, 23_255, {"datetime": 3}),
    ],
)
def test_recorded_bars_without_what_cannot_be(
    name: str, symbol: str, seconds: int, kept: int, refused: dict[str, int]
) -> None:
    read = read_bars(DATA / "bars" / f"{name}.parquet", symbol, seconds)
    columns = [row.column for row in read.refused]

    assert read.table.num_rows == kept
    assert {column: columns.count(column) for column in sorted(set(columns))} == refused


def test_the_bars_labelled_0914_are_one_a_day_and_named() -> None:
    """Shifting the labels by a minute fits the 3-minute bars worse: it is a bar too many, not a wrong label."""
    read = read_bars(DATA / "bars" / "NIFTY_1m_2026-03-04_2026-04-06.parquet", "NIFTY", 60)
    early = [row for row in read.refused if "09:14:00" in row.found]

    assert len(early) == 20
    assert all("no bar before the open" in row.expected for row in early)
    thirds = read_bars(DATA / "bars" / f"NIFTY_{THREE_MINUTES}.parquet", "NIFTY", 180).table
    close = dict(zip(thirds["start_ns"].to_pylist(), thirds["close_paise"].to_pylist(), strict=True))
    minutes = dict(zip(read.table["start_ns"].to_pylist(), read.table["close_paise"].to_pylist(), strict=True))

    def median_miss(shift: int) -> float:
        last = 60_000_000_000 * (2 + shift)
        return float(
            np.median([abs(minutes[at + last] - paise) for at, paise in close.items() if at + last in minutes])
        )

    misses = {shift: median_miss(shift) for shift in (-1, 0, 1)}
    print(f"median miss of the close against the 3-minute bars, paise, by shift of the label: {misses}")
    assert misses[0] < misses[-1] / 2
    assert misses[0] < misses[1] / 2


def test_every_reader_keeps_its_schema_to_the_letter() -> None:
    assert udiff_days().schema.equals(FO_BHAVCOPY, check_metadata=True)
