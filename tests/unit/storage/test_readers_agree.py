"""The exchanges' files against each other: what two of them say of one thing is the same."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.file_schemas import SIDES
from core.flows import ROUNDING_CONTRACTS
from storage.readers import read_fii_statistics, read_index_closes, read_india_vix
from tests.unit.storage.real_files import DATA, activity, day_file, from_json, history, needs_data, udiff, udiff_days

pytestmark = needs_data
D = dt.date
KEY = ["underlying", "expiry", "kind", "strike_paise"]


@pytest.mark.parametrize(("day", "rows"), [("20250203", 34_304), ("20250227", 41_097), ("20251114", 37_012)])
def test_the_raw_bhavcopy_and_the_parquet_say_the_same(day: str, rows: int) -> None:
    raw = udiff(day)
    index_rows = raw.filter(raw["is_index"]).sort_by([(name, "ascending") for name in KEY])
    own = pc.equal(udiff_days()["date"], pa.scalar(dt.datetime.strptime(day, "%Y%m%d").date(), pa.date32()))  # noqa: DTZ007
    kept = udiff_days().filter(own).sort_by([(name, "ascending") for name in KEY])

    assert raw.num_rows == rows
    assert index_rows.equals(kept)


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
