"""Implied vols a second on one core and on two: a chain of a million rows, each answer beside the vol behind it.

Peers, in the same run, each in an environment of its own and on one core: py_vollib_vectorized (its last release wants
libraries of 2023) and fast-vollib's numba backend. Ours on one core and on two is one process, since two processes of
the same code differ by a tenth, by where the loader happened to put it; the middle one of three such processes counts.
A turn of ours is eight calls, about as long as a peer's one. What two cores of this machine give to a loop that
touches no memory stands beside what they give to us: no code can do better than that.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.chain_rows import RATE, ROWS, save
from benchmarks.rounds import Contestant, race
from benchmarks.side import NoPeer, peer_python
from benchmarks.table import Row, write

PROCESSES, CALLS, ROUNDS = 3, 8, 11
WORST = 1e-10  # error of our vols, beside the vol behind the price
VECTORIZED = (
    "py_vollib_vectorized==0.1.1", "py_vollib==1.0.1", "py_lets_be_rational==1.0.1", "numpy==1.24.4", "numba==0.57.1",
    "pandas==1.5.3", "scipy==1.10.1", "setuptools==65.5.0",
)  # fmt: skip
FAST = ("fast-vollib==0.2.4", "numpy==2.4.6", "numba==0.68.1", "scipy==1.17.1", "pandas==3.1.1")

HEAD = """
import sys
import numpy as np
data = np.load(sys.argv[1])
kind, premium, forward, strike, years, discount = (
    data[name] for name in ("kind", "premium", "forward", "strike", "years", "discount"))
flag = np.where(kind > 0, "c", "p")
def check():
    return [np.abs(np.ravel(found) - data["vol"])[data["clear"]].max()]
"""
OURS = (
    HEAD
    + f"""
from numba import config
from core.pricing import implied_vol
def work(threads=2):
    global found
    config.NUMBA_NUM_THREADS = threads
    for _ in range({CALLS}):
        found = None
        found = implied_vol(kind, premium, forward, strike, years, discount).vol
def alone():
    work(1)
"""
)
MACHINE = """
from concurrent.futures import ThreadPoolExecutor
from numba import njit
@njit(nogil=True)
def spin(count):
    total = 0.0
    for step in range(count):
        total = total * 0.999 + step
    return total
def work(threads=2, count=100_000_000):
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(spin, [count // threads] * threads))
def alone():
    work(1)
def check():
    return [spin(0)]
"""
THEIRS = (
    HEAD
    + """
from {module} import {function} as implied_vol
def work():
    global found
    found = implied_vol(premium, forward, strike, {rate}, years, flag, return_as="numpy", on_error="ignore"{more})
"""
)


def entered(path: Path, old: Path, fast: Path) -> dict[str, tuple[Contestant, str]]:
    """Every turn of a round."""
    vectorized = THEIRS.format(module="py_vollib_vectorized", function="vectorized_implied_volatility_black",
                               rate=RATE, more="")  # fmt: skip
    numba = THEIRS.format(module="fast_vollib", function="fast_implied_volatility_black", rate=RATE,
                          more=', backend="numba"')  # fmt: skip
    ours = [Contestant(OURS, str(path), threads=2) for _ in range(PROCESSES)]
    machine = Contestant(MACHINE, threads=2)
    return {
        **{f"one {i}": (each, "alone") for i, each in enumerate(ours)},
        **{f"two {i}": (each, "work") for i, each in enumerate(ours)},
        "machine one": (machine, "alone"),
        "machine two": (machine, "work"),
        "old": (Contestant(vectorized, str(path), threads=1, python=old), "work"),
        "fast": (Contestant(numba, str(path), threads=1, python=fast), "work"),
    }  # fmt: skip


def rows(seconds: dict[str, float], error: dict[str, float]) -> list[Row]:
    one, two = ([CALLS * ROWS / seconds[f"{name} {i}"] / 1e6 for i in range(PROCESSES)] for name in ("one", "two"))
    old, fast = (ROWS / seconds[name] / 1e6 for name in ("old", "fast"))
    rate, more = median(one), median(b / a for a, b in zip(one, two, strict=True))
    said = f"{rate:.1f} M/s, worst error {error['one']:.0e}"
    limit = seconds["machine one"] / seconds["machine two"]
    return [
        Row(question="implied vol, one core", ours=said, ratio=rate / old, asked="≥ 8×", reached=rate >= 8 * old,
            peer=f"{old:.2f} M/s, py_vollib_vectorized 0.1.1, worst error {error['old']:.0e}"),
        Row(question="implied vol, one core, beside numba", ours=said, ratio=rate / fast, asked="≥ 4×",
            peer=f"{fast:.2f} M/s, fast-vollib 0.2.4 on numba, worst error {error['fast']:.0e}",
            reached=rate >= 4 * fast),
        Row(question="implied vol, two cores", ours=f"{median(two):.1f} M/s", ratio=more, asked="≥ 1.7×",
            peer=f"{rate:.1f} M/s on one; arithmetic alone gains {limit:.2f}", reached=more >= 1.7),
    ]  # fmt: skip


def main() -> int:
    try:
        old, fast = peer_python(*VECTORIZED), peer_python(*FAST)
    except NoPeer as error:
        print(f"implied_vol: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.npz"
        save(path)
        turns = entered(path, old, fast)
        error = {name: contestant.checked[0] for name, (contestant, _) in turns.items()}
        error["one"] = max(error[f"one {i}"] for i in range(PROCESSES))
        if not all(error[f"one {i}"] <= WORST for i in range(PROCESSES)):  # a NaN is not
            print(f"implied_vol: ours is {error['one']} off; no time is reported", file=sys.stderr)
            return 1
        found = rows(race(turns, ROUNDS), error)
    for row in found:
        write(row)
    return 0 if all(row.reached for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
