"""Realised vol against numbers worked by hand or by a textbook, and against a simulated vol that is known."""

import csv
import datetime as dt
import gzip
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.errors import InputError
from core.pricing import Annual, Estimator, Ohlc, bars_per_year, realised_vol, vol_premium

DATA = Path(__file__).parents[3] / "shared" / "data" / "market"
NIFTY = DATA / "bars" / "NIFTY_1m_2024-01_2024-08.parquet"
VIX = DATA / "daily" / "india_vix_2012_2026.csv.gz"
VOLATILITY = DATA / "daily" / "volatility_2012_2026.csv.gz"
# J. Hull, Options, Futures, and Other Derivatives, 9th ed., table 15.1: daily 0.01216, a year of 252 days 19.3 %.
HULL = [20.00, 20.10, 19.90, 20.00, 20.50, 20.25, 20.90, 20.90, 20.90, 20.75, 20.75, 21.00, 21.10, 20.90, 20.90, 21.25,
        21.40, 21.40, 21.25, 21.75, 22.00]  # fmt: skip


def flat(close: list[float]) -> Ohlc:
    return Ohlc(*[np.array(close)] * 4)


def last(bars: Ohlc, estimator: Estimator, window: int, year: float = 1.0) -> float:
    return float(realised_vol(bars, estimator=estimator, window=window, periods_per_year=year)[-1])


def test_close_to_close_is_hulls_example() -> None:
    assert last(flat(HULL), Estimator.CLOSE_TO_CLOSE, 20) == pytest.approx(0.01216, abs=5e-6)
    assert last(flat(HULL), Estimator.CLOSE_TO_CLOSE, 20, Annual.SESSIONS) == pytest.approx(0.193, abs=5e-4)


# Two bars after a close of 100: open 102, high 110, low 100, close 104; open 105, high 108, low 99, close 100.
WORKED = Ohlc(*np.array([[100, 100, 100, 100], [102, 110, 100, 104], [105, 108, 99, 100]], float).T)


@pytest.mark.parametrize(
    ("estimator", "variance"),
    [
        # ln 1.04 = 0.039221, ln(100/104) = −0.039221: 2·0.039221²/(2 − 1)
        (Estimator.CLOSE_TO_CLOSE, 0.0030765),
        # (ln 1.1² + ln(108/99)²)/(8 ln 2) = (0.0090840 + 0.0075711)/5.545177
        (Estimator.PARKINSON, 0.0030035),
        # mean of ½·0.0090840 − 0.386294·ln(104/102)² and ½·0.0075711 − 0.386294·ln(100/105)²
        (Estimator.GARMAN_KLASS, 0.0036314),
        # night ln 1.02 and ln(105/104): (0.0198026 − 0.0095694)²/2 = 0.00005236; day ln(104/102) and ln(100/105):
        # (0.0194181 + 0.0487902)²/2 = 0.00232618; Rogers–Satchell 0.0560895·0.0755076 + 0.0392207·0.0198026 and
        # 0.0769610·0.0281709 + 0.0100503·0.0588405, mean 0.00388564; k = 0.34/4.34 = 0.078341:
        # 0.00005236 + 0.078341·0.00232618 + 0.921659·0.00388564
        (Estimator.YANG_ZHANG, 0.0038158),
    ],
)
def test_worked_numbers(estimator: Estimator, variance: float) -> None:
    assert last(WORKED, estimator, 2) ** 2 == pytest.approx(variance, rel=2e-4)


def simulated(vol: float, night: float, days: int, steps: int, seed: int) -> Ohlc:
    """Daily bars of a geometric Brownian motion with `night` of each day's variance before the open."""
    rng = np.random.default_rng(seed)
    daily = vol / math.sqrt(252)
    gaps = rng.standard_normal(days) * daily * math.sqrt(night)
    moves = rng.standard_normal((days, steps)) * daily * math.sqrt((1 - night) / steps)
    inside = np.concatenate([np.zeros((days, 1)), moves.cumsum(axis=1)], axis=1)
    opened = np.cumsum(gaps) + np.concatenate([[0.0], inside[:-1, -1].cumsum()])
    paths = opened[:, None] + inside
    return Ohlc(*(np.exp(level) for level in (opened, paths.max(axis=1), paths.min(axis=1), paths[:, -1])))


@pytest.mark.parametrize("estimator", Estimator)
def test_the_vol_of_a_simulated_market_comes_out(estimator: Estimator) -> None:
    bars = simulated(0.18, 0.0, 600, 2000, 11)
    found = last(bars, estimator, 599, Annual.SESSIONS)
    print(f"{estimator}: {found:.4f} of 0.18")
    assert found == pytest.approx(0.18, rel=0.08 if estimator is Estimator.CLOSE_TO_CLOSE else 0.05)


