import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import ParityForward, parity_forward, price

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


def of(forwards: list[float], spreads: list[float], drift: list[float] | None = None) -> ParityForward:
    """The forward of pairs that imply `forwards`, with both spreads alike."""
    strikes = 25_000 + 50.0 * np.arange(len(forwards))
    put = np.maximum(strikes - 25_000, 0) + 100
    call, spread = put + np.array(forwards) - strikes, np.array(spreads)
    return parity_forward(strikes, call, put, spread, spread, 1.0, drift=None if drift is None else np.array(drift))


@pytest.mark.parametrize(
    ("forwards", "spreads"),
    [
        ([25_000] * 5 + [25_050] * 5, [0.1] * 10),
        ([25_050] * 5 + [25_000] * 5, [0.1] * 10),
        ([25_000] * 6 + [25_050] * 4, [0.1] * 10),
        ([25_000, 25_050], [0.1] * 2),
        ([25_000] * 3 + [25_050] * 7, [0.05] * 3 + [0.5] * 7),
    ],
    ids=["half", "other half", "four of ten", "two", "tight and wrong"],
)
def test_pairs_that_disagree_make_an_error_as_large_as_what_they_disagree_by(
    forwards: list[float], spreads: list[float]
) -> None:
    assert of(forwards, spreads).error == pytest.approx(50, rel=0.02)


def test_the_error_of_pairs_that_agree_is_not_made_larger_by_the_few_that_do_not() -> None:
    assert of([25_000] * 7 + [25_050] * 3, [0.1] * 10).error < 0.1
    assert of([25_000, 25_000, 25_050], [0.1] * 3).error < 0.1
    assert of([25_000], [0.1]).error == pytest.approx(math.hypot(0.1, 0.1) / 2)


def test_pairs_that_may_have_drifted_count_less_and_share_what_no_mean_takes_away() -> None:
    fresh, old = of([25_010.0], [0.1]), of([25_000] * 9, [0.1] * 9, [20.0] * 9)
    both = of([25_010.0] + [25_000] * 9, [0.1] * 10, [0.0] + [20.0] * 9)

    assert old.error == 20.0
    assert (both.forward, both.used) == (pytest.approx(25_010, abs=0.01), 10)
    assert both.error == pytest.approx(fresh.error, rel=0.01)


def test_no_pair_is_no_forward_and_a_nan_takes_out_its_own_strike() -> None:
    nothing = parity_forward(*[np.empty(0)] * 5, 1.0)
    one = parity_forward(
        np.array([100.0, 110.0]), np.array([5.0, math.nan]), np.array([4.0, 1.0]), np.full(2, 0.1), np.full(2, 0.1), 1.0
    )

    assert math.isnan(nothing.forward)
    assert nothing.used == 0
    assert (one.forward, one.used) == (101.0, 1)
    assert one.error == pytest.approx(math.hypot(0.1, 0.1) / 2)
