"""Time to the settlement price, on each clock."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnknownDate
from core.market import IST, to_ns
from core.pricing import Clock, expected_settlement, greeks, price, variance_pace, variance_years
from core.pricing.years import NS_PER_YEAR

D = dt.date
JULY, AUGUST = D(2026, 7, 28), D(2026, 8, 4)
MINUTE_NS = 60 * 10**9


def at(day: dt.date, time: str) -> int:
    return to_ns(dt.datetime.combine(day, dt.time.fromisoformat(time), IST))


def minutes(index: str, expiry: dt.date, now_ns: int) -> float:
    return variance_years(index, expiry, now_ns) * NS_PER_YEAR / MINUTE_NS


@pytest.mark.parametrize(
    ("time", "left"),
    [
        ("14:45", 15 + 30 / 3),  # the issue's own example
        ("15:00", 30 / 3),
        ("15:15", 15**3 / (3 * 30**2)),  # 1.25: half of the mean is known
        ("15:27", 3**3 / (3 * 30**2)),
        ("15:30", 0.0),
        ("18:00", 0.0),
    ],
)
def test_before_august_2026_variance_runs_to_the_average(time: str, left: float) -> None:
    assert minutes("NIFTY", JULY, at(JULY, time)) == pytest.approx(left, abs=1e-12)


@pytest.mark.parametrize(("time", "left"), [("14:45", 50.0), ("15:20", 15.0), ("15:35", 0.0), ("15:39", 0.0)])
def test_from_august_2026_variance_runs_to_the_end_of_the_auction(time: str, left: float) -> None:
    assert minutes("SENSEX", AUGUST, at(AUGUST, time)) == pytest.approx(left, abs=1e-12)


@given(st.sampled_from([JULY, AUGUST]), st.integers(-40 * 86_400, 6 * 3600), st.integers(0, 3600))
def test_time_only_ever_runs_down_and_no_faster_than_the_clock(expiry: dt.date, seconds: int, later: int) -> None:
    now = at(expiry, "12:00") + seconds * 10**9
    for index in ("NIFTY", "SENSEX"):
        first, then = variance_years(index, expiry, now), variance_years(index, expiry, now + later * 10**9)
        assert 0.0 <= first - then <= later * 10**9 / NS_PER_YEAR + 1e-15


@pytest.mark.parametrize("left_minutes", [45, 30, 20, 10, 2])
def test_the_variance_of_a_simulated_mean_is_the_formulas(left_minutes: int) -> None:
    """50,000 Brownian paths a second apart: the mean of 15:00-15:30, seen from `left_minutes` before its end."""
    rng = np.random.default_rng(7)
    steps, window = left_minutes * 6, 30 * 6  # ten seconds a step
    paths = rng.standard_normal((50_000, steps)).cumsum(axis=1)
    rest = paths[:, -window:]  # what is averaged before now is known and varies nothing
    variance = (rest.sum(axis=1) / window).var() / 6  # minutes

    exact = minutes("NIFTY", JULY, at(JULY, "15:30") - left_minutes * MINUTE_NS)
    assert variance == pytest.approx(exact, rel=0.03 + 1.5 / steps)  # sampling, and the coarse steps


def test_the_pace_is_the_derivative_of_the_variance_time() -> None:
    for day, index in ((JULY, "NIFTY"), (AUGUST, "SENSEX")):
        for time in ("10:00", "15:10", "15:20", "15:29"):
            now, step = at(day, time), 10**9
            slope = (variance_years(index, day, now - step) - variance_years(index, day, now + step)) / 2 / step
            assert slope * NS_PER_YEAR == pytest.approx(variance_pace(index, day, now), rel=1e-3)
    assert variance_pace("NIFTY", JULY, at(JULY, "15:30")) == 0.0


def test_theta_dies_away_in_the_window_instead_of_exploding() -> None:
    def theta(time: str) -> float:
        now = at(JULY, time)
        raw = greeks(1, 24_000.0, 24_000.0, variance_years("NIFTY", JULY, now), 0.12, 1.0).theta
        return float(raw) * variance_pace("NIFTY", JULY, now)

    decay = [-theta(time) for time in ("15:00", "15:10", "15:20", "15:29")]
    assert decay == sorted(decay, reverse=True)


def test_black_on_the_expected_settlement_is_the_price_of_a_half_averaged_option() -> None:
    """At 15:15 with the first half averaged to 24,010: a put on the mean, against simulated paths of the rest."""
    now, vol, spot = at(JULY, "15:15"), 0.15, 24_000.0
    forward = expected_settlement("NIFTY", JULY, now, forward=spot, mean_so_far=24_010.0)
    assert forward == pytest.approx(24_005.0)
    value = float(price(-1, forward, 24_010.0, variance_years("NIFTY", JULY, now), vol, 1.0))

    rng = np.random.default_rng(3)
    steps = 90
    moves = rng.standard_normal((40_000, steps)) * vol * math.sqrt(15 / (365 * 1440) / steps)
    rest = spot * np.exp(moves.cumsum(axis=1) - 0.5 * vol**2 * 15 / (365 * 1440) * np.linspace(0, 1, steps))
    paid = np.maximum(24_010.0 - (0.5 * 24_010.0 + 0.5 * rest.mean(axis=1)), 0.0)
    assert value == pytest.approx(float(paid.mean()), abs=4 * float(paid.std()) / 200 + 0.03)


def test_before_the_window_and_in_an_auction_the_forward_is_all_and_after_the_window_the_mean_is() -> None:
    for day, time in ((JULY, "14:59"), (AUGUST, "15:30")):
        assert expected_settlement("NIFTY", day, at(day, time), forward=5.0, mean_so_far=math.nan) == 5.0
    assert expected_settlement("NIFTY", JULY, at(JULY, "15:30"), forward=math.nan, mean_so_far=7.0) == 7.0


def test_the_trading_clock_stands_still_at_night_and_counts_sessions() -> None:
    friday, monday = at(D(2026, 7, 24), "15:30"), at(D(2026, 7, 27), "09:15")

    def left(now: int) -> float:
        return variance_years("NIFTY", JULY, now, Clock.TRADING) * 252

    assert left(friday) == left(monday) == pytest.approx(1 + (345 + 10) / 375)
    assert left(at(JULY, "14:45")) == pytest.approx((15 + 10) / 375)
    assert left(at(JULY, "15:15")) == pytest.approx(1.25 / 375)
    assert left(at(JULY, "15:30")) == 0.0
    assert variance_years("NIFTY", AUGUST, at(AUGUST, "15:25"), Clock.TRADING) * 252 == pytest.approx(10 / 385)
    weekend = [variance_years("NIFTY", D(2026, 11, 9), at(D(2026, 11, day), "15:40"), Clock.TRADING) for day in (6, 8)]
    assert weekend[0] == weekend[1] > 0  # the muhurat Sunday of unknown hours between them does not count
    with pytest.raises(UnknownDate):
        variance_years("NIFTY", D(2099, 6, 30), at(D(2026, 12, 1), "12:00"), Clock.TRADING)


def test_nses_clock_counts_whole_days_at_any_hour_and_none_on_the_last() -> None:
    for time in ("09:15", "15:29"):
        assert variance_years("NIFTY", JULY, at(D(2026, 7, 24), time), Clock.NSE) == 4 / 365
        assert variance_years("NIFTY", JULY, at(JULY, time), Clock.NSE) == 0.0
