"""Greeks a second on one core: delta, gamma, theta, vega and rho of a million rows.

Peer, in the same run: the same five by numpy with scipy's ndtr, which numpy alone has not; on whole columns, and in
blocks that stay in the cache, of which the faster counts. Everybody lets go of the last result first and keeps its
memory (benchmarks.rounds), so that no round is about fresh pages. scipy lives in an environment of its own.
"""

import sys
import tempfile
from math import isclose
from pathlib import Path

from benchmarks.chain_rows import ROWS, save
from benchmarks.rounds import Contestant, race
from benchmarks.side import NoPeer, peer_python
from benchmarks.table import Row, write

ROUNDS = 15
PINS = ("scipy==1.17.1", "numpy==2.4.6")
HEAD = """
import sys
import numpy as np
data = np.load(sys.argv[1])
columns = [data[name] for name in ("kind", "forward", "strike", "years", "vol", "discount")]
def check():
    return [float(np.abs(column).sum()) for column in found]
"""
OURS = (
    HEAD
    + """
from core.pricing import greeks
def work():
    global found
    found = None
    found = greeks(*columns)
"""
)
NUMPY = (
    HEAD
    + """
from scipy.special import ndtr
def greeks(kind, forward, strike, years, vol, discount):
    root = np.sqrt(years)
    total = vol * root
    d1 = np.log(forward / strike) / total + 0.5 * total
    bell = discount * np.exp(-0.5 * d1 * d1) * (1 / np.sqrt(2 * np.pi))
    signed = kind * discount
    delta = signed * ndtr(kind * d1)
    value = forward * delta - strike * signed * ndtr(kind * (d1 - total))
    per_vega = forward * bell
    theta = (-np.log(discount) * value - 0.5 * per_vega * total) / (365 * years)
    return delta, bell / (forward * total), theta, 0.01 * per_vega * root, -0.01 * years * value
"""
)
WHOLE = (
    NUMPY
    + """
def work():
    global found
    found = None
    found = greeks(*columns)
"""
)
BLOCKS = (
    NUMPY
    + """
def work():
    global found
    found = None
    found = [np.empty_like(columns[0]) for _ in range(5)]
    for at in range(0, columns[0].size, 8192):
        for whole, part in zip(found, greeks(*[column[at : at + 8192] for column in columns])):
            whole[at : at + 8192] = part
"""
)


def main() -> int:
    try:
        peer = peer_python(*PINS)
    except NoPeer as error:
        print(f"greeks: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.npz"
        save(path)
        entered = {
            "ours": (Contestant(OURS, str(path), threads=1), "work"),
            "whole": (Contestant(WHOLE, str(path), threads=1, python=peer), "work"),
            "blocks": (Contestant(BLOCKS, str(path), threads=1, python=peer), "work"),
        }
        sums = {name: contestant.checked for name, (contestant, _) in entered.items()}
        if not all(
            isclose(*pair, rel_tol=1e-9) for name in sums for pair in zip(sums[name], sums["ours"], strict=True)
        ):
            print(f"greeks: the contestants disagree: {sums}", file=sys.stderr)
            return 1
        rate = {name: ROWS / seconds / 1e6 for name, seconds in race(entered, ROUNDS).items()}
    best = max(rate["whole"], rate["blocks"])
    said = f"numpy and scipy's ndtr, {rate['whole']:.1f} on whole columns, {rate['blocks']:.1f} in blocks"
    write(Row(question="Greeks, one core", ours=f"{rate['ours']:.1f} M rows/s", peer=f"{best:.1f} M rows/s ({said})",
              ratio=rate["ours"] / best, asked="≥ 3×", reached=rate["ours"] >= 3 * best))  # fmt: skip
    return 0 if rate["ours"] >= 3 * best else 1


if __name__ == "__main__":
    sys.exit(main())
