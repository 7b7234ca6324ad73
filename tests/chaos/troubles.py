"""The exchange's faults, one after the other, drawn from the seed; a dead login is renewed as a person would."""

import threading
import time
from collections import Counter

import requests

from brokers.kite.login import Login
from cluster.account import LOCAL, log_in_locally, login_path
from core.errors import VikalpError
from storage.secrets import Secrets
from tests.chaos.parts import Part
from tests.chaos.plan import ChaosConfig, rng_of

FOR_GOOD_S = 80_000
TIMEOUT_S = 5.0


class Troubles(Part):
    def __init__(self, root: str, config: ChaosConfig, stop: threading.Event) -> None:
        super().__init__("troubles", stop)
        self._root, self._config = root, config
        self._rng = rng_of(config.seed, "faults")
        self.began: Counter[str] = Counter()

    def work(self) -> None:
        weights = [fault.weight for fault in self._config.faults]
        while not self.stopped.wait(self._rng.uniform(*self._config.fault_gap_s)):
            (fault,) = self._rng.choices(self._config.faults, weights)
            seconds = self._rng.uniform(fault.shortest_s, fault.longest_s)
            for name in filter(None, (fault.name, fault.also)):
                switch(self._root, name, seconds=seconds, uses=fault.uses)
                self.began[name] += 1
            if fault.name == "token_death":
                self.stopped.wait(self._rng.uniform(0.5, 3.0))
                log_in(self._root)


def switch(root: str, fault: str, *, seconds: float, uses: int = 0) -> None:
    """A fault of the exchange on; raises requests' errors."""
    answer = requests.post(f"{root}/admin/faults/{fault}", data={"seconds": seconds, "uses": uses}, timeout=TIMEOUT_S)
    answer.raise_for_status()


def clear(root: str, config: ChaosConfig) -> None:
    """Every fault of the plan off."""
    for fault in config.faults:
        requests.delete(f"{root}/admin/faults/{fault.name}", timeout=TIMEOUT_S).raise_for_status()


def log_in(root: str) -> None:
    """As a person does after the token has died: again, while a fault stands in the way."""
    until = time.monotonic() + 60
    while True:
        try:
            Secrets(login_path(root), LOCAL, Login, iterations=1).save(log_in_locally(root, time.time_ns()))
        except VikalpError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return
