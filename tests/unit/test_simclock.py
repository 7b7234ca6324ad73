"""The simulated session's clock."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.market import from_ns
from core.market.simclock import SimulatedSession, session_date, simulate

FRIDAY, SATURDAY = dt.date(2026, 11, 20), dt.date(2026, 11, 21)
ANCHOR = 1_800_000_000_000_000_000


def test_the_session_opens_at_the_anchor_and_stops_at_the_close() -> None:
    clock = simulate("NSE", FRIDAY, anchor_wall_ns=ANCHOR, seed=7)

    assert from_ns(clock.market_ns(ANCHOR)).strftime("%Y-%m-%d %H:%M:%S %z") == "2026-11-20 09:15:00 +0530"
    assert clock.market_ns(ANCHOR - 10**12) == clock.open_ns
    assert clock.market_ns(ANCHOR + 60 * 10**9) == clock.open_ns + 60 * 10**9
    assert clock.market_ns(ANCHOR + 10**15) == clock.close_ns
    assert from_ns(clock.close_ns).strftime("%H:%M") == "15:40"
    assert clock.says() == "simulated session of 2026-11-20, seed 7"


def test_a_day_without_a_session_becomes_the_next_that_has_one() -> None:
    assert session_date("NSE", FRIDAY) == FRIDAY
    assert session_date("NSE", SATURDAY) == dt.date(2026, 11, 23)
    assert session_date("NSE", dt.date(2026, 11, 24)) == dt.date(2026, 11, 25)


def test_speed_is_said_and_must_be_above_zero() -> None:
    assert simulate("BSE", FRIDAY, anchor_wall_ns=0, seed=1, speed=60).says().endswith("seed 1, speed 60")
    with pytest.raises(ConfigError, match="above 0"):
        simulate("NSE", FRIDAY, anchor_wall_ns=0, seed=1, speed=0)
    with pytest.raises(ConfigError, match="outside"):
        simulate("NSE", FRIDAY, anchor_wall_ns=0, seed=1).wall_ns(5)


@given(
    st.integers(0, 30_000 * 10**9), st.integers(0, 10**12), st.floats(0.01, 500.0, allow_nan=False)
)  # fmt: skip
def test_time_never_goes_back_and_the_wall_of_a_market_moment_is_the_first_that_shows_it(
    wall: int, later: int, speed: float
) -> None:
    clock = SimulatedSession(FRIDAY, 10**18, 10**18 + 23_100 * 10**9, ANCHOR, 7, speed)

    market = clock.market_ns(ANCHOR + wall)

    assert clock.open_ns <= market <= clock.market_ns(ANCHOR + wall + later) <= clock.close_ns
    found = clock.wall_ns(market)
    assert clock.market_ns(found) >= market
    assert found <= ANCHOR + wall
