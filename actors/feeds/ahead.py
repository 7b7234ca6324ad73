"""Whether the times in the quotes run ahead of the desk's clock: nearly all are refused then, and people are told."""

import numpy as np
import pyarrow as pa

from actors.said import Said

S = 1_000_000_000
LASTS_NS = 2 * S  # wall; one odd batch is no clock that is off


class Ahead:
    """An alarm while it is so, once in `repeat_ns` however the seconds in it change. It refuses nothing itself."""

    def __init__(self, said: Said, allowed_ns: int, repeat_ns: int) -> None:
        """`allowed_ns`: how far ahead a row may be (feed.max_ahead_ms); `repeat_ns`: wall."""
        self._said, self._allowed_ns, self._repeat_ns = said, allowed_ns, repeat_ns
        self._since_ns = self._told_ns = 0  # wall; 0: it is not so, it was never told

    def see(self, quotes: pa.RecordBatch, refused: int, now_ns: int, wall_ns: int) -> None:
        """A batch, how many of its rows were refused for their time, and the market's clock and the wall's."""
        by_ns = _middle_ns(quotes) - now_ns if 2 * refused > quotes.num_rows else 0
        if by_ns <= self._allowed_ns:
            self._since_ns = 0
            return
        self._since_ns = self._since_ns or wall_ns
        told = self._told_ns and wall_ns - self._told_ns < self._repeat_ns
        if wall_ns - self._since_ns >= LASTS_NS and not told:
            self._told_ns = wall_ns
            self._said.say("alarm", _words(by_ns, self._allowed_ns))


def _words(by_ns: int, allowed_ns: int) -> str:
    off = f"the source's clock is {by_ns / S:.1f} s ahead of the desk's (feed.max_ahead_ms allows {allowed_ns / S:g} s)"
    todo = (
        "have this machine's clock set by a time service (`vikalp doctor` looks); if it is right, the source's is "
        "wrong: the desk's own exchange is set right by vikalp down, then vikalp up"
    )
    return f"{off}: quotes are refused, and entries with them; {todo}"


def _middle_ns(quotes: pa.RecordBatch) -> int:
    return int(np.median(quotes["exchange_ns"].drop_null().to_numpy()))
