"""What a feed must go on watching: the symbols with a position, an order that may still trade, or a plan."""

from collections.abc import Sequence

import pyarrow as pa

from actors.oms.journal import Journal
from actors.oms.plans import PlanRunner
from core.ports import Bus, Clock
from core.schemas import SYMBOLS

AGAIN_NS = 2_000_000_000  # wall; a feed that has begun anew knows nothing


class Symbols:
    """Publishes topic `symbols`, the whole set of each index: at once when one changes, and again every AGAIN_NS.

    Says nothing before `begin`: until the ledger has been read an empty set would be no fact.
    """

    def __init__(self, journal: Journal, plans: PlanRunner, bus: Bus, clock: Clock, *, indices: Sequence[str]) -> None:
        self._journal, self._plans, self._bus, self._clock = journal, plans, bus, clock
        self._told: dict[str, tuple[str, ...]] = dict.fromkeys(indices, ())
        self._at, self._told_ns = -1, 0  # version of the journal that was looked at last; wall
        self._begun = False

    def begin(self) -> None:
        """The journal is whole: tell every set now."""
        self._begun = True
        self._at, self._told = self._journal.version, self._now()
        self._publish(list(self._told))

    def tell(self) -> None:
        """Tell the sets that differ from what was told; costs nothing while the journal stays as it is."""
        if not self._begun or self._at == self._journal.version:
            return
        before, self._told, self._at = self._told, self._now(), self._journal.version
        self._publish([index for index, symbols in self._told.items() if symbols != before[index]], all_of_them=False)

    def again(self) -> None:
        """On the timer: every set, also the empty ones, once the last time is long ago."""
        if self._begun and not 0 <= self._clock.wall_ns() - self._told_ns < AGAIN_NS:
            self.begin()

    def _now(self) -> dict[str, tuple[str, ...]]:
        held = ((one.holding.index, one.symbol) for one in self._journal.open_books().values())
        live = ((order.intent.index, order.intent.symbol) for order in self._journal.live())
        wanted: dict[str, set[str]] = {index: set() for index in self._told}
        for index, symbol in (*held, *live, *self._plans.watched()):
            if index in wanted:
                wanted[index].add(symbol)
        return {index: tuple(sorted(symbols)) for index, symbols in wanted.items()}

    def _publish(self, indices: Sequence[str], *, all_of_them: bool = True) -> None:
        for index in indices:
            batch = pa.record_batch([pa.array(self._told[index], pa.string())], schema=SYMBOLS)
            self._bus.publish("symbols", batch, index=index)
        if all_of_them:
            self._told_ns = self._clock.wall_ns()
