"""When a live feed may speak."""

import datetime as dt

from actors.said import Said
from core.market.list_day import list_ends_ns

S = 1_000_000_000
PATIENCE_NS = 30 * S  # wall, after open(); the order manager speaks every two seconds
LEVEL_NS = 5 * S  # wall, after open(); a second life waits so long for the level, without which it gives up its band


class Gate:
    """Nothing is said once another trading day has begun than the one the instrument list is of: a token may by then be
    another contract's. A second life says no set to its link before it knows what is held: the link may carry it.
    """

    def __init__(self, said: Said, index: str, on: dt.date) -> None:
        """`on`: the trading day of the list."""
        self._said, self._index, self._on = said, index, on
        self._opened_ns = self._ends_ns = 0  # wall; market
        self.second_life = self.told = self.over = False  # told: the order manager has said what is held

    def open(self, wall_ns: int) -> None:
        """UnknownName for an index nobody knows."""
        self._opened_ns, self._ends_ns = wall_ns, list_ends_ns(self._index, self._on)

    def is_over(self, market_ns: int) -> bool:
        if not self.over and market_ns >= self._ends_ns:
            self.over = True
            run = "nothing is sent any more; run: vikalp down, then vikalp up"
            self._said.say("alarm", f"the instrument list is of {self._on} and another trading day has begun: {run}")
        return self.over

    def may_say_set(self, wall_ns: int, level_paise: int) -> bool:
        if not self.second_life:
            return True
        open_ns = wall_ns - self._opened_ns
        if not self.told and open_ns >= PATIENCE_NS:
            waits = "the order manager has not said what is held since this feed began again"
            self._said.say("alarm", f"the universe stands still: {waits}")
        return self.told and (level_paise > 0 or open_ns >= LEVEL_NS)
