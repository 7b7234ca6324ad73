"""The scenario cube: every cell is the price there, by leg and in total."""

import doctest

import numpy as np
import pytest

from core.errors import InputError
from core.pricing import Legs, greeks, price, scenario_grid, scenarios

SPOTS, VOLS, TIMES = np.linspace(-0.1, 0.1, 5), np.array([-0.05, 0.0, 0.2]), np.array([0.0, 0.02, 0.1])


def book() -> Legs:
    rng = np.random.default_rng(2)
    years = np.array([0.01, 0.01, 0.05, 0.05, 0.3, 0.3])
    return Legs(
        kind=np.array([1, -1, 1, -1, 1, -1]), strike=rng.uniform(23_000, 27_000, 6),
        quantity=rng.choice([-75.0, 75.0, 150.0], 6), years=years, vol=rng.uniform(0.1, 0.3, 6),
        forward=25_000 * np.exp(0.06 * years), discount=np.exp(-0.065 * years),
    )  # fmt: skip


def test_every_cell_is_the_price_and_the_greeks_there() -> None:
    held = book()
    cube = scenario_grid(held, SPOTS, VOLS, TIMES)
    now = price(held.kind, held.forward, held.strike, held.years, held.vol, held.discount)

    assert {column.shape for column in cube} == {(5, 3, 3, 6)}
    for i, move in enumerate(SPOTS):
        for j, shift in enumerate(VOLS):
            for k, passed in enumerate(TIMES):
                for leg in range(6):
                    left = max(held.years[leg] - passed, 0.0)
                    there = (
                        held.kind[leg], held.forward[leg] * (1 + move), held.strike[leg], left,
                        max(held.vol[leg] + shift, 0.0), np.exp(-0.065 * left),
                    )  # fmt: skip
                    quantity = held.quantity[leg]
                    gained = quantity * (price(*there) - now[leg])
                    assert cube.pnl[i, j, k, leg] == pytest.approx(gained, rel=1e-9, abs=1e-6)
                    for name, greek in greeks(*there)._asdict().items():
                        found = getattr(cube, name)[i, j, k, leg]
                        assert found == pytest.approx(quantity * greek, rel=1e-9, abs=1e-9), name


def test_a_leg_that_has_expired_is_worth_its_intrinsic_value() -> None:
    held = book()
    cube = scenario_grid(held, SPOTS, VOLS, TIMES)
    now = price(held.kind, held.forward, held.strike, held.years, held.vol, held.discount)
    over = held.years < TIMES[1]
    forward = held.forward * (1 + SPOTS[:, None])
    intrinsic = np.maximum(held.kind * (forward - held.strike), 0)

    assert over.sum() == 2
    expected = (held.quantity * (intrinsic - now))[:, None, over]
    assert cube.pnl[:, :, 1, over] == pytest.approx(np.broadcast_to(expected, (5, 3, 2)))
    assert (cube.gamma[:, :, 1, over] == 0).all()


def test_the_total_is_the_sum_of_the_legs_and_nothing_moved_is_nothing_gained() -> None:
    cube = scenario_grid(book(), SPOTS, VOLS, TIMES)
    total = cube.total()

    assert total.pnl.shape == (5, 3, 3)
    assert np.array_equal(total.vega, cube.vega.sum(axis=-1))
    assert (cube.pnl[2, 1, 0] == 0).all()


def test_what_has_expired_already_gains_nothing_where_nothing_moves() -> None:
    over = Legs(*np.array([[1.0], [100.0], [75.0], [0.0], [0.2], [105.0], [0.98]]))
    cube = scenario_grid(over, [0.0, 0.1], [0.0, 0.3], [0.0, 1.0])

    assert (cube.pnl[0] == 0).all()
    assert cube.pnl[1] == pytest.approx(75 * 10.5)


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        (([0.0], [0.0], [0.0, -0.25]), r"times: .*\[-0.25\]"),
        (([0.0], [0.0], [np.nan]), "times: .*nan"),
        (([-1.0, -1.5, 0.0], [0.0], [0.0]), r"spots: .*\[-1.0, -1.5\]"),
        (([0.0], [np.inf], [0.0]), "vols: .*inf"),
    ],
)
def test_a_cell_outside_what_can_be_is_refused(axes: tuple[list[float], ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        scenario_grid(book(), *axes)


def test_a_bad_leg_is_nan_alone_and_lengths_must_agree() -> None:
    held = book()
    bad = Legs(held.kind, np.where(np.arange(6) == 3, -1.0, held.strike), *(getattr(held, name) for name in (
        "quantity", "years", "vol", "forward", "discount")))  # fmt: skip
    good, mixed = scenario_grid(held, SPOTS, VOLS, TIMES), scenario_grid(bad, SPOTS, VOLS, TIMES)

    assert np.isnan(mixed.pnl[..., 3]).all()
    assert np.array_equal(np.delete(mixed.pnl, 3, -1), np.delete(good.pnl, 3, -1))
    with pytest.raises(ValueError, match="one length"):
        Legs(*[np.ones(2)] * 6, np.ones(3))


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(scenarios) == (0, 3)
