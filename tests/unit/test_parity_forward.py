import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import parity_forward, price

STRIKES = np.arange(24000.0, 26050.0, 50.0)


def quotes(F: float, D: float) -> tuple[np.ndarray, np.ndarray]:
    return price(1, F, STRIKES, 0.05, 0.13, D), price(-1, F, STRIKES, 0.05, 0.13, D)


@settings(max_examples=40, deadline=None)
@given(st.floats(24_500, 25_500), st.floats(0.95, 1.0), st.integers(0, 2**32 - 1))
def test_stale_legs_move_the_forward_by_less_than_its_error(F: float, D: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    call, put = quotes(F, D)
    spread = np.full(STRIKES.size, 1.0)
    call = call + rng.uniform(-0.5, 0.5, call.size)
    stale = rng.choice(STRIKES.size, 8, replace=False)
    call[stale] += rng.choice([-1, 1], 8) * rng.uniform(20, 200, 8)
    found = parity_forward(STRIKES, call, put, spread, spread, D)

    assert abs(found.forward - F) < 5 * found.error
    assert found.error < 0.5
    assert found.used <= STRIKES.size - 8


def test_a_wide_pair_counts_less_than_a_tight_one() -> None:
    found = parity_forward(
        np.array([100.0, 100.0]), np.array([5.0, 6.0]), np.array([4.0, 4.0]), np.array([0.1, 2.0]), np.full(2, 0.1), 1.0
    )

    assert found.forward == pytest.approx(101.0, abs=0.01)


def test_no_pair_is_no_forward_and_a_nan_takes_out_its_own_strike() -> None:
    nothing = parity_forward(*[np.empty(0)] * 5, 1.0)
    one = parity_forward(
        np.array([100.0, 110.0]), np.array([5.0, math.nan]), np.array([4.0, 1.0]), np.full(2, 0.1), np.full(2, 0.1), 1.0
    )

    assert math.isnan(nothing.forward)
    assert nothing.used == 0
    assert (one.forward, one.used) == (101.0, 1)
    assert one.error == pytest.approx(math.hypot(0.1, 0.1) / 2)
