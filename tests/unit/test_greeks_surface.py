"""The picture of the surface: a strike that has a call, whatever is listed nearest the money."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobs.greeks_surface import Grid, cells_at, plot


def test_a_money_strike_with_a_put_alone_is_passed_over(tmp_path: Path) -> None:
    grid = Grid(
        index="NIFTY",
        expiry=dt.date(2025, 9, 2),
        theta=np.array([1.0, -1.0, 1.0]),
        strikes=np.array([24_400.0, 24_500.0, 24_700.0]),
        forwards=24_500.0 * np.linspace(0.95, 1.05, 3),
        vols=np.linspace(0.05, 0.40, 2),
        years=np.array([0.01, 0.001]),
    )
    table = pa.concat_tables(cells_at(grid, k, 0.055) for k in range(2))
    plot(tmp_path / "surface.png", table, grid)

    assert table.num_rows == 2 * 3 * 2 * 3
    assert (tmp_path / "surface.png").read_bytes().startswith(b"\x89PNG")
