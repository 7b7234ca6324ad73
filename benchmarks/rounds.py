"""Contestants in processes of their own, timed in turn: what the machine does meanwhile happens to all of them."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
# For everybody: freed memory stays with the process. Else a round is, for a quarter of its time, the kernel's zeroing
# of fresh pages for columns of eight megabytes, and the longer the faster the contestant is.
KEEP_PAGES = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"
LOOP = """
import sys, time
work()
print(*check(), flush=True)
for line in sys.stdin:
    turn = globals()[line.strip()]
    began = time.perf_counter()
    turn()
    print(time.perf_counter() - began, flush=True)
"""


class Contestant:
    """`source` defines work() and perhaps other turns, which are timed, and check(), whose numbers are `.checked`."""

    def __init__(self, source: str, *arguments: str, threads: int, python: Path = Path(sys.executable)) -> None:
        names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        here = {"PYTHONPATH": str(REPOSITORY)} if python == Path(sys.executable) else {}
        alike = {"GLIBC_TUNABLES": KEEP_PAGES, "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [python, "-c", source + LOOP, *arguments], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **here, **dict.fromkeys(names, str(threads)), **alike},
        )  # fmt: skip
        self.checked = [float(word) for word in self._answer().split()]

    def go(self, turn: str = "work") -> float:
        """Seconds of the function of that name."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{turn}\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contestant ended with code {self.process.wait()}; its words are above")
        return line

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def race(turns: Mapping[str, tuple[Contestant, str]], rounds: int) -> dict[str, float]:
    """Median seconds of each turn over `rounds`, one after the other in every round; ends the processes."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, (contestant, turn) in turns.items():
            seconds[name].append(contestant.go(turn))
    for contestant in {contestant for contestant, _ in turns.values()}:
        contestant.end()
    return {name: statistics.median(took) for name, took in seconds.items()}