def test_only_two_estimators_see_the_night() -> None:
    bars = simulated(0.18, 0.4, 1200, 1000, 5)
    found = {one: last(bars, one, 1199, Annual.SESSIONS) for one in Estimator}

    for whole in (Estimator.CLOSE_TO_CLOSE, Estimator.YANG_ZHANG):
        assert found[whole] == pytest.approx(0.18, rel=0.05)
    for session in (Estimator.PARKINSON, Estimator.GARMAN_KLASS):
        assert found[session] == pytest.approx(0.18 * math.sqrt(0.6), rel=0.05)


def test_the_range_estimators_scatter_less_than_closes() -> None:
    found = {one: [last(simulated(0.2, 0.0, 22, 500, seed), one, 21, 252) for seed in range(120)] for one in Estimator}
    scatter = {one: float(np.std(vols)) for one, vols in found.items()}

    assert all(scatter[one] < 0.75 * scatter[Estimator.CLOSE_TO_CLOSE] for one in list(Estimator)[1:])


def test_windows_fill_and_a_bad_bar_takes_out_only_the_windows_it_is_in() -> None:
    bars = simulated(0.2, 0.1, 20, 50, 2)
    high = bars.high.copy()
    high[8] = bars.low[8] / 2
    for estimator, lead in zip(Estimator, (1, 0, 0, 1), strict=True):
        whole = realised_vol(bars, estimator=estimator, window=5)
        broken = realised_vol(bars._replace(high=high), estimator=estimator, window=5)
        assert np.isnan(whole[: 4 + lead]).all()
        assert np.isfinite(whole[4 + lead :]).all()
        gone = np.isnan(broken) & np.isfinite(whole)
        assert np.flatnonzero(gone).tolist() == list(range(8, 13 + lead))
        assert (broken[~gone & np.isfinite(whole)] == whole[~gone & np.isfinite(whole)]).all()
    assert np.isnan(realised_vol(bars, estimator=Estimator.PARKINSON, window=21)).all()
    with pytest.raises(InputError, match="at least two bars, was 1"):
        realised_vol(bars, estimator=Estimator.PARKINSON, window=1)


def test_implied_against_realised() -> None:
    found = vol_premium(0.15, np.array([0.12, 0.0]))
    assert found.points.tolist() == pytest.approx([3.0, 15.0])
    assert found.ratio[0] == pytest.approx(1.25)
    assert math.isnan(found.ratio[1])
    assert found.variance[0] == pytest.approx(0.0081)
    assert bars_per_year(180) == 252 * 125


@pytest.mark.skipif(not VOLATILITY.exists(), reason=f"{VOLATILITY} is not on this machine")
def test_nse_annualises_its_daily_vols_by_365_days() -> None:
    with gzip.open(VOLATILITY, "rt") as file:
        rows = [(r["sigma_applicable"], r["ann_applicable"]) for r in csv.DictReader(file) if r["date"] > "2025"]
    daily, annual = np.array([row for row in rows if all(row)], float).T
    use = daily > 0.005
    assert use.sum() > 500
    assert np.median((annual[use] / daily[use]) ** 2) == pytest.approx(Annual.CALENDAR, rel=0.005)


@pytest.mark.skipif(not NIFTY.exists() or not VIX.exists(), reason=f"{NIFTY} is not on this machine")
def test_nifty_of_2024_by_four_estimators_and_india_vix_above_them() -> None:
    table = pq.read_table(NIFTY, columns=["ts", "open", "high", "low", "close"])
    day = np.array(table["ts"].to_numpy(), "datetime64[D]")
    opened, high, low, close = (table[name].to_numpy() for name in ("open", "high", "low", "close"))
    first = np.flatnonzero(np.diff(day, prepend=np.datetime64("1970-01-01")) > np.timedelta64(0))
    ends = np.append(first[1:], day.size) - 1
    bars = Ohlc(opened[first], np.maximum.reduceat(high, first), np.minimum.reduceat(low, first), close[ends])
    found = {one: last(bars, one, bars.close.size - 1, Annual.SESSIONS) for one in Estimator}
    with gzip.open(VIX, "rt") as file:
        rows = [{name.strip(): value for name, value in row.items()} for row in csv.DictReader(file)]
    begin, end = (day[i].astype(dt.date) for i in (0, -1))
    vix = [float(r["Close"]) / 100 for r in rows if begin <= dt.datetime.strptime(r["Date"], "%d-%b-%Y").date() <= end]  # noqa: DTZ007 a date
    premium = vol_premium(float(np.mean(vix)), found[Estimator.YANG_ZHANG])
    print(f"NIFTY {begin} to {end}, {bars.close.size} sessions:", {k.value: round(v, 4) for k, v in found.items()},
          f"India VIX mean {np.mean(vix):.4f}, {float(premium.points):+.2f} points over Yang–Zhang")  # fmt: skip

    assert found[Estimator.YANG_ZHANG] == pytest.approx(found[Estimator.CLOSE_TO_CLOSE], rel=0.2)
    assert found[Estimator.PARKINSON] < found[Estimator.YANG_ZHANG]  # it sees no night
    assert premium.points > 0
