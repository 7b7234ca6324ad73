"""SIGKILL at a random moment after an intent has been journalled, or at any moment: what fell where is found later."""

import threading
import time

from tests.chaos.census import Census
from tests.chaos.ledger import LedgerEye
from tests.chaos.parts import Part
from tests.chaos.plan import AIMED, ChaosConfig, draw, rng_of
from tests.chaos.points import Kill

PATIENCE_S = 30.0  # for an order to aim at
MOST_PASSED = 3  # orders to the one that is aimed at
GAP_S = (0.3, 3.0)  # before a round that aims at nothing


class Killer(Part):
    """Until `config.kills` are done. A round waits for an order and kills who is up then, and waits for nobody else."""

    def __init__(self, config: ChaosConfig, census: Census, eye: LedgerEye, stop: threading.Event) -> None:
        super().__init__("killer", stop)
        self._config, self._census, self._eye = config, census, eye
        self._rng = rng_of(config.seed, "killer")
        self.kills: list[Kill] = []
        self.rounds = 0

    def work(self) -> None:
        while len(self.kills) < self._config.kills and not self.stopped.is_set():
            aimed = self._rng.random() < AIMED
            late_s = self._rng.uniform(*self._config.late_s)
            if aimed:
                aimed = self._next_order()
                time.sleep(late_s if aimed else 0)
            else:
                self.stopped.wait(self._rng.uniform(*GAP_S))
            self._round(aimed=aimed)

    def _next_order(self) -> bool:
        """The first, second or third that is journalled from now on: some have to live for there to be fills."""
        return all(self._eye.journalled(PATIENCE_S, self.stopped) for _ in range(self._rng.randint(1, MOST_PASSED)))

    def _round(self, *, aimed: bool) -> None:
        self.rounds += 1
        left = self._config.kills - len(self.kills)
        for victim in draw(self._rng, self._census.up(), self._config.victims)[:left]:
            at_ns = self._census.kill(victim)
            if at_ns:
                self.kills.append(Kill(victim=victim, at_ns=at_ns, aimed=aimed))
