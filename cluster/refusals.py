"""How much of its source a feed has to refuse: a clock that is off, or quotes that cross, look well otherwise."""

from collections.abc import Mapping

SHARE = 0.01  # of its rows; a market's own odd quote is far below, what is wrong with a source far above
ROWS = 500  # fewer say nothing yet
WINDOW_NS = 60_000_000_000
REPEAT_NS = 300_000_000_000  # wall; the same reasons are told again
REFUSED = "refused_"


class Refusals:
    """Looks at a minute of wall time at once. A feed's counts begin at 0 with its process."""

    def __init__(self) -> None:
        self._since_ns, self._before, self._now = 0, dict[str, int](), dict[str, int]()
        self._told_ns: dict[str, int] = {}

    def look(self, counts: Mapping[str, int], wall_ns: int) -> str:
        """What to warn of, of the same reasons once in REPEAT_NS; empty when there is nothing new."""
        if _rows(counts) < _rows(self._now):
            self._before, self._now = {}, {}  # a new process
        if not 0 <= wall_ns - self._since_ns < WINDOW_NS:
            self._since_ns, self._before = wall_ns, self._now
        self._now = dict(counts)
        new = {name: count - self._before.get(name, 0) for name, count in refused(counts).items()}
        rows = _rows(counts) - _rows(self._before)
        if rows < ROWS or sum(new.values()) <= SHARE * rows:
            return ""
        why = ", ".join(sorted(name.removeprefix(REFUSED) for name, count in new.items() if count))
        told_ns = self._told_ns.get(why)
        if told_ns is not None and 0 <= wall_ns - told_ns < REPEAT_NS:
            return ""
        self._told_ns[why] = wall_ns
        return f"more than {SHARE:.0%} of the rows of its source are refused: {why}; `vikalp status` counts them"


def refuses_all(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Whether, between these two of its counts, a feed refused rows and passed none on."""
    same = before.get("ticks", 0) == now.get("ticks", 0)
    return same and sum(refused(now).values()) > sum(refused(before).values())


def _rows(counts: Mapping[str, int]) -> int:
    return counts.get("ticks", 0) + sum(refused(counts).values())


def refused(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of rows refused, by reason."""
    return {name: count for name, count in counts.items() if name.startswith(REFUSED) and count}


def in_words(counts: Mapping[str, int]) -> str:
    """For people: "rows refused: crossed 12, time 3"; empty when there are none."""
    said = ", ".join(f"{name.removeprefix(REFUSED)} {count:,}" for name, count in sorted(refused(counts).items()))
    return f"rows refused: {said}" if said else ""
