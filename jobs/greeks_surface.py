"""Price and Greeks over spot × vol × time for every contract of an expiry, one Ray task a moment in time.

    ray job submit -- python -m jobs.greeks_surface --chain FILE --index NIFTY --date 2025-08-29 [--time 12:00]

Takes the strikes of a recorded chain's collection and its parity forward; writes surface.parquet and surface.png.
Vols are a grid, not the market's: each cell says what a contract would be worth there.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray

from actors.analytics.shard import ShardConfig
from cluster.facts import install_for_job
from core.errors import InputError, VikalpError
from core.market import IST, check_index, to_ns
from core.pricing import greeks, price, variance_years
from core.schemas import Kind
from storage.chain_files import ChainFileSource

mpl.use("Agg")
from matplotlib import pyplot as plt

RATE = ShardConfig.model_fields["rate"].default
_NAMES = ("price", "delta", "gamma", "theta", "vega", "rho")


class Grid(NamedTuple):
    """Contracts (θ and strike in rupees) and the axes of the surface."""

    index: str
    expiry: dt.date
    theta: np.ndarray
    strikes: np.ndarray
    forwards: np.ndarray
    vols: np.ndarray
    years: np.ndarray


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 after one line that says what is wrong."""
    args = _arguments(argv)
    try:
        check_index(args.index)
        install_for_job()
        out = Path(args.out or f"out/greeks-surface-{args.index}").resolve()
        day = dt.date.fromisoformat(args.date)
        at = dt.datetime.combine(day, dt.time.fromisoformat(args.time), IST)
        grid = grid_of(Path(args.chain).resolve(), args.index, at, (args.spots, args.vols, args.times))
        table = run(grid, rate=args.rate, say=lambda line: print(line, flush=True))
        out.mkdir(parents=True, exist_ok=True)
        part = out / ".surface.part"
        pq.write_table(table, part, compression="zstd")
        part.replace(out / "surface.parquet")
        plot(out / "surface.png", table, grid)
    except (VikalpError, ValueError, OSError) as error:
        print(f"greeks_surface: {error}", file=sys.stderr)
        return 2
    print(f"{table.num_rows} cells written to {out}", flush=True)
    return 0


def grid_of(path: Path, index: str, at: dt.datetime, cells: tuple[int, int, int]) -> Grid:
    """Contracts of the nearest expiry after `at` in the last collection up to then; axes about its parity forward."""
    if min(cells) < 2:
        raise InputError(f"--spots, --vols and --times must be at least 2, were {cells}")
    source = ChainFileSource(path, index, at.date())
    source.open()
    batches = list(source.poll(to_ns(at)))
    if not batches:
        raise InputError(f"{path} has no collection of {index} up to {at:%Y-%m-%d %H:%M}; give a later --time")
    rows = pa.Table.from_batches(batches[-1:]).to_pylist()
    alive = [row["expiry"] for row in rows if variance_years(index, row["expiry"], to_ns(at)) > 0]
    if not alive:
        raise InputError(f"{path}: every expiry of {index} is over at {at:%Y-%m-%d %H:%M}; give an earlier --time")
    expiry = min(alive)
    chosen = [row for row in rows if row["expiry"] == expiry]
    forward = _forward(chosen, str(path))
    near = [row for row in chosen if abs(row["strike_paise"] / 100 / forward - 1) <= 0.1]
    if not any(row["kind"] == Kind.CALL for row in near):
        raise InputError(f"{path}: no call of {index} within a tenth of its forward {forward:,.2f}; give another time")
    left = variance_years(index, expiry, to_ns(at))
    return Grid(
        index=index,
        expiry=expiry,
        theta=np.array([1.0 if row["kind"] == Kind.CALL else -1.0 for row in near]),
        strikes=np.array([row["strike_paise"] / 100 for row in near]),
        forwards=forward * np.linspace(0.95, 1.05, cells[0]),
        vols=np.linspace(0.05, 0.40, cells[1]),
        years=left * np.linspace(1.0, 0.05, cells[2]),
    )


def run(grid: Grid, *, rate: float, say: Callable[[str], None]) -> pa.Table:
    """Every cell: one Ray task a moment, the grid put once in the object store; rows in order of time, vol, forward."""
    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level="WARNING")
    task = ray.remote(num_cpus=1, max_retries=2)(cells_at)
    held = ray.put(grid)
    waiting = {task.remote(held, k, rate): k for k in range(len(grid.years))}
    found: dict[int, pa.Table] = {}
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1)
        k = waiting.pop(done[0])
        found[k] = ray.get(done[0])
        say(f"time {len(found)} of {len(grid.years)}: {grid.years[k] * 365:.2f} days to expiry")
    return pa.concat_tables(found[k] for k in sorted(found))


