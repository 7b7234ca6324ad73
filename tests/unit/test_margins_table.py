"""The dated scan ranges against NSE Clearing's own daily figures, and its volatility recomputed."""

import csv
import datetime as dt
import doctest
import gzip
import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError, UnknownDate, UnknownName
from core.market import margin_rates, margins, price_scan, scan_rates, vol_rates, vol_scan
from core.risk.span_sigma import ewma_sigma

DAILY = Path(__file__).parents[3] / "shared/data/market/daily"
SCANS, VOLS = DAILY / "span_psr_2012_2026.csv.gz", DAILY / "volatility_2012_2026.csv.gz"
needs_data = pytest.mark.skipif(not SCANS.exists(), reason=f"{SCANS} is not on this machine")
Key = tuple[dt.date, str]


@lru_cache
def table(path: Path) -> dict[Key, dict[str, str]]:
    with gzip.open(path, "rt") as lines:
        return {(dt.date.fromisoformat(row["date"]), row["symbol"]): row for row in csv.DictReader(lines)}


@lru_cache
def days_before() -> dict[dt.date, dt.date]:
    days = sorted({day for day, _ in table(VOLS)})
    return {after: before for before, after in pairwise(days)}


def known() -> list[tuple[dt.date, str, float, float, str, float]]:
    """Day, index, previous close, published price scan, σ of the day before as written, published vol scan."""
    rows = []
    for (day, index), row in table(SCANS).items():
        today, before = table(VOLS).get((day, index)), table(VOLS).get((days_before().get(day, day), index))
        try:
            scan_rates(index, day)
        except UnknownDate:
            continue
        if today and before:
            sigma = before["sigma_applicable"]
            rows.append(
                (day, index, float(today["spot_prev"]), float(row["price_scan"]), sigma, float(row["vol_scan"]))
            )
    return rows


@needs_data
def test_the_rule_gives_the_published_price_scan_of_all_but_a_few_days() -> None:
    """σ is written with four decimals until October 2025: half a unit of it is allowed for; the floor to ±0.06."""
    rows, wrong, floors = known(), [], 0
    for day, index, close, published, sigma, _ in rows:
        half = 0.5 * 10.0 ** -max(len(sigma.partition(".")[2]), 4)
        low, middle, high = (
            price_scan(index, day, close=close, sigma=float(sigma) + step) for step in (-half, 0.0, half)
        )
        bound = scan_rates(index, day).floor * close >= middle
        floors += bound
        slack = 0.06 if bound else 5e-4 * middle  # the file rounds to 0.1
        if not low - slack <= published <= high + slack:
            wrong.append((day, index, published, round(middle, 2)))
    share = 1 - len(wrong) / len(rows)

    print(f"{len(rows) - len(wrong)} of {len(rows)} ({share:.2%}), {floors} of them on the floor; not: {wrong}")
    assert len(rows) > 6_000
    assert floors > 3_000
    assert share >= 0.998


@needs_data
def test_the_vol_scan_comes_out_to_the_percent() -> None:
    rows = [(vol_scan(day, sigma=float(sigma)), published) for day, _, _, _, sigma, published in known()]
    same = sum(abs(ours - published) < 1e-9 for ours, published in rows)

    print(f"{same} of {len(rows)} ({same / len(rows):.2%})")
    assert same / len(rows) >= 0.99
    assert max(abs(ours - published) for ours, published in rows) < 0.0901  # 1 June 2020: σ itself began anew


@needs_data
def test_nifty_of_31_july_2026_is_9_3_percent_of_the_official_close() -> None:
    day = dt.date(2026, 7, 31)
    close = float(table(VOLS)[day, "NIFTY"]["spot_prev"])
    sigma = float(table(VOLS)[days_before()[day], "NIFTY"]["sigma_applicable"])

    assert close == pytest.approx(24_317.10, abs=0.06)
    assert price_scan("NIFTY", day, close=close, sigma=sigma) == pytest.approx(2_261.49, abs=0.01)
    assert float(table(SCANS)[day, "NIFTY"]["price_scan"]) == 2_261.49


