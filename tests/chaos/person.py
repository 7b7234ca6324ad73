"""The person at the desk: pulls the kill switch now and then, and lets go of one that was pulled, also by the desk."""

import threading
import time
from collections import Counter
from typing import Any

from core.errors import VikalpError
from tests.chaos.parts import Part
from tests.chaos.plan import ChaosConfig, rng_of

LOOK_S = 1.0
WHO = "chaos"


class Person(Part):
    """`did` counts what it has done."""

    def __init__(self, client: Any, config: ChaosConfig, stop: threading.Event) -> None:
        super().__init__("person", stop)
        self._client, self._config, self._rng = client, config, rng_of(config.seed, "person")
        self._halted = False
        self.did: Counter[str] = Counter()

    def work(self) -> None:
        due = time.monotonic() + self._rng.uniform(*self._config.kill_switch_gap_s)
        while not self.stopped.wait(LOOK_S):
            if time.monotonic() > due:
                due = time.monotonic() + self._rng.uniform(*self._config.kill_switch_gap_s)
                self._pull()
                self.stopped.wait(self._rng.uniform(1.0, 4.0))
            self.let_go()

    def let_go(self) -> None:
        """Release a kill switch that is pulled, whoever did it; then trade. What has no answer is asked for again."""
        try:
            if self._client.killed() is not None:
                self._halted = True  # until it resumes, however often the order manager dies meanwhile
                self._client.release("chaos goes on", WHO)
                self.did["released"] += 1
            if self._halted:
                self._client.resume()
                self._halted = False
                self.did["resumed"] += 1
        except VikalpError:
            return

    def _pull(self) -> None:
        square_off = self._rng.random() < 0.5
        try:
            self._client.kill("a test of the kill switch", WHO, square_off)
        except VikalpError:
            self.did["pulled without an answer"] += 1
        else:
            self.did["pulled"] += 1
