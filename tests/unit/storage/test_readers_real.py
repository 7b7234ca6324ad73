"""The readers on the exchanges' and the broker's own files, and the files against each other."""

import datetime as dt
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.file_schemas import FO_BHAVCOPY, SIDES
from core.flows import ROUNDING_CONTRACTS, sum_checks
from core.schemas import Kind
from storage.readers import (
    Read,
    read_bars,
    read_bse_chain,
    read_cash_flow_days,
    read_fii_statistics,
    read_index_closes,
    read_india_vix,
    read_instruments,
    read_market_activity,
    read_nse_chain,
    read_participant_days,
    read_participants,
    read_udiff,
)

DATA = Path(__file__).parents[4] / "shared" / "data" / "market"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded data is not beside the checkout: {DATA}")
D = dt.date
KEY = ["underlying", "expiry", "kind", "strike_paise"]
THREE_MINUTES = "3m_2025-07_2026-04_and_2026-08-03"


@cache
def udiff(day: str) -> pa.Table:
    path = DATA / "fo_bhavcopy" / "raw" / f"BhavCopy_NSE_FO_0_0_0_{day}_F_0000.csv.zip"
    return read_udiff(path, strict=True).table


@cache
def udiff_days() -> pa.Table:
    return read_udiff(DATA / "fo_bhavcopy" / "nse_udiff_index_fo.parquet", strict=True).table


@cache
def activity(name: str) -> pa.Table:
    return read_market_activity(DATA / "nse_raw" / name, strict=True).table


@cache
def history() -> Read:
    return read_participant_days(DATA / "daily" / "participant_oi_2012_2026.csv.gz", "oi")


def day_file(measure: str, day: dt.date) -> pa.Table:
    return read_participants(DATA / "nse_raw" / f"fao_participant_{measure}_{day:%d%m%Y}.csv", strict=True).table


def from_json(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / "daily" / name) as file:
        return list(json.load(file))


@pytest.mark.parametrize(("name", "rows"), [("bfo_2025-09", 4_809), ("nfo_2025-11", 38_752), ("nfo_2026-05", 38_623)])
def test_every_row_of_the_dumps_is_read(name: str, rows: int) -> None:
    table = read_instruments(DATA / "instruments" / f"kite_{name}.csv.gz", strict=True).table

    assert table.num_rows == rows
    assert table["expiry"].null_count == 0
    option = pc.greater_equal(table["kind"], int(Kind.CALL))
    assert pc.min(table.filter(option)["strike_paise"]).as_py() > 0


@pytest.mark.parametrize(("day", "rows"), [("20250203", 34_304), ("20250227", 41_097), ("20251114", 37_012)])
def test_the_raw_bhavcopy_and_the_parquet_say_the_same(day: str, rows: int) -> None:
    raw = udiff(day)
    index_rows = raw.filter(raw["is_index"]).sort_by([(name, "ascending") for name in KEY])
    own = pc.equal(udiff_days()["date"], pa.scalar(dt.datetime.strptime(day, "%Y%m%d").date(), pa.date32()))  # noqa: DTZ007
    kept = udiff_days().filter(own).sort_by([(name, "ascending") for name in KEY])

    assert raw.num_rows == rows
    assert index_rows.equals(kept)


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


def test_udiff_volume_times_lot_times_price_is_its_turnover() -> None:
    """So the volume is in contracts: read as units, the turnover would be short by the lot."""
    table = udiff_days()
    strike, volume = np.asarray(table["strike_paise"]) / 100, np.asarray(table["volume"])
    low, high = (np.asarray(table[f"{name}_paise"]) / 100 for name in ("low", "high"))
    traded, value = volume > 0, np.asarray(table["notional_rupees"])
    slack = 0.01

    assert np.all((value >= (strike + low) * volume - slack)[traded])
    assert np.all((value <= (strike + high) * volume + slack)[traded])


def test_bhavcopy_and_market_activity_of_a_day_agree_contract_by_contract() -> None:
    both = activity("fo14112025.zip").join(udiff("20251114"), KEY, join_type="left outer", right_suffix="_udiff")
    premium, volume = np.asarray(both["premium_rupees"]), np.asarray(both["volume"])
    low, high, close = (np.asarray(both[f"{name}_paise"]) / 100 for name in ("low", "high", "close"))
    ratio = premium.sum() / (close * volume).sum()
    print(f"{both.num_rows} contracts; premium turnover {premium.sum():.4g} is {ratio:.3f} × close × volume")

    assert both.num_rows == 15_130
    for name in ("volume", "contracts", "trades", "open_paise", "high_paise", "low_paise"):
        assert both[name].equals(both[f"{name}_udiff"]), name
    assert np.allclose(both["notional_rupees"], both["notional_rupees_udiff"], rtol=0, atol=0.51)
    assert np.all((low * volume - 0.01 <= premium) & (premium <= high * volume + 0.01))
    assert 0.5 < ratio < 2