def cells_at(grid: Grid, k: int, rate: float) -> pa.Table:
    """The surface at the k-th moment, every contract."""
    axes = np.meshgrid(grid.vols, grid.forwards, np.arange(len(grid.strikes)), indexing="ij")
    vol, forward, at = (axis.ravel() for axis in axes)
    theta, strike = grid.theta[at], grid.strikes[at]
    years = float(grid.years[k])
    discount = float(np.exp(-rate * years))
    values = (
        price(theta, forward, strike, years, vol, discount),
        *greeks(theta, forward, strike, years, vol, discount),
    )
    return pa.table({
        "kind": pa.array(np.where(theta > 0, int(Kind.CALL), int(Kind.PUT)), pa.int8()),
        "strike_paise": pa.array(np.rint(strike * 100).astype(np.int64)),
        "years": pa.array(np.full(len(at), years)),
        "vol": pa.array(vol),
        "forward": pa.array(forward),
        **{name: pa.array(column) for name, column in zip(_NAMES, values, strict=True)},
    })  # fmt: skip


def plot(path: Path, table: pa.Table, grid: Grid) -> None:
    """Price, delta, gamma and vega of the call nearest the money over forward and vol, at the first moment."""
    middle = grid.forwards[len(grid.forwards) // 2]
    strike = min(grid.strikes[grid.theta > 0], key=lambda value: abs(value - middle))
    chosen = [
        row
        for row in table.to_pylist()
        if row["kind"] == Kind.CALL and row["strike_paise"] == round(strike * 100) and row["years"] == grid.years[0]
    ]
    shape = (len(grid.vols), len(grid.forwards))
    figure = plt.figure(figsize=(11, 8))
    x, y = np.meshgrid(grid.forwards, grid.vols * 100)
    for at, name in enumerate(("price", "delta", "gamma", "vega"), start=1):
        axis = figure.add_subplot(2, 2, at, projection="3d")
        axis.plot_surface(x, y, np.array([row[name] for row in chosen]).reshape(shape), cmap="viridis")
        axis.set_title(name)
        axis.set_xlabel("forward, ₹")
        axis.set_ylabel("vol, %")
    days = grid.years[0] * 365
    figure.suptitle(
        f"{grid.index} {grid.expiry} {strike:,.0f} call, {days:.2f} days to expiry, Black-76 on a grid of vols"
    )
    figure.tight_layout()
    part = path.with_name(".surface.png.part")
    figure.savefig(part, dpi=100, format="png")
    plt.close(figure)
    part.replace(path)


def _forward(rows: list[dict[str, object]], name: str) -> float:
    """Strike + call − put where the two are nearest, on last prices: the centre of the grid, no more than that."""
    last: dict[int, dict[int, int]] = {}
    for row in rows:
        last.setdefault(int(str(row["strike_paise"])), {})[int(str(row["kind"]))] = int(str(row["last_paise"]))
    pairs = [(k, v[Kind.CALL], v[Kind.PUT]) for k, v in last.items() if v.get(Kind.CALL) and v.get(Kind.PUT)]
    if not pairs:
        raise InputError(f"{name}: no strike has both a call and a put that traded; give another time")
    strike, call, put = min(pairs, key=lambda pair: abs(pair[1] - pair[2]))
    return (strike + call - put) / 100


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs.greeks_surface", description=__doc__.splitlines()[0])
    parser.add_argument("--chain", required=True, help="recorded option chain, Parquet")
    parser.add_argument("--index", required=True, help="index of the chain")
    parser.add_argument("--date", required=True, help="day in the file, YYYY-MM-DD")
    parser.add_argument("--time", default="12:00", help="IST; the last collection up to then is taken (default 12:00)")
    parser.add_argument("--spots", type=int, default=21, help="forwards from -5 to +5 per cent (default 21)")
    parser.add_argument("--vols", type=int, default=15, help="vols from 5 to 40 per cent (default 15)")
    parser.add_argument("--times", type=int, default=8, help="moments from now towards the expiry (default 8)")
    parser.add_argument(
        "--rate", type=float, default=RATE, help=f"continuous rate of the discount (default {RATE}, as on the desk)"
    )
    parser.add_argument("--out", help="folder for the results (default out/greeks-surface-INDEX)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
