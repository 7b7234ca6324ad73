"""P&L and Greeks of a book of 20 legs at 21 spots × 11 vols × 5 times, every leg fully revalued at every cell.

Peer, in the same run: the same cube by numpy's form of the formulas (core.pricing.reference), one call for all cells;
the two must agree, or nothing is reported.
"""

import statistics
import sys
import time

import numpy as np

from benchmarks.table import Row, write
from core.pricing import Legs, reference, scenario_grid, warm

SPOTS, VOLS, TIMES = np.linspace(-0.1, 0.1, 21), np.linspace(-0.05, 0.1, 11), np.linspace(0, 0.01, 5)
LEGS, ROUNDS, ASKED_MS = 20, 60, 5.0


def book() -> Legs:
    rng = np.random.default_rng(4)
    years = rng.uniform(0.02, 0.3, LEGS)  # the numpy form knows no expired leg
    kind, strike = rng.choice([1.0, -1.0], LEGS), 50 * np.round(rng.uniform(460, 540, LEGS))
    quantity, vol = 75 * rng.choice([-2, 1, 3], LEGS), rng.uniform(0.1, 0.3, LEGS)
    return Legs(kind, strike, quantity, years, vol, 25_000 * np.exp(0.06 * years), np.exp(-0.065 * years))


def plain(held: Legs) -> list[np.ndarray]:
    forward = held.forward * (1 + SPOTS[:, None, None, None])
    vol = held.vol + VOLS[:, None, None]
    years = held.years - TIMES[:, None]
    discount = held.discount ** (years / held.years)
    cells = np.broadcast_arrays(held.kind, forward, held.strike, years, vol, discount)
    now = reference.price(held.kind, held.forward, held.strike, held.years, held.vol, held.discount)
    return [held.quantity * column for column in (reference.price(*cells) - now, *reference.greeks(*cells))]


def main() -> int:
    warm()
    held = book()
    ours, theirs = scenario_grid(held, SPOTS, VOLS, TIMES), plain(held)
    if not all(np.allclose(a, b, rtol=1e-8, atol=1e-8) for a, b in zip(ours, theirs, strict=True)):
        print("scenarios: ours and numpy's cube differ", file=sys.stderr)
        return 1
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(ROUNDS):
        for name, work in (
            ("ours", lambda: scenario_grid(held, SPOTS, VOLS, TIMES).total()),
            ("theirs", lambda: plain(held)),
        ):
            if name == "ours" or turn % 10 == 0:
                began = time.perf_counter()
                work()
                seconds[name].append(time.perf_counter() - began)
    median = {name: statistics.median(times) * 1e3 for name, times in seconds.items()}
    reached = median["ours"] <= ASKED_MS
    write(Row(question="scenario cube 21 × 11 × 5 of 20 legs, P&L and Greeks", ours=f"{median['ours']:.2f} ms",
              peer=f"{median['theirs']:.1f} ms, numpy", ratio=median["theirs"] / median["ours"], asked="≤ 5 ms",
              reached=reached))  # fmt: skip
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
