"""The settlement prices NSE published on 22 days of 2025, through a surface fitted to them and back."""

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.market import INDICES, IST, to_ns
from core.pricing import (
    Smile,
    Surface,
    fit_surface,
    greeks,
    implied_vol,
    parity_forward,
    price,
    smile,
    variance_years,
)

FILE = Path(__file__).parents[3] / "shared/data/market/fo_bhavcopy/nse_udiff_index_fo.parquet"
TRADES = 100  # a settlement price with fewer behind it is an old trade's, or the exchange's own model's
RATE = 0.065
PAIRS = 10

# The table of docs/pricing.md: expiries, contracts, then rupees and vol points, each median and 95th percentile.
SAID = {
    "NIFTY": (177, 8114, 0.75, 10.33, 0.18, 0.87),
    "BANKNIFTY": (58, 4441, 2.58, 24.17, 0.29, 0.99),
    "FINNIFTY": (22, 1239, 1.48, 8.06, 0.28, 1.33),
    "MIDCPNIFTY": (25, 1728, 0.65, 3.53, 0.21, 1.17),
}


class Expiry(NamedTuple):
    smile: Smile
    kind: np.ndarray
    strike: np.ndarray
    settle: np.ndarray
    discount: float


def expiry_of(index: str, expiry: str, now_ns: int, rows: dict[str, np.ndarray]) -> Expiry | None:
    """The traded contracts of one expiry, each price taken to be good to two ticks and 1 %; None without a smile."""
    years = variance_years(index, dt.date.fromisoformat(expiry), now_ns)
    kind, strike, settle = np.where(rows["OptnTp"] == "CE", 1.0, -1.0), rows["StrkPric"], rows["SttlmPric"]
    if years <= 0 or not ((kind > 0).any() and (kind < 0).any()):
        return None
    discount = float(np.exp(-RATE * years))
    strikes = np.unique(strike)
    call, put = np.full((2, strikes.size), np.nan)
    for side, sign in ((call, 1), (put, -1)):
        side[np.searchsorted(strikes, strike[kind == sign])] = settle[kind == sign]
    near = np.argsort(np.abs(call - put))[:PAIRS]  # NaN, a strike without its pair, sorts last
    pairs = strikes[near], call[near], put[near], 0.1 + 0.01 * call[near], 0.1 + 0.01 * put[near]
    forward = parity_forward(*pairs, discount).forward
    vol = implied_vol(kind, settle, forward, strike, years, discount).vol
    vega = greeks(kind, forward, strike, years, vol, discount).vega
    one = smile(kind, strike, vol, vega, 0.1 + 0.01 * settle, forward=forward, years=years)
    return Expiry(one, kind, strike, settle, discount) if one.k.size >= 5 else None


def misses(expiry: Expiry, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Repriced less settled of the contracts out of the money, in rupees and in vol points."""
    one, forward, years = expiry.smile, expiry.smile.forward, expiry.smile.years
    use = (expiry.kind * (expiry.strike - forward) >= 0) & np.isin(np.log(expiry.strike / forward), one.k)
    vol = surface.vol(np.log(expiry.strike[use] / forward), years)
    ours = price(expiry.kind[use], forward, expiry.strike[use], years, vol, expiry.discount)
    return ours - expiry.settle[use], 100 * (surface.vol(one.k, years) - one.vol)


def read() -> dict[str, np.ndarray]:
    names = ["TradDt", "TckrSymb", "XpryDt", "OptnTp", "StrkPric", "SttlmPric"]
    rows = pq.read_table(FILE, columns=names, filters=[("FinInstrmTp", "=", "IDO"), ("TtlNbOfTxsExctd", ">=", TRADES)])
    return {name: rows[name].to_numpy() if i > 3 else np.array(rows[name].to_pylist()) for i, name in enumerate(names)}


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not on this machine")
def test_the_settlement_prices_of_22_days_reprice_under_a_fitted_surface() -> None:
    table = read()
    days = np.unique(table["TradDt"])
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    slices, repaired, lifted = 0, 0, 0
    for day in days:
        now_ns = to_ns(dt.datetime.combine(dt.date.fromisoformat(str(day)), dt.time(15, 30), IST))
        for index in set(INDICES) & set(table["TckrSymb"]):
            today = (table["TradDt"] == day) & (table["TckrSymb"] == index)
            expiries = [
                one
                for expiry in np.unique(table["XpryDt"][today])
                if (one := expiry_of(
                    index, str(expiry), now_ns,
                    {name: column[today & (table["XpryDt"] == expiry)] for name, column in table.items()},
                ))
            ]  # fmt: skip
            if expiries:
                surface = fit_surface([one.smile for one in expiries])
                found.setdefault(index, []).extend(misses(one, surface) for one in expiries)
                slices += len(surface.slices)
                repaired += sum(one.repaired for one in surface.slices)
                lifted += sum(one.lifted > 0.001 for one in surface.slices)
    print(f"{days.size} days, {slices} slices: {repaired} repaired, {lifted} lifted by 0.1 points")
    assert (days.size, slices, repaired, lifted) == (22, 282, 77, 0)
    assert set(found) == set(SAID)
    for index, parts in sorted(found.items()):
        rupees, points = (np.abs(np.concatenate(column)) for column in zip(*parts, strict=True))
        print(f"{index}: {len(parts)} expiries, n {points.size}; median {np.median(rupees):.2f}, "
              f"p95 {np.quantile(rupees, 0.95):.2f} rupees; median {np.median(points):.3f}, "
              f"p95 {np.quantile(points, 0.95):.2f} vol points")  # fmt: skip
        figures = [np.quantile(column, share) for column in (rupees, points) for share in (0.5, 0.95)]
        assert (len(parts), points.size) == SAID[index][:2]
        assert figures == pytest.approx(SAID[index][2:], rel=0.02, abs=0.006)
