"""The vols that NSE and BSE publish, reproduced under their own conventions from their own files.

What NSE printed on 29 August 2025 is compared by the desk's own replay: tests/unit/test_chain_files.py.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.market import IST, to_ns
from core.pricing import Clock, Reason, implied_vol, nse_implied_vol, variance_years

CHAINS = Path(__file__).parents[3] / "shared/data/market/option_chain"
NSE = CHAINS / "raw/nse_banknifty_2023-05-03.json"
BSE = CHAINS / "raw/bse_sensex_16jul_2026-07-10.json"
OF_2019 = CHAINS / "NSE_BANKNIFTY_chain_2019-05_2019-09.parquet"
BSE_RATE = 0.06  # measured: the rate at which BSE's calls and puts of this file miss least


def needs(file: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not file.exists(), reason=f"{file} is not on this machine")


def report(what: str, kind: np.ndarray, miss: np.ndarray) -> np.ndarray:
    """Print and return |miss| of the rows that have one, in vol points."""
    known = np.isfinite(miss)
    calls, puts = miss[known & (kind > 0)], miss[known & (kind < 0)]
    found = np.abs(miss[known])
    print(f"{what}: n {found.size} of {miss.size}, median {np.median(found):.4f}, p95 {np.quantile(found, 0.95):.3f}, "
          f"signed: calls {np.median(calls):+.3f}, puts {np.median(puts):+.3f}")  # fmt: skip
    assert abs(np.median(calls)) <= 0.15
    assert abs(np.median(puts)) <= 0.15
    return found


@needs(NSE)
def test_banknifty_of_3_may_2023_comes_out_within_a_tenth_of_a_vol_point() -> None:
    records = json.loads(NSE.read_text())["records"]
    now_ns = to_ns(dt.datetime.strptime(records["timestamp"], "%d-%b-%Y %H:%M:%S").replace(tzinfo=IST))
    rows = []
    for entry in records["data"]:
        expiry = dt.datetime.strptime(entry["expiryDate"], "%d-%b-%Y").replace(tzinfo=IST).date()
        years = variance_years("BANKNIFTY", expiry, now_ns, Clock.NSE)
        for kind, leg in ((1, entry.get("CE")), (-1, entry.get("PE"))):
            if leg and leg["impliedVolatility"] > 0 and leg["totalTradedVolume"] > 0 and years <= 30 / 365:
                spot, strike = leg["underlyingValue"], leg["strikePrice"]
                if abs(strike / spot - 1) <= 0.04:
                    rows.append((kind, leg["lastPrice"], spot, strike, years, leg["impliedVolatility"]))
    kind, last, spot, strike, years, published = np.array(rows).T
    found = nse_implied_vol(kind, last, spot, strike, years)
    miss = report("BANKNIFTY 2023-05-03", kind, found.vol * 100 - published)

    assert miss.size == (found.reason == Reason.OK).sum() > 200
    assert np.median(miss) <= 0.1


@needs(BSE)
def test_sensex_of_10_july_2026_comes_out_within_half_a_vol_point_at_6_per_cent() -> None:
    def number(text: str) -> float:
        return float(text.replace(",", "")) if text.strip() else float("nan")

    table: list[dict[str, Any]] = json.loads(BSE.read_text())["Table"]
    legs = [
        (kind, *(number(row[name]) for name in (f"{side}Last_Trd_Price", "UlaValue", "Strike_Price1", f"{side}IV")))
        for row in table
        for kind, side in ((1, "C_"), (-1, ""))
    ]
    kind, last, _, strike, published = np.array(legs).T
    spot = number(next(row["UlaValue"] for row in table if row["UlaValue"].strip()))
    years = variance_years(
        "SENSEX", dt.date(2026, 7, 16), to_ns(dt.datetime(2026, 7, 10, 19, 15, tzinfo=IST)), Clock.NSE
    )
    use = (published > 0) & (last > 0) & (np.abs(strike / spot - 1) <= 0.04)
    median = {}
    for rate in (0.0, 0.03, BSE_RATE, 0.10):
        growth = np.exp(rate * years)
        ours = implied_vol(kind[use], last[use], spot * growth, strike[use], years, 1 / growth).vol * 100
        median[rate] = float(np.nanmedian(np.abs(ours - published[use])))
        if rate == BSE_RATE:
            miss = report("SENSEX 2026-07-10", kind[use], ours - published[use])
    print(f"median miss by rate: {median}")

    assert miss.size > 100
    assert median[BSE_RATE] <= 0.5
    assert median[BSE_RATE] == min(median.values())


@needs(OF_2019)
@pytest.mark.parametrize("days", [1, 2, 7])
def test_nses_time_is_whole_days_at_every_hour_and_not_the_time_left(days: int) -> None:
    """BANKNIFTY of May to September 2019, out of the money within 3 % of spot, hour by hour."""
    names = [
        "CurrentVal",
        "ts",
        "expiry",
        "StrikePrice",
        "CallIV",
        "CallLTP",
        "CallVolume",
        "PutIV",
        "PutLTP",
        "PutVolume",
    ]
    table = pq.read_table(OF_2019, columns=names)
    stamps, ends = (np.array(table[name].to_numpy(), "datetime64[s]") for name in ("ts", "expiry"))
    whole = (ends.astype("datetime64[D]") - stamps.astype("datetime64[D]")).astype(int)
    exact = (ends + np.timedelta64(15 * 60 + 30, "m") - stamps).astype(float) / 86_400
    hour = (stamps - stamps.astype("datetime64[D]")).astype(int) // 3600
    spot, strike = (table[name].to_numpy().astype(float) for name in ("CurrentVal", "StrikePrice"))
    by_hour: dict[int, list[tuple[float, float]]] = {9: [], 11: [], 13: [], 15: []}
    for kind, side in ((1, "Call"), (-1, "Put")):
        published, last, volume = (table[side + name].to_numpy().astype(float) for name in ("IV", "LTP", "Volume"))
        away = kind * (strike / spot - 1)
        use = (whole == days) & (published > 0) & (volume > 100) & (away > 0) & (away < 0.03)
        for at, misses in by_hour.items():
            now = use & (hour == at)
            ours = [
                nse_implied_vol(kind, last[now], spot[now], strike[now], left[now] / 365).vol * 100
                for left in (whole, exact)
            ]
            misses.extend(zip(*(vol - published[now] for vol in ours), strict=True))
    medians = {at: np.nanmedian(np.array(misses), axis=0).round(3) for at, misses in by_hour.items()}
    print(f"{days} days left, whole days and exact: {medians}, n {sum(map(len, by_hour.values()))}")

    assert all(abs(whole_days) <= 0.12 for whole_days, _ in medians.values())
    assert medians[9][1] < -0.25  # the time left is longest in the morning