@pytest.mark.parametrize(("name", "rows"), [("fo17112025.zip", 16_171), ("fo241125.zip", 38_134)])
def test_the_premium_turnover_lies_between_low_and_high(name: str, rows: int) -> None:
    table = activity(name)
    premium, volume = np.asarray(table["premium_rupees"]), np.asarray(table["volume"])
    low, high = (np.asarray(table[f"{side}_paise"]) / 100 for side in ("low", "high"))

    assert table.num_rows == rows
    assert np.all((low * volume - 0.01 <= premium) & (premium <= high * volume + 0.01))


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


@pytest.mark.parametrize("day", [D(2025, 11, 14), D(2025, 11, 17)])
@pytest.mark.parametrize("measure", ["oi", "vol"])
def test_a_day_s_file_agrees_with_the_collected_ones(measure: str, day: dt.date) -> None:
    rows = day_file(measure, day).to_pylist()
    kept = {row["client_type"]: row for row in from_json(f"participant_{measure}_2025_2026.json.gz")
            if row["date"] == f"{day:%d-%b-%Y}"}  # fmt: skip

    assert [row["participant"] for row in rows] == ["Client", "DII", "FII", "Pro", "TOTAL"]
    for row in rows:
        for name in SIDES:
            theirs = f"{name}_contracts" if name.startswith("total") else name
            assert row[f"{name}_contracts"] == kept[row["participant"]][theirs]
    if measure == "oi":
        own = pc.equal(history().table["date"], pa.scalar(day, pa.date32()))
        assert history().table.filter(own).to_pylist() == rows


def test_the_collected_participants_agree_with_the_long_history() -> None:
    ours = {(row["date"], row["participant"]): row for row in history().table.to_pylist()}
    seen, absent = 0, set()
    for row in from_json("participant_oi_2025_2026.json.gz"):
        key = dt.datetime.strptime(row["date"], "%d-%b-%Y").date(), row["client_type"]  # noqa: DTZ007
        if key not in ours:
            absent.add(key[0])
            continue
        seen += 1
        for name in SIDES:
            theirs = f"{name}_contracts" if name.startswith("total") else name
            assert ours[key][f"{name}_contracts"] == row[theirs], (key, name)
    print(f"{seen} rows on {seen // 5} days agree; absent from the history: {absent}")
    assert seen == 5 * 181
    assert absent == {D(2026, 2, 1)}  # the Sunday of the Budget


@pytest.mark.parametrize("day", [D(2025, 11, 14), D(2025, 11, 17)])
def test_foreign_investors_sheet_agrees_with_the_collected_figures_and_the_participants(day: dt.date) -> None:
    table = read_fii_statistics(DATA / "nse_raw" / f"fii_stats_{day:%d-%b-%Y}.xls", strict=True).table
    ours = {row["instrument"]: row for row in table.to_pylist()}
    theirs = {row["instrument"]: row for row in from_json("fii_derivatives_2025_2026.json.gz")
              if row["date"] == f"{day:%d-%b-%Y}"}  # fmt: skip

    assert ours.keys() == theirs.keys()
    assert len(ours) == 14
    for name, row in ours.items():
        for side in ("buy", "sell", "oi"):
            assert row[f"{side}_contracts"] == theirs[name][f"{side}_contracts"]
            assert row[f"{side}_crore"] == pytest.approx(theirs[name][f"{side}_amt"], abs=0.0101)
    traded, held = (day_file(measure, day).to_pylist()[2] for measure in ("vol", "oi"))
    assert ours["INDEX FUTURES"]["buy_contracts"] == traded["future_index_long_contracts"]
    assert ours["INDEX FUTURES"]["sell_contracts"] == traded["future_index_short_contracts"]
    sides = ("call_long", "put_long", "call_short", "put_short")
    options = sum(held[f"option_index_{side}_contracts"] for side in sides)
    assert abs(ours["INDEX OPTIONS"]["oi_contracts"] - options) <= ROUNDING_CONTRACTS


@pytest.mark.parametrize(("day", "vix"), [(D(2025, 11, 11), 12.49), (D(2025, 11, 14), 11.94)])
def test_index_closes_are_the_bhavcopy_s_underlyings_and_india_vix_s_own(day: dt.date, vix: float) -> None:
    closes = read_index_closes(DATA / "nse_raw" / f"ind_close_all_{day:%d%m%Y}.csv", strict=True).table
    level = dict(zip(closes["name"].to_pylist(), closes["close_points"].to_pylist(), strict=True))
    own = udiff_days().filter(pc.equal(udiff_days()["date"], pa.scalar(day, pa.date32())))
    underlying = dict(zip(own["underlying"].to_pylist(), own["underlying_paise"].to_pylist(), strict=True))
    days = read_india_vix(DATA / "daily" / "india_vix_2012_2026.csv.gz", strict=True).table

    names = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank", "FINNIFTY": "Nifty Financial Services"}
    names |= {"MIDCPNIFTY": "NIFTY MIDCAP SELECT", "NIFTYNXT50": "Nifty Next 50"}
    upper = {name.upper(): close for name, close in level.items()}
    assert {n: round(upper[names[n].upper()] * 100) for n in underlying} == underlying
    assert level["India VIX"] == vix
    assert days.filter(pc.equal(days["date"], pa.scalar(day, pa.date32())))["close_pct"].to_pylist() == [vix]
    assert days.num_rows == 3_613


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