@needs_data
def test_the_published_sigma_is_an_ewma_with_the_tables_decay() -> None:
    misses = []
    for (day, index), row in table(VOLS).items():
        before = table(VOLS).get((days_before().get(day, day), index))
        if day <= dt.date(2025, 10, 1) or before is None:
            continue  # four decimals only
        for name, now, then in (
            ("sigma_underlying", "spot_close", "spot_prev"),
            ("sigma_futures", "fut_close", "fut_prev"),
        ):
            change = math.log(float(row[now]) / float(row[then]))
            found = ewma_sigma([change], start=float(before[name]), decay=vol_rates(day).decay)
            misses.append(abs(found - float(row[name])))

    print(f"n {len(misses)}, median {np.median(misses):.1e}, worst {max(misses):.1e}")
    assert len(misses) > 1_500
    assert np.median(misses) < 2e-7
    assert np.quantile(misses, 0.99) < 1e-6  # the five beyond follow Sunday 1 February 2026, which the file left out


@needs_data
def test_the_published_calendar_charge_is_the_rate_on_the_far_month_to_a_percent() -> None:
    """₹425 a unit in the exchange's first file of 25 June 2026, for every pair of NIFTY's expiries."""
    with gzip.open(DAILY / "bhav_index_2012_2026.csv.gz", "rt") as lines:
        far = next(
            float(row["close"])
            for row in csv.DictReader(lines)
            if (row["date"], row["symbol"], row["expiry"]) == ("2026-06-24", "NIFTY", "2026-07-28")
        )

    assert margin_rates(dt.date(2026, 6, 25)).calendar * far == pytest.approx(425.0, rel=0.01)


def test_a_day_or_an_index_that_no_table_covers_is_refused() -> None:
    with pytest.raises(UnknownDate, match="begins 2019-01-01"):
        price_scan("NIFTY", dt.date(2018, 12, 31), close=10_000)
    with pytest.raises(UnknownDate, match="2024-07-01"):
        margin_rates(dt.date(2024, 6, 28))
    with pytest.raises(UnknownDate, match="nine months"):
        price_scan("NIFTY", dt.date(2022, 12, 2), close=18_000, long_dated=True)
    with pytest.raises(UnknownName, match="RELIANCE"):
        scan_rates("RELIANCE", dt.date(2026, 1, 1))


def test_without_a_volatility_a_range_that_had_no_floor_is_refused() -> None:
    before, after = dt.date(2022, 12, 2), dt.date(2022, 12, 5)
    with pytest.raises(UnknownDate, match="no floor: give `sigma`"):
        price_scan("NIFTY", before, close=15_600)
    assert price_scan("NIFTY", before, close=15_600, sigma=0.01) == pytest.approx(15_600 * 0.06 * math.sqrt(2))
    assert price_scan("NIFTY", after, close=15_600) == pytest.approx(0.093 * 15_600)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"close": math.nan}, "close of NIFTY"),
        ({"close": -5.0}, "found -5.0"),
        ({"close": 0.0}, "above 0"),
        ({"close": math.inf}, "found inf"),
        ({"close": 1.0, "sigma": -1.0}, "sigma.* found -1.0"),
        ({"close": 1.0, "sigma": math.inf}, "found inf"),
    ],
)
def test_a_close_or_a_volatility_that_cannot_be_is_refused(given: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        price_scan("NIFTY", dt.date(2026, 7, 31), **given)
    if "sigma" in given:
        with pytest.raises(InputError, match=says):
            vol_scan(dt.date(2026, 7, 31), sigma=given["sigma"])


def test_the_rules_change_on_their_days() -> None:
    day = dt.date
    assert [scan_rates("BANKNIFTY", on).floor for on in (day(2026, 2, 26), day(2026, 2, 27))] == [0.113, 0.093]
    assert [margin_rates(on).expiry_short for on in (day(2024, 11, 19), day(2024, 11, 20))] == [0.0, 0.02]
    assert [margin_rates(on).expiring_leg_spreads for on in (day(2025, 1, 31), day(2025, 2, 1))] == [True, False]
    assert scan_rates("SENSEX", day(2026, 1, 1)).grade == "assumed"
    assert price_scan("NIFTY", day(2026, 7, 31), close=100.0, long_dated=True) == pytest.approx(17.7)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(margins).failed == 0
