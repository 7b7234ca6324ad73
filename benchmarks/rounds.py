"""Contestants in processes of their own, timed in turn: what the machine does meanwhile happens to all of them."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LOOP = """
import sys, time
work()
print("ready", check(), flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    work()
    print(time.perf_counter() - began, flush=True)
"""


class Contestant:
    """`source` defines work(), which is timed, and check(), whose number is `.checked`; run by `python`."""

    def __init__(self, source: str, *arguments: str, threads: int, python: Path = Path(sys.executable)) -> None:
        names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        here = {"PYTHONPATH": str(REPOSITORY)} if python == Path(sys.executable) else {}
        environment = {**os.environ, **here, **dict.fromkeys(names, str(threads)), "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [python, "-c", source + LOOP, *arguments], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.seconds: list[float] = []
        self.checked = float(self._answer().split()[1])

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.seconds.append(float(self._answer()))

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


def race(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, float]:
    """Median seconds of each over `rounds`, one after the other in every round; ends the processes."""
    for _ in range(rounds):
        for contestant in contestants.values():
            contestant.go()
    for contestant in contestants.values():
        contestant.end()
    return {name: statistics.median(contestant.seconds) for name, contestant in contestants.items()}
